/* SPDX-License-Identifier: MIT */
#include "ws/input.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "ws/message.h"
#include "ws/reader.h"

/* The invariant of this file: whenever an event is called, `in` is between two
 * frames and holds nothing that the event is given. What it is given lies in
 * the read buffer's reader, on the stack or in a block taken out of `in`, so
 * that a callback may deinitialise the input, and nothing looks at `in` after
 * one that did, but for the flag which says so. */

_Static_assert(sizeof(tw__ws_input) <= 24, "an idle connection is small");

/* Exists from the first payload byte of a frame that is not whole, or from the
 * first frame of a fragmented message, to the end of the last one begun. */
typedef struct tw__ws_partial {
    tw__ws_reader *reader; /* NULL between two frames */
    tw__ws_message message;
    uint8_t opcode; /* of the frame */
    bool fin;
    bool is_bound; /* the reader counts in the pool */
    uint8_t control_len;
    uint8_t control[TW__WS_CONTROL_MAX]; /* pieces of a control frame */
} tw__ws_partial;

/* One call of tw__ws_input_feed. */
typedef struct turn {
    tw__ws_input *in;
    const tw__ws_feed *how;
    const uint8_t *at, *end;
    tw__ws_reader *reader; /* for whole frames; taken when first needed */
    size_t frames;         /* begun so far, see emit_inflated */
    tw__ws_error error;
} turn;

/* A step gives a tw__ws_status that ends the turn, or this. */
#define GO_ON (-1)

static int fail(turn *t, int code, const char *reason) {
    t->error = (tw__ws_error){code, reason};
    return TW__WS_FAILED;
}

static int fail_memory(turn *t) {
    return fail(t, TW__WS_CLOSE_INTERNAL, "out of memory");
}

/* wslay would have to see something that tw__ws_frame_peek does not. */
static int fail_frame(turn *t) {
    return fail(t, TW__WS_CLOSE_PROTOCOL, "malformed frame");
}

void tw__ws_input_init(tw__ws_input *in) {
    *in = (tw__ws_input){0};
}

/* Ends the frame's hold on its reader, which becomes the caller's. */
static tw__ws_reader *unbind(tw__ws_partial *partial, tw__ws_pool *pool) {
    tw__ws_reader *reader = partial->reader;
    if (partial->is_bound) {
        tw__ws_pool_unbind(pool);
    }
    partial->reader = NULL;
    partial->is_bound = false;
    return reader;
}

static void release_partial(tw__ws_input *in, tw__ws_pool *pool) {
    tw__ws_partial *partial = in->_partial;
    if (partial == NULL) {
        return;
    }
    in->_partial = NULL;
    if (partial->reader != NULL) {
        tw__ws_pool_give(pool, unbind(partial, pool));
    }
    tw__ws_message_release(&partial->message);
    tw__free(partial);
}

void tw__ws_input_deinit(tw__ws_input *in, tw__ws_pool *pool) {
    release_partial(in, pool);
    in->_head_len = 0;
    in->_done = true;
}

size_t tw__ws_input_memory(const tw__ws_input *in) {
    const tw__ws_partial *partial = in->_partial;
    if (partial == NULL) {
        return 0;
    }
    return sizeof *partial + partial->message.cap +
           (partial->reader != NULL
                ? sizeof *partial->reader + TW__WS_READER_MEMORY
                : 0);
}

/* What a callback wants. Deinitialising says STOP, whatever is answered. */
static int obey(turn *t, tw__ws_verdict verdict) {
    if (verdict == TW__WS_STOP || t->in->_done) {
        return TW__WS_STOPPED;
    }
    return verdict == TW__WS_PAUSE ? (int)TW__WS_PAUSED : GO_ON;
}

static int emit_close(turn *t, const uint8_t *body, size_t len) {
    tw__ws_close peer;
    if (!tw__ws_close_parse(body, len, &peer, &t->error)) {
        return TW__WS_FAILED;
    }
    /* A message that was begun will never be complete now. */
    tw__ws_input_deinit(t->in, t->how->pool);
    t->how->events->on_close(t->how->owner, peer.code, peer.reason,
                             peer.reason_len);
    return TW__WS_CLOSED;
}

