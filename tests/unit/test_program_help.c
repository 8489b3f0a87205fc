/* Help is made from the tables. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define TW_VERSION "0.0.test"
#include "../../lua/program/help.c"
#include "../../lua/program/option.c"
#include "../../lua/program/text.c"

static const twp_command run = {
    "run", TWP_RUN, "SCRIPT.lua", "serve a script", "More of it.\n", NULL};
static const twp_command status = {
    "status", TWP_STATUS, NULL, "what a server does", "More of it.\n", NULL};

static void assert_has(const twp_text *text, const char *part) {
    if (strstr(text->data, part) == NULL) {
        fail_msg("'%s' is not in:\n%s", part, text->data);
    }
}

static size_t count_lines(const char *text) {
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

static void test_a_commands_help_has_its_flags_and_no_others(void **state) {
    (void)state;
    twp_text out = {0};
    twp_help_command(&out, &status);
    assert_has(&out, "Usage: tidewire status [options]\n");
    assert_has(&out, "--json");
    assert_has(&out, "--runtime-dir DIR");
    assert_null(strstr(out.data, "--listen"));
    assert_has(&out, "More of it.\n");
    twp_text_deinit(&out);
}

static void test_defaults_stand_in_the_help(void **state) {
    (void)state;
    twp_text out = {0};
    twp_help_command(&out, &run);
    assert_has(&out, "Usage: tidewire [run] [options] SCRIPT.lua\n");
    assert_has(&out, "[127.0.0.1:8080]");
    twp_text_deinit(&out);
}

static void test_no_line_of_help_is_wider_than_a_terminal(void **state) {
    (void)state;
    twp_text out = {0};
    twp_help_command(&out, &run);
    twp_help_command(&out, &status);
    for (const char *line = out.data; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        assert_true(len < 80);
        line += len + 1;
    }
    twp_text_deinit(&out);
}

static void test_the_program_lists_its_commands(void **state) {
    (void)state;
    const twp_command commands[] = {run, status, {.name = NULL}};
    twp_text out = {0};
    twp_help_program(&out, commands);
    assert_has(&out, "Tidewire 0.0.test");
    assert_has(&out, "  run SCRIPT.lua    serve a script\n");
    assert_has(&out, "  status            what a server does\n");
    twp_text_deinit(&out);
}

static void test_every_option_is_in_the_list(void **state) {
    (void)state;
    twp_text out = {0};
    twp_help_options(&out);
    for (int i = 0; i < TWP_OPTION_COUNT; i++) {
        if (twp_options[i].path != NULL) {
            assert_has(&out, twp_options[i].path);
        }
    }
    assert_has(&out, "log.level   --log-level debug|info|warn|error   "
                     "TIDEWIRE_LOG_LEVEL\n");
    twp_text_deinit(&out);
}

static void test_markdown_has_one_row_of_six_cells_for_each(void **state) {
    (void)state;
    twp_text out = {0};
    twp_help_markdown(&out);
    assert_int_equal(count_lines(out.data), TWP_OPTION_COUNT + 2);
    for (const char *line = out.data; *line != '\0'; line++) {
        int bars = 0;
        for (; *line != '\n'; line++) {
            bars += *line == '|' && (line == out.data || line[-1] != '\\');
        }
        assert_int_equal(bars, 7);
    }
    assert_has(&out, "| `workers` | `--workers N` | `TIDEWIRE_WORKERS` | "
                     "a whole number | one per core | Worker processes |\n");
    twp_text_deinit(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_commands_help_has_its_flags_and_no_others),
        cmocka_unit_test(test_defaults_stand_in_the_help),
        cmocka_unit_test(test_no_line_of_help_is_wider_than_a_terminal),
        cmocka_unit_test(test_the_program_lists_its_commands),
        cmocka_unit_test(test_every_option_is_in_the_list),
        cmocka_unit_test(test_markdown_has_one_row_of_six_cells_for_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
