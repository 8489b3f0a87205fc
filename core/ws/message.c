/* SPDX-License-Identifier: MIT */
#include "ws/message.h"

#include <string.h>

#include "base/alloc.h"

#define FIRST_CAP 256

static bool fail(tw__ws_error *error, int code, const char *reason) {
    error->code = code;
    error->reason = reason;
    return false;
}

void tw__ws_message_begin(tw__ws_message *message, bool is_text,
                          bool is_deflated) {
    *message = (tw__ws_message){
        .is_open = true, .is_text = is_text, .is_deflated = is_deflated};
}

/* Doubling keeps the copying linear however small the pieces are. */
static bool grow(tw__ws_message *message, size_t need, size_t bound) {
    size_t cap = message->cap < FIRST_CAP / 2 ? FIRST_CAP : message->cap * 2;
    cap = cap < bound ? cap : bound;
    cap = cap > need ? cap : need;
    uint8_t *data = tw__realloc(message->data, cap);
    if (data == NULL) {
        return false;
    }
    message->data = data;
    message->cap = cap;
    return true;
}

bool tw__ws_message_add(tw__ws_message *message, const uint8_t *data,
                        size_t len, size_t soon, size_t bound,
                        tw__ws_error *error) {
    if (len == 0) {
        return true;
    }
    if (message->is_text && !message->is_deflated &&
        !tw__utf8_feed(&message->utf8, data, len)) {
        return fail(error, TW__WS_CLOSE_BAD_DATA, "text is not UTF-8");
    }
    if (message->cap - message->len < len &&
        !grow(message, message->len + len + soon, bound)) {
        return fail(error, TW__WS_CLOSE_INTERNAL, "out of memory");
    }
    memcpy(message->data + message->len, data, len);
    message->len += len;
    return true;
}

bool tw__ws_message_end(tw__ws_message *message, tw__ws_error *error) {
    message->is_open = false;
    if (!tw__utf8_is_whole(message->utf8)) {
        return fail(error, TW__WS_CLOSE_BAD_DATA, "text is not UTF-8");
    }
    return true;
}

void tw__ws_message_release(tw__ws_message *message) {
    tw__free(message->data);
    *message = (tw__ws_message){0};
}
