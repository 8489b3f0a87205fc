/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "tidewire/errors.h"
#include "ws/handshake.h"

#define RFC_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define RFC_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define MAX_LINES 64

/* A request that is being put together; names and values outlive it. */
typedef struct draft {
    tw__ws_header lines[MAX_LINES];
    tw__ws_request req;
} draft;

static void add(draft *d, const char *name, const char *value) {
    assert_true(d->req.header_count < MAX_LINES);
    d->lines[d->req.header_count++] =
        (tw__ws_header){name, strlen(name), value, strlen(value)};
}

static void drop(draft *d, const char *name) {
    size_t kept = 0;
    for (size_t i = 0; i < d->req.header_count; i++) {
        if (strcmp(d->lines[i].name, name) != 0) {
            d->lines[kept++] = d->lines[i];
        }
    }
    assert_true(kept < d->req.header_count);
    d->req.header_count = kept;
}

static void replace(draft *d, const char *name, const char *value) {
    drop(d, name);
    add(d, name, value);
}

/* The request of RFC 6455 section 1.3, without its subprotocols. */
static void start(draft *d) {
    memset(d, 0, sizeof *d);
    d->req = (tw__ws_request){"GET", 3, 1, 1, d->lines, 0};
    add(d, "Host", "server.example.com");
    add(d, "Upgrade", "websocket");
    add(d, "Connection", "Upgrade");
    add(d, "Sec-WebSocket-Key", RFC_KEY);
    add(d, "Origin", "http://example.com");
    add(d, "Sec-WebSocket-Version", "13");
}

static void assert_accepted(const draft *d) {
    char accept[TW__WS_ACCEPT_SIZE];
    tw__ws_refusal refusal = {0};
    bool ok = tw__ws_handshake_check(&d->req, accept, &refusal);
    assert_null(refusal.reason);
    assert_true(ok);
    assert_string_equal(accept, RFC_ACCEPT);
}

static tw__ws_refusal assert_refused(const draft *d, int status,
                                     const char *reason) {
    char accept[TW__WS_ACCEPT_SIZE] = "untouched";
    tw__ws_refusal refusal = {0};
    assert_false(tw__ws_handshake_check(&d->req, accept, &refusal));
    assert_int_equal(refusal.status, status);
    assert_string_equal(refusal.reason, reason);
    assert_string_equal(accept, "untouched");
    return refusal;
}

static void the_example_of_rfc_1_3_is_accepted_with_its_answer(void **state) {
    (void)state;
    draft d;
    start(&d);
    assert_accepted(&d);
    add(&d, "Sec-WebSocket-Protocol", "chat, superchat");
    assert_accepted(&d);
    assert_true(tw__ws_is_upgrade(&d.req));
}

static void names_and_tokens_have_no_case(void **state) {
    (void)state;
    draft d;
    start(&d);
    drop(&d, "Upgrade");
    drop(&d, "Connection");
    drop(&d, "Sec-WebSocket-Key");
    add(&d, "uPGRADE", "WebSocket");
    add(&d, "connection", "UPGRADE");
    add(&d, "SEC-WEBSOCKET-KEY", RFC_KEY);
    assert_accepted(&d);
}

static void lists_and_repeated_lines_are_one_list(void **state) {
    (void)state;
    draft d;
    start(&d);
    replace(&d, "Upgrade", "h2c");
    replace(&d, "Connection", "keep-alive");
    add(&d, "Upgrade", "foo/1,\t websocket ,");
    add(&d, "Connection", " ,, keep-alive,Upgrade");
    assert_accepted(&d);
    add(&d, "Upgrade", "");
    add(&d, "Connection", " ");
    assert_accepted(&d);
}

