/* How the program writes log records. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "../../lua/program/log.c"
#include "../../lua/program/log_escape.c"
#include "../../lua/program/log_format.c"
#include "../../lua/program/log_people.c"
#include "../../lua/program/log_sink.c"
#include "../../lua/program/text.c"

/* 2030-01-02T03:04:05.007Z */
enum { TIME_S = 1893553445 };

typedef void (*format_fn)(twp_text *out, const twp_record *record);

static twp_record record_of(const char *message, const tw_log_field *fields,
                            size_t count) {
    return (twp_record){.time_ms = (int64_t)TIME_S * 1000 + 7,
                        .level = TW_LOG_INFO,
                        .message = message,
                        .fields = fields,
                        .count = count,
                        .worker = -1,
                        .pid = 42};
}

static void assert_format(format_fn format, const twp_record *record,
                          const char *expected) {
    twp_text out = {0};
    format(&out, record);
    assert_string_equal(out.data, expected);
    twp_text_deinit(&out);
}

#define LOGFMT_HEAD "time=2030-01-02T03:04:05.007Z level=info msg="
#define JSON_HEAD "{\"time\":\"2030-01-02T03:04:05.007Z\",\"level\":\"info\","

static void test_a_record_without_fields(void **state) {
    (void)state;
    twp_record record = record_of("server is ready", NULL, 0);
    assert_format(twp_log_format_logfmt, &record,
                  LOGFMT_HEAD "\"server is ready\" pid=42\n");
    assert_format(twp_log_format_json, &record,
                  JSON_HEAD "\"msg\":\"server is ready\",\"pid\":42}\n");
}

static void test_a_workers_record_names_the_worker(void **state) {
    (void)state;
    twp_record record = record_of("hi", NULL, 0);
    record.worker = 3;
    assert_format(twp_log_format_logfmt, &record,
                  LOGFMT_HEAD "hi worker=3 pid=42\n");
    assert_format(twp_log_format_json, &record,
                  JSON_HEAD "\"msg\":\"hi\",\"worker\":3,\"pid\":42}\n");
}

static void test_values_are_quoted_only_where_they_must_be(void **state) {
    (void)state;
    const tw_log_field fields[] = {{"a", "plain"},
                                   {"b", "two words"},
                                   {"c", ""},
                                   {"d", "x=y"},
                                   {"e", "q\"q"},
                                   {"f", "back\\"},
                                   {"g", "gr\xC3\xBC\xC3\x9F"}};
    twp_record record = record_of("m", fields, 7);
    assert_format(twp_log_format_logfmt, &record,
                  LOGFMT_HEAD "m pid=42 a=plain b=\"two words\" c=\"\" "
                              "d=\"x=y\" e=\"q\\\"q\" f=\"back\\\\\" "
                              "g=\"gr\xC3\xBC\xC3\x9F\"\n");
}

static void test_no_control_character_gets_through(void **state) {
    (void)state;
    const tw_log_field field = {"v", "a\nb\r\t\x1b[31m\x7f\xC2\x9b!"};
    twp_record record = record_of("m\nlevel=error", &field, 1);
    assert_format(twp_log_format_logfmt, &record,
                  LOGFMT_HEAD "\"m\\nlevel=error\" pid=42 "
                              "v=\"a\\nb\\r\\t\\x1b[31m\\x7f\\u009b!\"\n");
    assert_format(twp_log_format_json, &record,
                  JSON_HEAD
                  "\"msg\":\"m\\nlevel=error\",\"pid\":42,"
                  "\"v\":\"a\\nb\\r\\t\\u001b[31m\\u007f\\u009b!\"}\n");
}

static void test_bytes_that_are_not_utf8_are_shown_as_such(void **state) {
    (void)state;
    /* A lone tail, an overlong "/", a surrogate, a cut character. */
    const tw_log_field field = {"v", "\x80 \xC0\xAF \xED\xA0\x80 \xE2\x82"};
    twp_record record = record_of("m", &field, 1);
    assert_format(twp_log_format_logfmt, &record,
                  LOGFMT_HEAD "m pid=42 v=\"\\x80 \\xc0\\xaf "
                              "\\xed\\xa0\\x80 \\xe2\\x82\"\n");
    assert_format(twp_log_format_json, &record,
                  JSON_HEAD "\"msg\":\"m\",\"pid\":42,\"v\":\"\\ufffd "
                            "\\ufffd\\ufffd \\ufffd\\ufffd\\ufffd "
                            "\\ufffd\\ufffd\"}\n");
}

