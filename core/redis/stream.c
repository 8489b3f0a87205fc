/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/random.h"
#include "redis/stream_parts.h"

enum {
    BACKOFF_MS = 100,
    BACKOFF_MAX_MS = 10000,
    FIRST_MS = 50,    /* spreads those whose connections broke together */
    STEADY_MS = 1000, /* one that broke before counts as an attempt in vain */
};

uint32_t tw__redis_backoff_ms(uint32_t failures) {
    uint32_t ms = BACKOFF_MS;
    if (failures == 0) {
        return tw__random_below(FIRST_MS + 1);
    }
    while (--failures > 0 && ms < BACKOFF_MAX_MS) {
        ms *= 2;
    }
    ms = ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
    return ms / 2 + tw__random_below(ms / 2 + 1);
}

void tw__redis_count(tw__redis_stream *stream, enum tw__redis_figure figure,
                     uint64_t n) {
    volatile uint64_t *counter = stream->env->figures[figure];
    if (counter != NULL) {
        *counter += n;
    }
}

static void tell(const tw__redis_stream *stream, tw_log_level level,
                 const char *message, const char *why) {
    const tw__redis_target *target = stream->target;
    if (why != NULL) {
        tw__log_write(stream->env->log, level, message, "redis", target->name,
                      "address", target->label, "reason", why, NULL);
    } else {
        tw__log_write(stream->env->log, level, message, "redis", target->name,
                      "address", target->label, NULL);
    }
}

/* ---- life ---------------------------------------------------------------- */

static bool on_turn_end(tw__turn_hook *hook) {
    tw__redis_stream *stream =
        TW__CONTAINER(hook, tw__redis_stream, flush_hook);
    if (stream->is_due) {
        stream->is_due = false;
        tw__redis_connect_event(stream);
        return false; /* nothing can be sent yet */
    }
    tw__redis_flush(stream);
    return false;
}

static void on_resolved(tw__resolve *resolve, const tw__address *addresses,
                        size_t count) {
    tw__redis_stream *stream =
        TW__CONTAINER(resolve, tw__redis_stream, resolve);
    memcpy(stream->addresses, addresses, count * sizeof *addresses);
    stream->address_count = count;
    stream->address_at = 0;
    if (count == 0) {
        tw__redis_break(stream, "its name cannot be resolved");
    } else {
        tw__redis_connect_event(stream);
    }
}

static void on_io(tw__io *io, unsigned events) {
    tw__redis_stream *stream = TW__CONTAINER(io, tw__redis_stream, io);
    uint32_t life = stream->life;
    if (stream->state < TW__REDIS_GREETING) {
        tw__redis_connect_event(stream);
        return;
    }
    if (events & TW__READ) {
        tw__redis_read(stream);
    }
    if ((events & TW__WRITE) && stream->life == life) {
        stream->wants_write = false;
        tw__redis_flush(stream);
    }
}

static void on_timer(tw__wheel_entry *entry) {
    tw__redis_stream *stream = TW__CONTAINER(entry, tw__redis_stream, timer);
    switch (stream->state) {
    case TW__REDIS_WAITING:
        tw__redis_connect_event(stream);
        break;
    case TW__REDIS_READY:
        tw__redis_on_watch(stream);
        break;
    case TW__REDIS_CLOSED:
        break;
    default:
        tw__redis_break(stream, "no connection in time");
    }
}

tw__redis_stream *tw__redis_stream_create(tw__redis_env *env,
                                          const tw__redis_target *target,
                                          const tw__redis_events *events) {
    tw__redis_stream *stream = tw__calloc(1, sizeof *stream);
    if (stream == NULL) {
        return NULL;
    }
    if (tw__resp_init(&stream->resp, target->config.max_reply_bytes) != 0) {
        tw__free(stream);
        return NULL;
    }
    stream->env = env;
    stream->target = target;
    if (events != NULL) {
        stream->events = *events;
    }
    stream->io = (tw__io){on_io, -1};
    stream->resolve.cb = on_resolved;
    stream->timer.cb = on_timer;
    tw__list_init(&stream->waiting);
    tw__list_init(&stream->sent);
    tw__loop_add_hook(env->loop, &stream->flush_hook, on_turn_end,
                      TW__TURN_LINK);
    tw__redis_connect_later(stream, 0);
    return stream;
}

