/* option.h - everything that can be set, in one table.
 *
 * Each option has a place in the configuration file; from it follows the name
 * of its environment variable ("limits.max_head" is TIDEWIRE_LIMITS_MAX_HEAD);
 * those that are wanted often have a flag, too. The help, the documentation and
 * every "did you mean" are made from this table.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_OPTION_H
#define TWP_OPTION_H

#include <stdbool.h>
#include <stddef.h>

/* What a value looks like. */
typedef enum twp_kind {
    TWP_TEXT,
    TWP_PATH,    /* in the file: relative to the file's folder */
    TWP_LIST,    /* text, repeatable; in the environment parted by commas */
    TWP_CHOICE,  /* one of the words in `value`, parted by "|" */
    TWP_COUNT,   /* a whole number */
    TWP_BYTES,   /* a number, or text with a unit: "64KiB", "1MiB" */
    TWP_SECONDS, /* a number, or text with a unit: "500ms", "2m" */
    TWP_SWITCH,  /* true or false; the flag takes no value */
    TWP_TABLE    /* any table; in the file only */
} twp_kind;

/* Which commands know an option: a set of these. */
enum {
    TWP_RUN = 1,
    TWP_CHECK = 2,
    TWP_ASK = 4,
    TWP_STATUS = 8,
    TWP_CONSOLE = 16,
    TWP_TOP = 32,
    TWP_PROFILE = 64
};

/* X(SYMBOL, path in the file, flag, kind, commands, least, most, default,
 *   value's name, help). A path of NULL: flag only. A flag of NULL: none. */
