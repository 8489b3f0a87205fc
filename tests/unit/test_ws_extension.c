/* What is answered to offers of extensions.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "ws/extension.h"

#define SHARED                                                                 \
    "permessage-deflate; server_no_context_takeover; "                         \
    "client_no_context_takeover"
#define SHARED_15 SHARED "; server_max_window_bits=15"
#define DEFLATE "permessage-deflate"

enum { LINES = 4 };
static const char malformed[] = "malformed";

/* The answer to lines up to the first NULL, or `malformed`. The lines lie in
 * blocks of just their size. */
static const char *ask(const char *const lines[LINES]) {
    tw__ws_header headers[LINES + 1] = {{"X-Other", 7, ";;;", 3}};
    size_t count = 1;
    char *copies[LINES];
    for (size_t i = 0; i < LINES && lines[i] != NULL; i++) {
        size_t len = strlen(lines[i]);
        copies[i] = malloc(len ? len : 1);
        assert_non_null(copies[i]);
        memcpy(copies[i], lines[i], len);
        headers[count++] =
            (tw__ws_header){"sec-websocket-EXTENSIONS", 24, copies[i], len};
    }
    tw__ws_request req = {"GET", 3, 1, 1, headers, count};
    bool is_sound = tw__ws_extensions_are_sound(&req);
    const char *answer = tw__ws_extensions_answer(&req);
    assert_true(is_sound || answer == NULL);
    for (size_t i = 0; i + 1 < count; i++) {
        free(copies[i]);
    }
    return is_sound ? answer : malformed;
}

static void assert_answer(const char *line, const char *expected) {
    const char *answer = ask((const char *const[LINES]){line});
    if (expected == NULL ? answer != NULL
                         : answer == NULL || strcmp(answer, expected) != 0) {
        fail_msg("'%s' is answered with '%s'", line,
                 answer != NULL ? answer : "nothing");
    }
}

#define ASSERT_ALL(expected, ...)                                              \
    do {                                                                       \
        const char *const all_[] = {__VA_ARGS__};                              \
        for (size_t i_ = 0; i_ < sizeof all_ / sizeof *all_; i_++) {           \
            assert_answer(all_[i_], expected);                                 \
        }                                                                      \
    } while (0)

static void what_can_be_shared_is_granted(void **state) {
    (void)state;
    ASSERT_ALL(SHARED, DEFLATE, DEFLATE "; client_max_window_bits",
               DEFLATE "; client_max_window_bits=8",
               DEFLATE "; client_max_window_bits=9",
               DEFLATE "; client_max_window_bits=10",
               DEFLATE "; client_max_window_bits=15",
               DEFLATE "; server_no_context_takeover",
               DEFLATE "; client_no_context_takeover",
               DEFLATE "; server_no_context_takeover; "
                       "client_no_context_takeover; client_max_window_bits");
}

static void the_largest_window_is_named_where_it_was_asked_for(void **state) {
    (void)state;
    ASSERT_ALL(SHARED_15, DEFLATE "; server_max_window_bits=15",
               DEFLATE "; server_max_window_bits=\"15\"",
               DEFLATE "; server_max_window_bits=\"\\1\\5\"",
               DEFLATE "; server_max_window_bits=15; client_max_window_bits=8");
}

static void a_smaller_window_of_the_server_is_declined(void **state) {
    (void)state;
    ASSERT_ALL(NULL, DEFLATE "; server_max_window_bits=14",
               DEFLATE "; server_max_window_bits=10",
               DEFLATE "; server_max_window_bits=9",
               DEFLATE "; server_max_window_bits=8");
}

static void an_offer_with_a_wrong_value_is_declined(void **state) {
    (void)state;
    ASSERT_ALL(NULL, DEFLATE "; server_max_window_bits",
               DEFLATE "; server_max_window_bits=16",
               DEFLATE "; server_max_window_bits=7",
               DEFLATE "; server_max_window_bits=015",
               DEFLATE "; server_max_window_bits=150",
               DEFLATE "; server_max_window_bits=1",
               DEFLATE "; server_max_window_bits=x",
               DEFLATE "; server_max_window_bits=-15",
               DEFLATE "; client_max_window_bits=7",
               DEFLATE "; client_max_window_bits=16",
               DEFLATE "; client_max_window_bits=08",
               DEFLATE "; client_max_window_bits=19",
               DEFLATE "; client_max_window_bits=1f",
               DEFLATE "; client_max_window_bits=8888888888888888888888",
               DEFLATE "; server_no_context_takeover=1",
               DEFLATE "; server_no_context_takeover=true",
               DEFLATE "; client_no_context_takeover=\"yes\"");
}

static void an_unknown_or_repeated_parameter_declines_an_offer(void **state) {
    (void)state;
    ASSERT_ALL(NULL, DEFLATE "; foo", DEFLATE "; foo=15",
               DEFLATE "; Client_Max_Window_Bits",
               DEFLATE "; server_max_window_bit=15",
               DEFLATE "; client_max_window_bits; client_max_window_bits",
               DEFLATE "; client_max_window_bits=15; client_max_window_bits",
               DEFLATE "; server_no_context_takeover; "
                       "server_no_context_takeover",
               DEFLATE "; server_max_window_bits=15; server_max_window_bits=15",
               DEFLATE "; client_no_context_takeover; foo");
}

