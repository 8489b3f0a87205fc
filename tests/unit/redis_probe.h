/* redis_probe.h - a stream on a held clock, and a Redis of the test's at the
 * other end of a socket pair. SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_REDIS_PROBE_H
#define TW_TESTS_REDIS_PROBE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "redis/pool.h"
#include "redis/stream.h"

#define GREETING "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$8\r\ntidewire\r\n"
#define GET "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
#define PING "*1\r\n$4\r\nPING\r\n"

enum { PROBE_MAX = 1 << 22 };

typedef struct probe {
    tw__loop loop;
    tw__poller poller;
    tw__clockwork clock;
    tw__log log;
    char logged[4096];
    tw__redis_env env;
    volatile uint64_t figures[TW__REDIS_FIGURES];
    tw__redis_target target;
    tw__redis_stream *stream;
    int fd;            /* the test's end; -1: none */
    int dials;         /* attempts */
    bool refuses;      /* attempts fail at once */
    int calls, status; /* of on_answer, the last one's */
    size_t count;
    tw_redis_kind kind;
    char text[256];
    int64_t integer;
} probe;

static inline int probe_dial(void *arg, const tw__redis_target *target,
                             int *fd) {
    probe *p = arg;
    int pair[2];
    (void)target;
    p->dials++;
    if (p->refuses) {
        errno = ECONNREFUSED;
        return TW_EIO;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   pair) != 0) {
        return TW_EIO;
    }
    if (p->fd >= 0) {
        close(p->fd);
    }
    p->fd = pair[1];
    *fd = pair[0];
    return 0;
}

static inline void probe_log(tw_log_level level, const char *message,
                             const tw_log_field *fields, size_t count,
                             void *arg) {
    probe *p = arg;
    size_t len = strlen(p->logged);
    (void)level;
    len += (size_t)snprintf(p->logged + len, sizeof p->logged - len, "%s",
                            message);
    for (size_t i = 0; i < count && len < sizeof p->logged; i++) {
        len += (size_t)snprintf(p->logged + len, sizeof p->logged - len,
                                " %s=%s", fields[i].key, fields[i].value);
    }
    if (len + 1 < sizeof p->logged) {
        strcpy(p->logged + len, "\n");
    }
}

/* 0 or an error; what was opened is for probe_close all the same. */
static inline int probe_open(probe *p, const tw_redis_config *config,
                             const tw__redis_events *events) {
    char detail[256];
    memset(p, 0, sizeof *p);
    p->fd = -1;
    if (tw__loop_init(&p->loop, NULL) != 0 ||
        tw__poller_init(&p->poller, &p->loop) != 0 ||
        tw__clockwork_init(&p->clock, &p->loop) != 0) {
        return TW_EIO;
    }
    tw__loop_hold(&p->loop, 0);
    p->log = (tw__log){probe_log, p, TW_LOG_DEBUG};
    p->env = (tw__redis_env){.loop = &p->loop,
                             .poller = &p->poller,
                             .clock = &p->clock,
                             .log = &p->log,
                             .dial = probe_dial,
                             .dial_arg = p};
    for (int i = 0; i < TW__REDIS_FIGURES; i++) {
        p->env.figures[i] = &p->figures[i];
    }
    int err = tw__redis_target_init(&p->target, config, detail, sizeof detail);
    if (err != 0) {
        return err;
    }
    p->stream = tw__redis_stream_create(&p->env, &p->target, events);
    return p->stream != NULL ? 0 : TW_ENOMEM;
}

static inline void probe_turns(probe *p, int turns) {
    for (int i = 0; i < turns; i++) {
        tw__loop_run_once(&p->loop, 0);
    }
}

/* Time goes on, and everything that this sets off is done. */
static inline void probe_advance(probe *p, uint64_t ms) {
    tw__loop_advance(&p->loop, ms);
    do {
        tw__loop_run_once(&p->loop, 0);
    } while (tw__loop_is_advancing(&p->loop));
    probe_turns(p, 4);
}

static inline void probe_close(probe *p) {
    tw__redis_stream_destroy(p->stream);
    tw__redis_target_deinit(&p->target);
    probe_turns(p, 2);
    tw__clockwork_close(&p->clock);
    tw__poller_close(&p->poller);
    tw__loop_close(&p->loop, NULL, NULL);
    if (p->fd >= 0) {
        close(p->fd);
    }
}

/* ---- the Redis at the other end ------------------------------------------ */

static inline void redis_say_bytes(probe *p, const void *data, size_t len) {
    const char *at = data;
    while (len > 0) {
        ssize_t sent = send(p->fd, at, len, MSG_NOSIGNAL);
        assert_true(sent > 0 || errno == EAGAIN);
        if (sent > 0) {
            at += sent;
            len -= (size_t)sent;
        }
        probe_turns(p, 1);
    }
    probe_turns(p, 3);
}

static inline void redis_say(probe *p, const char *text) {
    redis_say_bytes(p, text, strlen(text));
}

/* Everything that has come, ended by a NUL. */
static inline size_t redis_hear(probe *p, char *out, size_t size) {
    size_t len = 0;
    ssize_t got;
    probe_turns(p, 3);
    while (len + 1 < size &&
           (got = recv(p->fd, out + len, size - 1 - len, 0)) > 0) {
        len += (size_t)got;
        probe_turns(p, 2);
    }
    out[len] = '\0';
    return len;
}

static inline void redis_expect(probe *p, const char *text) {
    char heard[4096];
    redis_hear(p, heard, sizeof heard);
    assert_string_equal(heard, text);
}

/* From nothing to ready. */
static inline void probe_greet(probe *p) {
    probe_advance(p, 60);
    redis_expect(p, GREETING);
    redis_say(p, "+OK\r\n");
    assert_true(tw__redis_stream_is_ready(p->stream));
}

/* ---- calls --------------------------------------------------------------- */

static inline void on_answer(int status, const tw_redis_value *values,
                             size_t count, void *arg) {
    probe *p = arg;
    p->calls++;
    p->status = status;
    p->count = count;
    if (status == 0) {
        const tw_redis_value *last = &values[count - 1];
        p->kind = last->kind;
        p->integer = last->integer;
        snprintf(p->text, sizeof p->text, "%.*s", (int)last->text.len,
                 last->text.len > 0 ? last->text.data : "");
    }
}

static const tw_str get_args[] = {{"GET", 3}, {"k", 1}};
static const tw_redis_command get_command = {get_args, 2};

static inline int probe_get(probe *p) {
    return tw__redis_stream_send(p->stream, &get_command, 1, 0, on_answer, p);
}

#endif