static int emit_control(turn *t, int opcode, const uint8_t *data, size_t len) {
    const tw__ws_events *events = t->how->events;
    switch (opcode) {
    case TW__WS_PING:
        return obey(t, events->on_ping(t->how->owner, data, len));
    case TW__WS_PONG:
        return obey(t, events->on_pong(t->how->owner, data, len));
    default:
        return emit_close(t, data, len);
    }
}

static int emit_message(turn *t, bool is_text, const uint8_t *data,
                        size_t len) {
    return obey(t,
                t->how->events->on_message(t->how->owner, !is_text, data, len));
}

/* A whole compressed message. Expanding costs time that the frame does not
 * show: each KiB counts as a frame of the turn. */
static int emit_inflated(turn *t, bool is_text, const uint8_t *data,
                         size_t len) {
    tw__inflated message;
    int step = TW__WS_FAILED;
    if (!tw__inflate(t->how->inflater, data, len, t->how->max_message, &message,
                     &t->error)) {
        return TW__WS_FAILED;
    }
    t->frames += message.len / 1024;
    if (is_text && !tw__utf8_valid(message.data, message.len)) {
        fail(t, TW__WS_CLOSE_BAD_DATA, "text is not UTF-8");
    } else {
        step = emit_message(t, is_text, message.data, message.len);
    }
    tw__inflater_release(t->how->inflater, &message);
    return step;
}

/* The reader of this turn, taken from the pool when first needed. */
static tw__ws_reader *borrow_reader(turn *t) {
    if (t->reader == NULL) {
        t->reader = tw__ws_pool_take(t->how->pool);
    }
    return t->reader;
}

/* The usual case: the whole frame is there, fits the reader and is a whole
 * message or a control frame. Nothing is allocated. */
static int take_whole(turn *t, const tw__ws_frame *frame, const uint8_t *head) {
    const uint8_t *data;
    size_t len;
    tw__ws_reader *reader = borrow_reader(t);
    if (reader == NULL) {
        return fail_memory(t);
    }
    tw__ws_reader_begin(reader, frame, head);
    if (!tw__ws_reader_read(reader, &t->at, t->end, &data, &len) ||
        len != frame->length) {
        return fail_frame(t);
    }
    if (tw__ws_is_control(frame->opcode)) {
        return emit_control(t, frame->opcode, data, len);
    }
    bool is_text = frame->opcode == TW__WS_TEXT;
    if (frame->is_deflated) {
        return emit_inflated(t, is_text, data, len);
    }
    if (is_text && !tw__utf8_valid(data, len)) {
        return fail(t, TW__WS_CLOSE_BAD_DATA, "text is not UTF-8");
    }
    return emit_message(t, is_text, data, len);
}

/* The message is complete: it leaves `in` before anybody is told. */
static int end_message(turn *t) {
    tw__ws_message message = t->in->_partial->message;
    t->in->_partial->message = (tw__ws_message){0};
    release_partial(t->in, t->how->pool);
    int step = TW__WS_FAILED;
    if (message.is_deflated) {
        step = emit_inflated(t, message.is_text, message.data, message.len);
    } else if (tw__ws_message_end(&message, &t->error)) {
        step = emit_message(t, message.is_text,
                            message.data != NULL ? message.data
                                                 : (const uint8_t *)"",
                            message.len);
    }
    tw__ws_message_release(&message);
    return step;
}

static int end_control(turn *t) {
    tw__ws_partial *partial = t->in->_partial;
    uint8_t data[TW__WS_CONTROL_MAX];
    size_t len = partial->control_len;
    int opcode = partial->opcode;
    memcpy(data, partial->control, len);
    if (!partial->message.is_open) {
        release_partial(t->in, t->how->pool);
    }
    return emit_control(t, opcode, data, len);
}

