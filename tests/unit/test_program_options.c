/* Options of the program: flags, variables, their order and their errors.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "../../lua/program/cli_environment.c"
#include "../../lua/program/cli_flags.c"
#include "../../lua/program/nearest.c"
#include "../../lua/program/option.c"
#include "../../lua/program/settings.c"
#include "../../lua/program/text.c"

enum { MAX_WORDS = 16 };

typedef struct fixture {
    twp_settings settings;
    twp_text problems, warnings;
    twp_line line;
} fixture;

static int set_up(void **state) {
    static fixture f;
    f = (fixture){0};
    twp_settings_init(&f.settings);
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    twp_settings_deinit(&f->settings);
    twp_text_deinit(&f->problems);
    twp_text_deinit(&f->warnings);
    return 0;
}

/* Words are parted by one space each. */
static int split(char *text, char **words) {
    int count = 0;
    for (char *word = strtok(text, " "); word != NULL;
         word = strtok(NULL, " ")) {
        words[count++] = word;
    }
    words[count] = NULL;
    return count;
}

static void flags(fixture *f, const char *line) {
    static char copies[4][256]; /* operands borrow from it */
    static int turn;
    char *words[MAX_WORDS], *copy = copies[turn++ % 4];
    snprintf(copy, sizeof copies[0], "%s", line);
    int count = split(copy, words);
    twp_cli_flags(&f->settings, TWP_RUN, "SCRIPT.lua", count, words, &f->line,
                  &f->problems);
}

static void environment(fixture *f, const char *one, const char *two) {
    char *entries[] = {(char *)one, (char *)two, NULL};
    twp_cli_environment(&f->settings, TWP_RUN, entries, &f->problems,
                        &f->warnings);
}

static const char *text_of(const twp_text *text) {
    return text->data != NULL ? text->data : "";
}

static double number(const fixture *f, twp_option_id id) {
    return twp_settings_number(&f->settings, id, -1);
}

/* ---- the table ---------------------------------------------------------- */

static void test_no_two_options_have_one_name(void **state) {
    (void)state;
    for (int i = 0; i < TWP_OPTION_COUNT; i++) {
        const twp_option *option = &twp_options[i];
        assert_non_null(option->help);
        assert_true(option->path != NULL || option->flag != NULL);
        if (option->path != NULL) {
            assert_int_equal(twp_option_by_path(option->path), i);
        }
        if (option->flag != NULL) {
            assert_int_equal(twp_option_by_flag(option->flag,
                                                strlen(option->flag),
                                                option->commands),
                             i);
        }
    }
}

/* A default in the help that the option itself would refuse is a lie. */
static void test_defaults_of_numbers_are_values_of_them(void **state) {
    fixture *f = *state;
    for (int i = 0; i < TWP_OPTION_COUNT; i++) {
        const twp_option *option = &twp_options[i];
        bool is_number =
            option->kind == TWP_BYTES || option->kind == TWP_SECONDS ||
            option->kind == TWP_COUNT || option->kind == TWP_SWITCH ||
            option->kind == TWP_CHOICE;
        twp_why why;
        if (is_number && i != TWP_WORKERS_OPTION && i != TWP_WORKER_OPTION) {
            assert_null(twp_settings_set(&f->settings, (twp_option_id)i,
                                         TWP_FROM_FLAG, option->standard,
                                         &why));
        }
    }
}

static void test_variables_are_named_after_keys(void **state) {
    (void)state;
    char name[64];
    assert_true(twp_option_variable(&twp_options[TWP_LOG_LEVEL_OPTION], name,
                                    sizeof name));
    assert_string_equal(name, "TIDEWIRE_LOG_LEVEL");
    assert_true(twp_option_variable(&twp_options[TWP_CONFIG_FILE_OPTION], name,
                                    sizeof name));
    assert_string_equal(name, "TIDEWIRE_CONFIG");
    assert_false(twp_option_variable(&twp_options[TWP_CONFIG_OPTION], name,
                                     sizeof name));
    assert_false(
        twp_option_variable(&twp_options[TWP_JSON_OPTION], name, sizeof name));
}

