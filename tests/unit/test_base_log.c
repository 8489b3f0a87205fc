/* Records for the host. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/log.h"

typedef struct seen {
    int records;
    tw_log_level level;
    char text[4096];
} seen;

static void take(tw_log_level level, const char *message,
                 const tw_log_field *fields, size_t count, void *arg) {
    seen *s = arg;
    s->records++;
    s->level = level;
    int len = snprintf(s->text, sizeof s->text, "%s", message);
    for (size_t i = 0; i < count; i++) {
        len += snprintf(s->text + len, sizeof s->text - (size_t)len, " %s=%s",
                        fields[i].key, fields[i].value);
    }
}

static void a_record_has_its_fields(void **state) {
    seen s = {0};
    tw__log log = {take, &s, TW_LOG_DEBUG};
    (void)state;
    tw__log_write(&log, TW_LOG_WARN, "worker died", "slot", "3", "signal", "9",
                  NULL);
    assert_string_equal(s.text, "worker died slot=3 signal=9");
    assert_int_equal(s.level, TW_LOG_WARN);
    tw__log_printf(&log, TW_LOG_DEBUG, "%d of %s", 3, "five");
    assert_string_equal(s.text, "3 of five");
}

static void records_below_the_level_are_not_made(void **state) {
    seen s = {0};
    tw__log log = {take, &s, TW_LOG_WARN};
    (void)state;
    tw__log_write(&log, TW_LOG_INFO, "no", NULL);
    tw__log_printf(&log, TW_LOG_DEBUG, "no");
    assert_int_equal(s.records, 0);
    tw__log_write(&log, TW_LOG_ERROR, "yes", NULL);
    assert_int_equal(s.records, 1);
}

static void without_a_host_records_vanish(void **state) {
    tw__log log = {0};
    (void)state;
    tw__log_write(&log, TW_LOG_ERROR, "x", NULL);
    tw__log_printf(NULL, TW_LOG_ERROR, "x");
}

static void long_messages_and_many_fields_are_cut(void **state) {
    seen s = {0};
    tw__log log = {take, &s, TW_LOG_DEBUG};
    (void)state;
    tw__log_printf(&log, TW_LOG_INFO, "%3000d", 1);
    assert_int_equal(strlen(s.text), 1023);
#define FIVE "k", "v", "k", "v", "k", "v", "k", "v", "k", "v"
    tw__log_write(&log, TW_LOG_INFO, "m", FIVE, FIVE, FIVE, FIVE, NULL);
    assert_int_equal(strlen(s.text), 1 + 16 * 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_has_its_fields),
        cmocka_unit_test(records_below_the_level_are_not_made),
        cmocka_unit_test(without_a_host_records_vanish),
        cmocka_unit_test(long_messages_and_many_fields_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
