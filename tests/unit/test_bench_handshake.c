/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lua/program/bench/handshake.c"
#include "../../lua/program/bench/target.c"

#define HEAD                                                                   \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"               \
    "Connection: Upgrade\r\nSec-WebSocket-Accept: "
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static char why[200];

/* Whole, and growing byte by byte: no verdict before the head is complete. */
static int check(const char *data, size_t len) {
    const char *end = memmem(data, len, "\r\n\r\n", 4);
    size_t head = end != NULL ? (size_t)(end - data) + 4 : len + 1;
    for (size_t part = 0; part < head && part <= len; part++) {
        assert_int_equal(tw__bench_handshake_check(data, part, ACCEPT, false,
                                                   why, sizeof why),
                         0);
    }
    return tw__bench_handshake_check(data, len, ACCEPT, false, why, sizeof why);
}

static void assert_refused(const char *data, const char *reason) {
    assert_int_equal(check(data, strlen(data)), -1);
    assert_string_equal(why, reason);
}

static void the_keys_are_those_of_rfc_1_3(void **state) {
    (void)state;
    char key[TW__BENCH_KEY_SIZE], accept[TW__BENCH_ACCEPT_SIZE];
    tw__bench_handshake_keys((const uint8_t *)"the sample nonce", key, accept);
    assert_string_equal(key, "dGhlIHNhbXBsZSBub25jZQ==");
    assert_string_equal(accept, ACCEPT);
}

static void the_request_is_complete(void **state) {
    (void)state;
    char out[512];
    size_t len = tw__bench_handshake_request(out, sizeof out, "a.test:81",
                                             "/sub?channel=x", "KEY", false);
    assert_int_equal(len, strlen(out));
    assert_string_equal(out, "GET /sub?channel=x HTTP/1.1\r\n"
                             "Host: a.test:81\r\n"
                             "Upgrade: websocket\r\n"
                             "Connection: Upgrade\r\n"
                             "Sec-WebSocket-Key: KEY\r\n"
                             "Sec-WebSocket-Version: 13\r\n"
                             "\r\n");
    assert_int_equal(tw__bench_handshake_request(
                         out, len, "a.test:81", "/sub?channel=x", "KEY", false),
                     0);
}

static void a_good_answer_opens_and_frames_may_follow(void **state) {
    (void)state;
    const char plain[] = HEAD ACCEPT "\r\n\r\n";
    const char more[] = HEAD ACCEPT "\r\n\r\n\x81\x01x";
    assert_int_equal(check(plain, sizeof plain - 1), sizeof plain - 1);
    assert_int_equal(check(more, sizeof more - 1), sizeof plain - 1);
}

static void names_and_tokens_match_in_any_case(void **state) {
    (void)state;
    const char odd[] = "HTTP/1.1 101 x\r\nUPGRADE:WebSocket  \r\n"
                       "connection: keep-alive, upgrade\r\n"
                       "sec-websocket-accept:\t" ACCEPT "\r\n\r\n";
    assert_int_equal(check(odd, sizeof odd - 1), sizeof odd - 1);
}

static void refusals_are_told_in_the_server_s_words(void **state) {
    (void)state;
    assert_refused("HTTP/1.1 403 Forbidden\r\nA: b\r\n\r\n",
                   "refused: HTTP/1.1 403 Forbidden");
    assert_refused("HTTP/1.1 200 OK\r\n\r\n", "refused: HTTP/1.1 200 OK");
}

static void wrong_answers_are_told_apart(void **state) {
    (void)state;
    assert_refused(HEAD "s3pPLMBiTxaQ9kYGzzhZRbK+xOO=\r\n\r\n",
                   "Sec-WebSocket-Accept is missing or wrong");
    assert_refused(HEAD ACCEPT "\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
                   "Sec-WebSocket-Accept is missing or wrong");
    assert_refused("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n"
                   "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
                   "the answer lacks Connection: Upgrade");
    assert_refused("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n"
                   "Connection: Upgraded\r\n\r\n",
                   "the answer lacks Connection: Upgrade");
    assert_refused("HTTP/1.1 101 x\r\nConnection: Upgrade\r\n\r\n",
                   "the answer lacks Upgrade: websocket");
    assert_refused("HTTP/1.1 101 x\r\n\r\n",
                   "the answer lacks Upgrade: websocket");
    assert_refused(HEAD ACCEPT "\r\nSec-WebSocket-Protocol: x\r\n\r\n",
                   "a subprotocol that was not offered");
    assert_refused(HEAD ACCEPT
                   "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
                   "an extension that was not offered");
}