#define TWP_LISTEN_OPTIONS(X)                                                  \
    X(LISTEN, "listen", "listen", TWP_LIST, TWP_RUN, 0, 0, "127.0.0.1:8080",   \
      "ADDR:PORT",                                                             \
      "Public address; repeatable. Port 0 takes a free one, unix:PATH is a "   \
      "Unix socket of the server's user alone, "                               \
      "unix:PATH,mode=0660,group=NAME one for others, too")                    \
    X(TLS_CERT, "tls.cert", "tls-cert", TWP_LIST, TWP_RUN, 0, 0, "none",       \
      "FILE",                                                                  \
      "Certificate with its chain, in PEM; repeatable, one for each name and " \
      "kind of key. "                                                          \
      "With one, addresses speak TLS but for Unix sockets and those that "     \
      "begin with http://")                                                    \
    X(TLS_KEY, "tls.key", "tls-key", TWP_LIST, TWP_RUN, 0, 0,                  \
      "in the certificate's file", "FILE",                                     \
      "Private keys of these certificates, in the same order; not to be read " \
      "by everybody")                                                          \
    X(TLS_OCSP, "tls.ocsp", "tls-ocsp", TWP_LIST, TWP_RUN, 0, 0, "none",       \
      "FILE",                                                                  \
      "OCSP response in DER about one of these certificates, sent along with " \
      "it while it is valid; repeatable, in any order")                        \
    X(TLS_CLIENT, "tls.client", "tls-client", TWP_CHOICE, TWP_RUN, 0, 0,       \
      "none", "none|request|require",                                          \
      "Whether clients may or must show a certificate, which scripts read in " \
      "req.tls.client")                                                        \
    X(TLS_CLIENT_CA, "tls.client_ca", "tls-client-ca", TWP_PATH, TWP_RUN, 0,   \
      0, "none", "FILE", "Those who sign certificates of clients, in PEM")     \
    X(TRUSTED_PROXIES, "trusted_proxies", NULL, TWP_LIST, TWP_RUN, 0, 0,       \
      "none", "NETWORK",                                                       \
      "Networks of proxies that are believed when they name their client by "  \
      "X-Forwarded-For or the PROXY protocol: 10.0.0.0/8, ::1, or unix")       \
    X(WORKERS, "workers", "workers", TWP_COUNT, TWP_RUN, 1, 1024,              \
      "one per core", "N", "Worker processes")                                 \
    X(ADMIN, "admin", "admin", TWP_TEXT, TWP_RUN, 0, 0, "127.0.0.1:8090",      \
      "ADDR:PORT",                                                             \
      "Address of /metrics, /health, /ready and /api/status, or \"off\"")      \
    X(ADMIN_TOKEN, "admin_token", NULL, TWP_TEXT, TWP_RUN, 0, 0, "none",       \
      "TOKEN",                                                                 \
      "Bearer token that lets requests to the admin address reload, drain "    \
      "and run Lua; "                                                          \
      "without one only the Unix socket does")                                 \
    X(ADMIN_TOKEN_FILE, "admin_token_file", NULL, TWP_PATH, TWP_RUN, 0, 0,     \
      "none", "FILE",                                                          \
      "File with that token in its first line, read once at the start")        \
    X(CONSOLE, "console", NULL, TWP_SWITCH, TWP_RUN, 0, 0, "true", "",         \
      "Answer tidewire console, which runs Lua in the workers")                \
    X(USER, "user", "user", TWP_TEXT, TWP_RUN, 0, 0, "who started it", "NAME", \
      "User that a server started by root becomes once its ports are bound")   \
    X(GROUP, "group", "group", TWP_TEXT, TWP_RUN, 0, 0, "the user's own",      \
      "NAME", "Its group")                                                     \
    X(REDIS, "redis", NULL, TWP_TABLE, TWP_RUN, 0, 0, "none", "TABLE",         \
      "Redis servers by the names that scripts give to tw.redis: a URL, or a "  \
      "table with url, user, password, password_file, ca, db, pool, connect, "  \
      "timeout, ping, dead, max_pending, max_queued, max_reply")               \
    X(SCRIPT, "script", NULL, TWP_PATH, TWP_RUN | TWP_CHECK, 0, 0, "none",     \
      "FILE", "Main script, when the command line names none")                 \
    X(NODE, "node", NULL, TWP_TEXT, TWP_RUN | TWP_CHECK, 0, 0,                 \
      "the host's name", "NAME", "What scripts read as tw.node.id")            \
    X(RUNTIME_DIR, "runtime_dir", "runtime-dir", TWP_PATH,                     \
      TWP_RUN | TWP_ASK | TWP_STATUS | TWP_CONSOLE | TWP_TOP | TWP_PROFILE, 0, \
      0, "below $XDG_RUNTIME_DIR or /tmp", "DIR",                              \
      "Folder of the server's sockets, mode 0700; names the server to those "  \
      "commands that ask a running one")                                       \
    X(LOG_LEVEL, "log.level", "log-level", TWP_CHOICE, TWP_RUN | TWP_CHECK, 0, \
      0, "info", "debug|info|warn|error", "What is logged, to standard error") \
    X(LOG_FORMAT, "log.format", "log-format", TWP_CHOICE, TWP_RUN | TWP_CHECK, \
      0, 0, "auto", "logfmt|json|auto",                                        \
      "How; auto is for people on a terminal and logfmt elsewhere")            \
    X(DRAIN, "drain", "drain", TWP_SECONDS, TWP_RUN, 0.001, 86400, "10s",      \
      "TIME", "Time for a drain; then connections are cut")                    \
    X(STOP, "stop", NULL, TWP_SECONDS, TWP_RUN, 0.001, 3600, "5s", "TIME",     \
      "Time for on_stop when the server ends")                                 \
    X(FREEZE, "freeze", NULL, TWP_SECONDS, TWP_RUN, 0.001, 60, "250ms",        \
      "TIME",                                                                  \
      "Time for save and restore in all workers; then a reload is aborted")    \
    X(HANG_CPU, "hang.cpu", NULL, TWP_SECONDS, TWP_RUN, 0, 3600, "2s", "TIME", \
      "A worker that used so much CPU time without a turn of its loop is "     \
      "replaced; 0 is never")                                                  \
    X(HANG_WALL, "hang.wall", NULL, TWP_SECONDS, TWP_RUN, 0, 86400, "30s",     \
      "TIME", "The same in wall time")                                         \
    X(HANG_OFF, "hang.off", "hang-off", TWP_SWITCH, TWP_RUN, 0, 0, "false",    \
      "", "Never take a worker for hung: for debuggers")