static void a_plain_request_is_no_upgrade(void **state) {
    (void)state;
    draft d;
    start(&d);
    d.req.header_count = 1;
    assert_false(tw__ws_is_upgrade(&d.req));
    add(&d, "Connection", "keep-alive");
    add(&d, "Upgrade", "h2c");
    assert_false(tw__ws_is_upgrade(&d.req));
    add(&d, "Upgrade", "xwebsocket, websocketx");
    assert_false(tw__ws_is_upgrade(&d.req));
}

static void an_attempt_is_seen_though_it_is_wrong(void **state) {
    (void)state;
    draft d;
    start(&d);
    d.req.method = "POST";
    d.req.method_len = 4;
    d.req.http_minor = 0;
    drop(&d, "Sec-WebSocket-Key");
    assert_true(tw__ws_is_upgrade(&d.req));
    start(&d);
    drop(&d, "Upgrade");
    drop(&d, "Connection");
    assert_true(tw__ws_is_upgrade(&d.req));
}

static void only_get_opens_a_websocket(void **state) {
    (void)state;
    const char *methods[] = {"POST", "get", "GETT", "HEAD", "", "PUT"};
    draft d;
    start(&d);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        d.req.method = methods[i];
        d.req.method_len = strlen(methods[i]);
        tw__ws_refusal refusal =
            assert_refused(&d, 405, "a WebSocket is opened with GET");
        assert_string_equal(refusal.header_name, "Allow");
        assert_string_equal(refusal.header_value, "GET");
    }
}

static void http_1_1_is_the_least(void **state) {
    (void)state;
    draft d;
    start(&d);
    d.req.http_minor = 0;
    assert_refused(&d, 400, "HTTP/1.1 or later required");
    d.req.http_major = 0;
    d.req.http_minor = 9;
    assert_refused(&d, 400, "HTTP/1.1 or later required");
    d.req.http_major = 2;
    d.req.http_minor = 0;
    assert_accepted(&d);
}

static void exactly_one_host_is_required(void **state) {
    (void)state;
    const char *reason = "exactly one Host header required";
    draft d;
    start(&d);
    replace(&d, "Host", "");
    assert_refused(&d, 400, reason);
    replace(&d, "Host", " \t");
    assert_refused(&d, 400, reason);
    drop(&d, "Host");
    assert_refused(&d, 400, reason);
    add(&d, "Host", "a");
    add(&d, "host", "a");
    assert_refused(&d, 400, reason);
}

static void upgrade_and_connection_are_required(void **state) {
    (void)state;
    const char *upgrade = "Upgrade header must contain websocket";
    const char *connection = "Connection header must contain Upgrade";
    draft d;
    start(&d);
    drop(&d, "Upgrade");
    assert_refused(&d, 400, upgrade);
    add(&d, "Upgrade", "");
    assert_refused(&d, 400, upgrade);
    replace(&d, "Upgrade", "web socket");
    assert_refused(&d, 400, upgrade);
    start(&d);
    drop(&d, "Connection");
    assert_refused(&d, 400, connection);
    add(&d, "Connection", "keep-alive, upgraded");
    assert_refused(&d, 400, connection);
}

static void another_version_is_answered_with_ours(void **state) {
    (void)state;
    const char *versions[] = {"8", "", "12", "130", "013", "13, 8", "1 3", "x"};
    draft d;
    start(&d);
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        replace(&d, "Sec-WebSocket-Version", versions[i]);
        tw__ws_refusal refusal =
            assert_refused(&d, 426, "WebSocket version 13 required");
        assert_string_equal(refusal.header_name, "Sec-WebSocket-Version");
        assert_string_equal(refusal.header_value, "13");
    }
    drop(&d, "Sec-WebSocket-Version");
    assert_refused(&d, 426, "WebSocket version 13 required");
    add(&d, "Sec-WebSocket-Version", " 13\t");
    assert_accepted(&d);
    add(&d, "Sec-WebSocket-Version", "13");
    assert_refused(&d, 400, "Sec-WebSocket-Version is repeated");
}