static void compression_must_be_granted_where_it_is_asked_for(void **state) {
    static const struct {
        const char *line;
        bool is_good;
    } answers[] = {
        {"Sec-WebSocket-Extensions: permessage-deflate; "
         "server_no_context_takeover; client_no_context_takeover\r\n",
         true},
        {"sec-websocket-extensions: "
         "permessage-deflate;server_no_context_takeover\r\n",
         true},
        {"Sec-WebSocket-Extensions: permessage-deflate\r\n", false},
        {"Sec-WebSocket-Extensions: foo\r\n", false},
        {"", false},
    };
    char out[1024], head[1024];
    (void)state;
    assert_true(tw__bench_handshake_request(out, sizeof out, "a", "/", "KEY",
                                            true) > 0);
    assert_non_null(strstr(out, "Sec-WebSocket-Extensions: permessage-deflate; "
                                "server_no_context_takeover; "
                                "client_no_context_takeover\r\n\r\n"));
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        int len = snprintf(head, sizeof head, HEAD ACCEPT "\r\n%s\r\n",
                           answers[i].line);
        assert_int_equal(tw__bench_handshake_check(head, (size_t)len, ACCEPT,
                                                   true, why, sizeof why),
                         answers[i].is_good ? len : -1);
        if (!answers[i].is_good) {
            assert_string_equal(why, "compression was not granted");
        }
    }
}

static void a_head_without_end_is_refused(void **state) {
    (void)state;
    static char data[TW__BENCH_HEAD_MAX];
    memset(data, 'x', sizeof data);
    assert_int_equal(tw__bench_handshake_check(data, sizeof data - 1, ACCEPT,
                                               false, why, sizeof why),
                     0);
    assert_int_equal(tw__bench_handshake_check(data, sizeof data, ACCEPT, false,
                                               why, sizeof why),
                     -1);
}

static void assert_target(const char *url, const char *host, const char *name,
                          const char *port, const char *path) {
    tw__bench_target target;
    assert_null(tw__bench_target_parse(&target, url));
    assert_string_equal(target.host, host);
    assert_string_equal(target.name, name);
    assert_string_equal(target.port, port);
    assert_string_equal(target.path, path);
}

static void urls_are_taken_apart(void **state) {
    (void)state;
    assert_target("ws://127.0.0.1:9000/echo", "127.0.0.1:9000", "127.0.0.1",
                  "9000", "/echo");
    assert_target("ws://example.test", "example.test", "example.test", "80",
                  "/");
    assert_target("ws://example.test?a=b", "example.test", "example.test", "80",
                  "/?a=b");
    assert_target("ws://[::1]:81/x", "[::1]:81", "::1", "81", "/x");
    assert_target("ws://[::1]", "[::1]", "::1", "80", "/");
    assert_target("wss://[::1]/x", "[::1]", "::1", "443", "/x");
    assert_target("wss://a:8443", "a:8443", "a", "8443", "/");
}

static void bad_urls_are_refused(void **state) {
    (void)state;
    const char *const urls[] = {
        "http://a/",      "wss:/a/",        "ws://",        "ws://:80/",
        "ws://a:/",       "ws://a:0/",      "ws://a:65536", "ws://a:8x/",
        "ws://a:123456/", "ws://[::1/",     "ws://[]/",     "ws://[::1]x/",
        "ws://a/b c",     "ws://a/\r\nX:y", "ws://a/#b",    "127.0.0.1:80"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        tw__bench_target target;
        assert_non_null(tw__bench_target_parse(&target, urls[i]));
    }
}

static void loopback_is_known_and_sources_lie_in_it(void **state) {
    (void)state;
    tw__bench_target target;
    struct sockaddr_storage source;
    const struct sockaddr_in *v4 = (const void *)&source;
    assert_null(tw__bench_target_parse(&target, "ws://127.0.0.9:1/"));
    assert_null(tw__bench_target_resolve(&target));
    assert_true(target.is_loopback);
    assert_null(tw__bench_target_parse(&target, "ws://192.0.2.1:1/"));
    assert_null(tw__bench_target_resolve(&target));
    assert_false(target.is_loopback);
    tw__bench_source(&source, 0);
    assert_int_equal(ntohl(v4->sin_addr.s_addr), 0x7f000002);
    tw__bench_source(&source, 255);
    assert_int_equal(ntohl(v4->sin_addr.s_addr), 0x7f000101);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_keys_are_those_of_rfc_1_3),
        cmocka_unit_test(the_request_is_complete),
        cmocka_unit_test(a_good_answer_opens_and_frames_may_follow),
        cmocka_unit_test(names_and_tokens_match_in_any_case),
        cmocka_unit_test(refusals_are_told_in_the_server_s_words),
        cmocka_unit_test(wrong_answers_are_told_apart),
        cmocka_unit_test(compression_must_be_granted_where_it_is_asked_for),
        cmocka_unit_test(a_head_without_end_is_refused),
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(bad_urls_are_refused),
        cmocka_unit_test(loopback_is_known_and_sources_lie_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
