/* The response writer: framing, dates, error bodies, what it refuses.
 * SPDX-License-Identifier: MIT */
#include "test_http_support.h"

#include <stdio.h>

#include "http/mime.h"
#include "http/response.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static void assert_bytes(tw__bytes *out, const char *expected) {
    assert_int_equal(tw__bytes_append(out, "", 1), 0);
    assert_string_equal((char *)tw__bytes_data(out), expected);
    tw__bytes_deinit(out);
}

static void assert_written(const tw__http_response *response,
                           const char *expected) {
    tw__bytes out = {0};
    assert_int_equal(tw__http_response_write(&out, response), 0);
    assert_bytes(&out, expected);
}

static void a_response_has_length_date_and_connection(void **state) {
    (void)state;
    tw__http_field headers[] = {TW__HTTP_FIELD("X-A", "1"),
                                TW__HTTP_FIELD("Set-Cookie", "a=b"),
                                TW__HTTP_FIELD("Set-Cookie", "c=d")};
    tw__http_response response = {.status = 200,
                                  .content_type = "text/plain",
                                  .headers = headers,
                                  .header_count = 3,
                                  .body = "hello",
                                  .body_len = 5,
                                  .keep_alive = true,
                                  .date = DATE};
    assert_written(&response,
                   "HTTP/1.1 200 OK\r\nDate: " DATE "\r\nContent-Length: 5\r\n"
                   "Connection: keep-alive\r\nContent-Type: text/plain\r\n"
                   "X-A: 1\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\nhello");
}

static void an_empty_response_closes_by_default(void **state) {
    (void)state;
    tw__http_response response = {.status = 404, .content_type = "text/plain"};
    assert_written(&response, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"
                              "Connection: close\r\n\r\n");
}

static void responses_are_appended(void **state) {
    (void)state;
    tw__bytes out = {0};
    tw__http_response response = {.status = 204};
    assert_int_equal(tw__http_response_write(&out, &response), 0);
    size_t one = tw__bytes_len(&out);
    assert_int_equal(tw__http_response_write(&out, &response), 0);
    assert_int_equal(tw__bytes_len(&out), 2 * one);
    tw__bytes_deinit(&out);
}

static void head_keeps_the_length_and_omits_the_body(void **state) {
    (void)state;
    tw__http_response response = {
        .status = 200, .body = "hello", .body_len = 5, .is_head = true};
    assert_written(&response, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
                              "Connection: close\r\n\r\n");
}

