/* What Redis says, redis/resp.h. The input is a stream of replies.
 *
 * However it is cut, the same values come out of it and the same fault ends it;
 * what they take is within the limit; and what came out, said again, comes out
 * again.
 *
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "redis/resp.h"

enum { LIMIT = 1 << 16 };

/* The values as a reply would have them. */
static void say(fuzz_log *out, const tw_redis_value *value) {
    char head[32];
    const char type = "$$+:-*"[value->kind];
    int64_t number = value->kind == TW_REDIS_NIL       ? -1
                     : value->kind == TW_REDIS_INTEGER ? value->integer
                     : value->kind == TW_REDIS_ARRAY   ? (int64_t)value->count
                                                     : (int64_t)value->text.len;
    bool is_line =
        value->kind == TW_REDIS_STATUS || value->kind == TW_REDIS_ERROR;
    snprintf(head, sizeof head, "%c%lld\r\n", type, (long long)number);
    fuzz_log_add(out, head, is_line ? 1 : strlen(head));
    if (value->text.data != NULL) {
        FUZZ_CHECK(value->text.data[value->text.len] == '\0');
        fuzz_log_add(out, value->text.data, value->text.len);
        fuzz_log_add(out, "\r\n", 2);
    }
    for (size_t i = 0; i < value->count; i++) {
        say(out, &value->items[i]);
    }
}

/* All values of the input, given whole or in pieces. The fault, or 0. */
static int read_all(const uint8_t *data, size_t size, fuzz_random *random,
                    fuzz_log *out) {
    tw__resp resp;
    int fault = tw__resp_init(&resp, LIMIT);
    for (size_t at = 0; fault == 0 && at < size;) {
        size_t len = random != NULL ? fuzz_piece(random, size - at) : size;
        const tw_redis_value *value;
        tw__resp_feed(&resp, data + at, len);
        at += len;
        while ((fault = tw__resp_next(&resp, &value)) == 0 && value != NULL) {
            FUZZ_CHECK(resp.bytes <= LIMIT);
            say(out, value);
            tw__resp_drop(&resp);
            FUZZ_CHECK(resp.bytes == 0);
        }
    }
    FUZZ_CHECK(resp.bytes <= LIMIT);
    tw__resp_deinit(&resp);
    return fault;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_random random = fuzz_random_of(data, size, 0);
    fuzz_log whole = {0}, pieces = {0}, again = {0};
    int fault = read_all(data, size, NULL, &whole);
    FUZZ_CHECK(read_all(data, size, &random, &pieces) == fault);
    FUZZ_CHECK(fuzz_same(whole.data, whole.len, pieces.data, pieces.len));
    FUZZ_CHECK(read_all(whole.data, whole.len, NULL, &again) == 0);
    FUZZ_CHECK(fuzz_same(whole.data, whole.len, again.data, again.len));
    fuzz_log_free(&whole);
    fuzz_log_free(&pieces);
    fuzz_log_free(&again);
    FUZZ_CHECK(tw__alloc_live() == 0);
    return 0;
}