static void the_key_stands_exactly_once(void **state) {
    (void)state;
    const char *reason = "exactly one Sec-WebSocket-Key required";
    draft d;
    start(&d);
    drop(&d, "Sec-WebSocket-Key");
    assert_refused(&d, 400, reason);
    add(&d, "Sec-WebSocket-Key", RFC_KEY);
    add(&d, "sec-websocket-key", RFC_KEY);
    assert_refused(&d, 400, reason);
}

static void the_key_is_strict_base64_of_16_bytes(void **state) {
    (void)state;
    const char *keys[] = {
        "",
        "=",
        "dGhlIHNhbXBsZSBub25jZQ",         /* no padding */
        "dGhlIHNhbXBsZSBub25jZQ=",        /* half of it */
        "dGhlIHNhbXBsZSBub25jZQ===",      /* too much */
        "dGhlIHNhbXBsZSBub25jZR==",       /* bits behind the 16 bytes */
        "dGhlIHNhbXBsZSBub25jZWE=",       /* 17 bytes */
        "dGhlIHNhbXBsZSBub25j",           /* 15 bytes */
        "dGhlIHNhbXBsZSBub25jZWVl",       /* 18 bytes */
        "dGhlIHNhb-BsZSBub25jZQ==",       /* the other alphabet */
        "dGhlIHNhb BsZSBub25jZQ==",       /* a blank */
        "dGhlIHNhb=BsZSBub25jZQ==",       /* padding inside */
        "dGhlIHNhb\xc3\xa9sZSBub25jZQ==", /* not ASCII */
        RFC_KEY "," RFC_KEY,
    };
    draft d;
    start(&d);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        replace(&d, "Sec-WebSocket-Key", keys[i]);
        assert_refused(&d, 400, "Sec-WebSocket-Key must be base64 of 16 bytes");
    }
    replace(&d, "Sec-WebSocket-Key", "  " RFC_KEY "\t");
    assert_accepted(&d);
}

static void every_last_character_that_16_bytes_can_have_is_taken(void **state) {
    (void)state;
    char key[] = "AAAAAAAAAAAAAAAAAAAAAA==";
    char accept[TW__WS_ACCEPT_SIZE];
    tw__ws_refusal refusal;
    size_t taken = 0;
    draft d;
    start(&d);
    replace(&d, "Sec-WebSocket-Key", key);
    for (int c = 1; c < 128; c++) {
        key[21] = (char)c;
        taken += tw__ws_handshake_check(&d.req, accept, &refusal);
    }
    assert_int_equal(taken, 4);
}

static void a_value_need_not_end_in_a_zero(void **state) {
    (void)state;
    const char bytes[] = RFC_KEY "garbage";
    draft d;
    start(&d);
    drop(&d, "Sec-WebSocket-Key");
    d.lines[d.req.header_count++] =
        (tw__ws_header){"Sec-WebSocket-Key-Not", 17, bytes, 24};
    assert_accepted(&d);
}

static void a_zero_byte_inside_a_value_is_no_end(void **state) {
    (void)state;
    draft d;
    start(&d);
    drop(&d, "Upgrade");
    d.lines[d.req.header_count++] =
        (tw__ws_header){"Upgrade", 7, "websocket\0", 10};
    assert_refused(&d, 400, "Upgrade header must contain websocket");
}

static void assert_offers(const draft *d, const char *names) {
    char found[512] = "";
    tw__ws_list list;
    const char *name;
    size_t len;
    tw__ws_protocols_init(&list, &d->req);
    while (tw__ws_list_next(&list, &name, &len)) {
        strncat(found, name, len);
        strcat(found, ";");
        assert_true(tw__ws_protocol_is_offered(&d->req, name, len));
    }
    assert_string_equal(found, names);
    assert_false(tw__ws_list_next(&list, &name, &len));
}

