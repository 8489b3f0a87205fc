/* What a request gives: headers, joined lines, query, cookies, paths.
 * SPDX-License-Identifier: MIT */
#include "test_http_support.h"

#include <stdio.h>

#include "http/chars.h"

static tw__http_request *with_target(const char *target) {
    char text[1024];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
    return parse_good(text);
}

static tw__http_request *with_lines(const char *lines) {
    char text[1024];
    snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", lines);
    return parse_good(text);
}

static void header_names_are_lowered_and_values_trimmed(void **state) {
    (void)state;
    tw__http_request *request =
        with_lines("X-Some-NAME:\t Va lue \t\r\nEmpty:\r\nBlank: \t \r\n");
    assert_int_equal(request->header_count, 4);
    const char *expected[][2] = {
        {"host", "a"}, {"x-some-name", "Va lue"}, {"empty", ""}, {"blank", ""}};
    for (size_t i = 0; i < 4; i++) {
        const tw__http_field *field = &request->headers[i];
        assert_string_equal(field->name, expected[i][0]);
        assert_string_equal(field->value, expected[i][1]);
        assert_int_equal(field->name_len, strlen(expected[i][0]));
        assert_int_equal(field->value_len, strlen(expected[i][1]));
    }
    tw__http_request_unref(request);
}

static void headers_are_found_in_any_case(void **state) {
    (void)state;
    tw__http_request *request = with_lines("X-A: 1\r\nx-a: 2\r\n");
    size_t len = 99;
    assert_string_equal(tw__http_request_header(request, "x-A", &len), "1");
    assert_int_equal(len, 1);
    assert_null(tw__http_request_header(request, "x-", &len));
    assert_null(tw__http_request_header(request, "x-ab", NULL));
    assert_int_equal(len, 1);
    tw__http_request_unref(request);
}

static void lines_of_one_name_are_joined(void **state) {
    (void)state;
    tw__http_request *request = with_lines(
        "A: 1\r\nCookie: x=1\r\nB: 9\r\na: \r\nA: 3\r\nCookie: y=2\r\n");
    tw__bytes out = {0};
    assert_int_equal(tw__bytes_append(&out, "=", 1), 0);
    assert_int_equal(tw__http_request_join(request, "A", 1, &out), 0);
    assert_int_equal(tw__http_request_join(request, "cookie", 6, &out), 0);
    assert_int_equal(tw__http_request_join(request, "none", 4, &out),
                     TW_ENOT_FOUND);
    assert_int_equal(tw__bytes_len(&out), strlen("=1, , 3x=1; y=2"));
    assert_memory_equal(tw__bytes_data(&out), "=1, , 3x=1; y=2", 15);
    bool firsts[] = {true, true, true, true, false, false, false};
    for (size_t i = 0; i < request->header_count; i++) {
        assert_int_equal(tw__http_request_is_first(request, i), firsts[i]);
    }
    tw__bytes_deinit(&out);
    tw__http_request_unref(request);
}

static void tokens_are_found_in_lists_over_several_lines(void **state) {
    (void)state;
    tw__http_request *request =
        with_lines("A: one ,, \"two\\\", three\"\r\nA:FOUR\r\n");
    assert_true(tw__http_request_has_token(request, "a", "ONE"));
    assert_true(tw__http_request_has_token(request, "A", "four"));
    assert_false(tw__http_request_has_token(request, "a", "three\""));
    assert_false(tw__http_request_has_token(request, "a", "on"));
    assert_false(tw__http_request_has_token(request, "b", "one"));
    tw__http_request_unref(request);
}

static void paths_are_decoded_and_queries_left_raw(void **state) {
    (void)state;
    tw__http_request *request = with_target("/a%20b/%C3%A4+c?x=%20?&y");
    assert_text(request->target, "/a%20b/%C3%A4+c?x=%20?&y");
    assert_text(request->path, "/a b/\xC3\xA4+c");
    assert_text(request->query, "x=%20?&y");
    tw__http_request_unref(request);
    request = with_target("/?");
    assert_text(request->path, "/");
    assert_text(request->query, "");
    tw__http_request_unref(request);
    request = with_target("/%2525?/../%00");
    assert_text(request->path, "/%25");
    assert_text(request->query, "/../%00");
    tw__http_request_unref(request);
}

/* The pairs as "name=value|..." with zero bytes as 0. */
static void assert_pairs(const tw__http_field *fields, size_t count,
                         const char *expected) {
    char text[512] = "", *at = text;
    for (size_t i = 0; i < count; i++) {
        const tw__http_field *f = &fields[i];
        at += sprintf(at, "%s", i ? "|" : "");
        for (size_t k = 0; k < f->name_len; k++) {
            *at++ = f->name[k] ? f->name[k] : '0';
        }
        *at++ = '=';
        for (size_t k = 0; k < f->value_len; k++) {
            *at++ = f->value[k] ? f->value[k] : '0';
        }
        *at = '\0';
        assert_int_equal(f->name[f->name_len], 0);
        assert_int_equal(f->value[f->value_len], 0);
    }
    assert_string_equal(text, expected);
}

static void assert_query(const char *query, const char *expected) {
    char target[512];
    snprintf(target, sizeof target, "/?%s", query);
    tw__http_request *request = with_target(target);
    const tw__http_field *fields, *again;
    size_t count;
    assert_int_equal(tw__http_request_query(request, &fields, &count), 0);
    assert_pairs(fields, count, expected);
    assert_int_equal(tw__http_request_query(request, &again, &count), 0);
    assert_ptr_equal(fields, again);
    tw__http_request_unref(request);
}

