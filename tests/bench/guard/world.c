/* world.c - a server with the routes of guard.lua, and raw clients.
 * SPDX-License-Identifier: MIT */
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- the server ---------------------------------------------------------- */

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

void world_open_with(world *w, tw_lua_config lua) {
    char detail[TW_REPORT_MAX] = "";
    const char *listen[] = {w->listen};
    *w = (world){0};
    snprintf(w->listen, sizeof w->listen, "unix:%s/server", guard_folder());
    uv_loop_init(&w->loop);
    lua.library_dir = TW_LUA_DIR;
    lua.log = on_log;
    guard_check(tw_lua_create(&w->lua, &lua) == 0, "no memory");
    tw_config config = {.loop = &w->loop,
                        .listen = listen,
                        .listen_count = 1,
                        .hooks = tw_lua_hooks(w->lua),
                        .hook_user = w->lua,
                        .log = on_log,
                        .log_level = TW_LOG_WARN};
    guard_check(tw_server_create(&w->server, &config, detail, sizeof detail) ==
                    0,
                detail);
    /* Which clock it is shall not depend on the machine. */
    tw_ticks_are_cycles = true;
    guard_check(tw_lua_start(w->lua, w->server, detail) == 0, detail);
    guard_check(tw_server_listen(w->server) == 0, "cannot listen");
    world_turn(w);
}

/* Without the JIT there is no need of the profiler. The budget is in CPU time
 * under valgrind, which takes a hundred times as long. */
void world_open(world *w) {
    world_open_with(w, (tw_lua_config){.script = TW_GUARD_SCRIPT,
                                       .no_jit = true,
                                       .no_profiler = true,
                                       .budget_ms = 1000000});
}

void world_close(world *w) {
    tw_lua_stop(w->lua);
    tw_server_destroy(w->server, NULL, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    uv_loop_close(&w->loop);
    tw_lua_destroy(w->lua);
    unlink(w->listen + strlen("unix:"));
}

void world_turn(world *w) {
    guard_pass(1);
    guard_count_on();
    uv_run(&w->loop, UV_RUN_NOWAIT);
    guard_count_off();
}

void world_turns(world *w, int turns) {
    while (turns-- > 0) {
        world_turn(w);
    }
}

uint64_t world_counter(world *w, tw_counter counter) {
    tw_slot_stats stats;
    guard_check(tw_server_stats(w->server, 0, &stats) == 0, "no figures");
    return stats.counters[counter];
}

/* ---- clients ------------------------------------------------------------- */

int world_connect(world *w) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(to.sun_path, sizeof to.sun_path, "%s",
             w->listen + strlen("unix:"));
    guard_check(fd >= 0, "no more descriptors");
    guard_check(connect(fd, (struct sockaddr *)&to, sizeof to) == 0,
                "cannot connect");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* As a browser asks. */
void world_ask(int fd, const char *route) {
    char request[1024];
    int len = snprintf(
        request, sizeof request,
        "GET /%s HTTP/1.1\r\nHost: guard.example\r\n"
        "Connection: keep-alive, Upgrade\r\n"
        "Pragma: no-cache\r\nCache-Control: no-cache\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko Firefox/128.0\r\n"
        "Upgrade: websocket\r\nOrigin: http://guard.example\r\n"
        "Sec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate\r\n"
        "Accept-Language: en-US,en;q=0.9\r\nCookie: "
        "session=0123456789abcdef\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        route);
    client_send(fd, request, (size_t)len);
}

void world_welcome(int fd) {
    static const char yes[] = "HTTP/1.1 101";
    char answer[1024];
    ssize_t got = recv(fd, answer, sizeof answer, 0);
    guard_check(got > (ssize_t)sizeof yes &&
                    memcmp(answer, yes, sizeof yes - 1) == 0,
                "an upgrade was not answered with 101");
}

static void join_some(world *w, const char *route, int *fds, int count) {
    for (int i = 0; i < count; i++) {
        fds[i] = world_connect(w);
        world_ask(fds[i], route);
    }
    world_turns(w, 8);
    for (int i = 0; i < count; i++) {
        world_welcome(fds[i]);
    }
}

/* Few at a time: a turn accepts so many and no more. */
void world_join(world *w, const char *route, int *fds, int count) {
    enum { AT_A_TIME = 125 };
    for (int i = 0; i < count; i += AT_A_TIME) {
        int some = count - i < AT_A_TIME ? count - i : AT_A_TIME;
        join_some(w, route, fds + i, some);
    }
}

void client_send(int fd, const void *data, size_t len) {
    guard_check(send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len,
                "a client cannot send");
}

size_t client_drain(int fd) {
    static char sink[65536];
    size_t total = 0;
    ssize_t got;
    while ((got = recv(fd, sink, sizeof sink, 0)) > 0) {
        total += (size_t)got;
    }
    guard_check(got < 0 && errno == EAGAIN, "a client lost its connection");
    return total;
}

size_t client_frame(uint8_t *out, int opcode, const void *data, size_t len) {
    size_t head = len < 126 ? 2 : 4;
    out[0] = (uint8_t)(0x80 | opcode);
    if (len < 126) {
        out[1] = (uint8_t)(0x80 | len);
    } else {
        out[1] = 0x80 | 126;
        out[2] = (uint8_t)(len >> 8);
        out[3] = (uint8_t)len;
    }
    memset(out + head, 0, 4);
    memcpy(out + head + 4, data, len);
    return head + 4 + len;
}
