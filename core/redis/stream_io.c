/* stream_io.c - bytes in and out of a stream.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "redis/stream_parts.h"

/* Of one turn: other streams and connections shall have theirs, too. */
enum { READ_BYTES = 16384, MAX_READS = 16, MAX_WRITES = 16 };

/* ---- out ----------------------------------------------------------------- */

/* How many bytes the kernel took; 0: none now; -1: it is broken. A TLS record
 * that was made has to be brought again as it was. */
static ssize_t write_some(tw__redis_stream *stream) {
    const uint8_t *data = tw__bytes_data(&stream->out);
    size_t len = tw__bytes_len(&stream->out);
    if (stream->tls == NULL) {
        ssize_t sent =
            send(stream->io.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        bool is_full = sent < 0 && (errno == EAGAIN || errno == EINTR);
        return is_full ? 0 : sent;
    }
    size_t most = len < TW__TLS_RECORD ? len : TW__TLS_RECORD;
    size_t record = stream->record != 0 ? stream->record : most;
    ssize_t sent = tw__tls_write(stream->tls, data, record);
    stream->record = sent == TW__TLS_AGAIN ? record : 0;
    return sent == TW__TLS_AGAIN ? 0 : sent < 0 ? -1 : sent;
}

static void want_write(tw__redis_stream *stream, bool wants) {
    unsigned interest = TW__READ | (wants ? TW__WRITE : 0u);
    if (stream->wants_write == wants) {
        return;
    }
    stream->wants_write = wants;
    if (tw__poller_modify(stream->env->poller, &stream->io, interest) != 0) {
        tw__redis_break(stream, strerror(errno));
    }
}

static void hand_over(tw__redis_stream *stream) {
    if (stream->state == TW__REDIS_READY) {
        tw__redis_hand_over(stream);
    }
}

void tw__redis_flush(tw__redis_stream *stream) {
    uint32_t life = stream->life;
    if (stream->state < TW__REDIS_GREETING || stream->wants_write) {
        return;
    }
    for (int i = 0; i < MAX_WRITES; i++) {
        hand_over(stream);
        if (stream->life != life) {
            return;
        }
        if (tw__bytes_len(&stream->out) == 0) {
            break;
        }
        ssize_t sent = write_some(stream);
        if (sent < 0) {
            tw__redis_break(stream, "it hung up");
            return;
        }
        if (sent == 0) {
            break;
        }
        tw__bytes_consume(&stream->out, (size_t)sent);
    }
    want_write(stream, tw__bytes_len(&stream->out) > 0);
}

/* ---- in ------------------------------------------------------------------ */

static bool is_word(const tw_redis_value *value, const char *word) {
    return value->text.data != NULL && value->text.len == strlen(word) &&
           memcmp(value->text.data, word, value->text.len) == 0;
}

/* In RESP2 these are arrays like any other; only a connection that subscribes
 * gets them. */
static bool is_push(const tw_redis_value *value) {
    static const char *const words[] = {
        "message",      "smessage",   "pmessage",
        "subscribe",    "ssubscribe", "unsubscribe",
        "sunsubscribe", "psubscribe", "punsubscribe"};
    if (value->kind != TW_REDIS_ARRAY || value->count < 3) {
        return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (is_word(&value->items[0], words[i])) {
            return true;
        }
    }
    return false;
}

static bool take_value(tw__redis_stream *stream, const tw_redis_value *value) {
    if (stream->events.on_push == NULL || !is_push(value)) {
        return tw__redis_take_answer(stream, value);
    }
    stream->events.on_push(stream, value, stream->events.arg);
    tw__resp_drop(&stream->resp);
    return true;
}

static const char *fault_text(int fault) {
    return fault == TW_ELIMIT   ? "its answer is too large"
           : fault == TW_ENOMEM ? "out of memory"
                                : "its answer is no RESP";
}

/* Whose answer is too large is told so; what is behind it shares its
 * connection's end. */
static void fail(tw__redis_stream *stream, int fault) {
    tw__list one;
    uint32_t life = stream->life;
    tw__list_init(&one);
    if (fault != TW_EINVALID && !tw__list_is_empty(&stream->sent)) {
        tw__list *first = stream->sent.next;
        tw__list_remove(first);
        tw__list_push(&one, first);
        tw__redis_end_all(stream, &one, fault);
    }
    if (stream->life == life) {
        tw__redis_break(stream, fault_text(fault));
    }
}

static void take_values(tw__redis_stream *stream) {
    uint32_t life = stream->life;
    while (stream->life == life) {
        const tw_redis_value *value;
        int fault = tw__resp_next(&stream->resp, &value);
        if (fault != 0) {
            fail(stream, fault);
            return;
        }
        if (value == NULL) {
            return;
        }
        if (!take_value(stream, value)) {
            tw__redis_break(stream, "it answers what was not asked");
            return;
        }
    }
}

/* As read(2), with -1 for nothing now and -2 for the end with an error. */
static ssize_t read_some(tw__redis_stream *stream, uint8_t *data, size_t room) {
    ssize_t got = stream->tls != NULL
                      ? tw__tls_read(stream->tls, data, room)
                      : recv(stream->io.fd, data, room, MSG_DONTWAIT);
    if (got >= 0) {
        return got;
    }
    if (stream->tls != NULL) {
        return got == TW__TLS_BROKEN ? -2 : -1;
    }
    return errno == EAGAIN || errno == EINTR ? -1 : -2;
}

void tw__redis_read(tw__redis_stream *stream) {
    uint8_t data[READ_BYTES];
    uint32_t life = stream->life;
    /* What TLS has read ahead no poller tells of: all of that is taken. */
    for (int i = 0; i < MAX_READS ||
                    (stream->tls != NULL && tw__tls_has_more(stream->tls));
         i++) {
        ssize_t got = read_some(stream, data, sizeof data);
        if (got == -1) {
            return;
        }
        if (got <= 0) {
            tw__redis_break(stream, "it hung up");
            return;
        }
        stream->heard_ms = tw__loop_now(stream->env->loop);
        int fault = tw__resp_feed(&stream->resp, data, (size_t)got);
        if (fault != 0) {
            fail(stream, fault);
            return;
        }
        take_values(stream);
        if (stream->life != life) {
            return;
        }
    }
}

/* ---- life ---------------------------------------------------------------- */

static void ping(tw__redis_stream *stream) {
    tw_str word = {"PING", 4};
    tw_redis_command command = {&word, 1};
    if (tw__redis_send_own(stream, &command, 1, NULL) != 0) {
        tw__redis_break(stream, "out of memory");
    }
}

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* Looks at when it was heard last, and again when that may be too long ago. */
static void watch_answer(tw__redis_stream *stream) {
    uint64_t due_ms = later(stream->heard_ms, stream->owed_ms) +
                      stream->target->config.dead_ms;
    uint64_t now_ms = tw__loop_now(stream->env->loop);
    if (now_ms < due_ms) {
        tw__clockwork_set(stream->env->clock, &stream->timer, due_ms - now_ms);
    } else {
        tw__redis_break(stream, "no answer for too long");
    }
}

static void watch_idle(tw__redis_stream *stream) {
    const tw_redis_config *config = &stream->target->config;
    uint32_t silence_ms =
        config->ping_ms < config->dead_ms ? config->ping_ms : config->dead_ms;
    uint64_t due_ms = stream->heard_ms + silence_ms;
    uint64_t now_ms = tw__loop_now(stream->env->loop);
    uint32_t life = stream->life;
    if (now_ms >= due_ms) {
        ping(stream);
        due_ms = now_ms + silence_ms;
    }
    if (stream->life == life) {
        tw__clockwork_set(stream->env->clock, &stream->timer, due_ms - now_ms);
    }
}

/* First what is there already is read: the loop may have been held up, and then
 * it is not Redis that was silent. */
void tw__redis_on_watch(tw__redis_stream *stream) {
    uint32_t life = stream->life;
    tw__redis_read(stream);
    if (stream->life != life) {
        return;
    }
    if (tw__list_is_empty(&stream->sent)) {
        watch_idle(stream);
    } else {
        watch_answer(stream);
    }
}
