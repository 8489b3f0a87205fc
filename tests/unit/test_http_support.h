/* test_http_support.h - feeds requests to the parser in pieces.
 * SPDX-License-Identifier: MIT */
#ifndef TEST_HTTP_SUPPORT_H
#define TEST_HTTP_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "http/parser.h"
#include "tidewire/errors.h"

#define WHOLE ((size_t)-1)
#define RANDOM 0

/* What became of one request. */
typedef struct outcome {
    tw__http_event event;
    int heads;
    size_t consumed; /* of what was given */
    tw__http_error error;
    tw__http_request *request; /* given; NULL without a head */
} outcome;

/* Feeds copies of exactly each piece's size, so that reading beyond it is
 * seen by the sanitizer. Stops behind the head of an upgrade. */
static inline outcome feed_pieces(tw__http_parser *parser, const char *data,
                                  size_t len, size_t piece) {
    outcome result = {.event = TW__HTTP_MORE};
    while (result.event == TW__HTTP_MORE || result.event == TW__HTTP_HEAD) {
        size_t left = len - result.consumed;
        size_t want = piece == RANDOM ? 1 + (size_t)rand() % 7 : piece;
        size_t take = want < left ? want : left, used = 0;
        char *copy = malloc(take + !take);
        memcpy(copy, data + result.consumed, take);
        result.event = tw__http_parser_feed(parser, copy, take, &used);
        free(copy);
        if (result.event != TW__HTTP_ERROR) {
            assert_true(used <= take);
            result.consumed += used;
        }
        if (result.event == TW__HTTP_HEAD) {
            result.heads++;
            if (tw__http_parser_request(parser)->is_upgrade) {
                break;
            }
        } else if (result.event == TW__HTTP_MORE && left == 0) {
            break;
        }
    }
    result.error = tw__http_parser_error(parser);
    result.request = tw__http_parser_request(parser);
    if (result.request != NULL) {
        tw__http_request_ref(result.request);
    }
    return result;
}

static inline outcome parse_pieces(const tw__http_limits *limits,
                                   const char *data, size_t len, size_t piece) {
    tw__http_parser *parser = tw__http_parser_create(limits);
    assert_non_null(parser);
    outcome result = feed_pieces(parser, data, len, piece);
    tw__http_parser_destroy(parser);
    return result;
}

/* Parses whole, in single bytes and in random pieces, and wants the same
 * answer each time; gives the last one. */
static inline outcome parse_limited(const tw__http_limits *limits,
                                    const char *data, size_t len) {
    outcome first = parse_pieces(limits, data, len, WHOLE);
    size_t pieces[] = {1, RANDOM, RANDOM, RANDOM, 2, 3};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        outcome next = parse_pieces(limits, data, len, pieces[i]);
        assert_int_equal(next.event, first.event);
        assert_int_equal(next.heads, first.heads);
        assert_int_equal(next.error.status, first.error.status);
        if (next.error.status != 0) {
            assert_string_equal(next.error.reason, first.error.reason);
        } else {
            assert_int_equal(next.consumed, first.consumed);
        }
        tw__http_request_unref(first.request);
        first = next;
    }
    return first;
}

static inline outcome parse_bytes(const char *data, size_t len) {
    return parse_limited(NULL, data, len);
}

static inline outcome parse(const char *text) {
    return parse_bytes(text, strlen(text));
}

/* Parses text that must be one good request and gives it. */
static inline tw__http_request *parse_good(const char *text) {
    outcome result = parse(text);
    if (result.error.status != 0) {
        fail_msg("%d %s:\n%s", result.error.status, result.error.reason, text);
    }
    assert_non_null(result.request);
    return result.request;
}

static inline void assert_refused_bytes(const char *data, size_t len,
                                        int status) {
    outcome result = parse_bytes(data, len);
    tw__http_request_unref(result.request);
    if (result.event != TW__HTTP_ERROR || result.error.status != status) {
        fail_msg("wanted %d, got event %d, %d %s:\n%s", status, result.event,
                 result.error.status,
                 result.error.reason ? result.error.reason : "", data);
    }
    assert_non_null(result.error.reason);
}

static inline void assert_refused(const char *text, int status) {
    assert_refused_bytes(text, strlen(text), status);
}

#define assert_text(text, expected)                                            \
    do {                                                                       \
        tw__http_text text_ = (text);                                          \
        assert_int_equal(text_.len, strlen(expected));                         \
        assert_string_equal(text_.data, expected);                             \
    } while (0)

static inline int level_setup(void **state) {
    *state = (void *)(uintptr_t)tw__alloc_live();
    return 0;
}

static inline int level_teardown(void **state) {
    tw__alloc_fail_nth(0);
    return tw__alloc_live() == (size_t)(uintptr_t)*state ? 0 : -1;
}

/* A test after which as many blocks are allocated as before. */
#define balanced(f)                                                            \
    cmocka_unit_test_setup_teardown(f, level_setup, level_teardown)

#endif