static void test_characters_of_every_length_pass(void **state) {
    (void)state;
    const char *text = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8C\x99";
    twp_text out = {0};
    twp_escape_json(&out, text);
    assert_string_equal(out.data, text);
    twp_text_deinit(&out);
}

static void test_keys_cannot_break_a_line_apart(void **state) {
    (void)state;
    const tw_log_field fields[] = {{"a b=\"c\n", "1"}, {"", "2"}};
    twp_record record = record_of("m", fields, 2);
    assert_format(twp_log_format_logfmt, &record,
                  LOGFMT_HEAD "m pid=42 a_b__c_=1 _=2\n");
}

static void test_fields_cannot_pose_as_those_of_every_record(void **state) {
    (void)state;
    const tw_log_field fields[] = {
        {"time", "t"}, {"level", "l"}, {"msg", "m"}, {"pid", "7"}};
    twp_record record = record_of("m", fields, 4);
    assert_format(twp_log_format_logfmt, &record,
                  LOGFMT_HEAD "m time_=t level_=l msg_=m pid=7\n");
    assert_format(twp_log_format_json, &record,
                  JSON_HEAD "\"msg\":\"m\",\"time_\":\"t\",\"level_\":\"l\","
                            "\"msg_\":\"m\",\"pid\":7}\n");
}

static void test_of_two_fields_of_one_name_the_first_is_shown(void **state) {
    (void)state;
    const tw_log_field fields[] = {{"user", "a"}, {"user", "b"}};
    twp_record record = record_of("m", fields, 2);
    assert_format(twp_log_format_logfmt, &record,
                  LOGFMT_HEAD "m pid=42 user=a\n");
    assert_format(twp_log_format_json, &record,
                  JSON_HEAD "\"msg\":\"m\",\"pid\":42,\"user\":\"a\"}\n");
}

static void test_a_huge_value_is_cut(void **state) {
    (void)state;
    char *huge = malloc(100001);
    assert_non_null(huge);
    memset(huge, 'x', 100000);
    huge[100000] = '\0';
    twp_text out = {0};
    twp_escape_logfmt(&out, huge);
    assert_int_equal(out.len, MAX_VALUE + 3);
    assert_string_equal(out.data + MAX_VALUE, "...");
    twp_text_deinit(&out);
    free(huge);
}

static void plain_people(twp_text *out, const twp_record *record) {
    twp_log_format_people(out, record, false);
}

static void test_people_read_a_traceback_in_lines(void **state) {
    (void)state;
    const tw_log_field fields[] = {
        {"traceback", "stack:\n\tapp.lua:3: in f\x1b[2J"},
        {"kind", "an error"}};
    twp_record record = record_of("call failed", fields, 2);
    record.worker = 0;
    assert_format(plain_people, &record,
                  "03:04:05.007 INFO  [0] call failed  kind=\"an error\"\n"
                  "  traceback\n"
                  "    stack:\n"
                  "        app.lua:3: in f\\x1b[2J\n");
}

static void test_people_see_quotes_as_they_are(void **state) {
    (void)state;
    twp_record record = record_of("unknown 'x' \"y\" \\z\nand more", NULL, 0);
    assert_format(plain_people, &record,
                  "03:04:05.007 INFO  unknown 'x' \"y\" \\z\n    and more\n");
}

static void test_colour_is_an_option(void **state) {
    (void)state;
    twp_record record = record_of("m", NULL, 0);
    twp_text out = {0};
    twp_log_format_people(&out, &record, true);
    assert_non_null(strstr(out.data, "\033[32mINFO "));
    twp_text_deinit(&out);
}