static void some_statuses_have_no_body(void **state) {
    (void)state;
    tw__http_response response = {
        .body = "hello", .body_len = 5, .content_type = "text/plain"};
    response.status = 204;
    assert_written(&response,
                   "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    response.status = 304;
    assert_written(&response,
                   "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
    response.status = 205;
    assert_written(&response, "HTTP/1.1 205 Reset Content\r\n"
                              "Content-Length: 0\r\nConnection: close\r\n\r\n");
}

static void without_a_body_only_the_head_is_written(void **state) {
    (void)state;
    tw__http_response response = {.status = 200, .body_len = 5000000000};
    assert_written(&response, "HTTP/1.1 200 OK\r\nContent-Length: 5000000000"
                              "\r\nConnection: close\r\n\r\n");
}

static void framing_headers_of_the_caller_are_left_out(void **state) {
    (void)state;
    tw__http_field headers[] = {
        TW__HTTP_FIELD("content-length", "99"),
        TW__HTTP_FIELD("Transfer-Encoding", "chunked"),
        TW__HTTP_FIELD("CONNECTION", "keep-alive"),
        TW__HTTP_FIELD("Keep-Alive", "timeout=5"),
        TW__HTTP_FIELD("Date", "today"),
        TW__HTTP_FIELD("TE", "x"),
        TW__HTTP_FIELD("Trailer", "x"),
        TW__HTTP_FIELD("X", "y"),
    };
    tw__http_response response = {
        .status = 200, .headers = headers, .header_count = 8};
    assert_written(&response, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                              "Connection: close\r\nX: y\r\n\r\n");
}

static void an_upgrade_header_is_named_in_connection(void **state) {
    (void)state;
    tw__http_field headers[] = {TW__HTTP_FIELD("Upgrade", "websocket")};
    tw__http_response response = {
        .status = 426, .headers = headers, .header_count = 1};
    assert_written(&response,
                   "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n"
                   "Connection: close, Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

static void the_callers_content_type_wins(void **state) {
    (void)state;
    tw__http_field headers[] = {TW__HTTP_FIELD("content-TYPE", "a/b")};
    tw__http_response response = {.status = 200,
                                  .content_type = "text/plain",
                                  .headers = headers,
                                  .header_count = 1,
                                  .body = "x",
                                  .body_len = 1};
    assert_written(&response, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
                              "Connection: close\r\ncontent-TYPE: a/b\r\n\r\n"
                              "x");
}

static void assert_field_refused(const char *name, size_t name_len,
                                 const char *value, size_t value_len) {
    tw__http_field header = {name, name_len, value, value_len};
    tw__http_response response = {
        .status = 200, .headers = &header, .header_count = 1};
    tw__bytes out = {0};
    assert_int_equal(tw__http_response_write(&out, &response), TW_EINVALID);
    assert_int_equal(tw__bytes_len(&out), 0);
    tw__bytes_deinit(&out);
}

static void headers_cannot_be_injected(void **state) {
    (void)state;
    assert_field_refused("A", 1, "b\r\nC: d", 7);
    assert_field_refused("A", 1, "b\n", 2);
    assert_field_refused("A", 1, "b\r", 2);
    assert_field_refused("A", 1, "b\0c", 3);
    assert_field_refused("A", 1, "\x1B[0m", 4);
    assert_field_refused("A", 1, "\x7F", 1);
    assert_field_refused("", 0, "b", 1);
    assert_field_refused("A B", 3, "b", 1);
    assert_field_refused("A:", 2, "b", 1);
    assert_field_refused("A\r\nB", 4, "b", 1);
    assert_field_refused("A\0", 2, "b", 1);
    /* also under a name that would be left out */
    assert_field_refused("Connection", 10, "x\r\ny", 4);
}

static void a_bad_status_type_or_date_is_refused(void **state) {
    (void)state;
    tw__bytes out = {0};
    int statuses[] = {-1, 0, 99, 101, 199, 600, 1000};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        tw__http_response response = {.status = statuses[i]};
        assert_int_equal(tw__http_response_write(&out, &response), TW_EINVALID);
    }
    tw__http_response type = {
        .status = 200, .content_type = "a\r\nb", .body = "x", .body_len = 1};
    assert_int_equal(tw__http_response_write(&out, &type), TW_EINVALID);
    tw__http_response date = {.status = 200, .date = "now"};
    assert_int_equal(tw__http_response_write(&out, &date), TW_EINVALID);
    assert_int_equal(tw__bytes_len(&out), 0);
    tw__bytes_deinit(&out);
}

static void every_status_has_a_reason(void **state) {
    (void)state;
    assert_string_equal(tw__http_reason(200), "OK");
    assert_string_equal(tw__http_reason(431),
                        "Request Header Fields Too Large");
    assert_string_equal(tw__http_reason(418), "Unknown");
    tw__http_response response = {.status = 299};
    assert_written(&response, "HTTP/1.1 299 Unknown\r\nContent-Length: 0\r\n"
                              "Connection: close\r\n\r\n");
}

/* --- dates --- */

static void dates_are_formatted_once_a_second(void **state) {
    (void)state;
    tw__http_date date = {0};
    assert_string_equal(tw__http_date_at(&date, 0),
                        "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_string_equal(tw__http_date_at(&date, 784111777), DATE);
    const char *text = tw__http_date_at(&date, 784111777);
    assert_string_equal(text, DATE);
    assert_string_equal(tw__http_date_at(&date, 784111778),
                        "Sun, 06 Nov 1994 08:49:38 GMT");
    assert_string_equal(tw__http_date_at(&date, -5),
                        "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_string_equal(tw__http_date_at(&date, INT64_MAX),
                        "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void dates_are_read_back(void **state) {
    (void)state;
    int64_t times[] = {0, 1, 784111777, 951782400, 1709164800, 4102444799};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char text[30];
        int64_t back = -1;
        tw__http_date_format(times[i], text);
        assert_true(tw__http_date_parse(text, 29, &back));
        assert_true(back == times[i]);
    }
}

static void other_dates_are_not_read(void **state) {
    (void)state;
    const char *bad[] = {
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, xx Nov 1994 08:49:37 GMT",
        "Thu, 01 Jan 1960 00:00:00 GMT",
        "",
        "0",
    };
    int64_t out = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(tw__http_date_parse(bad[i], strlen(bad[i]), &out));
    }
    assert_true(out == 7);
}

/* --- error bodies --- */

static void errors_come_as_text(void **state) {
    (void)state;
    tw__bytes out = {0};
    tw__http_response response = {.status = 400};
    assert_int_equal(tw__http_error_text(&out, &response, "two Host lines"), 0);
    assert_bytes(&out, "HTTP/1.1 400 Bad Request\r\nContent-Length: 32\r\n"
                       "Connection: close\r\n"
                       "Content-Type: text/plain; charset=utf-8\r\n\r\n"
                       "400 Bad Request: two Host lines\n");
    tw__http_field allow = TW__HTTP_FIELD("Allow", "GET, HEAD");
    response = (tw__http_response){.status = 405,
                                   .headers = &allow,
                                   .header_count = 1,
                                   .keep_alive = true,
                                   .is_head = true};
    assert_int_equal(tw__http_error_text(&out, &response, NULL), 0);
    assert_bytes(&out,
                 "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 23\r\n"
                 "Connection: keep-alive\r\n"
                 "Content-Type: text/plain; charset=utf-8\r\n"
                 "Allow: GET, HEAD\r\n\r\n");
}

static void errors_come_as_json(void **state) {
    (void)state;
    tw__bytes out = {0};
    tw__http_response response = {.status = 403};
    assert_int_equal(
        tw__http_error_json(&out, &response, "denied", "no \"way\"\n"), 0);
    assert_bytes(&out, "HTTP/1.1 403 Forbidden\r\nContent-Length: 52\r\n"
                       "Connection: close\r\nContent-Type: application/json"
                       "\r\n\r\n{\"error\":{\"code\":\"denied\",\"message\":"
                       "\"no \\\"way\\\"\\n\"}}");
}

static void assert_json(const char *data, size_t len, const char *expected) {
    tw__bytes out = {0};
    assert_int_equal(tw__http_json_string(&out, data, len), 0);
    assert_bytes(&out, expected);
}

static void json_strings_are_escaped_and_always_utf8(void **state) {
    (void)state;
    assert_json("", 0, "\"\"");
    assert_json("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    assert_json("\0\x01\t\r\n\x1F\x7F", 7,
                "\"\\u0000\\u0001\\u0009\\u000d\\n\\u001f\\u007f\"");
    assert_json("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", 9,
                "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"");
    assert_json("\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAA", 9,
                "\"\\u2028\\u2029\xE2\x80\xAA\"");
    assert_json("a\xFFz", 3, "\"a\\ufffdz\"");
    assert_json("\xC0\x80", 2, "\"\\ufffd\\ufffd\"");
    assert_json("\xED\xA0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"");
    assert_json("\xF4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    assert_json("\xE2\x82", 2, "\"\\ufffd\\ufffd\"");
    assert_json("\xE2\x82x", 3, "\"\\ufffd\\ufffdx\"");
}

static void a_lack_of_memory_leaves_nothing_behind(void **state) {
    (void)state;
    tw__http_response response = {.status = 500};
    for (size_t nth = 1; nth <= 2; nth++) {
        tw__bytes out = {0};
        tw__alloc_fail_nth(nth);
        assert_int_equal(tw__http_error_text(&out, &response, "x"), TW_ENOMEM);
        tw__alloc_fail_nth(nth);
        assert_int_equal(tw__http_error_json(&out, &response, "x", "y"),
                         TW_ENOMEM);
        assert_int_equal(tw__bytes_len(&out), 0);
        tw__bytes_deinit(&out);
    }
    tw__alloc_fail_nth(0);
}

static void types_follow_the_ending(void **state) {
    (void)state;
    const char *pairs[][2] = {
        {"index.html", "text/html; charset=utf-8"},
        {"a/b.min.JS", "text/javascript; charset=utf-8"},
        {"x.mjs", "text/javascript; charset=utf-8"},
        {"x.json", "application/json"},
        {"x.svg", "image/svg+xml"},
        {"x.woff2", "font/woff2"},
        {"x.wasm", "application/wasm"},
        {"x", "application/octet-stream"},
        {"html", "application/octet-stream"},
        {"a.html/x", "application/octet-stream"},
        {"x.", "application/octet-stream"},
        {"", "application/octet-stream"},
        {"x.html~", "application/octet-stream"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_string_equal(tw__http_mime(pairs[i][0], strlen(pairs[i][0])),
                            pairs[i][1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        balanced(a_response_has_length_date_and_connection),
        balanced(an_empty_response_closes_by_default),
        balanced(responses_are_appended),
        balanced(head_keeps_the_length_and_omits_the_body),
        balanced(some_statuses_have_no_body),
        balanced(without_a_body_only_the_head_is_written),
        balanced(framing_headers_of_the_caller_are_left_out),
        balanced(an_upgrade_header_is_named_in_connection),
        balanced(the_callers_content_type_wins),
        balanced(headers_cannot_be_injected),
        balanced(a_bad_status_type_or_date_is_refused),
        balanced(every_status_has_a_reason),
        balanced(dates_are_formatted_once_a_second),
        balanced(dates_are_read_back),
        balanced(other_dates_are_not_read),
        balanced(errors_come_as_text),
        balanced(errors_come_as_json),
        balanced(json_strings_are_escaped_and_always_utf8),
        balanced(a_lack_of_memory_leaves_nothing_behind),
        balanced(types_follow_the_ending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
