/* tidewire run: a server of this script. SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "command.h"
#include "host.h"
#include "notify.h"
#include "redis.h"
#include "secret.h"
#include "watch.h"

/* The program runs one server; its workers are forks of it. */
static struct run {
    twp_log log;
    tw_member_hooks script; /* the bridge's own */
    twp_listen listen;
    twp_redis redis;
    twp_watch watch;
} run;

/* ---- what to open ------------------------------------------------------- */

/* An address that means every interface is no place to go to. */
static char *url_of(size_t i, tw_str address) {
    const char *text = address.data;
    const char *scheme = run.listen.options[i].tls != NULL ? "https" : "http";
    if (strncmp(text, "unix:", 5) == 0) {
        return twp_copy(text);
    }
    if (strncmp(text, "0.0.0.0:", 8) == 0) {
        return twp_print("%s://127.0.0.1:%s/", scheme, text + 8);
    }
    if (strncmp(text, "[::]:", 5) == 0) {
        return twp_print("%s://[::1]:%s/", scheme, text + 5);
    }
    return twp_print("%s://%s/", scheme, text);
}

static void add_urls(twp_text *out, const tw_ready *ready,
                     const char *separator) {
    for (size_t i = 0; i < ready->address_count; i++) {
        char *url = url_of(i, ready->addresses[i]);
        twp_text_printf(out, "%s%s", i > 0 ? separator : "", url);
        free(url);
    }
}

static void add_sentence(twp_text *out, const tw_ready *ready) {
    twp_text_puts(out, "Tidewire " TW_VERSION " on ");
    add_urls(out, ready, ", ");
    twp_text_printf(out, " (%u worker%s)", ready->workers,
                    ready->workers == 1 ? "" : "s");
    if (*ready->admin != '\0') {
        twp_text_printf(out, ", admin http://%s/", ready->admin);
    }
    twp_text_printf(out, " - reload: kill -HUP %d", (int)getpid());
}

static void add_row(twp_text *out, const char *name, const char *value) {
    bool has_colour = run.log.has_colour;
    twp_text_printf(out, "    %s%-8s%s %s\n", has_colour ? "\033[2m" : "", name,
                    has_colour ? "\033[0m" : "", value);
}

static void add_banner(twp_text *out, const tw_ready *ready) {
    bool has_colour = run.log.has_colour;
    char text[160];
    twp_text urls = {0};
    add_urls(&urls, ready, "\n             ");
    snprintf(text, sizeof text, "%u worker%s, master %d", ready->workers,
             ready->workers == 1 ? "" : "s", (int)getpid());
    twp_text_printf(out, "\n  %sTidewire " TW_VERSION "%s\n\n",
                    has_colour ? "\033[1;36m" : "",
                    has_colour ? "\033[0m" : "");
    add_row(out, "open", urls.data != NULL ? urls.data : "");
    add_row(out, "running", text);
    if (*ready->admin != '\0') {
        snprintf(text, sizeof text, "http://%s/", ready->admin);
        add_row(out, "admin", text);
    }
    snprintf(text, sizeof text, "tidewire reload, or kill -HUP %d",
             (int)getpid());
    add_row(out, "reload", text);
    add_row(out, "stop", "Ctrl-C");
    twp_text_puts(out, "\n");
    twp_text_deinit(&urls);
}

static void on_ready(const tw_ready *ready, void *user) {
    (void)user;
    twp_text text = {0};
    if (run.log.format == TWP_LOG_PEOPLE) {
        add_banner(&text, ready);
        twp_log_put(&run.log, &text);
    } else {
        add_sentence(&text, ready);
        twp_log_write(TW_LOG_INFO, text.data != NULL ? text.data : "", NULL, 0,
                      &run.log);
    }
    twp_text_deinit(&text);
    twp_watch_ready(&run.watch, ready->runtime_dir);
    twp_notify("READY=1");
}

/* ---- setting up --------------------------------------------------------- */

/* A log that nobody reads any more, or that may not grow, is no reason to end:
 * writing to it fails, and that is counted. */
static void be_deaf(void) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* Descriptors are what connections need most of. */
static void raise_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
        limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* A second server on the same machine has to name its public address; that it
 * also has to name an admin address it never asked for would be a surprise. */
