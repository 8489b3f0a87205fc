/* stream_request.c - what was asked, until it is answered.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "redis/stream_parts.h"

/* As much is handed over at once; the rest waits where it can still be taken
 * back. */
enum { HAND_OVER = 256 * 1024 };

static tw__redis_request *request_at(tw__list *node) {
    return TW__CONTAINER(node, tw__redis_request, node);
}

/* ---- making -------------------------------------------------------------- */

static size_t size_of(const tw_redis_command *commands, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += tw__resp_command_size(&commands[i]);
    }
    return size;
}

static tw__redis_request *make(tw__redis_stream *stream,
                               const tw_redis_command *commands, size_t count,
                               size_t len) {
    tw__redis_request *request;
    size_t size = sizeof *request + count * sizeof *request->values;
    request = tw__malloc(size + len);
    if (request == NULL) {
        return NULL;
    }
    memset(request, 0, sizeof *request);
    tw__list_init(&request->node);
    request->deadline.cb = tw__redis_on_due;
    request->stream = stream;
    request->count = count;
    request->len = len;
    request->bytes = (char *)request + size;
    char *out = request->bytes;
    for (size_t i = 0; i < count; i++) {
        out = tw__resp_command_write(out, &commands[i]);
    }
    return request;
}

static size_t queued_bytes(const tw__redis_stream *stream) {
    return stream->waiting_bytes + tw__bytes_len(&stream->out);
}

static bool has_room(const tw__redis_stream *stream, size_t count, size_t len) {
    const tw_redis_config *config = &stream->target->config;
    return stream->pending + count <= config->max_pending &&
           len <= config->max_queued_bytes &&
           queued_bytes(stream) <= config->max_queued_bytes - len;
}

int tw__redis_stream_send(tw__redis_stream *stream,
                          const tw_redis_command *commands, size_t count,
                          uint32_t timeout_ms, tw_redis_cb cb, void *arg) {
    const tw_redis_config *config = &stream->target->config;
    if (stream->is_down || stream->state == TW__REDIS_CLOSED) {
        tw__redis_count(stream, TW__REDIS_UNAVAILABLE, count);
        return TW_EUNAVAILABLE;
    }
    size_t len = size_of(commands, count);
    if (!has_room(stream, count, len)) {
        tw__redis_count(stream, TW__REDIS_REFUSED, count);
        return TW_EOVERLOADED;
    }
    tw__redis_request *request = make(stream, commands, count, len);
    if (request == NULL) {
        return TW_ENOMEM;
    }
    request->cb = cb;
    request->arg = arg;
    stream->pending += count;
    stream->waiting_bytes += len;
    tw__list_push(&stream->waiting, &request->node);
    tw__clockwork_set(stream->env->clock, &request->deadline,
                      timeout_ms != 0 ? timeout_ms : config->timeout_ms);
    tw__loop_wake_for(stream->env->loop, TW__TURN_LINK);
    return 0;
}

/* ---- sending ------------------------------------------------------------- */

static void note_sent(tw__redis_stream *stream, tw__redis_request *request) {
    if (tw__list_is_empty(&stream->sent)) {
        stream->owed_ms = tw__loop_now(stream->env->loop);
    }
    request->is_sent = true;
    tw__list_push(&stream->sent, &request->node);
}

int tw__redis_send_own(tw__redis_stream *stream,
                       const tw_redis_command *commands, size_t count,
                       tw_redis_cb cb) {
    size_t len = size_of(commands, count);
    tw__redis_request *request = make(stream, commands, count, len);
    if (request == NULL) {
        return TW_ENOMEM;
    }
    int err = tw__bytes_append(&stream->out, request->bytes, len);
    explicit_bzero(request->bytes, len); /* a password may be in it */
    if (err != 0) {
        tw__free(request);
        return err;
    }
    request->cb = cb;
    request->arg = stream;
    request->is_ours = true;
    stream->pending += count;
    note_sent(stream, request);
    tw__loop_wake_for(stream->env->loop, TW__TURN_LINK);
    return 0;
}

static void end(tw__redis_request *request, int status);