/* What the frames of a message may come to. */
static size_t max_payload(const turn *t, bool is_deflated) {
    return is_deflated ? tw__inflate_bound(t->how->max_message)
                       : t->how->max_message;
}

/* Keeps a piece of the frame's payload until the rest is there. */
static bool keep(turn *t, const uint8_t *data, size_t len) {
    tw__ws_partial *partial = t->in->_partial;
    if (tw__ws_is_control(partial->opcode)) {
        memcpy(partial->control + partial->control_len, data, len);
        partial->control_len += (uint8_t)len;
        return true;
    }
    uint64_t left = tw__ws_reader_left(partial->reader);
    size_t here = (size_t)(t->end - t->at);
    size_t total = partial->message.len + len + (size_t)left;
    size_t max = max_payload(t, partial->message.is_deflated);
    return tw__ws_message_add(&partial->message, data, len,
                              left < here ? (size_t)left : here,
                              partial->fin ? total : max, &t->error);
}

/* Goes on with the frame begun. */
static int take_payload(turn *t) {
    tw__ws_partial *partial = t->in->_partial;
    const uint8_t *data;
    size_t len;
    do {
        if (!tw__ws_reader_read(partial->reader, &t->at, t->end, &data, &len)) {
            return fail_frame(t);
        }
        if (!keep(t, data, len)) {
            return TW__WS_FAILED;
        }
    } while (t->at != t->end && tw__ws_reader_left(partial->reader) != 0);
    if (tw__ws_reader_left(partial->reader) != 0) {
        return TW__WS_MORE;
    }
    t->reader = unbind(partial, t->how->pool);
    if (tw__ws_is_control(partial->opcode)) {
        return end_control(t);
    }
    return partial->fin ? end_message(t) : GO_ON;
}

static tw__ws_partial *ensure_partial(tw__ws_input *in) {
    if (in->_partial == NULL) {
        in->_partial = tw__calloc(1, sizeof *in->_partial);
    }
    return in->_partial;
}

/* Begins a frame that is not whole, not small or not alone. `is_whole` says
 * that its end is in this turn: then no context stays bound. */
static int begin_partial(turn *t, const tw__ws_frame *frame,
                         const uint8_t *head, bool is_whole) {
    if (!is_whole && !tw__ws_pool_bind(t->how->pool)) {
        return fail(t, TW__WS_CLOSE_TRY_LATER, "too many partial frames");
    }
    tw__ws_reader *reader = borrow_reader(t);
    tw__ws_partial *partial = reader != NULL ? ensure_partial(t->in) : NULL;
    if (partial == NULL) {
        if (!is_whole) {
            tw__ws_pool_unbind(t->how->pool);
        }
        return fail_memory(t);
    }
    t->reader = NULL;
    partial->reader = reader;
    partial->is_bound = !is_whole;
    partial->opcode = frame->opcode;
    partial->fin = frame->fin;
    partial->control_len = 0;
    if (frame->opcode == TW__WS_TEXT || frame->opcode == TW__WS_BINARY) {
        tw__ws_message_begin(&partial->message, frame->opcode == TW__WS_TEXT,
                             frame->is_deflated);
    }
    tw__ws_reader_begin(reader, frame, head);
    return take_payload(t);
}

/* What a header alone cannot tell: the order of fragments, and the size of the
 * message so far. */
static int check_frame(turn *t, const tw__ws_frame *frame) {
    if (tw__ws_is_control(frame->opcode)) {
        return GO_ON;
    }
    const tw__ws_partial *partial = t->in->_partial;
    bool is_open = partial != NULL && partial->message.is_open;
    size_t len = is_open ? partial->message.len : 0;
    if (frame->opcode == TW__WS_CONTINUATION && !is_open) {
        return fail(t, TW__WS_CLOSE_PROTOCOL, "fragment without start");
    }
    if (frame->opcode != TW__WS_CONTINUATION && is_open) {
        return fail(t, TW__WS_CLOSE_PROTOCOL, "message inside a message");
    }
    size_t max = max_payload(t, is_open ? partial->message.is_deflated
                                        : frame->is_deflated);
    if (len > max || frame->length > max - len) {
        return fail(t, TW__WS_CLOSE_TOO_BIG, "message too big");
    }
    return GO_ON;
}