/* ---- flags -------------------------------------------------------------- */

static void test_a_value_follows_or_is_joined_with_an_equals_sign(void **s) {
    fixture *f = *s;
    flags(f, "--workers 4 --log-level=warn app.lua --hang-off");
    assert_string_equal(text_of(&f->problems), "");
    assert_string_equal(f->line.operand, "app.lua");
    assert_true(number(f, TWP_WORKERS_OPTION) == 4);
    assert_string_equal(twp_settings_text(&f->settings, TWP_LOG_LEVEL_OPTION),
                        "warn");
    assert_true(twp_settings_is_on(&f->settings, TWP_HANG_OFF_OPTION, false));
}

static void test_a_repeated_flag_is_a_list_or_the_last_wins(void **state) {
    fixture *f = *state;
    flags(f, "--listen a:1 --listen b:2 --workers 1 --workers 2");
    const twp_value *list = &f->settings.values[TWP_LISTEN_OPTION];
    assert_int_equal(list->count, 2);
    assert_string_equal(list->list[0], "a:1");
    assert_string_equal(list->list[1], "b:2");
    assert_true(number(f, TWP_WORKERS_OPTION) == 2);
}

static void test_an_unknown_flag_names_the_nearest(void **state) {
    fixture *f = *state;
    flags(f, "--lisen a:1");
    assert_non_null(strstr(text_of(&f->problems),
                           "unknown option '--lisen'; did you mean "
                           "'--listen'?\n"));
}

static void test_an_unknown_flag_like_nothing_names_none(void **state) {
    fixture *f = *state;
    flags(f, "--zzzzzzzz -x");
    assert_string_equal(text_of(&f->problems), "unknown option '--zzzzzzzz'\n"
                                               "unknown option '-x'\n");
}

static void test_a_flag_of_another_command_is_unknown(void **state) {
    fixture *f = *state;
    flags(f, "--json");
    assert_string_equal(text_of(&f->problems), "unknown option '--json'\n");
}

static void test_a_missing_value_is_told(void **state) {
    fixture *f = *state;
    flags(f, "--workers --listen");
    assert_string_equal(text_of(&f->problems),
                        "--workers needs a value: N\n"
                        "--listen needs a value: ADDR:PORT\n");
}

static void test_a_redis_server_is_named_by_its_url(void **state) {
    fixture *f = *state;
    flags(f, "--redis redis://x app.lua");
    assert_string_equal(text_of(&f->problems), "");
    assert_string_equal(
        twp_settings_text(&f->settings, TWP_REDIS_URL_OPTION), "redis://x");
    assert_string_equal(f->line.operand, "app.lua");
}

static void test_a_second_script_is_too_many(void **state) {
    fixture *f = *state;
    flags(f, "a.lua b.lua");
    assert_string_equal(text_of(&f->problems),
                        "unexpected argument 'b.lua': one SCRIPT.lua is "
                        "enough\n");
}

static void test_after_two_dashes_there_are_no_flags(void **state) {
    fixture *f = *state;
    flags(f, "-- --workers");
    assert_string_equal(f->line.operand, "--workers");
    assert_string_equal(text_of(&f->problems), "");
}

static void test_help_and_version_are_noticed(void **state) {
    fixture *f = *state;
    flags(f, "--help=markdown -V");
    assert_string_equal(f->line.help, "markdown");
    assert_true(f->line.wants_version);
}

/* ---- values ------------------------------------------------------------- */

static const char *assign(fixture *f, twp_option_id id, const char *text) {
    static twp_why why;
    return twp_settings_set(&f->settings, id, TWP_FROM_FLAG, text, &why);
}

