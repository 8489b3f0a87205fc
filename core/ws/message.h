/* message.h - a message that is put together from pieces.
 *
 * Text is checked as it comes, compressed text not at all. Memory follows the
 * bytes that have come. One owner, one thread.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_WS_MESSAGE_H
#define TW_WS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ws/close.h"
#include "ws/utf8.h"

typedef struct tw__ws_message {
    uint8_t *data; /* NULL while nothing has come */
    size_t len, cap;
    tw__utf8_state utf8;
    bool is_open; /* begun and not complete */
    bool is_text;
    bool is_deflated; /* as it came */
} tw__ws_message;

/* Starts an empty message. One released before, or all zero. */
void tw__ws_message_begin(tw__ws_message *message, bool is_text,
                          bool is_deflated);

/* Appends a piece. `soon` bytes are known to follow at once, and the whole
 * will never be longer than `bound`; both only steer how much is allocated.
 * False with `error` filled: 1007 or 1011; the message can only be released. */
bool tw__ws_message_add(tw__ws_message *message, const uint8_t *data,
                        size_t len, size_t soon, size_t bound,
                        tw__ws_error *error);

/* Ends it. False with `error` filled when a text ends inside a character. */
bool tw__ws_message_end(tw__ws_message *message, tw__ws_error *error);

/* Frees the bytes; the message is as new. */
void tw__ws_message_release(tw__ws_message *message);

#endif
