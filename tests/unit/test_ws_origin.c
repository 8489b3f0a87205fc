/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include <string.h>

#include "ws/origin.h"

static tw__ws_header line(const char *name, const char *value) {
    return (tw__ws_header){name, strlen(name), value, strlen(value)};
}

static bool asks(const char *host, const char *origin,
                 const char *const *patterns, size_t count) {
    tw__ws_header lines[2] = {line("Host", host)};
    tw__ws_request req = {"GET", 3, 1, 1, lines, 1};
    if (origin != NULL) {
        lines[req.header_count++] = line("origin", origin);
    }
    return tw__ws_origin_is_allowed(&req, patterns, count);
}

static bool is_same(const char *host, const char *origin) {
    return asks(host, origin, NULL, 0);
}

static bool matches(const char *pattern, const char *origin) {
    return asks("elsewhere.test", origin, &pattern, 1);
}

static void a_client_without_an_origin_is_allowed(void **state) {
    (void)state;
    assert_true(is_same("example.com", NULL));
    assert_true(asks("", NULL, NULL, 0));
}

static void the_host_of_the_request_is_our_own_origin(void **state) {
    (void)state;
    assert_true(is_same("example.com", "http://example.com"));
    assert_true(is_same("example.com", "https://example.com"));
    assert_true(is_same("Example.COM", "hTTps://eXample.com"));
    assert_true(is_same("localhost:8080", "http://localhost:8080"));
    assert_true(is_same("127.0.0.1:8080", "http://127.0.0.1:8080"));
    assert_true(is_same("[::1]:8080", "http://[::1]:8080"));
    assert_true(is_same("[2001:DB8::1]", "https://[2001:db8::1]"));
}

static void default_ports_may_be_written_or_not(void **state) {
    (void)state;
    assert_true(is_same("example.com:80", "http://example.com"));
    assert_true(is_same("example.com:443", "https://example.com"));
    assert_true(is_same("example.com", "http://example.com:80"));
    assert_true(is_same("example.com", "https://example.com:443"));
    assert_true(is_same("example.com:", "https://example.com"));
    assert_true(is_same("[::1]:80", "http://[::1]"));
    assert_false(is_same("example.com:443", "http://example.com"));
    assert_false(is_same("example.com:80", "https://example.com"));
    assert_false(is_same("example.com", "https://example.com:80"));
}

static void another_host_or_port_is_foreign(void **state) {
    (void)state;
    assert_false(is_same("example.com", "http://evil.com"));
    assert_false(is_same("example.com", "http://example.com.evil.com"));
    assert_false(is_same("example.com", "http://notexample.com"));
    assert_false(is_same("example.com", "http://www.example.com"));
    assert_false(is_same("www.example.com", "http://example.com"));
    assert_false(is_same("localhost:8080", "http://localhost:8081"));
    assert_false(is_same("localhost:8080", "http://localhost"));
    assert_false(is_same("localhost", "http://localhost:8080"));
}

static void only_http_and_https_can_be_our_own(void **state) {
    (void)state;
    assert_false(is_same("example.com", "ftp://example.com"));
    assert_false(is_same("example.com", "file://example.com"));
    assert_false(is_same("example.com", "chrome-extension://example.com"));
    assert_false(is_same("example.com", "ws://example.com"));
}

static void what_is_no_origin_is_refused_even_by_any(void **state) {
    (void)state;
    const char *bad[] = {
        "",
        " ",
        "example.com",
        "//example.com",
        "http:example.com",
        "http:/example.com",
        "http://",
        "://example.com",
        "http://example.com/",
        "http://example.com/path",
        "http://example.com?x",
        "http://user@example.com",
        "http://user:80@example.com",
        "http://example.com:x",
        "http://example.com:80x",
        "http://example.com:65536",
        "http://example.com:999999",
        "http://example.com:-1",
        "http://*.example.com",
        "http://example.com http://example.com",
        "http://[::1",
        "http://[]",
        "http://[::1]x",
        "http://::1",
        "ht tp://example.com",
        "http://exa\\mple.com",
        "*",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(is_same("example.com", bad[i]));
        assert_false(matches("*", bad[i]));
        assert_false(asks(bad[i], bad[i], NULL, 0));
    }
}

static void any_allows_every_origin_but_null(void **state) {
    (void)state;
    assert_true(matches("*", "https://evil.com:1234"));
    assert_true(matches("*", "capacitor://localhost"));
    assert_false(matches("*", "null"));
}

static void null_is_allowed_only_when_listed(void **state) {
    (void)state;
    assert_false(is_same("null", "null"));
    assert_true(matches("null", "null"));
    assert_true(matches("null", "NULL"));
    assert_false(matches("null", "http://null"));
    const char *both[] = {"*", "null"};
    assert_true(asks("h", "null", both, 2));
    assert_true(asks("h", "https://a.b", both, 2));
}

