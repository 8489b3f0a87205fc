/* SPDX-License-Identifier: MIT */
#include "ws/close.h"

#include <string.h>

#include "tidewire/errors.h"
#include "ws/utf8.h"

bool tw__ws_close_is_receivable(int code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

bool tw__ws_close_is_sendable(int code) {
    return code != 1010 && tw__ws_close_is_receivable(code);
}

static bool fail(tw__ws_error *error, int code, const char *reason) {
    error->code = code;
    error->reason = reason;
    return false;
}

bool tw__ws_close_parse(const uint8_t *body, size_t len, tw__ws_close *close,
                        tw__ws_error *error) {
    if (len == 0) {
        *close = (tw__ws_close){TW__WS_CLOSE_NONE, "", 0};
        return true;
    }
    if (len == 1 || len > TW__WS_CLOSE_BODY_MAX) {
        return fail(error, TW__WS_CLOSE_PROTOCOL, "malformed close frame");
    }
    int code = body[0] << 8 | body[1];
    if (!tw__ws_close_is_receivable(code)) {
        return fail(error, TW__WS_CLOSE_PROTOCOL, "invalid close code");
    }
    if (!tw__utf8_valid(body + 2, len - 2)) {
        return fail(error, TW__WS_CLOSE_BAD_DATA, "close reason is not UTF-8");
    }
    *close = (tw__ws_close){code, (const char *)body + 2, len - 2};
    return true;
}

int tw__ws_close_build(int code, const char *reason, size_t reason_len,
                       uint8_t body[TW__WS_CLOSE_BODY_MAX], size_t *body_len) {
    if (code == TW__WS_CLOSE_NONE && reason_len == 0) {
        *body_len = 0;
        return 0;
    }
    if (!tw__ws_close_is_receivable(code) ||
        reason_len > TW__WS_CLOSE_REASON_MAX ||
        !tw__utf8_valid((const uint8_t *)reason, reason_len)) {
        return TW_EINVALID;
    }
    body[0] = (uint8_t)(code >> 8);
    body[1] = (uint8_t)code;
    if (reason_len > 0) {
        memcpy(body + 2, reason, reason_len);
    }
    *body_len = reason_len + 2;
    return 0;
}