static void other_extensions_are_passed_over(void **state) {
    (void)state;
    ASSERT_ALL(NULL, "x-webkit-deflate-frame", "foo; bar=1; baz=\"qux\"",
               "permessage-deflate2", "permessage-deflat", "Permessage-Deflate",
               "");
    ASSERT_ALL(SHARED, "x-webkit-deflate-frame, " DEFLATE,
               "foo; server_max_window_bits=8, " DEFLATE,
               DEFLATE ", permessage-bzip2");
}

static void the_first_offer_that_can_be_met_is_taken(void **state) {
    (void)state;
    ASSERT_ALL(SHARED, DEFLATE "; server_max_window_bits=10, " DEFLATE,
               DEFLATE "; foo," DEFLATE "; client_max_window_bits",
               DEFLATE "," DEFLATE "; server_max_window_bits=15");
    ASSERT_ALL(SHARED_15, DEFLATE "; server_max_window_bits=8, " DEFLATE
                                  "; server_max_window_bits=15, " DEFLATE);
    ASSERT_ALL(NULL, DEFLATE "; foo, " DEFLATE "; server_max_window_bits=9");
}

static void offers_may_stand_in_several_lines(void **state) {
    (void)state;
    const char *two[LINES] = {DEFLATE "; server_max_window_bits=8", DEFLATE};
    assert_string_equal(ask(two), SHARED);
    const char *order[LINES] = {"foo", DEFLATE "; server_max_window_bits=15",
                                DEFLATE};
    assert_string_equal(ask(order), SHARED_15);
    const char *late[LINES] = {DEFLATE, "", "a; b=;"};
    assert_ptr_equal(ask(late), malformed);
    const char *split[LINES] = {DEFLATE ";", "client_max_window_bits"};
    assert_ptr_equal(ask(split), malformed);
}

static void blanks_and_empty_elements_are_allowed(void **state) {
    (void)state;
    ASSERT_ALL(SHARED, "  " DEFLATE "\t", ",, " DEFLATE " ,",
               DEFLATE ";client_max_window_bits=15",
               DEFLATE " ; client_max_window_bits = 15 ",
               DEFLATE "\t;\tclient_max_window_bits\t=\t\"15\"\t,");
    ASSERT_ALL(NULL, " ", ",", " , ,, ");
}

static void what_is_against_the_grammar_is_told(void **state) {
    (void)state;
    ASSERT_ALL(malformed, ";", "=", DEFLATE ";", DEFLATE "; ",
               DEFLATE "; ; client_max_window_bits", DEFLATE "; =15",
               DEFLATE "; client_max_window_bits=",
               DEFLATE "; client_max_window_bits=\"\"",
               DEFLATE "; client_max_window_bits=\"15",
               DEFLATE "; client_max_window_bits=\"15\\",
               DEFLATE "; client_max_window_bits=\"1 5\"",
               DEFLATE "; client_max_window_bits=\"15\"5",
               DEFLATE "; client_max_window_bits=15 15", DEFLATE " foo",
               DEFLATE "=15", "\"" DEFLATE "\"", "a/b", "a; b@", DEFLATE "\x01",
               "\xc3\xa9", DEFLATE "; a=\"b,c\"", "foo, " DEFLATE ", bar baz");
}

/* Whatever is cut off an offer: it is another offer or malformed, and nobody
 * looks beyond its end. */
static void an_offer_may_end_anywhere(void **state) {
    (void)state;
    static const char line[] = DEFLATE
        " ; server_max_window_bits = \"\\1\\5\" ; client_max_window_bits"
        "=9, foo ; bar=\"baz\"";
    for (size_t len = 0; len < sizeof line; len++) {
        char cut[sizeof line] = "";
        memcpy(cut, line, len);
        const char *answer = ask((const char *const[LINES]){cut});
        assert_true(answer == NULL || answer == malformed ||
                    strcmp(answer, SHARED) == 0 ||
                    strcmp(answer, SHARED_15) == 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_shared_is_granted),
        cmocka_unit_test(the_largest_window_is_named_where_it_was_asked_for),
        cmocka_unit_test(a_smaller_window_of_the_server_is_declined),
        cmocka_unit_test(an_offer_with_a_wrong_value_is_declined),
        cmocka_unit_test(an_unknown_or_repeated_parameter_declines_an_offer),
        cmocka_unit_test(other_extensions_are_passed_over),
        cmocka_unit_test(the_first_offer_that_can_be_met_is_taken),
        cmocka_unit_test(offers_may_stand_in_several_lines),
        cmocka_unit_test(blanks_and_empty_elements_are_allowed),
        cmocka_unit_test(what_is_against_the_grammar_is_told),
        cmocka_unit_test(an_offer_may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