/* Keeps all that has come of a header until there is more. */
static int stash_head(turn *t, const uint8_t *head, size_t len) {
    memmove(t->in->_head, head, len);
    t->in->_head_len = (uint8_t)len;
    t->at = t->end;
    return TW__WS_MORE;
}

/* Reads a header, out of the stash and the new bytes together if one had
 * begun. On GO_ON `t->at` is behind it and *head points to its bytes, good
 * until the next stash_head. */
static int take_head(turn *t, tw__ws_frame *frame, const uint8_t **head) {
    tw__ws_input *in = t->in;
    size_t stashed = in->_head_len;
    size_t len = (size_t)(t->end - t->at);
    const char *reason;
    *head = t->at;
    if (stashed != 0) {
        size_t room = sizeof in->_head - stashed;
        len = len < room ? len : room;
        memcpy(in->_head + stashed, t->at, len);
        len += stashed;
        *head = in->_head;
    }
    int allowed = t->how->inflater != NULL ? TW__WS_RSV1 : 0;
    switch (tw__ws_frame_peek_with(allowed, *head, len, frame, &reason)) {
    case TW__WS_PEEK_MORE:
        return stash_head(t, *head, len);
    case TW__WS_PEEK_ERROR:
        return fail(t, TW__WS_CLOSE_PROTOCOL, reason);
    default:
        t->at += frame->header_len - stashed;
        in->_head_len = 0;
        return GO_ON;
    }
}

/* Begins the next frame. Its payload goes to wslay only once a byte of it is
 * there, for wslay keeps quiet about a lone header; until then the header
 * stays in the stash, though it is checked at once. */
static int take_frame(turn *t) {
    tw__ws_frame frame;
    const uint8_t *head;
    int step = take_head(t, &frame, &head);
    if (step != GO_ON) {
        return step;
    }
    step = check_frame(t, &frame);
    if (step != GO_ON) {
        return step;
    }
    size_t here = (size_t)(t->end - t->at);
    if (here == 0 && frame.length != 0) {
        return stash_head(t, head, frame.header_len);
    }
    t->frames++;
    bool is_whole = frame.length <= here;
    if (is_whole && frame.fin && frame.opcode != TW__WS_CONTINUATION &&
        frame.length <= TW__WS_READER_PIECE) {
        return take_whole(t, &frame, head);
    }
    return begin_partial(t, &frame, head, is_whole);
}

static int take_step(turn *t) {
    if (t->at == t->end) {
        return TW__WS_MORE;
    }
    if (t->in->_partial != NULL && t->in->_partial->reader != NULL) {
        return take_payload(t);
    }
    if (t->how->max_frames != 0 && t->frames >= t->how->max_frames) {
        return TW__WS_BUDGET;
    }
    return take_frame(t);
}

tw__ws_status tw__ws_input_feed(tw__ws_input *in, const tw__ws_feed *how,
                                const uint8_t *data, size_t len,
                                size_t *consumed, tw__ws_error *error) {
    turn t = {.in = in, .how = how, .at = data, .end = data + len};
    int step = in->_done ? (int)TW__WS_CLOSED : GO_ON;
    while (step == GO_ON) {
        step = take_step(&t);
    }
    if (step == TW__WS_FAILED) {
        tw__ws_input_deinit(in, how->pool);
        *error = t.error;
    }
    if (t.reader != NULL) {
        tw__ws_pool_give(how->pool, t.reader);
    }
    bool has_rest = step == TW__WS_BUDGET || step == TW__WS_PAUSED;
    *consumed = has_rest ? (size_t)(t.at - data) : len;
    return (tw__ws_status)step;
}