void tw__redis_hand_over(tw__redis_stream *stream) {
    while (!tw__list_is_empty(&stream->waiting) &&
           tw__bytes_len(&stream->out) < HAND_OVER) {
        tw__redis_request *request = request_at(stream->waiting.next);
        if (tw__bytes_append(&stream->out, request->bytes, request->len) != 0) {
            end(request, TW_ENOMEM);
            return;
        }
        tw__list_remove(&request->node);
        stream->waiting_bytes -= request->len;
        note_sent(stream, request);
        tw__redis_count(stream, TW__REDIS_SENT, request->count);
    }
}

int tw__redis_stream_write(tw__redis_stream *stream,
                           const tw_redis_command *command) {
    size_t len = tw__resp_command_size(command);
    uint8_t *place;
    if (stream->state != TW__REDIS_READY) {
        return TW_EUNAVAILABLE;
    }
    if (!has_room(stream, 0, len)) {
        return TW_EOVERLOADED;
    }
    if (tw__bytes_reserve(&stream->out, len, &place) != 0) {
        return TW_ENOMEM;
    }
    tw__resp_command_write((char *)place, command);
    tw__bytes_commit(&stream->out, len);
    tw__loop_wake_for(stream->env->loop, TW__TURN_LINK);
    return 0;
}

/* ---- ending -------------------------------------------------------------- */

static void count_end(tw__redis_stream *stream,
                      const tw__redis_request *request, int status) {
    if (status == TW_EUNAVAILABLE) {
        tw__redis_count(stream, TW__REDIS_UNAVAILABLE, request->count);
    } else if (status == TW_ETIMEOUT) {
        tw__redis_count(stream, TW__REDIS_TIMEOUTS, request->count);
    }
}

/* Tells whoever asked, once. */
static void tell(tw__redis_request *request, int status) {
    tw_redis_cb cb = request->cb;
    request->cb = NULL;
    if (cb == NULL) {
        return;
    }
    if (!request->is_ours) {
        count_end(request->stream, request, status);
    }
    if (status == 0) {
        cb(0, request->values, request->count, request->arg);
    } else {
        cb(status, NULL, 0, request->arg);
    }
}

static void end(tw__redis_request *request, int status) {
    tw__redis_stream *stream = request->stream;
    tw__list_remove(&request->node);
    tw__clockwork_clear(stream->env->clock, &request->deadline);
    stream->pending -= request->count;
    if (!request->is_sent) {
        stream->waiting_bytes -= request->len;
    }
    if (stream->due == request) {
        stream->due = NULL;
    }
    tell(request, status);
    tw__free(request);
}

void tw__redis_end_all(tw__redis_stream *stream, tw__list *list, int status) {
    (void)stream;
    while (!tw__list_is_empty(list)) {
        end(request_at(list->next), status);
    }
}

/* When the loop was held up the answer may be there already. */
void tw__redis_on_due(tw__wheel_entry *entry) {
    tw__redis_request *request =
        TW__CONTAINER(entry, tw__redis_request, deadline);
    tw__redis_stream *stream = request->stream;
    if (!request->is_sent) {
        end(request,
            stream->state == TW__REDIS_READY ? TW_ETIMEOUT : TW_EUNAVAILABLE);
        return;
    }
    stream->due = request;
    tw__redis_read(stream);
    if (stream->due == request) {
        stream->due = NULL;
        tell(request, TW_ETIMEOUT);
    }
}

static void count_answer(tw__redis_stream *stream,
                         const tw__redis_request *request,
                         const tw_redis_value *value) {
    if (!request->is_ours) {
        tw__redis_count(stream, TW__REDIS_ANSWERED, 1);
        tw__redis_count(stream, TW__REDIS_ERRORS,
                        value->kind == TW_REDIS_ERROR);
    }
}

bool tw__redis_take_answer(tw__redis_stream *stream,
                           const tw_redis_value *value) {
    if (tw__list_is_empty(&stream->sent)) {
        return false;
    }
    tw__redis_request *request = request_at(stream->sent.next);
    count_answer(stream, request, value);
    if (request->cb != NULL) {
        request->values[request->answered] = *value;
    } else {
        tw__resp_drop(&stream->resp);
    }
    if (++request->answered == request->count) {
        end(request, 0);
        tw__resp_release(&stream->resp);
    }
    return true;
}
