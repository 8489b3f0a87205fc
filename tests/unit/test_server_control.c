/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/control.h"

static void a_message_arrives_as_it_was_sent(void **state) {
    (void)state;
    int fds[2];
    assert_int_equal(tw__control_pair(fds), 0);
    tw__control_msg sent = {.kind = TW__CONTROL_RESULT,
                            .status = TW_EINVALID,
                            .generation = 7,
                            .flag = 1,
                            .id = UINT64_MAX};
    tw__control_set_text(&sent, "app.lua:3: broken");
    assert_int_equal(tw__control_send(fds[0], &sent), 0);
    tw__control_msg got;
    memset(&got, 0xff, sizeof got);
    assert_int_equal(tw__control_recv(fds[1], &got), 0);
    assert_int_equal(got.kind, sent.kind);
    assert_int_equal(got.status, sent.status);
    assert_int_equal(got.generation, 7);
    assert_int_equal(got.flag, 1);
    assert_true(got.id == UINT64_MAX);
    assert_string_equal(got.text, sent.text);
    close(fds[0]);
    close(fds[1]);
}

static void a_report_of_full_length_fits(void **state) {
    (void)state;
    int fds[2];
    char report[TW_REPORT_MAX + 100];
    memset(report, 'x', sizeof report - 1);
    report[sizeof report - 1] = '\0';
    assert_int_equal(tw__control_pair(fds), 0);
    tw__control_msg msg = {.kind = TW__CONTROL_LOADED};
    tw__control_set_text(&msg, report);
    assert_int_equal(tw__control_send(fds[0], &msg), 0);
    assert_int_equal(tw__control_recv(fds[1], &msg), 0);
    assert_int_equal(strlen(msg.text), TW_REPORT_MAX - 1);
    close(fds[0]);
    close(fds[1]);
}

static void what_was_said_before_the_end_is_heard(void **state) {
    (void)state;
    int fds[2];
    assert_int_equal(tw__control_pair(fds), 0);
    tw__control_msg msg;
    assert_int_equal(tw__control_recv(fds[1], &msg), TW_EUNAVAILABLE);
    assert_int_equal(tw__control_send_kind(fds[0], TW__CONTROL_DRAIN), 0);
    close(fds[0]);
    assert_int_equal(tw__control_recv(fds[1], &msg), 0);
    assert_int_equal(msg.kind, TW__CONTROL_DRAIN);
    assert_int_equal(tw__control_recv(fds[1], &msg), TW_ECLOSED);
    assert_int_equal(tw__control_send_kind(fds[1], TW__CONTROL_DRAIN),
                     TW_ECLOSED);
    close(fds[1]);
}

static void an_end_with_unread_messages_is_an_end(void **state) {
    (void)state;
    int fds[2];
    assert_int_equal(tw__control_pair(fds), 0);
    tw__control_msg msg;
    assert_int_equal(tw__control_send_kind(fds[0], TW__CONTROL_DRAIN), 0);
    close(fds[1]);
    assert_int_equal(tw__control_recv(fds[0], &msg), TW_ECLOSED);
    close(fds[0]);
    assert_int_equal(tw__control_send_kind(-1, TW__CONTROL_DRAIN), TW_ECLOSED);
}

static void one_that_does_not_read_is_told_apart(void **state) {
    (void)state;
    int fds[2], error = 0;
    assert_int_equal(tw__control_pair(fds), 0);
    for (int i = 0; i < 100000 && error == 0; i++) {
        error = tw__control_send_kind(fds[0], TW__CONTROL_DRAIN);
    }
    assert_int_equal(error, TW_EOVERLOADED);
    close(fds[0]);
    close(fds[1]);
}

static void what_is_no_message_is_refused_and_skipped(void **state) {
    (void)state;
    int fds[2];
    tw__control_msg msg = {.kind = TW__CONTROL_KINDS};
    assert_int_equal(tw__control_pair(fds), 0);
    assert_int_equal(send(fds[0], "x", 1, 0), 1);
    assert_int_equal(tw__control_send(fds[0], &msg), 0);
    msg.kind = TW__CONTROL_DRAIN;
    memset(msg.text, 'x', sizeof msg.text); /* no end of the text */
    assert_int_equal(send(fds[0], &msg, sizeof msg, 0), sizeof msg);
    assert_int_equal(tw__control_send_kind(fds[0], TW__CONTROL_DRAIN), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tw__control_recv(fds[1], &msg), TW_EINVALID);
    }
    assert_int_equal(tw__control_recv(fds[1], &msg), 0);
    close(fds[0]);
    close(fds[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_arrives_as_it_was_sent),
        cmocka_unit_test(a_report_of_full_length_fits),
        cmocka_unit_test(what_was_said_before_the_end_is_heard),
        cmocka_unit_test(an_end_with_unread_messages_is_an_end),
        cmocka_unit_test(one_that_does_not_read_is_told_apart),
        cmocka_unit_test(what_is_no_message_is_refused_and_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
