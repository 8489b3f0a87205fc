/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lua/program/bench/options.c"

static tw__bench_options options;
static char why[200];

/* Arguments in one string, with single blanks between. */
static bool parse(const char *line) {
    static char copy[512];
    char *argv[32];
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", line);
    why[0] = 0;
    for (char *at = strtok(copy, " "); at != NULL; at = strtok(NULL, " ")) {
        argv[argc++] = at;
    }
    return tw__bench_options_parse(&options, argc, argv, why, sizeof why);
}

static void assert_wrong(const char *line, const char *reason) {
    assert_false(parse(line));
    assert_string_equal(why, reason);
}

static void what_is_not_given_has_its_default(void **state) {
    (void)state;
    assert_true(parse("fanout"));
    assert_int_equal(options.kind, TW__BENCH_FANOUT);
    assert_string_equal(options.url, "ws://127.0.0.1:8080/");
    assert_int_equal(options.connections, 1000);
    assert_int_equal(options.publishers, 1);
    assert_int_equal(options.in_flight, 1);
    assert_int_equal(options.size, 64);
    assert_string_equal(options.sub_path, "/sub");
    assert_true(options.seconds == 5 && options.warmup == 1);
    assert_true(options.rate == 0);
    assert_false(options.ledger || options.json || options.reconnect);
    assert_null(options.pid);
    assert_int_equal(options.processes, 0);
}

static void each_mode_has_its_own_defaults(void **state) {
    (void)state;
    assert_true(parse("echo"));
    assert_int_equal(options.connections, 100);
    assert_int_equal(options.publishers, 0);
    assert_true(options.settle == 0);
    assert_true(parse("idle"));
    assert_int_equal(options.kind, TW__BENCH_IDLE);
    assert_true(options.warmup == 0);
}

static void options_are_read_in_both_spellings(void **state) {
    (void)state;
    assert_true(parse("fanout --subscribers 10000 --rate=250.5/s --ledger "
                      "--channel=a=b --seconds 0.5 --pid 1,2 --size=1024"));
    assert_int_equal(options.connections, 10000);
    assert_true(options.rate == 250.5);
    assert_true(options.ledger);
    assert_string_equal(options.channel, "a=b");
    assert_true(options.seconds == 0.5);
    assert_string_equal(options.pid, "1,2");
    assert_int_equal(options.size, 1024);
}

static void an_unknown_option_names_the_nearest(void **state) {
    (void)state;
    assert_wrong("echo --conections 5",
                 "unknown option --conections, did you mean --connections?");
    assert_wrong("fanout --leger",
                 "unknown option --leger, did you mean --ledger?");
    assert_wrong("fanout --inflight 2",
                 "unknown option --inflight, did you mean --in-flight?");
    assert_wrong("idle --xyzzyplugh", "unknown option --xyzzyplugh");
}

static void an_unknown_mode_names_the_nearest(void **state) {
    (void)state;
    assert_wrong("fan-out", "unknown mode 'fan-out', did you mean 'fanout'?");
    assert_wrong("ecko --size 5", "unknown mode 'ecko', did you mean 'echo'?");
    assert_wrong("xyzzyplugh",
                 "unknown mode 'xyzzyplugh'; echo, fanout, idle, rooms, churn");
    assert_wrong("", "a mode is missing: echo, fanout, idle, rooms, churn");
}

static void an_option_of_another_mode_is_told_as_such(void **state) {
    (void)state;
    assert_wrong("echo --ledger", "--ledger is no option of echo");
    assert_wrong("fanout --connections 5", "--connections is no option of "
                                           "fanout");
    assert_wrong("idle --size 64", "--size is no option of idle");
}