static void leave_default_admin(tw_master_config *config) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(8090),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) != 0 &&
        errno == EADDRINUSE) {
        tw_log_field fields[] = {{"address", config->admin},
                                 {"instead", "--admin ADDR:PORT"}};
        twp_log_write(TW_LOG_WARN,
                      "the default admin address is in use: no /metrics over "
                      "TCP",
                      fields, 2, &run.log);
        config->admin = NULL;
    }
    if (fd >= 0) {
        close(fd);
    }
}

static bool is_local(const char *address) {
    static const char *const local[] = {"127.",
                                        "localhost:", "[::1]:", "unix:"};
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        if (strncmp(address, local[i], strlen(local[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Nothing that strangers can reach needs to be root. */
static void warn_root(const tw_master_config *config) {
    bool is_root = geteuid() == 0 && config->user == NULL;
    for (size_t i = 0; is_root && i < config->server.listen_count; i++) {
        if (!is_local(config->server.listen[i])) {
            tw_log_field fields[] = {{"address", config->server.listen[i]},
                                     {"instead", "--user NAME"}};
            twp_log_write(TW_LOG_WARN, "a public server runs as root", fields,
                          2, &run.log);
            return;
        }
    }
}

/* Three member hooks are ours, too. From here on logs name the worker; while it
 * serves, its server looks after what the log could not write. */
static int on_start(tw_server *server, const tw_member *member, char *report,
                    void *user) {
    run.log.worker = (int)member->slot;
    int code = twp_redis_add(&run.redis, server, report);
    if (code != 0) {
        return code;
    }
    return run.script.start(server, member, report, user);
}

static void on_started(tw_server *server, const tw_member *member, void *user) {
    twp_log_attach(&run.log, server);
    run.script.started(server, member, user);
}

static void on_stop(tw_server *server, void *user) {
    twp_log_detach(&run.log);
    run.script.stop(server, user);
}

static int serve(const twp_settings *settings, const twp_lua *host,
                 const char *token) {
    tw_lua *lua;
    int error = tw_lua_create(&lua, &host->config);
    if (error != 0) {
        tw_log_field field = {"error", tw_strerror(error)};
        twp_log_write(TW_LOG_ERROR, "cannot start", &field, 1, &run.log);
        return 1;
    }
    tw_master_config config;
    twp_master_fill(&config, settings, &run.listen, &run.log);
    config.admin_token = token;
    warn_root(&config);
    if (!twp_settings_has(settings, TWP_ADMIN_OPTION)) {
        leave_default_admin(&config);
    }
    run.script = tw_lua_member_hooks(lua);
    config.server.hooks = tw_lua_hooks(lua);
    config.server.hook_user = lua;
    config.member = run.script;
    config.member.start = on_start;
    config.member.started = on_started;
    config.member.stop = on_stop;
    config.member_user = lua;
    config.on_ready = on_ready;
    int status = tw_master_run(&config);
    tw_lua_destroy(lua);
    return status;
}

static bool take_listen(const twp_settings *settings) {
    twp_text problems = {0};
    twp_listen_init(&run.listen, settings, &problems);
    twp_redis_init(&run.redis, settings, &problems);
    bool is_fine = problems.len == 0;
    twp_text_write(&problems, STDERR_FILENO);
    twp_text_deinit(&problems);
    return is_fine;
}

/* True when nothing is to be watched, too. */
static bool watch(const twp_settings *settings, const char *script) {
    return !twp_settings_is_on(settings, TWP_WATCH_OPTION, false) ||
           twp_watch_start(&run.watch, script,
                           twp_settings_text(settings, TWP_CONFIG_FILE_OPTION),
                           &run.log);
}

int twp_run(twp_settings *settings, const char *operand) {
    int status;
    const char *script = twp_script(settings, operand, &status);
    if (script == NULL) {
        return status;
    }
    twp_log_init(&run.log, twp_settings_text(settings, TWP_LOG_LEVEL_OPTION),
                 twp_settings_text(settings, TWP_LOG_FORMAT_OPTION));
    be_deaf();
    twp_log_unblock(&run.log);
    raise_descriptors();
    char *token;
    if (!twp_secret_token(settings, &token)) {
        return 2;
    }
    status = 2;
    if (take_listen(settings)) {
        twp_lua host;
        twp_lua_init(&host, settings, script, &run.log);
        status = watch(settings, script) ? serve(settings, &host, token) : 1;
        twp_watch_stop(&run.watch);
        twp_lua_deinit(&host);
    }
    twp_listen_deinit(&run.listen);
    twp_redis_deinit(&run.redis);
    twp_secret_free(token);
    twp_log_deinit(&run.log);
    return status;
}
