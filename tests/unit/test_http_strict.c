/* What the request parser refuses: everything that two readers could read
 * differently. Each case is fed whole, byte by byte and in random pieces.
 * SPDX-License-Identifier: MIT */
#include "test_http_support.h"

#include <stdio.h>

/* A request with `line` among its headers. */
static void assert_line_refused(const char *line, int status) {
    char text[512];
    snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n",
             line);
    assert_refused(text, status);
}

static void assert_line_taken(const char *line) {
    char text[512];
    snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n",
             line);
    tw__http_request_unref(parse_good(text));
}

static void assert_target(const char *target, int status) {
    char text[512];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
    if (status == 0) {
        tw__http_request_unref(parse_good(text));
    } else {
        assert_refused(text, status);
    }
}

static void assert_chunks_refused(const char *chunks) {
    char text[512];
    snprintf(text, sizeof text,
             "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
             "%s",
             chunks);
    assert_refused(text, 400);
}

static void what_is_not_http_is_refused_at_once(void **state) {
    (void)state;
    assert_refused("\x16\x03\x01", 400);
    assert_refused(" GET", 400);
    assert_refused("\n", 400);
    assert_refused("\r\n\r", 400);
    assert_refused("\rG", 400);
    assert_refused(":", 400);
    assert_refused_bytes("\0", 1, 400);
}

static void one_empty_line_before_a_request_is_forgiven(void **state) {
    (void)state;
    tw__http_request_unref(parse_good("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"));
}

static void request_lines_have_one_form(void **state) {
    (void)state;
    assert_refused("GET  / HTTP/1.1\r\n", 400);
    assert_refused("GET / HTTP/1.1 \r\n", 400);
    assert_refused("GET /  HTTP/1.1\r\n", 400);
    assert_refused("GET\t/ HTTP/1.1\r\n", 400);
    assert_refused("GET / x HTTP/1.1\r\n", 400);
    assert_refused("GET /\r\n", 400);
    assert_refused("GET / \r\n", 400);
    assert_refused("GET / HTTP/1.1\n", 400);
    assert_refused("GET / HTTP/1.1\rH", 400);
    assert_refused("GET / http/1.1\r\n", 400);
    assert_refused("GET / HTTP/1.11\r\n", 400);
    assert_refused("GET / HTTP/11\r\n", 400);
    assert_refused("GET / ICE/1.0\r\n", 400);
    assert_refused("G\xC3\x84T / HTTP/1.1\r\n", 400);
}

static void other_versions_are_505(void **state) {
    (void)state;
    assert_refused("GET / HTTP/0.9\r\n", 505);
    assert_refused("GET / HTTP/1.2\r\n", 505);
    assert_refused("GET / HTTP/2.0\r\n", 505);
    assert_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
}