static void values_are_checked(void **state) {
    (void)state;
    assert_wrong("echo --connections 0",
                 "--connections 0: wanted a number from 1 to 1000000");
    assert_wrong("echo --connections -5",
                 "--connections -5: wanted a number from 1 to 1000000");
    assert_wrong("echo --connections 5x",
                 "--connections 5x: wanted a number from 1 to 1000000");
    assert_wrong("echo --connections 99999999999999999999999",
                 "--connections 99999999999999999999999: wanted a number from "
                 "1 to 1000000");
    assert_wrong("echo --size 25",
                 "--size 25: wanted a number from 26 to 8388608");
    assert_wrong("echo --seconds nan",
                 "--seconds nan: wanted a number from 0 to 1000000");
    assert_wrong("echo --seconds -1",
                 "--seconds -1: wanted a number from 0 to 1000000");
    assert_wrong("echo --seconds 1/s",
                 "--seconds 1/s: wanted a number from 0 to 1000000");
    assert_wrong("echo --size", "--size lacks its value");
    assert_wrong("echo --json=yes", "--json takes no value");
    assert_wrong("echo 5", "'5' is no option");
}

static void combinations_are_checked(void **state) {
    (void)state;
    assert_wrong("fanout --subscribers 5 --slow 5",
                 "--slow leaves no subscriber that reads");
    assert_true(parse("fanout --subscribers 5 --slow 4"));
    assert_wrong("fanout --rate 5 --in-flight 16",
                 "--rate and --in-flight exclude each other");
}

static void rooms_times_members_are_the_connections(void **state) {
    (void)state;
    assert_true(parse("rooms"));
    assert_int_equal(options.connections, 1000);
    assert_string_equal(options.sub_path, "/room");
    assert_true(parse("rooms --rooms 9000 --members 2 --path /r"));
    assert_int_equal(options.connections, 18000);
    assert_string_equal(options.pub_path, "/r");
    assert_wrong("rooms --members 1",
                 "--members 1: wanted a number from 2 to 10000");
    assert_wrong("rooms --rooms 1000 --members 1001",
                 "--rooms times --members is over 1000000");
}

static void rooms_that_overlap_have_a_connection_each(void **state) {
    (void)state;
    assert_true(parse("rooms --rooms 10000 --members 3 --overlap"));
    assert_int_equal(options.connections, 10000);
    assert_true(options.overlap);
    assert_true(parse("rooms --rooms 64 --members 64 --overlap"));
    assert_wrong("rooms --rooms 100 --members 65 --overlap",
                 "--overlap allows 64 --members");
    assert_wrong("rooms --rooms 2 --members 3 --overlap",
                 "--overlap wants as many --rooms as --members, in each "
                 "process");
    assert_wrong("rooms --rooms 8 --members 3 --overlap --processes 3",
                 "--overlap wants as many --rooms as --members, in each "
                 "process");
}

static void help_needs_nothing_else(void **state) {
    (void)state;
    assert_true(parse("--help"));
    assert_true(options.help);
    assert_int_equal(options.kind, 0);
    assert_true(parse("fanout --help"));
    assert_true(options.help);
    assert_int_equal(options.kind, TW__BENCH_FANOUT);
}

static void usage_lists_every_option_of_its_mode_and_no_other(void **state) {
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    tw__bench_usage(out, TW__BENCH_ECHO);
    fclose(out);
    for (size_t i = 0; i < SPECS; i++) {
        char name[40];
        snprintf(name, sizeof name, "  --%s ", specs[i].name);
        assert_int_equal(strstr(text, name) != NULL,
                         (specs[i].kinds & TW__BENCH_ECHO) != 0);
    }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_given_has_its_default),
        cmocka_unit_test(each_mode_has_its_own_defaults),
        cmocka_unit_test(options_are_read_in_both_spellings),
        cmocka_unit_test(an_unknown_option_names_the_nearest),
        cmocka_unit_test(an_unknown_mode_names_the_nearest),
        cmocka_unit_test(an_option_of_another_mode_is_told_as_such),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(combinations_are_checked),
        cmocka_unit_test(rooms_times_members_are_the_connections),
        cmocka_unit_test(rooms_that_overlap_have_a_connection_each),
        cmocka_unit_test(help_needs_nothing_else),
        cmocka_unit_test(usage_lists_every_option_of_its_mode_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
