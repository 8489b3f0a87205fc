/* hooks.c - what a message costs in a script's hook.
 *
 * A real server and its clients in one process: fifty connections send bursts
 * of sixteen, as fast as the server takes them. Measured is only what is inside
 * of the server's on_message hook: the doorway into Lua, the script, and what
 * the script calls.
 *
 *     hooks WORK [messages]
 *
 * WORK is a route of hooks.lua ("echo", "publish", "json", ...), or "native",
 * an echo by a hook in C. It prints the median and the longest time of a hook.
 * Times depend on the machine and on what else it does; instructions do not:
 *
 *     valgrind --tool=callgrind --toggle-collect=measured hooks echo 20000
 *
 * and divide what it collected by the number of messages.
 *
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <tidewire/lua.h>

enum { CLIENTS = 50, BURST = 16, WARM_UP = 40000, MAX_PAYLOAD = 125 };
enum { LONG_NS = 20000000 };

static const char plain[] = "0123456789abcdef0123456789abcdef"
                            "0123456789abcdef0123456789abcdef";
static const char json[] =
    "{\"type\":\"say\",\"room\":\"lobby\",\"text\":\"hello, world\","
    "\"ids\":[1,2,3],\"at\":1700000000.25}";

typedef struct bench {
    const char *work;
    tw_lua *lua;
    tw_server *server;
    uv_loop_t loop;
    tw_hooks hooks;
    bool is_measuring;
    size_t handled;
    uint32_t *times; /* in ns, of each message measured */
    size_t count, room;
} bench;

static void fail(const char *what) {
    fprintf(stderr, "hooks: %s\n", what);
    exit(1);
}