/* What a log of this level and format writes for a warning. */
static void written(const char *level, const char *format, char *text,
                    size_t size) {
    int pair[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(pair), 0);
    dup2(pair[1], STDERR_FILENO);
    twp_log log;
    twp_log_init(&log, level, format);
    twp_log_write(TW_LOG_WARN, "careful", NULL, 0, &log);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pair[1]);
    ssize_t len = read(pair[0], text, size - 1);
    close(pair[0]);
    text[len > 0 ? len : 0] = '\0';
}

static void test_records_below_the_level_are_dropped(void **state) {
    (void)state;
    char text[512];
    written("error", "logfmt", text, sizeof text);
    assert_string_equal(text, "");
    written("warn", "logfmt", text, sizeof text);
    assert_non_null(strstr(text, " level=warn msg=careful pid="));
}

static void test_without_a_terminal_auto_is_logfmt(void **state) {
    (void)state;
    char text[512];
    written(NULL, NULL, text, sizeof text);
    assert_int_equal(strncmp(text, "time=20", 7), 0);
    written("info", "auto", text, sizeof text);
    assert_int_equal(strncmp(text, "time=20", 7), 0);
    written("info", "json", text, sizeof text);
    assert_int_equal(strncmp(text, "{\"time\":\"20", 11), 0);
}

/* What a pipe holds now. */
static void read_pipe(int fd, twp_text *text) {
    char buffer[16384];
    ssize_t got;
    while ((got = read(fd, buffer, sizeof buffer)) > 0) {
        twp_text_add(text, buffer, (size_t)got);
    }
}

static size_t count(const char *text, const char *what) {
    size_t times = 0;
    for (; (text = strstr(text, what)) != NULL; text++) {
        times++;
    }
    return times;
}

static void test_of_lost_records_there_is_one_that_tells(void **state) {
    (void)state;
    enum { RECORDS = 30000 };
    int pair[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe2(pair, O_NONBLOCK | O_CLOEXEC), 0);
    dup2(pair[1], STDERR_FILENO);
    close(pair[1]);
    twp_log log;
    twp_log_init(&log, "info", "logfmt");
    twp_log_unblock(&log);
    for (int i = 0; i < RECORDS; i++) {
        twp_log_write(TW_LOG_INFO, "one of many", NULL, 0, &log);
    }
    uint64_t lost = log._sink.lost;
    twp_text text = {0};
    while (twp_sink_is_waiting(&log._sink)) {
        read_pipe(pair[0], &text);
        twp_sink_flush(&log._sink);
    }
    twp_log_write(TW_LOG_INFO, "the last", NULL, 0, &log);
    read_pipe(pair[0], &text);
    twp_log_deinit(&log);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pair[0]);

    char told[64];
    snprintf(told, sizeof told, " records=%d\n", (int)lost);
    assert_true(lost > 0);
    assert_int_equal(count(text.data, "one of many"), RECORDS - lost);
    assert_int_equal(count(text.data, "\"log records were lost\""), 1);
    const char *at = strstr(text.data, told);
    assert_non_null(at);
    assert_non_null(strstr(at, "the last"));
    twp_text_deinit(&text);
}

int main(void) {
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_without_fields),
        cmocka_unit_test(test_a_workers_record_names_the_worker),
        cmocka_unit_test(test_values_are_quoted_only_where_they_must_be),
        cmocka_unit_test(test_no_control_character_gets_through),
        cmocka_unit_test(test_bytes_that_are_not_utf8_are_shown_as_such),
        cmocka_unit_test(test_characters_of_every_length_pass),
        cmocka_unit_test(test_keys_cannot_break_a_line_apart),
        cmocka_unit_test(test_fields_cannot_pose_as_those_of_every_record),
        cmocka_unit_test(test_of_two_fields_of_one_name_the_first_is_shown),
        cmocka_unit_test(test_a_huge_value_is_cut),
        cmocka_unit_test(test_people_read_a_traceback_in_lines),
        cmocka_unit_test(test_people_see_quotes_as_they_are),
        cmocka_unit_test(test_colour_is_an_option),
        cmocka_unit_test(test_records_below_the_level_are_dropped),
        cmocka_unit_test(test_without_a_terminal_auto_is_logfmt),
        cmocka_unit_test(test_of_lost_records_there_is_one_that_tells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
