/* The request parser: events, pieces, limits, memory. Every request is fed
 * whole, byte by byte and in random pieces (test_http_support.h).
 * SPDX-License-Identifier: MIT */
#include "test_http_support.h"

#include <stdio.h>

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static void a_get_gives_its_head_and_completes(void **state) {
    (void)state;
    outcome result = parse(GET);
    assert_int_equal(result.event, TW__HTTP_COMPLETE);
    assert_int_equal(result.heads, 1);
    assert_int_equal(result.consumed, strlen(GET));
    assert_text(result.request->method, "GET");
    assert_text(result.request->target, "/");
    assert_text(result.request->path, "/");
    assert_text(result.request->query, "");
    assert_text(result.request->host, "a");
    assert_int_equal(result.request->minor, 1);
    assert_true(result.request->keep_alive);
    assert_true(result.request->is_complete);
    assert_false(result.request->is_upgrade);
    assert_false(result.request->has_body);
    assert_text(tw__http_request_body(result.request), "");
    tw__http_request_unref(result.request);
}

static void an_incomplete_request_asks_for_more(void **state) {
    (void)state;
    for (size_t len = 0; len < strlen(GET); len++) {
        outcome result = parse_bytes(GET, len);
        assert_int_equal(result.event, TW__HTTP_MORE);
        assert_int_equal(result.consumed, len);
        assert_null(result.request);
    }
}

static void a_body_with_a_length_is_taken_exactly(void **state) {
    (void)state;
    const char *text =
        "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
        "helloGET";
    outcome result = parse(text);
    assert_int_equal(result.event, TW__HTTP_COMPLETE);
    assert_int_equal(result.consumed, strlen(text) - 3);
    assert_true(result.request->has_body);
    assert_false(result.request->is_chunked);
    assert_int_equal(result.request->content_length, 5);
    assert_text(tw__http_request_body(result.request), "hello");
    tw__http_request_unref(result.request);
}

static void a_chunked_body_is_put_together(void **state) {
    (void)state;
    const char *text = "POST /p HTTP/1.1\r\nHost: a\r\n"
                       "Transfer-Encoding: Chunked\r\n\r\n"
                       "5\r\nhello\r\n"
                       "00A;name=\"va;lue\"\r\n0123456789\r\n"
                       "1 \r\n"; /* a blank after the size is no extension */
    assert_refused(text, 400);
    text = "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
           "5\r\nhello\r\n00A;name=\"va;lue\"\r\n0123456789\r\n"
           "0\r\nTrailer: x\r\n\r\nNEXT";
    outcome result = parse(text);
    assert_int_equal(result.event, TW__HTTP_COMPLETE);
    assert_int_equal(result.consumed, strlen(text) - 4);
    assert_true(result.request->is_chunked);
    assert_text(tw__http_request_body(result.request), "hello0123456789");
    assert_int_equal(result.request->header_count, 2);
    tw__http_request_unref(result.request);
}