static void unknown_methods_are_501(void **state) {
    (void)state;
    assert_refused("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501);
    assert_refused("get / HTTP/1.1\r\nHost: a\r\n\r\n", 501);
    assert_refused("GETX / HTTP/1.1\r\nHost: a\r\n\r\n", 501);
    assert_refused("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501);
    assert_refused("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n", 501);
}

static void targets_are_paths(void **state) {
    (void)state;
    assert_target("http:///", 400);
    assert_target("http://a?x", 400);
    assert_target("http://b/", 400); /* Host says a */
    assert_target("http://u@a/", 400);
    assert_target("ftp://a/", 400);
    assert_target("a:443", 400);
    assert_target("*", 400);
    assert_target("a", 400);
    assert_target("?x", 400);
    assert_target("/a#b", 400);
    assert_target("/a\\b", 400);
    assert_target("/a\x7F", 400);
    assert_target("/a\x01", 400);
    assert_target("/\xC3\xA4", 400);
    assert_target("/a?b=%zz&c=%", 0);
    assert_target("/a;b=c,d:e@f!$&'()*+=~", 0);
    assert_target("//a", 0);
    outcome result = parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_text(result.request->path, "*");
    tw__http_request_unref(result.request);
    result = parse("GET HTTP://A/b?c HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_text(result.request->path, "/b");
    assert_text(result.request->target, "/b?c");
    tw__http_request_unref(result.request);
    result = parse("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_text(result.request->path, "/");
    tw__http_request_unref(result.request);
}

static void paths_that_could_lead_elsewhere_are_refused(void **state) {
    (void)state;
    const char *bad[] = {
        "/..",       "/.",      "/a/..",     "/a/../b", "/a/./b", "/%2e%2e",
        "/%2E%2e/x", "/.%2e/x", "/%2e",      "/a%2Fb",  "/a%2fb", "/a%5cb",
        "/a%00",     "/a%0a",   "/a%0D%0Ab", "/a%7f",   "/%",     "/%4",
        "/%zz",      "/%4g",    "/%%34%31"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_target(bad[i], 400);
    }
    const char *good[] = {"/...",         "/.a",        "/a..", "/..a",
                          "/%252e%252e/", "/%e2%82%ac", "/%ff"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_target(good[i], 0);
    }
}

static void a_zero_byte_is_refused_everywhere(void **state) {
    (void)state;
    const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nName: value\r\n\r\n";
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        copy[i] = '\0';
        assert_refused_bytes(copy, sizeof text - 1, 400);
    }
}

static void bare_line_ends_are_refused(void **state) {
    (void)state;
    assert_refused("GET / HTTP/1.1\nHost: a\n\n", 400);
    assert_line_refused("a: b\nc: d", 400);
    assert_line_refused("a: b\rc: d", 400);
    assert_line_refused("a: b\r\r\nc: d", 400);
    assert_line_refused("a: b\r\n\rc: d", 400);
    assert_line_refused("a: b\n", 400);
    assert_line_refused("a\r\n: b", 400);
    assert_refused("GET / HTTP/1.1\r\nHost: a\r\n\n", 400);
    assert_refused("GET / HTTP/1.1\r\nHost: a\r\n\rX", 400);
}

static void folded_lines_are_refused(void **state) {
    (void)state;
    assert_line_refused("a: b\r\n c", 400);
    assert_line_refused("a: b\r\n\tc", 400);
    assert_refused("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400);
}

static void header_names_are_tokens_right_before_the_colon(void **state) {
    (void)state;
    assert_line_refused("a : b", 400);
    assert_line_refused("a\t: b", 400);
    assert_line_refused(": b", 400);
    assert_line_refused("a", 400);
    assert_line_refused("a b: c", 400);
    assert_line_refused("a\x0B: c", 400);
    assert_line_refused("a(: c", 400);
    assert_line_refused("\xC3\xA4: c", 400);
    assert_line_taken("a-_!#$%&'*+.^`|~9: c");
}

static void control_bytes_in_values_are_refused(void **state) {
    (void)state;
    for (int c = 1; c < 0x20; c++) {
        char line[] = "a: b?c";
        line[4] = (char)c;
        if (c == '\t') {
            assert_line_taken(line);
        } else {
            assert_line_refused(line, 400);
        }
    }
    assert_line_refused("a: \x7F", 400);
    assert_line_taken("a: \xC3\xA4\xFF");
    assert_line_taken("a:");
    assert_line_taken("a: \t ");
}

static void exactly_one_well_formed_host(void **state) {
    (void)state;
    assert_refused("GET / HTTP/1.1\r\n\r\n", 400);
    assert_refused("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400);
    assert_refused("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", 400);
    const char *bad[] = {"",    "a b",     "a/b",  "a@b", "a,b",
                         "a:b", "a:1:2",   "[::1", "[]",  "::1",
                         "a?b", "[::1]x",  ":80",  "a#b", "a:123456",
                         "<a>", "\xC3\xA4"};
    const char *good[] = {"a",     "a.example:8080", "127.0.0.1",
                          "[::1]", "[::1]:1",        "a_b",
                          "a:",    "A-1.~"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[128];
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n",
                 bad[i]);
        assert_refused(text, 400);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char text[128];
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost:%s\r\n\r\n",
                 good[i]);
        tw__http_request *request = parse_good(text);
        assert_text(request->host, good[i]);
        tw__http_request_unref(request);
    }
}

static void content_length_is_one_plain_number(void **state) {
    (void)state;
    const char *bad[] = {
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 0\r\ncontent-length: 0",
        "Content-Length: 5, 5",
        "Content-Length: 5,6",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: 5a",
        "Content-Length:",
        "Content-Length: \t",
        "Content-Length: 99999999999999999999",
        "Content-Length: 18446744073709551616",
        "Content-Length: 18446744073709551615",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_line_refused(bad[i], 400);
    }
    assert_line_taken("Content-Length: 0");
    assert_line_taken("Content-Length:\t000 ");
}

static void length_and_codings_together_are_refused(void **state) {
    (void)state;
    assert_line_refused("Content-Length: 5\r\nTransfer-Encoding: chunked", 400);
    assert_line_refused("Transfer-Encoding: chunked\r\nContent-Length: 5", 400);
    assert_line_refused("Transfer-Encoding: chunked\r\nContent-Length: 0", 400);
    assert_line_refused("Transfer-Encoding: gzip\r\nContent-Length: 5", 400);
    assert_line_refused("Transfer-Encoding:\r\nContent-Length: 5", 400);
}

static void chunked_is_the_only_and_last_coding(void **state) {
    (void)state;
    const char *bad[] = {
        "Transfer-Encoding:",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunkedx",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: gzip",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_line_refused(bad[i], 400);
    }
    assert_line_refused("Transfer-Encoding: gzip, chunked", 501);
    assert_line_refused("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
                        501);
    assert_refused("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
}

static void chunks_have_one_form(void **state) {
    (void)state;
    const char *bad[] = {
        "\r\n",
        ";x\r\n",
        "g\r\n",
        "-1\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\rX",
        "5\rX",
        "5\r\nhell\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "0\n\r\n",
        "0\r\n\n",
        "0\r\n\rX",
        "0\r\na : b\r\n\r\n",
        "0\r\na: b\n\r\n",
        "0\r\n a: b\r\n\r\n",
        "0\r\na\r\n\r\n",
        "0000000000000005\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff\r\n",
        "10000000000000000\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_chunks_refused(bad[i]);
    }
}

static void an_upgrade_has_no_body(void **state) {
    (void)state;
    const char *upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    const char *bodies[] = {"Content-Length: 5", "Transfer-Encoding: chunked"};
    for (size_t i = 0; i < 2; i++) {
        char line[256];
        snprintf(line, sizeof line, "%s%s", upgrade, bodies[i]);
        assert_line_refused(line, 400);
    }
    char line[256];
    snprintf(line, sizeof line, "%sContent-Length: 0", upgrade);
    assert_line_taken(line);
}

static void what_hides_behind_a_refused_request_is_never_parsed(void **state) {
    (void)state;
    const char *text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                       "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
    tw__http_parser *parser = tw__http_parser_create(NULL);
    size_t used = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            tw__http_parser_feed(parser, text, strlen(text), &used),
            TW__HTTP_ERROR);
        assert_null(tw__http_parser_request(parser));
    }
    tw__http_parser_destroy(parser);
}

/* Bytes changed at random never crash, and piecewise feeding always agrees. */
static void damaged_requests_are_read_the_same_in_any_pieces(void **state) {
    (void)state;
    const char text[] =
        "POST /a%20b?c=d HTTP/1.1\r\nHost: a.example:80\r\n"
        "Content-Type: text/plain\r\nConnection: keep-alive\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nt: u\r\n\r\n";
    const char odd[] = "\r\n\t :;,%/\\0aF\x7F\x80\x00GH";
    srand(20240);
    for (int round = 0; round < 3000; round++) {
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        for (int k = 0; k <= round % 3; k++) {
            copy[(size_t)rand() % (sizeof text - 1)] =
                odd[(size_t)rand() % (sizeof odd - 1)];
        }
        outcome result = parse_bytes(copy, sizeof text - 1);
        tw__http_request_unref(result.request);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        balanced(what_is_not_http_is_refused_at_once),
        balanced(one_empty_line_before_a_request_is_forgiven),
        balanced(request_lines_have_one_form),
        balanced(other_versions_are_505),
        balanced(unknown_methods_are_501),
        balanced(targets_are_paths),
        balanced(paths_that_could_lead_elsewhere_are_refused),
        balanced(a_zero_byte_is_refused_everywhere),
        balanced(bare_line_ends_are_refused),
        balanced(folded_lines_are_refused),
        balanced(header_names_are_tokens_right_before_the_colon),
        balanced(control_bytes_in_values_are_refused),
        balanced(exactly_one_well_formed_host),
        balanced(content_length_is_one_plain_number),
        balanced(length_and_codings_together_are_refused),
        balanced(chunked_is_the_only_and_last_coding),
        balanced(chunks_have_one_form),
        balanced(an_upgrade_has_no_body),
        balanced(what_hides_behind_a_refused_request_is_never_parsed),
        balanced(damaged_requests_are_read_the_same_in_any_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