#define TWP_LUA_OPTIONS(X)                                                     \
    X(FILES, "files", NULL, TWP_LIST, TWP_RUN | TWP_CHECK, 0, 0, "none",       \
      "PATH",                                                                  \
      "What tw.file.read may read: files, or folders with a / at the end. "    \
      "Relative ones start at the script's folder")                            \
    X(CONFIG, "config", NULL, TWP_TABLE, TWP_RUN | TWP_CHECK, 0, 0, "empty",   \
      "TABLE", "What scripts read with tw.config.get")                         \
    X(LUA_MEMORY, "lua.memory", NULL, TWP_BYTES, TWP_RUN | TWP_CHECK, 1 << 20, \
      1e12, "256MiB", "SIZE", "Memory limit of one script VM")                 \
    X(LUA_BUDGET, "lua.budget", NULL, TWP_SECONDS, TWP_RUN | TWP_CHECK, 0.01,  \
      600, "100ms", "TIME", "CPU time of one hook call")                       \
    X(LUA_WAIT, "lua.wait", NULL, TWP_SECONDS, TWP_RUN | TWP_CHECK, 0.001,     \
      86400, "30s", "TIME", "How long a hook may wait in all")                 \
    X(LUA_RETIRE, "lua.retire", NULL, TWP_SECONDS, TWP_RUN | TWP_CHECK, 0.001, \
      86400, "30s", "TIME",                                                    \
      "How long hooks of the old generation may go on after a reload")         \
    X(LUA_JIT, "lua.jit", NULL, TWP_SWITCH, TWP_RUN | TWP_CHECK, 0, 0, "true", \
      "", "Compile scripts; false interprets them")                            \
    X(LUA_DIR, "lua.dir", NULL, TWP_PATH, TWP_RUN | TWP_CHECK, 0, 0,           \
      "as installed", "DIR", "Folder of the Lua library, holds tidewire/")

#define TWP_HTTP_OPTIONS(X)                                                    \
    X(HTTP_CA, "http.ca", NULL, TWP_PATH, TWP_RUN, 0, 0, "the system's",       \
      "FILE",                                                                  \
      "Those whose certificates tw.http trusts, in PEM, in place of the "      \
      "system's")                                                              \
    X(HTTP_PROXY, "http.proxy", NULL, TWP_TEXT, TWP_RUN, 0, 0, "none",         \
      "http://HOST:PORT",                                                      \
      "Proxy for all requests of tw.http; none is taken from the environment")