static void an_empty_chunked_body_completes(void **state) {
    (void)state;
    tw__http_request *request =
        parse_good("POST /p HTTP/1.1\r\nHost: a\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_true(request->is_complete);
    assert_text(tw__http_request_body(request), "");
    tw__http_request_unref(request);
}

static void an_upgrade_stops_right_behind_its_head(void **state) {
    (void)state;
    const char *head = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\n"
                       "Connection: keep-alive, Upgrade\r\n\r\n";
    char text[256];
    snprintf(text, sizeof text, "%s\x81\x85\x01\x02\x03\x04hello", head);
    outcome result = parse(text);
    assert_int_equal(result.event, TW__HTTP_HEAD);
    assert_int_equal(result.consumed, strlen(head));
    assert_true(result.request->is_upgrade);
    assert_false(result.request->keep_alive);
    tw__http_request_unref(result.request);
}

static void an_upgrade_to_something_else_is_an_ordinary_request(void **state) {
    (void)state;
    tw__http_request *request =
        parse_good("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n"
                   "Connection: Upgrade, HTTP2-Settings\r\n\r\n");
    assert_false(request->is_upgrade);
    assert_true(request->keep_alive);
    tw__http_request_unref(request);
}

static void a_websocket_key_alone_means_an_upgrade(void **state) {
    (void)state;
    tw__http_request *request =
        parse_good("GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: x\r\n\r\n");
    assert_true(request->is_upgrade);
    assert_false(request->keep_alive);
    tw__http_request_unref(request);
}

static void pipelined_requests_come_one_by_one(void **state) {
    (void)state;
    const char *text = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                       "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                       "\r\nhi"
                       "\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n";
    size_t pieces[] = {WHOLE, 1, RANDOM};
    for (size_t i = 0; i < 3; i++) {
        tw__http_parser *parser = tw__http_parser_create(NULL);
        const char *at = text, *paths[] = {"/1", "/2", "/3"};
        for (size_t k = 0; k < 3; k++) {
            assert_true(tw__http_parser_is_idle(parser));
            outcome result = feed_pieces(parser, at, strlen(at), pieces[i]);
            assert_int_equal(result.event, TW__HTTP_COMPLETE);
            assert_text(result.request->path, paths[k]);
            at += result.consumed;
            tw__http_request_unref(result.request);
            tw__http_parser_reset(parser);
            assert_null(tw__http_parser_request(parser));
        }
        assert_string_equal(at, "");
        tw__http_parser_destroy(parser);
    }
}

static void a_complete_request_consumes_nothing_more(void **state) {
    (void)state;
    tw__http_parser *parser = tw__http_parser_create(NULL);
    outcome result = feed_pieces(parser, GET, strlen(GET), WHOLE);
    size_t used = 77;
    assert_int_equal(tw__http_parser_feed(parser, GET, strlen(GET), &used),
                     TW__HTTP_COMPLETE);
    assert_int_equal(used, 0);
    tw__http_request_unref(result.request);
    tw__http_parser_destroy(parser);
}

static void an_error_stays(void **state) {
    (void)state;
    tw__http_parser *parser = tw__http_parser_create(NULL);
    size_t used;
    assert_int_equal(tw__http_parser_feed(parser, "\x16\x03\x01", 3, &used),
                     TW__HTTP_ERROR);
    assert_int_equal(tw__http_parser_feed(parser, GET, strlen(GET), &used),
                     TW__HTTP_ERROR);
    assert_int_equal(tw__http_parser_error(parser).status, 400);
    tw__http_parser_destroy(parser);
}

static void a_request_outlives_its_parser(void **state) {
    (void)state;
    const char *text = "GET /x?y=z HTTP/1.1\r\nHost: a\r\n\r\n";
    outcome result = parse_pieces(NULL, text, strlen(text), WHOLE);
    assert_text(result.request->path, "/x");
    assert_text(result.request->query, "y=z");
    tw__http_request_unref(result.request);
}

static void idle_means_that_nothing_of_a_request_came(void **state) {
    (void)state;
    tw__http_parser *parser = tw__http_parser_create(NULL);
    size_t used;
    assert_true(tw__http_parser_is_idle(parser));
    tw__http_parser_feed(parser, "\r\n", 2, &used);
    assert_true(tw__http_parser_is_idle(parser));
    tw__http_parser_feed(parser, "G", 1, &used);
    assert_false(tw__http_parser_is_idle(parser));
    tw__http_parser_destroy(parser);
}

/* --- keep-alive --- */

static bool keeps_alive(const char *version, const char *connection) {
    char text[256];
    snprintf(text, sizeof text, "GET / HTTP/%s\r\nHost: a\r\n%s\r\n", version,
             connection);
    tw__http_request *request = parse_good(text);
    bool keep = request->keep_alive;
    tw__http_request_unref(request);
    return keep;
}

static void keep_alive_follows_version_and_connection(void **state) {
    (void)state;
    assert_true(keeps_alive("1.1", ""));
    assert_false(keeps_alive("1.1", "Connection: close\r\n"));
    assert_false(keeps_alive("1.1", "Connection: x, CLOSE\r\n"));
    assert_false(keeps_alive("1.1", "Connection: x\r\nConnection: close\r\n"));
    assert_false(keeps_alive("1.0", ""));
    assert_true(keeps_alive("1.0", "Connection: Keep-Alive\r\n"));
    assert_false(keeps_alive("1.0", "Connection: keep-alive, close\r\n"));
}

static void version_1_0_needs_no_host(void **state) {
    (void)state;
    tw__http_request *request = parse_good("GET / HTTP/1.0\r\n\r\n");
    assert_int_equal(request->minor, 0);
    assert_text(request->host, "");
    assert_int_equal(request->header_count, 0);
    tw__http_request_unref(request);
}

/* --- limits: one less, exactly, one more --- */

static char *padded_head(size_t len, size_t *out_len) {
    char *text = malloc(len + 1);
    int n = snprintf(text, len + 1, "GET / HTTP/1.1\r\nHost: a\r\nPad: ");
    memset(text + n, 'x', len - (size_t)n);
    memcpy(text + len - 4, "\r\n\r\n", 5);
    *out_len = len;
    return text;
}

static void the_head_limit_is_exact(void **state) {
    (void)state;
    size_t lens[] = {16383, 16384, 16385}, len;
    for (size_t i = 0; i < 3; i++) {
        char *text = padded_head(lens[i], &len);
        if (i < 2) {
            tw__http_request_unref(parse_good(text));
        } else {
            assert_refused(text, 431);
        }
        free(text);
    }
}

static void an_endless_head_is_refused_without_its_end(void **state) {
    (void)state;
    tw__http_limits limits = {.max_head_bytes = 100};
    char text[101];
    memset(text, 'x', sizeof text);
    memcpy(text, "GET / HTTP/1.1\r\na:", 18);
    outcome result = parse_limited(&limits, text, 99);
    assert_int_equal(result.event, TW__HTTP_MORE);
    result = parse_limited(&limits, text, 100);
    assert_int_equal(result.error.status, 431);
}

static void the_target_limit_is_exact(void **state) {
    (void)state;
    for (size_t len = 8191; len <= 8193; len++) {
        char *text = malloc(len + 64), *at = text;
        at += sprintf(at, "GET /");
        memset(at, 'x', len - 1);
        strcpy(at + len - 1, " HTTP/1.1\r\nHost: a\r\n\r\n");
        if (len <= 8192) {
            tw__http_request_unref(parse_good(text));
        } else {
            assert_refused(text, 414);
        }
        free(text);
    }
}

static void a_target_that_fills_the_head_is_too_long(void **state) {
    (void)state;
    tw__http_limits limits = {.max_head_bytes = 64};
    char text[128] = "GET /";
    memset(text + 5, 'x', sizeof text - 5);
    outcome result = parse_limited(&limits, text, sizeof text);
    assert_int_equal(result.error.status, 414);
}

static void the_header_count_limit_is_exact(void **state) {
    (void)state;
    for (int count = 99; count <= 101; count++) {
        char text[1024], *at = text;
        at += sprintf(at, "GET / HTTP/1.1\r\nHost: a\r\n");
        for (int i = 1; i < count; i++) {
            at += sprintf(at, "a:b\r\n");
        }
        strcpy(at, "\r\n");
        if (count <= 100) {
            tw__http_request *request = parse_good(text);
            assert_int_equal(request->header_count, count);
            tw__http_request_unref(request);
        } else {
            assert_refused(text, 431);
        }
    }
}

static void
the_body_limit_is_exact_and_declared_bodies_fail_early(void **state) {
    (void)state;
    tw__http_limits limits = {.max_body_bytes = 10};
    for (int len = 9; len <= 11; len++) {
        char text[256];
        snprintf(text, sizeof text,
                 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
                 "%.*s",
                 len, len, "0123456789ab");
        size_t head = strlen(text) - (size_t)len;
        outcome result = parse_limited(&limits, text, strlen(text));
        assert_int_equal(result.error.status, len <= 10 ? 0 : 413);
        tw__http_request_unref(result.request);
        result = parse_limited(&limits, text, head); /* nothing of the body */
        assert_int_equal(result.error.status, len <= 10 ? 0 : 413);
        tw__http_request_unref(result.request);
    }
}

static void a_chunked_body_fails_with_the_chunk_that_crosses(void **state) {
    (void)state;
    tw__http_limits limits = {.max_body_bytes = 10};
    const char *head = "POST / HTTP/1.1\r\nHost: a\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n";
    const char *ends[] = {"1\r\n8\r\n0\r\n\r\n", "2\r\n89\r\n0\r\n\r\n",
                          "3\r\n"};
    for (int i = 0; i < 3; i++) {
        char text[256];
        snprintf(text, sizeof text, "%s%s", head, ends[i]);
        outcome result = parse_limited(&limits, text, strlen(text));
        assert_int_equal(result.error.status, i < 2 ? 0 : 413);
        assert_int_equal(result.event,
                         i < 2 ? TW__HTTP_COMPLETE : TW__HTTP_ERROR);
        tw__http_request_unref(result.request);
    }
}

static void the_route_sets_the_body_limit(void **state) {
    (void)state;
    const char *text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
                       "abc";
    for (uint64_t limit = 2; limit <= 3; limit++) {
        tw__http_parser *parser = tw__http_parser_create(NULL);
        size_t used, rest;
        assert_int_equal(
            tw__http_parser_feed(parser, text, strlen(text), &used),
            TW__HTTP_HEAD);
        tw__http_parser_set_body_limit(parser, limit);
        assert_int_equal(tw__http_parser_feed(parser, text + used,
                                              strlen(text) - used, &rest),
                         limit == 3 ? TW__HTTP_COMPLETE : TW__HTTP_ERROR);
        tw__http_parser_destroy(parser);
    }
}

static void a_declared_body_is_not_allocated_ahead(void **state) {
    (void)state;
    tw__http_limits limits = {.max_body_bytes = UINT64_MAX};
    const char *text = "POST / HTTP/1.1\r\nHost: a\r\n"
                       "Content-Length: 9000000000000000000\r\n\r\nx";
    outcome result = parse_limited(&limits, text, strlen(text));
    assert_int_equal(result.event, TW__HTTP_MORE);
    assert_int_equal(tw__http_request_body(result.request).len, 1);
    assert_false(result.request->is_complete);
    tw__http_request_unref(result.request);
}

static void chunk_lines_and_trailers_are_limited(void **state) {
    (void)state;
    const char *head = "POST / HTTP/1.1\r\nHost: a\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n";
    for (int len = 256; len <= 257; len++) {
        char text[512], pad[300];
        memset(pad, 'x', sizeof pad);
        snprintf(text, sizeof text, "%s0;%.*s\r\n\r\n", head, len - 2, pad);
        if (len == 256) {
            tw__http_request_unref(parse_good(text));
        } else {
            assert_refused(text, 400);
        }
    }
    tw__http_limits limits = {.max_headers = 2, .max_head_bytes = 256};
    char text[1024];
    snprintf(text, sizeof text, "%s0\r\na:1\r\nb:2\r\nc:3\r\n\r\n", head);
    outcome result = parse_limited(&limits, text, strlen(text));
    assert_int_equal(result.error.status, 431);
    tw__http_request_unref(result.request);
    snprintf(text, sizeof text, "%s0\r\na:%0300d\r\n\r\n", head, 1);
    result = parse_limited(&limits, text, strlen(text));
    assert_int_equal(result.error.status, 431);
    tw__http_request_unref(result.request);
}

/* --- Expect --- */

static void continue_is_owed_once_when_the_client_waits(void **state) {
    (void)state;
    const char *text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                       "Expect: 100-Continue\r\n\r\n";
    tw__http_parser *parser = tw__http_parser_create(NULL);
    size_t used;
    assert_int_equal(tw__http_parser_feed(parser, text, strlen(text), &used),
                     TW__HTTP_HEAD);
    assert_true(tw__http_parser_request(parser)->expect_continue);
    assert_false(tw__http_parser_take_continue(parser));
    assert_int_equal(tw__http_parser_feed(parser, "", 0, &used), TW__HTTP_MORE);
    assert_true(tw__http_parser_take_continue(parser));
    assert_false(tw__http_parser_take_continue(parser));
    assert_int_equal(tw__http_parser_feed(parser, "abc", 3, &used),
                     TW__HTTP_COMPLETE);
    tw__http_parser_destroy(parser);
}

static void no_continue_is_owed_to_a_refused_or_impatient_client(void **state) {
    (void)state;
    const char *text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                       "Expect: 100-continue\r\n\r\n";
    for (int refused = 0; refused < 2; refused++) {
        tw__http_parser *parser = tw__http_parser_create(NULL);
        size_t used;
        tw__http_parser_feed(parser, text, strlen(text), &used);
        tw__http_parser_set_body_limit(parser, refused ? 2 : 3);
        tw__http_parser_feed(parser, "a", 1, &used);
        assert_false(tw__http_parser_take_continue(parser));
        assert_int_equal(tw__http_parser_error(parser).status,
                         refused ? 413 : 0);
        tw__http_parser_destroy(parser);
    }
}

static void expectations_without_a_body_or_in_1_0_are_ignored(void **state) {
    (void)state;
    const char *texts[] = {
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
        "GET / HTTP/1.0\r\nExpect: something\r\n\r\n"};
    for (int i = 0; i < 2; i++) {
        tw__http_request *request = parse_good(texts[i]);
        assert_false(request->expect_continue);
        tw__http_request_unref(request);
    }
    assert_refused("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417);
}

/* --- memory --- */

/* Counts how many allocations could fail before the request completes. */
static int count_failures(const char *text, size_t piece) {
    for (size_t nth = 1;; nth++) {
        size_t before = tw__alloc_live();
        outcome result = {.event = TW__HTTP_ERROR, .error = {503, ""}};
        tw__alloc_fail_nth(nth);
        tw__http_parser *parser = tw__http_parser_create(NULL);
        if (parser != NULL) {
            result = feed_pieces(parser, text, strlen(text), piece);
        }
        tw__alloc_fail_nth(0);
        tw__http_parser_destroy(parser);
        tw__http_request_unref(result.request);
        assert_int_equal(tw__alloc_live(), before);
        if (result.event == TW__HTTP_COMPLETE) {
            return (int)nth - 1;
        }
        assert_int_equal(result.event, TW__HTTP_ERROR);
        assert_int_equal(result.error.status, 503);
    }
}

static void every_failing_allocation_ends_in_503(void **state) {
    (void)state;
    const char *chunked = "POST /a%20b HTTP/1.1\r\nHost: a\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n"
                          "5\r\nhello\r\n0\r\n\r\n";
    assert_int_equal(count_failures(chunked, WHOLE), 3);
    assert_int_equal(count_failures(chunked, 1), 4);
    /* a body that fills its block leaves no room for the zero behind it */
    char text[512];
    snprintf(text, sizeof text,
             "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 256\r\n\r\n"
             "%0256d",
             0);
    assert_int_equal(count_failures(text, WHOLE), 4);
}

static void a_large_body_arrives_whole(void **state) {
    (void)state;
    size_t len = 300000;
    char *text = malloc(len + 128);
    int head = sprintf(text,
                       "PUT / HTTP/1.1\r\nHost: a\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       len);
    for (size_t i = 0; i < len; i++) {
        text[(size_t)head + i] = (char)(i * 7);
    }
    outcome result = parse_pieces(NULL, text, (size_t)head + len, 1000);
    assert_int_equal(result.event, TW__HTTP_COMPLETE);
    tw__http_text body = tw__http_request_body(result.request);
    assert_int_equal(body.len, len);
    assert_memory_equal(body.data, text + head, len);
    assert_int_equal(body.data[len], 0);
    tw__http_request_unref(result.request);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        balanced(a_get_gives_its_head_and_completes),
        balanced(an_incomplete_request_asks_for_more),
        balanced(a_body_with_a_length_is_taken_exactly),
        balanced(a_chunked_body_is_put_together),
        balanced(an_empty_chunked_body_completes),
        balanced(an_upgrade_stops_right_behind_its_head),
        balanced(an_upgrade_to_something_else_is_an_ordinary_request),
        balanced(a_websocket_key_alone_means_an_upgrade),
        balanced(pipelined_requests_come_one_by_one),
        balanced(a_complete_request_consumes_nothing_more),
        balanced(an_error_stays),
        balanced(a_request_outlives_its_parser),
        balanced(idle_means_that_nothing_of_a_request_came),
        balanced(keep_alive_follows_version_and_connection),
        balanced(version_1_0_needs_no_host),
        balanced(the_head_limit_is_exact),
        balanced(an_endless_head_is_refused_without_its_end),
        balanced(the_target_limit_is_exact),
        balanced(a_target_that_fills_the_head_is_too_long),
        balanced(the_header_count_limit_is_exact),
        balanced(the_body_limit_is_exact_and_declared_bodies_fail_early),
        balanced(a_chunked_body_fails_with_the_chunk_that_crosses),
        balanced(the_route_sets_the_body_limit),
        balanced(a_declared_body_is_not_allocated_ahead),
        balanced(chunk_lines_and_trailers_are_limited),
        balanced(continue_is_owed_once_when_the_client_waits),
        balanced(no_continue_is_owed_to_a_refused_or_impatient_client),
        balanced(expectations_without_a_body_or_in_1_0_are_ignored),
        balanced(every_failing_allocation_ends_in_503),
        balanced(a_large_body_arrives_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