static void subprotocols_of_all_lines_are_offered_in_order(void **state) {
    (void)state;
    draft d;
    start(&d);
    assert_offers(&d, "");
    add(&d, "Sec-WebSocket-Protocol", "chat, super.chat+v2");
    add(&d, "sec-websocket-protocol", "");
    add(&d, "SEC-WEBSOCKET-PROTOCOL", ",raw ,\t");
    assert_accepted(&d);
    assert_offers(&d, "chat;super.chat+v2;raw;");
    assert_false(tw__ws_protocol_is_offered(&d.req, "Chat", 4));
    assert_false(tw__ws_protocol_is_offered(&d.req, "cha", 3));
    assert_false(tw__ws_protocol_is_offered(&d.req, "chat,", 5));
    assert_false(tw__ws_protocol_is_offered(&d.req, "", 0));
}

static void a_blank_subprotocol_header_counts_as_absent(void **state) {
    (void)state;
    const char *blanks[] = {"", " ", "\t", ",", " , ,"};
    for (size_t i = 0; i < sizeof blanks / sizeof *blanks; i++) {
        draft d;
        start(&d);
        add(&d, "Sec-WebSocket-Protocol", blanks[i]);
        assert_accepted(&d);
        assert_offers(&d, "");
    }
}

static void a_subprotocol_that_is_no_token_is_refused(void **state) {
    (void)state;
    const char *names[] = {"a b",    "a/b",         "\"chat\"", "chat, b{",
                           "(chat)", "ch\xc3\xa4t", "a=b",      "a;q=1"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        draft d;
        start(&d);
        add(&d, "Sec-WebSocket-Protocol", names[i]);
        assert_refused(&d, 400, "malformed Sec-WebSocket-Protocol");
    }
}

static void a_subprotocol_offered_twice_is_refused(void **state) {
    (void)state;
    draft d;
    start(&d);
    add(&d, "Sec-WebSocket-Protocol", "chat, Chat");
    assert_accepted(&d);
    add(&d, "Sec-WebSocket-Protocol", "chat");
    assert_refused(&d, 400, "a subprotocol is offered twice");
}

static void the_number_of_offered_subprotocols_is_bounded(void **state) {
    (void)state;
    static const char names[] = "abcdefghijklmnopqrstuvwxyzABCDEFG";
    draft d;
    start(&d);
    char one[TW__WS_PROTOCOLS_MAX + 1][2];
    for (size_t i = 0; i < TW__WS_PROTOCOLS_MAX + 1; i++) {
        one[i][0] = names[i];
        one[i][1] = '\0';
        add(&d, "Sec-WebSocket-Protocol", one[i]);
        if (i + 1 == TW__WS_PROTOCOLS_MAX) {
            assert_accepted(&d);
        }
    }
    assert_refused(&d, 400, "too many subprotocols offered");
}

static void any_extensions_may_be_offered(void **state) {
    (void)state;
    const char *values[] = {
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=8, x-webkit",
        "foo; bar=\"ab\"", ""};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        draft d;
        start(&d);
        add(&d, "Sec-WebSocket-Extensions", values[i]);
        add(&d, "Sec-WebSocket-Extensions", values[i]);
        assert_accepted(&d);
    }
}

static void extensions_against_the_grammar_are_refused(void **state) {
    (void)state;
    const char *values[] = {";;;=", "\x01\xff", "a b", "a; b=\"c,d\""};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        draft d;
        start(&d);
        add(&d, "Sec-WebSocket-Extensions", "permessage-deflate");
        add(&d, "Sec-WebSocket-Extensions", values[i]);
        assert_refused(&d, 400, "malformed Sec-WebSocket-Extensions");
    }
}

static void assert_bytes(tw__bytes *bytes, const char *text) {
    assert_int_equal(tw__bytes_len(bytes), strlen(text));
    assert_memory_equal(tw__bytes_data(bytes), text, strlen(text));
}

