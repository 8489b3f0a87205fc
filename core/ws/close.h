/* close.h - close codes and the body of a close frame, RFC 6455 sections 5.5.1
 * and 7.4, with the codes registered since (1012 to 1014).
 *
 * Pure, any thread, no allocation.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_WS_CLOSE_H
#define TW_WS_CLOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The codes the core itself uses. 1005 and 1006 never travel. */
enum tw__ws_close_code {
    TW__WS_CLOSE_NORMAL = 1000,
    TW__WS_CLOSE_GOING_AWAY = 1001,
    TW__WS_CLOSE_PROTOCOL = 1002,
    TW__WS_CLOSE_NONE = 1005,     /* a close frame without a code */
    TW__WS_CLOSE_ABNORMAL = 1006, /* no close frame at all */
    TW__WS_CLOSE_BAD_DATA = 1007,
    TW__WS_CLOSE_POLICY = 1008,
    TW__WS_CLOSE_TOO_BIG = 1009,
    TW__WS_CLOSE_INTERNAL = 1011,
    TW__WS_CLOSE_RESTART = 1012,
    TW__WS_CLOSE_TRY_LATER = 1013
};

#define TW__WS_CLOSE_REASON_MAX 123
#define TW__WS_CLOSE_BODY_MAX 125

/* Why a connection is failed: the code to close it with and a short static
 * text, fit to be the reason of the close frame. */
typedef struct tw__ws_error {
    int code;
    const char *reason;
} tw__ws_error;

/* Whether a peer may send this code: 1000-1003, 1007-1014, 3000-4999. */
bool tw__ws_close_is_receivable(int code);

/* Whether a server may close with it: the same but 1010, which is the client's
 * (RFC 6455 7.4.1). Its echo in the answer to a client's close is no closing of
 * the server's own: 5.5.1 wants the code back. */
bool tw__ws_close_is_sendable(int code);

typedef struct tw__ws_close {
    int code;           /* TW__WS_CLOSE_NONE for an empty body */
    const char *reason; /* borrowed from the body; not terminated, not NULL */
    size_t reason_len;
} tw__ws_close;

/* Reads the unmasked body of a received close frame, of any length. True, or
 * false with `error` filled: 1002 for a body of one byte, one of more than
 * TW__WS_CLOSE_BODY_MAX or a code no peer may send, 1007 for a reason that is
 * not UTF-8. The other out parameter is untouched. */
bool tw__ws_close_parse(const uint8_t *body, size_t len, tw__ws_close *close,
                        tw__ws_error *error);

/* Writes the body of a close frame to send. `code` TW__WS_CLOSE_NONE makes an
 * empty body and allows no reason. 0, or TW_EINVALID with nothing written when
 * the code may stand in no close frame, or the reason is not UTF-8 or is longer
 * than TW__WS_CLOSE_REASON_MAX. */
int tw__ws_close_build(int code, const char *reason, size_t reason_len,
                       uint8_t body[TW__WS_CLOSE_BODY_MAX], size_t *body_len);

#endif