static void test_times_and_sizes_take_units(void **state) {
    fixture *f = *state;
    assert_null(assign(f, TWP_STALL_OPTION, "1.5"));
    assert_int_equal(twp_settings_ms(&f->settings, TWP_STALL_OPTION), 1500);
    assert_null(assign(f, TWP_STALL_OPTION, "250ms"));
    assert_int_equal(twp_settings_ms(&f->settings, TWP_STALL_OPTION), 250);
    assert_null(assign(f, TWP_STALL_OPTION, "2m"));
    assert_int_equal(twp_settings_ms(&f->settings, TWP_STALL_OPTION), 120000);
    assert_null(assign(f, TWP_REPLY_BUDGET_OPTION, "64KiB"));
    assert_true(number(f, TWP_REPLY_BUDGET_OPTION) == 65536);
    assert_null(assign(f, TWP_REPLY_BUDGET_OPTION, "2MB"));
    assert_true(number(f, TWP_REPLY_BUDGET_OPTION) == 2e6);
}

static void test_what_is_no_number_is_refused(void **state) {
    fixture *f = *state;
    static const char *const bad[] = {"",     "x",   "-1",    "inf", "nan",
                                      "0x10", "1e3", "1.2.3", "5 s", "5q"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_non_null(assign(f, TWP_STALL_OPTION, bad[i]));
        assert_non_null(assign(f, TWP_WORKERS_OPTION, bad[i]));
    }
    assert_false(twp_settings_has(&f->settings, TWP_STALL_OPTION));
    assert_string_equal(assign(f, TWP_WORKERS_OPTION, "1.5"),
                        "must be a whole number");
}

static void test_limits_of_a_number_hold_at_both_ends(void **state) {
    fixture *f = *state;
    assert_string_equal(assign(f, TWP_WORKERS_OPTION, "0"),
                        "must be 1 to 1024");
    assert_null(assign(f, TWP_WORKERS_OPTION, "1"));
    assert_null(assign(f, TWP_WORKERS_OPTION, "1024"));
    assert_non_null(assign(f, TWP_WORKERS_OPTION, "1025"));
}

static void test_a_choice_is_one_of_its_words(void **state) {
    fixture *f = *state;
    assert_null(assign(f, TWP_LOG_LEVEL_OPTION, "error"));
    assert_string_equal(assign(f, TWP_LOG_LEVEL_OPTION, "err"),
                        "must be one of debug|info|warn|error");
    assert_non_null(assign(f, TWP_LOG_LEVEL_OPTION, "info|warn"));
    assert_non_null(assign(f, TWP_LOG_LEVEL_OPTION, ""));
}

static void test_a_switch_understands_the_usual_words(void **state) {
    fixture *f = *state;
    assert_null(assign(f, TWP_HANG_OFF_OPTION, "yes"));
    assert_true(twp_settings_is_on(&f->settings, TWP_HANG_OFF_OPTION, false));
    assert_null(assign(f, TWP_HANG_OFF_OPTION, "Off"));
    assert_false(twp_settings_is_on(&f->settings, TWP_HANG_OFF_OPTION, true));
    assert_non_null(assign(f, TWP_HANG_OFF_OPTION, "maybe"));
}

/* ---- where values come from --------------------------------------------- */

static void test_variables_set_what_flags_leave_unset(void **state) {
    fixture *f = *state;
    flags(f, "--workers 7");
    environment(f, "TIDEWIRE_WORKERS=2", "TIDEWIRE_LOG_LEVEL=debug");
    assert_true(number(f, TWP_WORKERS_OPTION) == 7);
    assert_string_equal(twp_settings_text(&f->settings, TWP_LOG_LEVEL_OPTION),
                        "debug");
}

static void test_a_higher_source_replaces_a_whole_list(void **state) {
    fixture *f = *state;
    twp_why why;
    twp_settings_set(&f->settings, TWP_LISTEN_OPTION, TWP_FROM_FILE, "f:1",
                     &why);
    environment(f, "TIDEWIRE_LISTEN=a:1, b:2 ,,c:3", NULL);
    twp_settings_set(&f->settings, TWP_LISTEN_OPTION, TWP_FROM_FILE, "f:2",
                     &why);
    const twp_value *list = &f->settings.values[TWP_LISTEN_OPTION];
    assert_int_equal(list->count, 3);
    assert_string_equal(list->list[0], "a:1");
    assert_string_equal(list->list[1], "b:2");
    assert_string_equal(list->list[2], "c:3");
}