/* For pauses the thread's own time, which leaves out what others do. */
static clockid_t measure = CLOCK_MONOTONIC;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(measure, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- the hook ----------------------------------------------------------- */

static int native(tw_conn *conn, const tw_msg *msg) {
    tw_conn_send(conn, msg->data, msg->len, msg->binary);
    return TW_DONE;
}

/* By name, for callgrind. */
__attribute__((noinline)) int measured(bench *b, tw_conn *conn,
                                       const tw_msg *msg) {
    return b->lua ? b->hooks.on_message(conn, msg, b->lua) : native(conn, msg);
}

static int on_message(tw_conn *conn, const tw_msg *msg, void *user) {
    bench *b = user;
    b->handled++;
    if (!b->is_measuring) {
        return b->lua ? b->hooks.on_message(conn, msg, b->lua)
                      : native(conn, msg);
    }
    uint64_t from = now_ns();
    int result = measured(b, conn, msg);
    if (b->count < b->room) {
        b->times[b->count++] = (uint32_t)(now_ns() - from);
    }
    return result;
}

static int on_open(tw_conn *conn, tw_req *req, void *user) {
    bench *b = user;
    return b->lua && b->hooks.on_open ? b->hooks.on_open(conn, req, b->lua)
                                      : TW_DONE;
}

static void on_gone(tw_conn *conn, void *user) {
    bench *b = user;
    if (b->lua) {
        b->hooks.on_gone(conn, b->lua);
    }
}

/* ---- the server --------------------------------------------------------- */

static void on_log(tw_log_level level, const char *message,
                   const tw_log_field *fields, size_t count, void *arg) {
    (void)arg;
    if (level < TW_LOG_WARN) {
        return;
    }
    fprintf(stderr, "%s", message);
    for (size_t i = 0; i < count; i++) {
        fprintf(stderr, " %s=%s", fields[i].key, fields[i].value);
    }
    fprintf(stderr, "\n");
}

static void start_script(bench *b) {
    char report[TW_REPORT_MAX];
    const char *script = getenv("TW_BENCH_SCRIPT");
    const char *library = getenv("TW_LUA_DIR");
    tw_lua_config config = {.script = script ? script : "tests/bench/hooks.lua",
                            .library_dir = library ? library : "lua",
                            .log = on_log};
    if (tw_lua_create(&b->lua, &config)) {
        fail("no memory");
    }
    b->hooks = tw_lua_hooks(b->lua);
    if (tw_lua_start(b->lua, b->server, report)) {
        fail(report);
    }
}

static void start(bench *b) {
    static const char *const listen[] = {"127.0.0.1:0"};
    static const tw_route_config route = {.pattern = "/native",
                                          .hooks = TW_HOOK_MESSAGE};
    char detail[256];
    uv_loop_init(&b->loop);
    tw_config config = {.loop = &b->loop,
                        .listen = listen,
                        .listen_count = 1,
                        .hooks = {.on_message = on_message,
                                  .on_open = on_open,
                                  .on_gone = on_gone},
                        .hook_user = b,
                        .log = on_log};
    if (tw_server_create(&b->server, &config, detail, sizeof detail)) {
        fail(detail);
    }
    if (strcmp(b->work, "native") == 0) {
        tw_server_set_routes(b->server, &route, 1, NULL);
    } else {
        start_script(b);
    }
    tw_server_listen(b->server);
}

static void stop(bench *b) {
    if (b->lua) {
        tw_lua_stop(b->lua);
    }
    tw_server_destroy(b->server, NULL, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    uv_loop_close(&b->loop);
    tw_lua_destroy(b->lua);
}

/* ---- clients ------------------------------------------------------------ */

static uint8_t burst[BURST * (MAX_PAYLOAD + 6)];
static size_t burst_len;

/* Masked with zeros: as good as any mask, and readable. */
static void make_burst(const char *text) {
    size_t len = strlen(text);
    for (int i = 0; i < BURST; i++) {
        uint8_t *frame = burst + burst_len;
        frame[0] = 0x81;
        frame[1] = (uint8_t)(0x80 | len);
        memset(frame + 2, 0, 4);
        memcpy(frame + 6, text, len);
        burst_len += 6 + len;
    }
}

static void turn(bench *b) {
    uv_run(&b->loop, UV_RUN_NOWAIT);
}

static int connect_client(bench *b, uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    char request[256], answer[1024];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) {
        fail("cannot connect");
    }
    int len = snprintf(request, sizeof request,
                       "GET /%s HTTP/1.1\r\nHost: bench\r\n"
                       "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "Sec-WebSocket-Version: 13\r\n\r\n",
                       b->work);
    if (send(fd, request, (size_t)len, 0) != len) {
        fail("cannot send");
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    ssize_t got = -1;
    while (got < 0) {
        turn(b);
        got = recv(fd, answer, sizeof answer, 0);
    }
    if (got < 12 || memcmp(answer, "HTTP/1.1 101", 12) != 0) {
        fail("refused: is there such a work?");
    }
    return fd;
}

static void drain(const int *fds) {
    static char sink[65536];
    for (int i = 0; i < CLIENTS; i++) {
        while (recv(fds[i], sink, sizeof sink, 0) > 0) {
        }
    }
}

static void send_messages(bench *b, const int *fds, size_t messages) {
    size_t end = b->handled + messages;
    while (b->handled < end) {
        size_t round = b->handled + CLIENTS * BURST;
        for (int i = 0; i < CLIENTS; i++) {
            if (send(fds[i], burst, burst_len, 0) != (ssize_t)burst_len) {
                fail("cannot send");
            }
        }
        while (b->handled < round) {
            turn(b);
        }
        turn(b);
        drain(fds);
    }
}

/* ---- the answer --------------------------------------------------------- */

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* What reading the clock costs by itself is not the hook's. */
static uint32_t clock_cost(void) {
    uint32_t best = UINT32_MAX;
    for (int i = 0; i < 1000; i++) {
        uint64_t from = now_ns();
        uint32_t cost = (uint32_t)(now_ns() - from);
        best = cost < best ? cost : best;
    }
    return best;
}

static void report(bench *b) {
    double sum = 0;
    size_t long_ones = 0;
    for (size_t i = 0; i < b->count; i++) {
        sum += b->times[i];
        long_ones += b->times[i] > LONG_NS;
    }
    qsort(b->times, b->count, sizeof *b->times, compare);
    uint32_t own = clock_cost();
    printf("%-8s %zu messages: median %u ns, mean %.0f ns, longest %.2f ms, "
           "%zu over 20 ms\n",
           b->work, b->count, b->times[b->count / 2] - own,
           sum / (double)b->count - own, b->times[b->count - 1] / 1e6,
           long_ones);
}

int main(int argc, char **argv) {
    static int fds[CLIENTS];
    bench b = {.work = argc > 1 ? argv[1] : "echo"};
    b.room = argc > 2 ? strtoul(argv[2], NULL, 10) : 400000;
    b.times = calloc(b.room + 1, sizeof *b.times);
    if (strcmp(b.work, "kept") == 0) {
        measure = CLOCK_THREAD_CPUTIME_ID;
    }
    bool is_json = strcmp(b.work, "json") == 0 || strcmp(b.work, "kept") == 0;
    make_burst(is_json ? json : plain);
    start(&b);
    const char *address = tw_server_address(b.server, 0).data;
    uint16_t port = (uint16_t)atoi(strrchr(address, ':') + 1);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = connect_client(&b, port);
    }
    send_messages(&b, fds, WARM_UP);
    b.is_measuring = true;
    send_messages(&b, fds, b.room);
    b.is_measuring = false;
    for (int i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
    stop(&b);
    report(&b);
    free(b.times);
    return 0;
}
