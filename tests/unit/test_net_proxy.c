/* The header of the PROXY protocol, whole and in pieces.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/proxy.h"
#include "proxy_header.h"

/* Feeds at most `piece` bytes at once, from copies of exactly that size, and
 * never more than is wanted; *used is what was taken. */
static tw__proxy_status feed(tw__proxy *proxy, const proxy_header *header,
                             size_t piece, size_t *used) {
    tw__proxy_status status = TW__PROXY_MORE;
    *used = 0;
    while (status == TW__PROXY_MORE && *used < header->len) {
        size_t take = tw__proxy_want(proxy), left = header->len - *used;
        take = take < piece ? take : piece;
        take = take < left ? take : left;
        assert_true(take > 0);
        uint8_t *copy = malloc(take);
        memcpy(copy, header->data + *used, take);
        status = tw__proxy_feed(proxy, copy, take);
        free(copy);
        *used += take;
    }
    return status;
}

static const size_t pieces[] = {1, 2, 7, 15, 16, 17, 1024};
#define FOR_PIECES(i) for (size_t i = 0; i < 7; i++)

/* What follows stays where it is. */
static void assert_names(proxy_header header, const char *expected) {
    size_t whole = header.len;
    memcpy(header.data + whole, "GET /", 5);
    header.len += 5;
    FOR_PIECES(i) {
        tw__proxy proxy = {0};
        tw__ip client = {7, {7}}, before = client;
        size_t used;
        char out[TW__ADDRESS_TEXT];
        assert_int_equal(feed(&proxy, &header, pieces[i], &used),
                         TW__PROXY_DONE);
        assert_int_equal(used, whole);
        assert_int_equal(tw__proxy_want(&proxy), 0);
        if (expected != NULL) {
            assert_true(tw__proxy_client(&proxy, &client));
            tw__ip_format(&client, out);
            assert_string_equal(out, expected);
        } else {
            assert_false(tw__proxy_client(&proxy, &client));
            assert_memory_equal(&client, &before, sizeof client);
        }
    }
}

static void assert_bad(proxy_header header) {
    FOR_PIECES(i) {
        tw__proxy proxy = {0};
        size_t used;
        assert_int_equal(feed(&proxy, &header, pieces[i], &used),
                         TW__PROXY_BAD);
    }
}

static void a_client_is_named(void **state) {
    (void)state;
    assert_names(proxy_of("192.0.2.7", 0), "192.0.2.7");
    assert_names(proxy_of("2001:db8::7", 0), "2001:db8::7");
    assert_names(proxy_of("::ffff:192.0.2.7", 0), "192.0.2.7");
    assert_names(proxy_blank(PROXY_PROXY, PROXY_STREAM, 216), "unix");
}

static void extensions_are_skipped(void **state) {
    (void)state;
    assert_names(proxy_of("192.0.2.7", 1), "192.0.2.7");
    assert_names(proxy_of("192.0.2.7", 700), "192.0.2.7");
    assert_names(proxy_of("2001:db8::7", 3), "2001:db8::7");
}

static void a_proxys_own_connection_names_nobody(void **state) {
    (void)state;
    assert_names(proxy_blank(PROXY_LOCAL, 0, 0), NULL);
    assert_names(proxy_blank(PROXY_LOCAL, 0, 50), NULL);
    proxy_header header = proxy_of("192.0.2.7", 0);
    header.data[12] = PROXY_LOCAL;
    assert_names(header, NULL);
    assert_names(proxy_blank(PROXY_LOCAL, 0x7E, 3), NULL);
}

static void what_the_proxy_does_not_know_names_nobody(void **state) {
    (void)state;
    assert_names(proxy_blank(PROXY_PROXY, 0x00, 0), NULL);
    assert_names(proxy_blank(PROXY_PROXY, 0x01, 9), NULL);
    assert_names(proxy_blank(PROXY_PROXY, 0x10, 12), NULL);
}

static void what_is_no_header_is_bad_at_the_byte_that_tells(void **state) {
    (void)state;
    for (size_t at = 0; at < 12; at++) {
        proxy_header header = proxy_of("192.0.2.7", 0);
        header.data[at] ^= 1;
        assert_bad(header);
        header.len = at + 1;
        assert_bad(header);
    }
    proxy_header text = {.len = 28};
    memcpy(text.data, "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n", 28);
    assert_bad(text); /* version 1 */
}

static void bad_commands_families_and_transports_are_bad(void **state) {
    static const int commands[] = {0x11, 0x01, 0x22, 0x2F, 0x31, 0x00, 0xFF};
    static const int families[] = {0x12, 0x22, 0x32, 0x13,
                                   0x1F, 0x41, 0xF1, 0x02};
    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        assert_bad(proxy_blank(commands[i], PROXY_TCP4, 12));
    }
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        assert_bad(proxy_blank(PROXY_PROXY, families[i], 216));
    }
}

static void addresses_that_are_cut_are_bad(void **state) {
    (void)state;
    assert_bad(proxy_blank(PROXY_PROXY, PROXY_TCP4, 11));
    assert_bad(proxy_blank(PROXY_PROXY, PROXY_TCP6, 35));
    assert_bad(proxy_blank(PROXY_PROXY, PROXY_STREAM, 215));
    assert_bad(proxy_blank(PROXY_PROXY, PROXY_TCP4, 0));
}

static void the_longest_header_is_skipped(void **state) {
    tw__proxy proxy = {0};
    static uint8_t zeros[65535];
    proxy_header header = proxy_blank(PROXY_LOCAL, 0, 0);
    (void)state;
    header.data[14] = header.data[15] = 0xFF;
    assert_int_equal(tw__proxy_feed(&proxy, header.data, 16), TW__PROXY_MORE);
    assert_int_equal(tw__proxy_want(&proxy), 65535);
    assert_int_equal(tw__proxy_feed(&proxy, zeros, 65534), TW__PROXY_MORE);
    assert_int_equal(tw__proxy_want(&proxy), 1);
    assert_int_equal(tw__proxy_feed(&proxy, zeros, 1), TW__PROXY_DONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_is_named),
        cmocka_unit_test(extensions_are_skipped),
        cmocka_unit_test(a_proxys_own_connection_names_nobody),
        cmocka_unit_test(what_the_proxy_does_not_know_names_nobody),
        cmocka_unit_test(what_is_no_header_is_bad_at_the_byte_that_tells),
        cmocka_unit_test(bad_commands_families_and_transports_are_bad),
        cmocka_unit_test(addresses_that_are_cut_are_bad),
        cmocka_unit_test(the_longest_header_is_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
