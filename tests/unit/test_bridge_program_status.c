/* The status of a server, for people. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "../../lua/program/status_format.c"
#include "../../lua/program/table.c"
#include "../../lua/program/text.c"

static void assert_status(const char *json, const char *expected) {
    json_t *status = json_loads(json, 0, NULL);
    assert_non_null(status);
    twp_text out = {0};
    twp_status_format(&out, status);
    assert_string_equal(out.data, expected);
    twp_text_deinit(&out);
    json_decref(status);
}

static void test_workers_stand_in_rows(void **state) {
    (void)state;
    assert_status(
        "{\"version\":\"1.2\",\"uptime_s\":3725.4,\"generation\":3,"
        "\"draining\":false,\"reloads\":{\"committed\":2,\"aborted\":1},"
        "\"addresses\":[\"127.0.0.1:8080\"],\"admin\":\"127.0.0.1:8090\","
        "\"runtime_dir\":\"/run/x\",\"master_pid\":100,\"workers\":["
        "{\"slot\":0,\"pid\":101,\"ready\":true,\"generation\":3,"
        "\"restarts\":1,\"connections\":12,\"subscriptions\":34,"
        "\"channels\":5,\"uptime_s\":61,\"cpu_s\":1.25,"
        "\"memory_bytes\":3670016},"
        "{\"slot\":1,\"pid\":0,\"ready\":false,\"generation\":3}]}",
        "Tidewire 1.2, up for 1h 2m, generation 3 (2 reloads, 1 failed)\n"
        "12 connections on 2 workers, master 100\n"
        "on 127.0.0.1:8080, admin http://127.0.0.1:8090/, runtime folder "
        "/run/x\n"
        "\n"
        "WORKER  STATE  PID  GENERATION  RESTARTS  CONNECTIONS  SUBSCRIPTIONS"
        "  CHANNELS  UPTIME   CPU   MEMORY\n"
        "0       ready  101           3         1           12             34"
        "         5   1m 1s  1.2s  3.5 MiB\n"
        "1        down    0           3         0            0              0"
        "         0      0s  0.0s      0 B\n");
}

/* A newer or older server may leave things out. */
static void test_what_is_missing_does_no_harm(void **state) {
    (void)state;
    assert_status("{\"draining\":true,\"workers\":7}",
                  "Tidewire , draining, up for 0s, generation 0 (0 reloads, 0 "
                  "failed)\n0 connections on 0 workers, master 0\nruntime "
                  "folder \n\nWORKER  STATE  PID  GENERATION  RESTARTS  "
                  "CONNECTIONS  SUBSCRIPTIONS  CHANNELS  UPTIME  CPU  "
                  "MEMORY\n");
}

static void test_durations_have_two_parts(void **state) {
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0, "0s"},         {59.9, "59s"},   {60, "1m 0s"},
                 {3599, "59m 59s"}, {3600, "1h 0m"}, {86399, "23h 59m"},
                 {90000, "1d 1h"},  {-5, "0s"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        twp_format_duration(text, sizeof text, cases[i].seconds);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_bytes_have_binary_units(void **state) {
    (void)state;
    char text[32];
    twp_format_bytes(text, sizeof text, 1023);
    assert_string_equal(text, "1023 B");
    twp_format_bytes(text, sizeof text, 1536);
    assert_string_equal(text, "1.5 KiB");
    twp_format_bytes(text, sizeof text, 5e12);
    assert_string_equal(text, "4.5 TiB");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers_stand_in_rows),
        cmocka_unit_test(test_what_is_missing_does_no_harm),
        cmocka_unit_test(test_durations_have_two_parts),
        cmocka_unit_test(test_bytes_have_binary_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