#define TWP_LIMIT_OPTIONS(X)                                                   \
    X(MAX_CONNECTIONS, "limits.max_connections", NULL, TWP_COUNT, TWP_RUN, 1,  \
      1e7, "1000000", "N",                                                     \
      "Connections of the whole server; more are refused")                     \
    X(MAX_CONNECTIONS_PER_ADDRESS, "limits.max_connections_per_address", NULL, \
      TWP_COUNT, TWP_RUN, 0, 1e7, "0", "N",                                    \
      "Connections of one IP address to one worker; 0 is unlimited")           \
    X(MAX_SUBSCRIPTIONS, "limits.max_subscriptions", NULL, TWP_COUNT, TWP_RUN, \
      1, 32767, "1000", "N", "Channels of one connection")                     \
    X(MAX_HEAD, "limits.max_head", NULL, TWP_BYTES, TWP_RUN, 1024, 1 << 20,    \
      "16KiB", "SIZE", "Head of a request; more is answered with 431")         \
    X(MAX_HEADERS, "limits.max_headers", NULL, TWP_COUNT, TWP_RUN, 1, 10000,   \
      "100", "N", "Header lines of a request; more are answered with 431")     \
    X(MAX_REQUESTS, "limits.max_requests", NULL, TWP_COUNT, TWP_RUN, 1, 1e9,   \
      "1000", "N", "Requests of one connection; the last answer ends it")      \
    X(HANDSHAKES_PER_SECOND, "limits.handshakes_per_second", NULL, TWP_COUNT,  \
      TWP_RUN, 0, 1e9, "0", "N",                                               \
      "Upgrades of the whole server in a second, each worker its part; more "  \
      "are answered with 503 and Retry-After; 0 is unlimited")                 \
    X(HANDSHAKE_BURST, "limits.handshake_burst", NULL, TWP_COUNT, TWP_RUN, 0,  \
      1e9, "0", "N",                                                           \
      "How many of them may come at once; 0 is as many as in a second")        \
    X(HANDSHAKE, "limits.handshake", NULL, TWP_SECONDS, TWP_RUN, 0.001, 3600,  \
      "10s", "TIME", "For a whole request head to arrive")                     \
    X(HTTP_IDLE, "limits.http_idle", NULL, TWP_SECONDS, TWP_RUN, 0.001, 86400, \
      "15s", "TIME", "Between two requests of one connection")                 \
    X(HTTP_HANDLER, "limits.http_handler", NULL, TWP_SECONDS, TWP_RUN, 0.001,  \
      86400, "60s", "TIME", "For a handler's answer; then 503")                \
    X(FRAME, "limits.frame", NULL, TWP_SECONDS, TWP_RUN, 0.001, 86400, "30s",  \
      "TIME", "For a frame or message that was begun to be complete")          \
    X(CLOSE, "limits.close", NULL, TWP_SECONDS, TWP_RUN, 0.001, 3600, "5s",    \
      "TIME", "For the closing handshake")                                     \
    X(STALL, "limits.stall", NULL, TWP_SECONDS, TWP_RUN, 0.001, 86400, "30s",  \
      "TIME", "Without any write progress; then the connection is closed")     \
    X(REPLY_BUDGET, "limits.reply_budget", NULL, TWP_BYTES, TWP_RUN, 1024,     \
      1e12, "1MiB", "SIZE",                                                    \
      "Direct sends that wait for one connection: half full, it is not read; " \
      "full, conn:send answers overloaded")                                    \
    X(PUBLICATION_BUDGET, "limits.publication_budget", NULL, TWP_BYTES,        \
      TWP_RUN, 1024, 1e12, "1MiB", "SIZE",                                     \
      "Publications that wait for one connection; full, the class's slow "     \
      "policy acts")                                                           \
    X(PINNED, "limits.pinned", NULL, TWP_BYTES, TWP_RUN, 1 << 16, 1e12,        \
      "64MiB", "SIZE",                                                         \
      "Batches of a worker that slow connections hold; then they are copied")  \
    X(PUBLISH_BUDGET, "limits.publish_budget", NULL, TWP_BYTES, TWP_RUN,       \
      1 << 16, 1e12, "16MiB", "SIZE",                                          \
      "Publications on their way to one home; full, publishing answers "       \
      "overloaded")                                                            \
    X(DELIVERY_BUDGET, "limits.delivery_budget", NULL, TWP_BYTES, TWP_RUN,     \
      1 << 16, 1e12, "16MiB", "SIZE",                                          \
      "Deliveries on their way from a home to one worker; full, they are "     \
      "dropped and the gap is told")                                           \
    X(HISTORY_MEMORY, "limits.history_memory", NULL, TWP_BYTES, TWP_RUN,       \
      1 << 16, 1e13, "256MiB", "SIZE",                                         \
      "What one worker keeps for channels with history or retain; full, "      \
      "those unused for longest are given up")                                 \
    X(RECOVER, "limits.recover", NULL, TWP_BYTES, TWP_RUN, 1024, 1e9, "4MiB",  \
      "SIZE",                                                                  \
      "Sent to one connection that names its position; of more only the "      \
      "newest, and it is told")                                                \
    X(DICT_MEMORY, "limits.dict_memory", NULL, TWP_BYTES, TWP_RUN, 1 << 18,    \
      1e12, "32MiB", "SIZE",                                                   \
      "What all workers share for tw.dict, and an eighth of it for tw.limit")  \
    X(METRIC_MEMORY, "limits.metric_memory", NULL, TWP_BYTES, TWP_RUN,         \
      1 << 14, 1e9, "1MiB", "SIZE",                                            \
      "What tw.metric has in each worker; full, new series are folded")        \
    X(PRESENCE_GRACE, "limits.presence_grace", NULL, TWP_SECONDS, TWP_RUN,     \
      0.001, 3600, "5s", "TIME",                                               \
      "Who comes back to a channel within it neither left nor joined")         \
    X(PRESENCE_TOLD, "limits.presence_told", NULL, TWP_COUNT, TWP_RUN, 1, 1e5, \
      "100", "N",                                                              \
      "Members of a channel up to which it is told who joins and leaves; in "  \
      "larger ones only how many there are")                                   \
    X(HTTP_CONCURRENT, "limits.http_concurrent", NULL, TWP_COUNT, TWP_RUN, 1,  \
      1e5, "100", "N",                                                         \
      "Requests of tw.http that a worker has under way at once; others wait")  \
    X(HTTP_PER_HOST, "limits.http_per_host", NULL, TWP_COUNT, TWP_RUN, 1, 1e5, \
      "20", "N", "Of those, to one host")                                      \
    X(HTTP_QUEUE, "limits.http_queue", NULL, TWP_COUNT, TWP_RUN, 1, 1e6,       \
      "1000", "N",                                                             \
      "Requests of tw.http that wait in a worker; more are answered "          \
      "overloaded")                                                            \
    X(HTTP_ANSWER, "limits.http_answer", NULL, TWP_BYTES, TWP_RUN, 1024, 1e9,  \
      "16MiB", "SIZE", "What a script may set max_body of tw.http to")         \
    X(HTTP_MEMORY, "limits.http_memory", NULL, TWP_BYTES, TWP_RUN, 1 << 16,    \
      1e12, "64MiB", "SIZE",                                                   \
      "Bodies of requests and answers of tw.http that a worker holds; more "   \
      "are answered overloaded")                                               \
    X(HTTP_FAILURES, "limits.http_failures", NULL, TWP_COUNT, TWP_RUN, 1, 1e9, \
      "5", "N",                                                                \
      "Failures of a host in a row; then tw.http answers unavailable without " \
      "asking it, but for a probe now and then")                               \
    X(HTTP_PAUSE, "limits.http_pause", NULL, TWP_SECONDS, TWP_RUN, 0.001, 60,  \
      "1s", "TIME",                                                            \
      "How long until the first probe; twice as long after each that failed, " \
      "at most a minute")                                                      \
    X(READ_TURN, "limits.read_turn", NULL, TWP_BYTES, TWP_RUN, 1024, 1 << 16,  \
      "64KiB", "SIZE", "Bytes read of one connection in one turn")             \
    X(READ_TURN_FRAMES, "limits.read_turn_frames", NULL, TWP_COUNT, TWP_RUN,   \
      1, 1e6, "128", "N", "Frames handled of one connection in one turn")

