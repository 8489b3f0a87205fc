/* Close frames' bodies, ws/close.h. Small: a quarter of the time.
 *
 * What is read can be written again and is the same; what a peer may send is
 * what the RFC lists.
 *
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "tidewire/errors.h"
#include "ws/close.h"
#include "ws/utf8.h"

/* RFC 6455 section 7.4 and the registry. */
static bool is_registered(int code) {
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 &&
            code != 1006) ||
           (code >= 3000 && code <= 4999);
}

static void check_parsed(const uint8_t *body, size_t len,
                         const tw__ws_close *close) {
    uint8_t again[TW__WS_CLOSE_BODY_MAX];
    size_t again_len = SIZE_MAX;
    FUZZ_CHECK(close->reason != NULL);
    int err = tw__ws_close_build(close->code, close->reason, close->reason_len,
                                 again, &again_len);
    if (err == 0) {
        FUZZ_CHECK(fuzz_same(again, again_len, body, len));
    } else {
        FUZZ_CHECK(close->code == 1010 && err == TW_EINVALID);
    }
}

static void check_refused(const uint8_t *body, size_t len,
                          const tw__ws_error *error) {
    bool is_code = len >= 2 && is_registered(body[0] << 8 | body[1]);
    FUZZ_CHECK(error->reason != NULL);
    FUZZ_CHECK(len > 0);
    if (error->code == 1007) {
        FUZZ_CHECK(is_code && !tw__utf8_valid(body + 2, len - 2));
    } else {
        FUZZ_CHECK(error->code == 1002);
        FUZZ_CHECK(!is_code || len > TW__WS_CLOSE_BODY_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *body = fuzz_copy(data, size);
    tw__ws_close close = {.code = -1};
    tw__ws_error error = {0};
    if (tw__ws_close_parse(body, size, &close, &error)) {
        FUZZ_CHECK(error.code == 0);
        FUZZ_CHECK(size == 0 ? close.code == TW__WS_CLOSE_NONE
                             : is_registered(close.code));
        check_parsed(body, size, &close);
    } else {
        FUZZ_CHECK(close.code == -1);
        check_refused(body, size, &error);
    }
    free(body);
    return 0;
}