static void an_exact_pattern_allows_that_origin_alone(void **state) {
    (void)state;
    const char *app = "https://app.example.com";
    assert_true(matches(app, "https://app.example.com"));
    assert_true(matches(app, "https://APP.example.com"));
    assert_true(matches(app, "https://app.example.com:443"));
    assert_true(matches("HTTPS://App.Example.com:443", app));
    assert_false(matches(app, "http://app.example.com"));
    assert_false(matches(app, "https://app.example.com:8443"));
    assert_false(matches(app, "https://x.app.example.com"));
    assert_false(matches(app, "https://example.com"));
    assert_false(matches(app, "https://app.example.com.evil.com"));
    assert_true(matches("capacitor://localhost", "capacitor://localhost"));
    assert_false(matches("capacitor://localhost", "capacitor://localhost:1"));
}

static void a_star_stands_for_names_below(void **state) {
    (void)state;
    const char *below = "https://*.example.com";
    assert_true(matches(below, "https://a.example.com"));
    assert_true(matches(below, "https://a.b.EXAMPLE.com"));
    assert_false(matches(below, "https://example.com"));
    assert_false(matches(below, "https://.example.com"));
    assert_false(matches(below, "https://evilexample.com"));
    assert_false(matches(below, "https://a.example.com.evil.com"));
    assert_false(matches(below, "http://a.example.com"));
    assert_false(matches(below, "https://a.example.com:8443"));
    assert_true(
        matches("https://*.example.com:8443", "https://a.example.com:8443"));
}

static void a_star_port_stands_for_all_ports(void **state) {
    (void)state;
    assert_true(matches("http://localhost:*", "http://localhost:5173"));
    assert_true(matches("http://localhost:*", "http://localhost"));
    assert_true(matches("http://[::1]:*", "http://[::1]:5173"));
    assert_false(matches("http://localhost:*", "https://localhost:5173"));
    assert_true(matches("http://*.test:*", "http://a.test:1"));
}

static void a_later_pattern_counts_too_and_our_own_stays_allowed(void **state) {
    (void)state;
    const char *list[] = {"https://a.com", "nonsense", "https://b.com"};
    assert_true(asks("h.com", "https://b.com", list, 3));
    assert_true(asks("h.com", "https://h.com", list, 3));
    assert_false(asks("h.com", "https://c.com", list, 3));
}

static void a_repeated_origin_is_refused(void **state) {
    (void)state;
    const char *any[] = {"*"};
    tw__ws_header lines[3] = {line("Host", "a"), line("Origin", "http://a"),
                              line("ORIGIN", "http://a")};
    tw__ws_request req = {"GET", 3, 1, 1, lines, 3};
    assert_false(tw__ws_origin_is_allowed(&req, any, 1));
}

static void patterns_are_checked_when_configured(void **state) {
    (void)state;
    const char *good[] = {"*",
                          "null",
                          "https://a.com",
                          "http://localhost:*",
                          "https://*.a.com",
                          "https://*.a.com:*",
                          "http://[::1]:80",
                          "moz-extension://0a1b"};
    const char *bad[] = {"",
                         "a.com",
                         "*.a.com",
                         "https://",
                         "https://*",
                         "https://*.",
                         "https://a.*",
                         "https://a*.com",
                         "https://a.com/",
                         "https://a.com:80:*",
                         "https://a.com::*",
                         "https://a.com:0x1",
                         "**",
                         "https://*.*.com"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(tw__ws_origin_is_pattern(good[i], strlen(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(tw__ws_origin_is_pattern(bad[i], strlen(bad[i])));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_without_an_origin_is_allowed),
        cmocka_unit_test(the_host_of_the_request_is_our_own_origin),
        cmocka_unit_test(default_ports_may_be_written_or_not),
        cmocka_unit_test(another_host_or_port_is_foreign),
        cmocka_unit_test(only_http_and_https_can_be_our_own),
        cmocka_unit_test(what_is_no_origin_is_refused_even_by_any),
        cmocka_unit_test(any_allows_every_origin_but_null),
        cmocka_unit_test(null_is_allowed_only_when_listed),
        cmocka_unit_test(an_exact_pattern_allows_that_origin_alone),
        cmocka_unit_test(a_star_stands_for_names_below),
        cmocka_unit_test(a_star_port_stands_for_all_ports),
        cmocka_unit_test(a_later_pattern_counts_too_and_our_own_stays_allowed),
        cmocka_unit_test(a_repeated_origin_is_refused),
        cmocka_unit_test(patterns_are_checked_when_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
