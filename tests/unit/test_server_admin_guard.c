/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/parser.h"
#include "server/admin_guard.h"

static const tw__admin_caller tcp = {.local_ip = "10.0.0.5",
                                     .configured = "0.0.0.0:8090"};

/* What the guard says to a request with this Host and these other lines. */
static int ask(const tw__admin_caller *caller, bool is_change, const char *host,
               const char *lines) {
    char text[1024];
    const char *why = NULL;
    size_t used;
    int len = snprintf(text, sizeof text,
                       "GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n", host, lines);
    tw__http_parser *parser = tw__http_parser_create(NULL);
    assert_int_equal(tw__http_parser_feed(parser, text, (size_t)len, &used),
                     TW__HTTP_HEAD);
    int status = tw__admin_guard(caller, tw__http_parser_request(parser),
                                 is_change, &why);
    assert_true(status == 0 || why != NULL);
    tw__http_parser_destroy(parser);
    return status;
}

static void hosts_that_name_this_machine_may_look(void **state) {
    (void)state;
    static const char *const good[] = {
        "localhost", "LOCALHOST:8090", "127.0.0.1",    "127.0.0.1:8090",
        "127.9.9.9", "[::1]",          "[::1]:8090",   "10.0.0.5",
        "0.0.0.0",   "10.0.0.5:8090",  "0.0.0.0:8090",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(ask(&tcp, false, good[i], ""), 0);
    }
}

static void names_that_somebody_pointed_here_may_not(void **state) {
    (void)state;
    static const char *const bad[] = {
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.6",
        "10.0.0.50",
        "128.0.0.1",
        "[::2]:8090",
        "notlocalhost",
        "127.0.0.1x",
        "[::ffff:10.0.0.5]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ask(&tcp, false, bad[i], ""), 421);
    }
}

static void a_configured_name_counts(void **state) {
    (void)state;
    tw__admin_caller caller = {.configured = "[2001:db8::1]:8090"};
    assert_int_equal(ask(&caller, false, "[2001:db8::1]:8090", ""), 0);
    assert_int_equal(ask(&caller, false, "[2001:db8::2]:8090", ""), 421);
}

static void only_its_own_origin_may_look(void **state) {
    (void)state;
    const char *host = "localhost:8090";
    assert_int_equal(
        ask(&tcp, false, host, "Origin: http://localhost:8090\r\n"), 0);
    static const char *const bad[] = {
        "Origin: http://evil.example\r\n",
        "Origin: http://localhost\r\n",
        "Origin: http://localhost:80\r\n",
        "Origin: https://localhost:8090\r\n",
        "Origin: null\r\n",
        "Origin: http://\r\n",
        "Origin:\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ask(&tcp, false, host, bad[i]), 403);
    }
}

static void without_a_token_tcp_changes_nothing(void **state) {
    (void)state;
    assert_int_equal(ask(&tcp, true, "localhost", ""), 403);
    assert_int_equal(
        ask(&tcp, true, "localhost", "Authorization: Bearer x\r\n"), 403);
    tw__admin_caller empty = tcp;
    empty.token = "";
    assert_int_equal(
        ask(&empty, true, "localhost", "Authorization: Bearer\r\n"), 403);
}

static void the_right_token_is_proof_enough(void **state) {
    (void)state;
    tw__admin_caller caller = tcp;
    caller.token = "secret";
    assert_int_equal(
        ask(&caller, true, "localhost", "Authorization: Bearer secret\r\n"), 0);
    assert_int_equal(
        ask(&caller, true, "any.name", "authorization: bearer secret\r\n"), 0);
    static const char *const bad[] = {
        "Authorization: Bearer secreT\r\n",  "Authorization: Bearer secre\r\n",
        "Authorization: Bearer secrets\r\n", "Authorization: Basic secret\r\n",
        "Authorization: secret\r\n",         ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ask(&caller, true, "localhost", bad[i]), 403);
    }
    assert_int_equal(ask(&caller, true, "localhost",
                         "Origin: http://evil.example\r\n"
                         "Authorization: Bearer secret\r\n"),
                     403);
}

static void on_the_unix_socket_the_user_counts(void **state) {
    (void)state;
    tw__admin_caller owner = {.is_unix = true, .is_owner = true};
    tw__admin_caller other = {.is_unix = true};
    assert_int_equal(ask(&owner, true, "any.name", ""), 0);
    assert_int_equal(ask(&other, false, "localhost", ""), 403);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_that_name_this_machine_may_look),
        cmocka_unit_test(names_that_somebody_pointed_here_may_not),
        cmocka_unit_test(a_configured_name_counts),
        cmocka_unit_test(only_its_own_origin_may_look),
        cmocka_unit_test(without_a_token_tcp_changes_nothing),
        cmocka_unit_test(the_right_token_is_proof_enough),
        cmocka_unit_test(on_the_unix_socket_the_user_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