#define TWP_FLAG_OPTIONS(X)                                                    \
    X(REDIS_URL, NULL, "redis", TWP_TEXT, TWP_RUN, 0, 0, "none", "URL",        \
      "The Redis server named main: redis://user:password@host:port/db, "      \
      "rediss:// with TLS, or unix:PATH. In TIDEWIRE_REDIS others do not see " \
      "its password")                                                          \
    X(CONFIG_FILE, NULL, "config", TWP_TEXT,                                   \
      TWP_RUN | TWP_CHECK | TWP_ASK | TWP_STATUS, 0, 0, "none", "FILE",        \
      "Lua file that returns a table of options")                              \
    X(JSON, NULL, "json", TWP_SWITCH, TWP_STATUS, 0, 0, "false", "",           \
      "Print the server's answer as it is")                                    \
    X(FORMAT, NULL, "format", TWP_CHOICE, TWP_CHECK, 0, 0, "text",             \
      "text|json", "How what is wrong is told: lines, or one JSON object")     \
    X(WORKER, NULL, "worker", TWP_COUNT, TWP_CONSOLE | TWP_PROFILE, 0, 1023,   \
      "0 for console, all for profile", "N", "Ask this worker")                \
    X(ALL, NULL, "all", TWP_SWITCH, TWP_CONSOLE, 0, 0, "false", "",            \
      "Run each line in all workers")                                          \
    X(EVAL, NULL, "eval", TWP_LIST, TWP_CONSOLE, 0, 0, "none", "LUA",          \
      "Run this and end; repeatable, and -e for short")                        \
    X(ONCE, NULL, "once", TWP_SWITCH, TWP_TOP, 0, 0, "false", "",              \
      "Print one picture, as plain text, and end")                             \
    X(INTERVAL, NULL, "interval", TWP_SECONDS, TWP_TOP, 0.1, 3600, "2s",       \
      "TIME", "Between two pictures; rates are of that time")                  \
    X(SECONDS, NULL, "seconds", TWP_SECONDS, TWP_PROFILE, 0.1, 60, "10s",      \
      "TIME", "How long to take samples")                                      \
    X(OUTPUT, NULL, "output", TWP_TEXT, TWP_PROFILE, 0, 0,                     \
      "profile.svg, or standard output for --folded", "FILE",                  \
      "Where it goes, and -o for short; - is standard output")                 \
    X(FOLDED, NULL, "folded", TWP_SWITCH, TWP_PROFILE, 0, 0, "false", "",      \
      "Folded stacks for other tools, in place of a picture")                  \
    X(WATCH, NULL, "watch", TWP_SWITCH, TWP_RUN, 0, 0, "false", "",            \
      "Reload when a script changes, and show what is wrong with it")