void tw__redis_hang_up(tw__redis_stream *stream) {
    tw__resolve_cancel(&stream->resolve);
    tw__clockwork_clear(stream->env->clock, &stream->timer);
    if (stream->io.fd >= 0) {
        tw__poller_remove(stream->env->poller, &stream->io);
        close(stream->io.fd);
        stream->io.fd = -1;
    }
    tw__tls_free(stream->tls);
    stream->tls = NULL;
    stream->record = 0;
    stream->wants_write = false;
    tw__bytes_deinit(&stream->out);
    stream->life++;
}

static bool on_free(tw__turn_hook *hook) {
    tw__redis_stream *stream = TW__CONTAINER(hook, tw__redis_stream, free_hook);
    tw__loop_remove_hook(hook);
    tw__resp_deinit(&stream->resp);
    tw__free(stream);
    return false;
}

/* The memory goes at the turn's end: who called may be in the middle of it. */
void tw__redis_stream_destroy(tw__redis_stream *stream) {
    if (stream == NULL || stream->state == TW__REDIS_CLOSED) {
        return;
    }
    tw__redis_hang_up(stream);
    stream->state = TW__REDIS_CLOSED;
    tw__loop_remove_hook(&stream->flush_hook);
    tw__redis_end_all(stream, &stream->sent, TW_ECLOSED);
    tw__redis_end_all(stream, &stream->waiting, TW_ECLOSED);
    tw__loop_add_hook(stream->env->loop, &stream->free_hook, on_free,
                      TW__TURN_CLOSE);
    tw__loop_wake_for(stream->env->loop, TW__TURN_CLOSE);
}

/* ---- states -------------------------------------------------------------- */

static void tell_broken(tw__redis_stream *stream, bool was_ready,
                        const char *why) {
    if (was_ready) {
        tell(stream, TW_LOG_WARN, "connection to Redis broke", why);
    } else if (!stream->is_told) {
        tell(stream, TW_LOG_WARN, "Redis is unavailable", why);
    }
    stream->is_told = true;
}

void tw__redis_break(tw__redis_stream *stream, const char *why) {
    uint64_t now_ms = tw__loop_now(stream->env->loop);
    bool was_ready = stream->state == TW__REDIS_READY;
    bool was_steady = was_ready && now_ms - stream->ready_ms >= STEADY_MS;
    tw__redis_hang_up(stream);
    uint32_t life = stream->life;
    tw__redis_count(stream, was_ready ? TW__REDIS_BROKEN : TW__REDIS_FAILED, 1);
    tell_broken(stream, was_ready, why);
    stream->failures = was_steady ? 0 : stream->failures + 1;
    stream->is_down = !was_ready;
    tw__redis_connect_later(stream, tw__redis_backoff_ms(stream->failures));
    tw__redis_end_all(stream, &stream->sent, TW_EUNAVAILABLE);
    if (stream->is_down) {
        tw__redis_end_all(stream, &stream->waiting, TW_EUNAVAILABLE);
    }
    if (was_ready && stream->life == life && stream->events.on_broken != NULL) {
        stream->events.on_broken(stream, stream->events.arg);
    }
}

void tw__redis_ready(tw__redis_stream *stream) {
    stream->state = TW__REDIS_READY;
    stream->ready_ms = stream->heard_ms = tw__loop_now(stream->env->loop);
    stream->is_down = false;
    tw__redis_count(stream, TW__REDIS_CONNECTED, 1);
    if (stream->is_told) {
        tell(stream, TW_LOG_INFO, "Redis answers", NULL);
        stream->is_told = false;
    }
    tw__clockwork_clear(stream->env->clock, &stream->timer);
    tw__clockwork_set(stream->env->clock, &stream->timer, 0);
    tw__loop_wake_for(stream->env->loop, TW__TURN_LINK);
    if (stream->events.on_ready != NULL) {
        stream->events.on_ready(stream, stream->events.arg);
    }
}

bool tw__redis_stream_is_ready(const tw__redis_stream *stream) {
    return stream->state == TW__REDIS_READY;
}

bool tw__redis_stream_is_down(const tw__redis_stream *stream) {
    return stream->is_down;
}

size_t tw__redis_stream_pending(const tw__redis_stream *stream) {
    return stream->pending;
}
