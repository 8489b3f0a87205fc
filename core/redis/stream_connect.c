/* stream_connect.c - from nothing to a connection that Redis has greeted.
 *
 * One function is called for whatever goes on with an attempt: its time has
 * come, the name is resolved, the descriptor is ready.
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "redis/stream_parts.h"

void tw__redis_connect_later(tw__redis_stream *stream, uint64_t delay_ms) {
    stream->state = TW__REDIS_WAITING;
    if (delay_ms == 0 && stream->env->is_held) {
        stream->is_due = true;
        tw__loop_wake_for(stream->env->loop, TW__TURN_LINK);
        return;
    }
    tw__clockwork_set(stream->env->clock, &stream->timer, delay_ms);
}

/* ---- the greeting -------------------------------------------------------- */

/* Only the first word of what Redis says: a false one could say back what it
 * was told. */
static void add_word(char *out, size_t size, const char *what, tw_str text) {
    int len = 0;
    while (len < 24 && (size_t)len < text.len && text.data[len] >= 'A' &&
           text.data[len] <= 'Z') {
        len++;
    }
    snprintf(out, size, "%s: %.*s", what, len, text.data);
}

static bool begins_with(tw_str text, const char *word) {
    size_t len = strlen(word);
    return text.len >= len && memcmp(text.data, word, len) == 0;
}

/* A user who may not name his connection may do without; one who would have to
 * log in first, or a server that is loading, may not. */
static bool is_refusal(const tw_redis_value *value, bool is_naming) {
    return value->kind == TW_REDIS_ERROR &&
           (!is_naming || begins_with(value->text, "NOAUTH") ||
            begins_with(value->text, "LOADING"));
}

static void on_greeted(int status, const tw_redis_value *values, size_t count,
                       void *arg) {
    tw__redis_stream *stream = arg;
    bool has_auth = stream->target->password != NULL;
    if (status != 0) {
        return; /* it is breaking already */
    }
    for (size_t i = 0; i < count; i++) {
        bool is_auth = has_auth && i == 0;
        bool is_naming = i == (has_auth ? 1 : 0);
        if (is_refusal(&values[i], is_naming)) {
            char why[64];
            add_word(why, sizeof why,
                     is_auth     ? "AUTH"
                     : is_naming ? "login"
                                 : "SELECT",
                     values[i].text);
            tw__redis_break(stream, why);
            return;
        }
    }
    tw__redis_ready(stream);
}

static tw_str str_of(const char *text) {
    return (tw_str){text, strlen(text)};
}

static void greet(tw__redis_stream *stream) {
    const tw__redis_target *target = stream->target;
    char db[16];
    tw_str auth[3] = {str_of("AUTH")},
           naming[] = {str_of("CLIENT"), str_of("SETNAME"), str_of("tidewire")};
    tw_str selecting[2] = {str_of("SELECT")};
    tw_redis_command commands[3];
    size_t count = 0, args = 1;
    if (target->password != NULL) {
        if (target->user != NULL) {
            auth[args++] = str_of(target->user);
        }
        auth[args++] = str_of(target->password);
        commands[count++] = (tw_redis_command){auth, args};
    }
    commands[count++] = (tw_redis_command){naming, 3};
    if (target->config.db > 0) {
        snprintf(db, sizeof db, "%u", (unsigned)target->config.db);
        selecting[1] = str_of(db);
        commands[count++] = (tw_redis_command){selecting, 2};
    }
    stream->state = TW__REDIS_GREETING;
    stream->heard_ms = tw__loop_now(stream->env->loop);
    if (tw__resp_reset(&stream->resp) != 0 ||
        tw__poller_modify(stream->env->poller, &stream->io, TW__READ) != 0 ||
        tw__redis_send_own(stream, commands, count, on_greeted) != 0) {
        tw__redis_break(stream, "out of memory");
    }
}

/* ---- TLS ----------------------------------------------------------------- */

static const char *fault_text(tw__tls_reason reason) {
    return reason == TW__TLS_CERTIFICATE ? "TLS: its certificate is not trusted"
           : reason == TW__TLS_NO_COMMON ? "TLS: no version in common"
           : reason == TW__TLS_CLOSED    ? "TLS: it hung up"
                                         : "TLS: it does not speak it";
}

static void shake(tw__redis_stream *stream) {
    int result = tw__tls_handshake(stream->tls);
    if (result == 0) {
        greet(stream);
        return;
    }
    if (result == TW__TLS_BROKEN) {
        tw__redis_break(stream, fault_text(tw__tls_fault(stream->tls)));
        return;
    }
    unsigned interest = result == TW__TLS_BLOCKED ? TW__WRITE : TW__READ;
    if (tw__poller_modify(stream->env->poller, &stream->io, interest) != 0) {
        tw__redis_break(stream, strerror(errno));
    }
}

static void begin_tls(tw__redis_stream *stream) {
    stream->state = TW__REDIS_SHAKING;
    stream->tls = tw__tls_connect(stream->target->tls, stream->io.fd,
                                  stream->target->host);
    if (stream->tls == NULL) {
        tw__redis_break(stream, "out of memory");
    } else {
        shake(stream);
    }
}

/* ---- the socket ---------------------------------------------------------- */

static int dial(tw__redis_stream *stream, int *fd) {
    tw__redis_env *env = stream->env;
    if (env->dial != NULL) {
        return env->dial(env->dial_arg, stream->target, fd);
    }
    return tw__socket_connect(&stream->addresses[stream->address_at - 1], fd);
}

/* The next address of the name; the last one's failure is the attempt's. */
static void try_next(tw__redis_stream *stream) {
    while (stream->address_at < stream->address_count) {
        stream->address_at++;
        if (dial(stream, &stream->io.fd) != 0) {
            stream->io.fd = -1;
            continue;
        }
        if (tw__poller_add(stream->env->poller, &stream->io, TW__WRITE) == 0) {
            stream->state = TW__REDIS_CONNECTING;
            return;
        }
        close(stream->io.fd);
        stream->io.fd = -1;
    }
    tw__redis_break(stream, strerror(errno));
}

static void finish_connect(tw__redis_stream *stream) {
    if (tw__socket_connect_result(stream->io.fd) != 0) {
        int error = errno;
        tw__poller_remove(stream->env->poller, &stream->io);
        close(stream->io.fd);
        stream->io.fd = -1;
        errno = error;
        try_next(stream);
        return;
    }
    tw__socket_no_delay(stream->io.fd);
    if (stream->target->tls != NULL) {
        begin_tls(stream);
    } else {
        greet(stream);
    }
}

static void begin(tw__redis_stream *stream) {
    const tw__redis_target *target = stream->target;
    tw__clockwork_set(stream->env->clock, &stream->timer,
                      target->config.connect_ms);
    if (target->has_address || stream->env->dial != NULL) {
        stream->addresses[0] = target->address;
        stream->address_count = 1;
        stream->address_at = 0;
        try_next(stream);
        return;
    }
    stream->state = TW__REDIS_RESOLVING;
    if (tw__resolve_start(&stream->resolve, stream->env->poller, target->host,
                          target->port) != 0) {
        tw__redis_break(stream, "its name cannot be resolved");
    }
}

void tw__redis_connect_event(tw__redis_stream *stream) {
    switch (stream->state) {
    case TW__REDIS_WAITING:
        begin(stream);
        break;
    case TW__REDIS_RESOLVING:
        try_next(stream);
        break;
    case TW__REDIS_CONNECTING:
        finish_connect(stream);
        break;
    case TW__REDIS_SHAKING:
        shake(stream);
        break;
    default:
        break;
    }
}