#define TWP_OPTIONS(X)                                                         \
    TWP_LISTEN_OPTIONS(X)                                                      \
    TWP_LUA_OPTIONS(X)                                                         \
    TWP_HTTP_OPTIONS(X)                                                        \
    TWP_LIMIT_OPTIONS(X)                                                       \
    TWP_FLAG_OPTIONS(X)

#define TWP_OPTION_ENUM(symbol, ...) TWP_##symbol##_OPTION,
typedef enum twp_option_id {
    TWP_OPTIONS(TWP_OPTION_ENUM) TWP_OPTION_COUNT
} twp_option_id;
#undef TWP_OPTION_ENUM

typedef struct twp_option {
    const char *path; /* "log.level"; NULL: not in the file */
    const char *flag; /* "log-level"; NULL: none */
    twp_kind kind;
    unsigned commands;
    double least, most; /* of a number, in its unit */
    const char *standard;
    const char *value; /* "ADDR:PORT"; the words of a choice */
    const char *help;
} twp_option;

/* By twp_option_id. */
extern const twp_option twp_options[TWP_OPTION_COUNT];

/* The option with this flag that a command of the set knows, or -1. The name
 * ends at `len`. */
int twp_option_by_flag(const char *name, size_t len, unsigned commands);

/* The option of this path, or -1. */
int twp_option_by_path(const char *path);

/* Writes "TIDEWIRE_LOG_LEVEL"; false for options without a variable. */
bool twp_option_variable(const twp_option *option, char *out, size_t size);

/* "a whole number", for help and errors. */
const char *twp_kind_text(twp_kind kind);

#endif
