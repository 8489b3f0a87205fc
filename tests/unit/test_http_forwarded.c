/* The client that proxies name in X-Forwarded-For.
 * SPDX-License-Identifier: MIT */
#include "test_http_support.h"

#include <stdio.h>

#include "http/forwarded.h"

/* Trusted are 10.0.0.0/8 and fd00::/8; `peer` sent a request with these lines.
 */
static void assert_client(const char *peer, const char *lines,
                          const char *expected) {
    tw__network trusted[2];
    tw__ip from, client;
    char text[2048], out[TW__ADDRESS_TEXT];
    assert_int_equal(tw__network_parse(&trusted[0], "10.0.0.0/8"), 0);
    assert_int_equal(tw__network_parse(&trusted[1], "fd00::/8"), 0);
    assert_int_equal(tw__ip_parse(&from, peer, strlen(peer)), 0);
    snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", lines);
    outcome result = parse_pieces(NULL, text, strlen(text), WHOLE);
    assert_non_null(result.request);
    tw__forwarded_client(result.request, trusted, 2, &from, &client);
    tw__http_request_unref(result.request);
    tw__ip_format(&client, out);
    assert_string_equal(out, expected);
}

#define XFF(value) "X-Forwarded-For: " value "\r\n"

static void without_the_header_it_is_the_peer(void **state) {
    (void)state;
    assert_client("10.0.0.1", "", "10.0.0.1");
    assert_client("10.0.0.1", "Forwarded-For: 1.2.3.4\r\n", "10.0.0.1");
    assert_client("10.0.0.1", XFF(""), "10.0.0.1");
    assert_client("10.0.0.1", XFF(" , ,"), "10.0.0.1");
}

static void it_is_the_rightmost_that_is_not_trusted(void **state) {
    (void)state;
    assert_client("10.0.0.1", XFF("1.2.3.4"), "1.2.3.4");
    assert_client("10.0.0.1", XFF("6.6.6.6, 1.2.3.4"), "1.2.3.4");
    assert_client("10.0.0.1", XFF("6.6.6.6,1.2.3.4,10.9.9.9 , fd00::1"),
                  "1.2.3.4");
    assert_client("fd00::9", XFF("2001:db8::1"), "2001:db8::1");
    assert_client("10.0.0.1", XFF("::ffff:10.3.3.3"), "10.3.3.3");
    assert_client("10.0.0.1", XFF("6.6.6.6, ::ffff:10.3.3.3"), "6.6.6.6");
}

static void when_all_are_trusted_it_is_the_leftmost(void **state) {
    (void)state;
    assert_client("10.0.0.1", XFF("10.0.0.3, 10.0.0.2"), "10.0.0.3");
}

static void lines_are_one_list(void **state) {
    (void)state;
    assert_client("10.0.0.1", XFF("6.6.6.6") XFF("1.2.3.4"), "1.2.3.4");
    assert_client("10.0.0.1", XFF("6.6.6.6, 1.2.3.4") XFF("10.0.0.2"),
                  "1.2.3.4");
    assert_client("10.0.0.1",
                  XFF("1.2.3.4") "A: b\r\n" XFF("") "x-forwarded-FOR: "
                                                    "10.0.0.2\r\n",
                  "1.2.3.4");
}

static void ports_are_left_out(void **state) {
    (void)state;
    assert_client("10.0.0.1", XFF("1.2.3.4:567"), "1.2.3.4");
    assert_client("10.0.0.1", XFF("[2001:db8::1]"), "2001:db8::1");
    assert_client("10.0.0.1", XFF("[2001:db8::1]:567"), "2001:db8::1");
    assert_client("10.0.0.1", XFF("1.2.3.4:567, 10.0.0.7:8"), "1.2.3.4");
    assert_client("10.0.0.1", XFF("[::ffff:1.2.3.4]:567"), "1.2.3.4");
}

/* Left of it may stand what anybody wrote. */
static void at_what_is_no_address_the_search_ends(void **state) {
    static const char *const cases[] = {
        "unknown",
        "_hidden",
        "1.2.3",
        "1.2.3.4:",
        "1.2.3.4:x",
        "1.2.3.4:123456",
        "[2001:db8::1",
        "[1.2.3.4]",
        "[2001:db8::1]x",
        "[2001:db8::1]:",
        "[]",
        "\"1.2.3.4\"",
        "1.2.3.4;5",
        "1.2.3.4 5.6.7.8",
        "]",
        "[",
        "for=1.2.3.4",
        "2001:db8::1:",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[256];
        snprintf(line, sizeof line, XFF("6.6.6.6, %s"), cases[i]);
        assert_client("10.0.0.1", line, "10.0.0.1");
        snprintf(line, sizeof line, XFF("6.6.6.6, %s, 10.0.0.2"), cases[i]);
        assert_client("10.0.0.1", line, "10.0.0.2");
    }
}

static void a_long_list_costs_no_more_than_its_length(void **state) {
    char line[1600] = "X-Forwarded-For: 1.2.3.4";
    (void)state;
    for (int i = 0; i < 100; i++) {
        strcat(line, ", 10.0.0.9");
    }
    strcat(line, "\r\n");
    assert_client("10.0.0.1", line, "1.2.3.4");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_header_it_is_the_peer),
        cmocka_unit_test(it_is_the_rightmost_that_is_not_trusted),
        cmocka_unit_test(when_all_are_trusted_it_is_the_leftmost),
        cmocka_unit_test(lines_are_one_list),
        cmocka_unit_test(ports_are_left_out),
        cmocka_unit_test(at_what_is_no_address_the_search_ends),
        cmocka_unit_test(a_long_list_costs_no_more_than_its_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