static void queries_are_parsed_as_forms_are(void **state) {
    (void)state;
    assert_query("", "");
    assert_query("a=1&b=2", "a=1|b=2");
    assert_query("a=1&a=2", "a=1|a=2");
    assert_query("a", "a=");
    assert_query("a=", "a=");
    assert_query("=1", "=1");
    assert_query("=", "=");
    assert_query("&&a=1&&", "a=1");
    assert_query("a=b=c", "a=b=c");
    assert_query("a+b=c+d", "a b=c d");
    assert_query("%61%3D=%26%2B", "a==&+");
    assert_query("a=%", "a=%");
    assert_query("a=%4", "a=%4");
    assert_query("a=%zz&b=%4z", "a=%zz|b=%4z");
    assert_query("a=%00&%00=b", "a=0|0=b");
    assert_query("a;b=1", "a;b=1");
}

static void the_last_parameter_of_a_name_counts(void **state) {
    (void)state;
    tw__http_request *request = with_target("/?a=1&b=2&a=3&A=4");
    tw__http_text value = {NULL, 0};
    assert_int_equal(tw__http_request_param(request, "a", 1, &value), 0);
    assert_text(value, "3");
    assert_int_equal(tw__http_request_param(request, "c", 1, &value),
                     TW_ENOT_FOUND);
    assert_text(value, "3");
    tw__http_request_unref(request);
}

static void assert_cookies(const char *lines, const char *expected) {
    tw__http_request *request = with_lines(lines);
    const tw__http_field *fields;
    size_t count;
    assert_int_equal(tw__http_request_cookies(request, &fields, &count), 0);
    assert_pairs(fields, count, expected);
    tw__http_request_unref(request);
}

static void cookies_are_parsed(void **state) {
    (void)state;
    assert_cookies("", "");
    assert_cookies("Cookie: a=1; b=2\r\n", "a=1|b=2");
    assert_cookies("Cookie: a=1;b=2 ;  c = 3\r\n", "a=1|b=2|c=3");
    assert_cookies("Cookie: a=\"x y\"; b=\"; c=\"\r\n", "a=x y|b=\"|c=\"");
    assert_cookies("Cookie: a; =b; c=; ;\r\n", "c=");
    assert_cookies("Cookie: a=b=c%20+\r\n", "a=b=c%20+");
    assert_cookies("Cookie: a=1\r\nCookie: a=2\r\n", "a=1|a=2");
}

static void the_first_cookie_of_a_name_counts(void **state) {
    (void)state;
    tw__http_request *request = with_lines("Cookie: a=1; b=2; a=3\r\n");
    tw__http_text value;
    assert_int_equal(tw__http_request_cookie(request, "a", 1, &value), 0);
    assert_text(value, "1");
    assert_int_equal(tw__http_request_cookie(request, "A", 1, &value),
                     TW_ENOT_FOUND);
    tw__http_request_unref(request);
}

static void a_lack_of_memory_is_told_and_can_be_tried_again(void **state) {
    (void)state;
    char text[] = "GET /?a=1 HTTP/1.1\r\nHost: a\r\nCookie: b=2\r\n\r\n";
    outcome result = parse(text);
    tw__http_request *request = result.request;
    tw__http_text value;
    tw__alloc_fail_nth(1);
    assert_int_equal(tw__http_request_param(request, "a", 1, &value),
                     TW_ENOMEM);
    for (size_t nth = 1; nth <= 2; nth++) {
        tw__alloc_fail_nth(nth);
        assert_int_equal(tw__http_request_cookie(request, "b", 1, &value),
                         TW_ENOMEM);
    }
    tw__bytes out = {0};
    tw__alloc_fail_nth(1);
    assert_int_equal(tw__http_request_join(request, "host", 4, &out),
                     TW_ENOMEM);
    assert_int_equal(tw__bytes_len(&out), 0);
    assert_int_equal(tw__http_request_param(request, "a", 1, &value), 0);
    assert_text(value, "1");
    assert_int_equal(tw__http_request_cookie(request, "b", 1, &value), 0);
    assert_text(value, "2");
    tw__http_request_unref(request);
}

static void the_last_reference_frees(void **state) {
    (void)state;
    tw__http_request *request = with_target("/");
    assert_ptr_equal(tw__http_request_ref(request), request);
    tw__http_request_unref(request);
    assert_text(request->path, "/");
    tw__http_request_unref(request);
    tw__http_request_unref(NULL);
}

static void decimals_are_whole_and_below_two_to_the_63(void **state) {
    (void)state;
    uint64_t value = 7;
    assert_false(tw__http_decimal("", 0, &value));
    assert_false(tw__http_decimal("1a", 2, &value));
    assert_false(tw__http_decimal("9223372036854775808", 19, &value));
    assert_false(tw__http_decimal("99999999999999999999", 20, &value));
    assert_int_equal(value, 7);
    assert_true(tw__http_decimal("9223372036854775807", 19, &value));
    assert_true(value == INT64_MAX);
    assert_true(tw__http_decimal("0012", 4, &value));
    assert_int_equal(value, 12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        balanced(header_names_are_lowered_and_values_trimmed),
        balanced(headers_are_found_in_any_case),
        balanced(lines_of_one_name_are_joined),
        balanced(tokens_are_found_in_lists_over_several_lines),
        balanced(paths_are_decoded_and_queries_left_raw),
        balanced(queries_are_parsed_as_forms_are),
        balanced(the_last_parameter_of_a_name_counts),
        balanced(cookies_are_parsed),
        balanced(the_first_cookie_of_a_name_counts),
        balanced(a_lack_of_memory_is_told_and_can_be_tried_again),
        balanced(the_last_reference_frees),
        balanced(decimals_are_whole_and_below_two_to_the_63),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