static void test_commas_of_a_unix_address_part_nothing(void **state) {
    fixture *f = *state;
    environment(f,
                "TIDEWIRE_LISTEN=unix:/a,mode=0660,group=web, b:2,"
                "unix:/c,group=web,unix:/d,mode=0660",
                "TIDEWIRE_FILES=a,mode=1");
    const twp_value *list = &f->settings.values[TWP_LISTEN_OPTION];
    assert_int_equal(list->count, 4);
    assert_string_equal(list->list[0], "unix:/a,mode=0660,group=web");
    assert_string_equal(list->list[1], "b:2");
    assert_string_equal(list->list[2], "unix:/c,group=web");
    assert_string_equal(list->list[3], "unix:/d,mode=0660");
    assert_int_equal(f->settings.values[TWP_FILES_OPTION].count, 2);
}

static void test_a_wrong_variable_is_told_even_when_overridden(void **state) {
    fixture *f = *state;
    flags(f, "--workers 7");
    environment(f, "TIDEWIRE_WORKERS=many", NULL);
    assert_string_equal(text_of(&f->problems),
                        "TIDEWIRE_WORKERS 'many': must be a whole number\n");
}

static void test_an_empty_variable_counts_as_unset(void **state) {
    fixture *f = *state;
    environment(f, "TIDEWIRE_WORKERS=", "TIDEWIRE_ADMIN=");
    assert_false(twp_settings_has(&f->settings, TWP_WORKERS_OPTION));
    assert_string_equal(text_of(&f->problems), "");
}

static void test_a_misspelt_variable_is_warned_of(void **state) {
    fixture *f = *state;
    environment(f, "TIDEWIRE_WORKER=2", "TIDEWIRE_BIN=/x");
    assert_string_equal(text_of(&f->problems), "");
    assert_string_equal(text_of(&f->warnings),
                        "TIDEWIRE_WORKER is unknown; did you mean "
                        "TIDEWIRE_WORKERS?\n");
}

/* ---- nearest ------------------------------------------------------------ */

static void test_distances_count_edits_and_swaps(void **state) {
    (void)state;
    assert_int_equal(twp_distance("listen", "listen"), 0);
    assert_int_equal(twp_distance("lisen", "listen"), 1);
    assert_int_equal(twp_distance("lsiten", "listen"), 1);
    assert_int_equal(twp_distance("", "abc"), 3);
    assert_int_equal(twp_distance("kitten", "sitting"), 3);
    char huge[100];
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_true(twp_distance(huge, "x") > 100);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_no_two_options_have_one_name),
        TEST(test_defaults_of_numbers_are_values_of_them),
        TEST(test_variables_are_named_after_keys),
        TEST(test_a_value_follows_or_is_joined_with_an_equals_sign),
        TEST(test_a_repeated_flag_is_a_list_or_the_last_wins),
        TEST(test_an_unknown_flag_names_the_nearest),
        TEST(test_an_unknown_flag_like_nothing_names_none),
        TEST(test_a_flag_of_another_command_is_unknown),
        TEST(test_a_missing_value_is_told),
        TEST(test_a_redis_server_is_named_by_its_url),
        TEST(test_a_second_script_is_too_many),
        TEST(test_after_two_dashes_there_are_no_flags),
        TEST(test_help_and_version_are_noticed),
        TEST(test_times_and_sizes_take_units),
        TEST(test_what_is_no_number_is_refused),
        TEST(test_limits_of_a_number_hold_at_both_ends),
        TEST(test_a_choice_is_one_of_its_words),
        TEST(test_a_switch_understands_the_usual_words),
        TEST(test_variables_set_what_flags_leave_unset),
        TEST(test_a_higher_source_replaces_a_whole_list),
        TEST(test_commas_of_a_unix_address_part_nothing),
        TEST(test_a_wrong_variable_is_told_even_when_overridden),
        TEST(test_an_empty_variable_counts_as_unset),
        TEST(test_a_misspelt_variable_is_warned_of),
        TEST(test_distances_count_edits_and_swaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
