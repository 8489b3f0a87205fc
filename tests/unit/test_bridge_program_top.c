/* One picture of tidewire top. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "../../lua/program/status_format.c"
#define number top_number
#define string top_string
#define sum top_sum
#define add_head top_add_head
#define add_worker top_add_worker
#include "../../lua/program/top_format.c"
#undef number
#undef string
#undef sum
#undef add_head
#undef add_worker
#include "../../lua/program/table.c"
#include "../../lua/program/text.c"

static void assert_top(const char *before, const char *now, double seconds,
                       const char *expected) {
    json_t *a = json_loads(before, 0, NULL), *b = json_loads(now, 0, NULL);
    assert_non_null(a);
    assert_non_null(b);
    twp_text out = {0};
    twp_top_format(&out, a, b, seconds, 2);
    assert_string_equal(out.data, expected);
    twp_text_deinit(&out);
    json_decref(a);
    json_decref(b);
}

#define BEFORE                                                                 \
    "{\"workers\":[{\"slot\":0,\"cpu_s\":10}],"                                \
    "\"hooks\":[{\"name\":\"on_open\",\"generation\":1,\"calls\":1,"           \
    "\"cpu_seconds\":0.5}],\"top\":[{\"slot\":0,\"messages_received\":100,"    \
    "\"replies_sent\":10,\"deliveries\":20,\"publications\":5,"                \
    "\"bytes_received\":0,\"bytes_sent\":1000,\"turns\":[[100,5],[1000,5],"    \
    "[null,0]],\"crowds\":[{\"name\":\"a\",\"subscribers\":5,"                 \
    "\"publications\":10}]}]}"
#define NOW                                                                    \
    "{\"version\":\"1.2\",\"uptime_s\":61,\"generation\":3,\"workers\":["      \
    "{\"slot\":0,\"pid\":9,\"ready\":true,\"cpu_s\":11,"                       \
    "\"memory_bytes\":3670016},{\"slot\":1,\"pid\":0},"                        \
    "{\"slot\":2,\"pid\":8,\"ready\":true}],\"hooks\":["                       \
    "{\"name\":\"on_open\",\"generation\":1,\"calls\":1,\"cpu_seconds\":0.5,"  \
    "\"slowest_seconds\":0.5},"                                                \
    "{\"name\":\"on_close\",\"generation\":1,\"calls\":1,"                     \
    "\"slowest_seconds\":0.1},"                                                \
    "{\"name\":\"on_message\",\"generation\":2,\"calls\":4,\"errors\":1,"      \
    "\"cpu_seconds\":0.2,\"slowest_seconds\":0.0001}],\"top\":["               \
    "{\"slot\":0,\"answered\":true,\"connections\":12345,"                     \
    "\"messages_received\":300,\"replies_sent\":20,\"deliveries\":50,"         \
    "\"publications\":25,\"bytes_received\":2048,\"bytes_sent\":3000,"         \
    "\"queued_bytes\":99,\"turns\":[[100,5],[1000,104],[null,1]],"             \
    "\"queues\":[{\"id\":\"AB\",\"user\":\"an\\u001b[0m\\u00e9\","             \
    "\"ip\":\"::1\",\"queued_bytes\":99}],"                                    \
    "\"crowds\":[{\"name\":\"a\",\"subscribers\":6,\"publications\":30},"      \
    "{\"name\":\"b\",\"subscribers\":9,\"publications\":3}],"                  \
    "\"streams\":[{\"name\":\"a\",\"subscribers\":6,\"publications\":30}]},"   \
    "{\"slot\":2,\"answered\":false,\"crowds\":[{\"name\":\"a\","              \
    "\"subscribers\":1,\"publications\":20}]}]}"

static void rates_are_of_the_time_between(void **state) {
    (void)state;
    assert_top(
        BEFORE, NOW, 2,
        "Tidewire 1.2, up 1m 1s, generation 3, over 2.0 s\n"
        "12k connections, in 100/s 1.0 KiB/s, out 20/s 1000 B/s, published "
        "10/s, queued 99 B\n"
        "\n"
        "WORKER  STATE  CPU  CONNECTIONS  IN/S  OUT/S  BYTES IN/S  BYTES OUT/S "
        " TURN P99  QUEUED  LUA   MEMORY\n"
        "0       ready  50%          12k   100     20     1.0 KiB       1000 B "
        "   <1.0ms    99 B  0 B  3.5 MiB\n"
        "1        down   0%            0     0      0         0 B          0 B "
        "        -     0 B  0 B      0 B\n"
        "2        busy   0%            0     0      0         0 B          0 B "
        "        -     0 B  0 B      0 B\n"
        "\n"
        "HOOK        GENERATION  CALLS/S  CALLS  ERRORS    CPU   A CALL  "
        "SLOWEST\n"
        "on_message           2        2      4       1  10.0%   50.0ms    "
        "100us\n"
        "on_open              1        0      1       0   0.0%  500.0ms  "
        "500.0ms\n"
        "\n"
        "FULLEST QUEUE  WORKER     USER   IP  QUEUED\n"
        "AB                  0  an?[0m?  ::1    99 B\n"
        "\n"
        "CHANNEL  SUBSCRIBERS  PUBLICATIONS/S  PUBLICATIONS\n"
        "a                  7              10            30\n"
        "b                  9               -             3\n");
}

static void an_empty_answer_is_a_picture_of_nothing(void **state) {
    (void)state;
    assert_top("{}", "{}", 0,
               "Tidewire , up 0s, generation 0, over 0.0 s\n"
               "0 connections, in 0/s 0 B/s, out 0/s 0 B/s, published 0/s, "
               "queued 0 B\n"
               "\n"
               "WORKER  STATE  CPU  CONNECTIONS  IN/S  OUT/S  BYTES IN/S  "
               "BYTES OUT/S  TURN P99  QUEUED  LUA  MEMORY\n");
}

static void what_is_of_the_wrong_type_counts_as_nothing(void **state) {
    (void)state;
    json_t *odd = json_loads("{\"workers\":{},\"hooks\":[1,null,[]],"
                             "\"top\":[{\"queues\":[1],\"crowds\":3,"
                             "\"streams\":[{}],\"turns\":[1,[]]},\"x\"]}",
                             0, NULL);
    twp_text out = {0};
    twp_top_format(&out, NULL, odd, 1, 10);
    twp_top_format(&out, odd, NULL, 1, 10);
    twp_top_format(&out, odd, odd, -1, 10);
    assert_true(out.len > 0);
    twp_text_deinit(&out);
    json_decref(odd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_of_the_time_between),
        cmocka_unit_test(an_empty_answer_is_a_picture_of_nothing),
        cmocka_unit_test(what_is_of_the_wrong_type_counts_as_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