static void the_101_response_is_that_of_the_rfc(void **state) {
    (void)state;
    tw__bytes out = {0};
    assert_int_equal(tw__ws_accept_write(&out, RFC_ACCEPT, NULL, 0, NULL), 0);
    assert_bytes(&out, "HTTP/1.1 101 Switching Protocols\r\n"
                       "Upgrade: websocket\r\n"
                       "Connection: Upgrade\r\n"
                       "Sec-WebSocket-Accept: " RFC_ACCEPT "\r\n"
                       "\r\n");
    tw__bytes_deinit(&out);
    assert_int_equal(tw__ws_accept_write(&out, RFC_ACCEPT, "chat!!", 4, NULL),
                     0);
    assert_bytes(&out, "HTTP/1.1 101 Switching Protocols\r\n"
                       "Upgrade: websocket\r\n"
                       "Connection: Upgrade\r\n"
                       "Sec-WebSocket-Accept: " RFC_ACCEPT "\r\n"
                       "Sec-WebSocket-Protocol: chat\r\n"
                       "\r\n");
    tw__bytes_deinit(&out);
    assert_int_equal(tw__alloc_live(), 0);
}

static void a_chosen_name_cannot_smuggle_a_header(void **state) {
    (void)state;
    tw__bytes out = {0};
    assert_int_equal(
        tw__ws_accept_write(&out, RFC_ACCEPT, "a\r\nX: y", 7, NULL),
        TW_EINVALID);
    assert_int_equal(tw__ws_accept_write(&out, RFC_ACCEPT, "", 0, NULL),
                     TW_EINVALID);
    assert_int_equal(tw__bytes_len(&out), 0);
}

static void no_memory_for_the_response_is_reported(void **state) {
    (void)state;
    tw__bytes out = {0};
    tw__alloc_fail_nth(1);
    assert_int_equal(tw__ws_accept_write(&out, RFC_ACCEPT, NULL, 0, NULL),
                     TW_ENOMEM);
    tw__alloc_fail_nth(0);
    assert_int_equal(tw__bytes_len(&out), 0);
    assert_int_equal(tw__alloc_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_rfc_1_3_is_accepted_with_its_answer),
        cmocka_unit_test(names_and_tokens_have_no_case),
        cmocka_unit_test(lists_and_repeated_lines_are_one_list),
        cmocka_unit_test(a_plain_request_is_no_upgrade),
        cmocka_unit_test(an_attempt_is_seen_though_it_is_wrong),
        cmocka_unit_test(only_get_opens_a_websocket),
        cmocka_unit_test(http_1_1_is_the_least),
        cmocka_unit_test(exactly_one_host_is_required),
        cmocka_unit_test(upgrade_and_connection_are_required),
        cmocka_unit_test(another_version_is_answered_with_ours),
        cmocka_unit_test(the_key_stands_exactly_once),
        cmocka_unit_test(the_key_is_strict_base64_of_16_bytes),
        cmocka_unit_test(every_last_character_that_16_bytes_can_have_is_taken),
        cmocka_unit_test(a_value_need_not_end_in_a_zero),
        cmocka_unit_test(a_zero_byte_inside_a_value_is_no_end),
        cmocka_unit_test(subprotocols_of_all_lines_are_offered_in_order),
        cmocka_unit_test(a_blank_subprotocol_header_counts_as_absent),
        cmocka_unit_test(a_subprotocol_that_is_no_token_is_refused),
        cmocka_unit_test(a_subprotocol_offered_twice_is_refused),
        cmocka_unit_test(the_number_of_offered_subprotocols_is_bounded),
        cmocka_unit_test(any_extensions_may_be_offered),
        cmocka_unit_test(extensions_against_the_grammar_are_refused),
        cmocka_unit_test(the_101_response_is_that_of_the_rfc),
        cmocka_unit_test(a_chosen_name_cannot_smuggle_a_header),
        cmocka_unit_test(no_memory_for_the_response_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
