/* Questions to a worker and their answers, and a descriptor beside a message.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "server/control.h"
#include "server/place.h"
#include "server/question.h"

static struct world {
    tw_server *server;
    tw__questions questions;
    tw_question *asked;
    unsigned asks, gone;
} world;

static void on_ask(tw_server *server, tw_question *question, void *user) {
    assert_ptr_equal(server, world.server);
    assert_ptr_equal(user, &world);
    world.asked = question;
    world.asks++;
}

static const tw_member_hooks hooks = {.ask = on_ask};

static void begin(const tw_member_hooks *of_host) {
    const char *listen = "127.0.0.1:0";
    tw_config config = {.listen = &listen, .listen_count = 1};
    memset(&world, 0, sizeof world);
    assert_int_equal(tw_server_create(&world.server, &config, NULL, 0), 0);
    tw__questions_init(&world.questions, world.server, of_host, &world);
}

static void end(void) {
    tw__questions_close(&world.questions);
    tw_server_destroy(world.server, NULL, NULL);
}

static void turn(void) {
    tw__loop_run_once(tw__server_loop(world.server), 0);
}

/* The asking end of a question that has been taken. */
static int ask(tw__question_kind kind, const char *text) {
    int pair[2];
    tw_asked asked = {.by = {"uid 1", 5},
                      .session = {"s", 1},
                      .text = {text, strlen(text)},
                      .ms = 5};
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    assert_int_equal(socketpair(AF_UNIX, type, 0, pair), 0);
    assert_int_equal(tw__question_send(pair[0], kind, &asked), 0);
    tw__questions_take(&world.questions, pair[1]);
    return pair[0];
}

/* All that comes up to the end; how long it is. Closes. */
static size_t read_answer(int fd, char *out, size_t size) {
    size_t len = 0;
    ssize_t got = 1;
    for (int turns = 0; got != 0; turns++) {
        assert_true(turns < 100000);
        turn();
        got = recv(fd, out + len, size - 1 - len, 0);
        len += got > 0 ? (size_t)got : 0;
    }
    out[len] = '\0';
    close(fd);
    return len;
}

static void assert_answer(int fd, const char *outcome, const char *text) {
    static char all[1 << 16];
    tw__answer_head head;
    size_t len = read_answer(fd, all, sizeof all);
    assert_true(len >= sizeof head);
    memcpy(&head, all, sizeof head);
    assert_string_equal(head.outcome, outcome);
    assert_int_equal(head.len, len - sizeof head);
    assert_string_equal(all + sizeof head, text);
}

static void the_host_is_asked_and_answers_later(void **state) {
    (void)state;
    begin(&hooks);
    int fd = ask(TW__ASK_CONSOLE, "1 + 1");
    assert_int_equal(world.asks, 1);
    const tw_asked *asked = tw_question_asked(world.asked);
    assert_string_equal(asked->kind.data, "console");
    assert_string_equal(asked->text.data, "1 + 1");
    assert_string_equal(asked->session.data, "s");
    assert_string_equal(asked->by.data, "uid 1");
    assert_int_equal(asked->ms, 5);
    turn();
    tw_question_answer(world.asked, "done", "2", 1);
    assert_answer(fd, "done", "2");
    assert_int_equal(world.questions.count, 0);
    end();
}

static void a_long_answer_leaves_as_it_is_read(void **state) {
    (void)state;
    enum { LEN = 3 << 20 };
    static char text[LEN], all[LEN + 100];
    memset(text, 'x', sizeof text);
    begin(&hooks);
    int fd = ask(TW__ASK_PROFILE, "");
    tw_question_answer(world.asked, "done", text, LEN);
    assert_int_equal(world.questions.count, 1); /* the kernel has not all */
    assert_int_equal(read_answer(fd, all, sizeof all),
                     LEN + sizeof(tw__answer_head));
    assert_int_equal(world.questions.count, 0);
    end();
}

static void on_gone(void *arg) {
    ((struct world *)arg)->gone++;
}

static void who_asked_may_go(void **state) {
    (void)state;
    begin(&hooks);
    int fd = ask(TW__ASK_CONSOLE, "x");
    tw_question_on_gone(world.asked, on_gone, &world);
    close(fd);
    for (int i = 0; i < 1000 && world.gone == 0; i++) {
        turn();
    }
    assert_int_equal(world.gone, 1);
    assert_int_equal(world.questions.count, 0);
    /* The worker's end is one, too. */
    fd = ask(TW__ASK_CONSOLE, "x");
    tw_question_on_gone(world.asked, on_gone, &world);
    end();
    assert_int_equal(world.gone, 2);
    close(fd);
}

static void a_host_without_answers_is_told_of(void **state) {
    (void)state;
    static const tw_member_hooks none;
    begin(&none);
    assert_answer(ask(TW__ASK_CONSOLE, "x"), "unavailable",
                  "this server has no answer to that");
    end();
}

static void the_worker_itself_tells_what_is_largest(void **state) {
    (void)state;
    begin(&hooks);
    assert_answer(ask(TW__ASK_TOP, ""), "done",
                  "\"queues\":[],\"crowds\":[],\"streams\":[],"
                  "\"walked_connections\":0,\"walked_channels\":0");
    assert_int_equal(world.asks, 0);
    /* One that is gone before its walk has ended takes the walk along. */
    close(ask(TW__ASK_TOP, ""));
    int fd = ask(TW__ASK_TOP, "");
    end();
    close(fd);
}

/* A closed end is the answer to what is no question; one that was not read
 * shows as a reset. */
static void assert_closed(int fd) {
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);
    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
    close(fd);
}

static void what_is_no_question_is_closed(void **state) {
    (void)state;
    static const tw__question_head bad[] = {
        {.kind = 0},
        {.kind = TW__ASK_KINDS},
        {.kind = TW__ASK_CONSOLE, .text_len = 10}, /* which do not follow */
        {.kind = TW__ASK_CONSOLE, .text_len = TW__QUESTION_BYTES + 1},
        {.kind = TW__ASK_CONSOLE, .by_len = UINT32_MAX},
        {.kind = TW__ASK_CONSOLE, .session_len = UINT32_MAX}};
    begin(&hooks);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        assert_int_equal(write(pair[0], &bad[i], sizeof bad[i]), sizeof bad[i]);
        tw__questions_take(&world.questions, pair[1]);
        assert_closed(pair[0]);
    }
    assert_int_equal(world.asks, 0);
    end();
}

static void no_more_than_a_worker_may_have(void **state) {
    (void)state;
    int fds[TW__QUESTIONS];
    begin(&hooks);
    for (int i = 0; i < TW__QUESTIONS; i++) {
        fds[i] = ask(TW__ASK_CONSOLE, "x");
    }
    assert_closed(ask(TW__ASK_CONSOLE, "x"));
    for (int i = 0; i < TW__QUESTIONS; i++) {
        close(fds[i]);
    }
    end();
}

/* Whichever allocation fails, the question is answered or closed, and nothing
 * of it is left. */
static void a_failed_allocation_is_an_answer(void **state) {
    (void)state;
    static const tw__question_kind kinds[] = {TW__ASK_CONSOLE, TW__ASK_TOP};
    static char all[1 << 16];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        bool has_failed = true;
        for (size_t n = 1; has_failed; n++) {
            begin(&hooks);
            tw__alloc_fail_nth(n);
            int fd = ask(kinds[i], "x");
            if (world.asked != NULL) {
                tw_question_answer(world.asked, "done", "1", 1);
            }
            read_answer(fd, all, sizeof all);
            has_failed = tw__alloc_fail_nth(0) == 0;
            assert_int_equal(world.questions.count, 0);
            end();
        }
    }
}

static void a_descriptor_comes_along_once(void **state) {
    (void)state;
    int control[2], pair[2], passed = -2;
    tw__control_msg msg = {.kind = TW__CONTROL_ASK, .id = 7}, got;
    assert_int_equal(tw__control_pair(control), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(tw__control_send_fd(control[0], &msg, pair[1]), 0);
    close(pair[1]);
    assert_int_equal(tw__control_recv_fd(control[1], &got, &passed), 0);
    assert_int_equal(got.kind, TW__CONTROL_ASK);
    assert_int_equal(got.id, 7);
    assert_true(passed >= 0);
    assert_int_equal(write(passed, "x", 1), 1);
    close(passed);
    char byte;
    assert_int_equal(read(pair[0], &byte, 1), 1);
    assert_int_equal(read(pair[0], &byte, 1), 0);
    /* One that nobody takes is closed, and so is one beside rubbish. */
    int more[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, more), 0);
    assert_int_equal(tw__control_send_fd(control[0], &msg, more[1]), 0);
    close(more[1]);
    assert_int_equal(tw__control_recv(control[1], &got), 0);
    assert_int_equal(read(more[0], &byte, 1), 0);
    assert_int_equal(tw__control_send(control[0], &msg), 0);
    assert_int_equal(tw__control_recv_fd(control[1], &got, &passed), 0);
    assert_int_equal(passed, -1);
    msg.kind = TW__CONTROL_KINDS;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(tw__control_send_fd(control[0], &msg, pair[1]), 0);
    close(pair[1]);
    assert_int_equal(tw__control_recv_fd(control[1], &got, &passed),
                     TW_EINVALID);
    assert_int_equal(passed, -1);
    assert_int_equal(read(pair[0], &byte, 1), 0);
    close(pair[0]);
    close(more[0]);
    close(control[0]);
    close(control[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_is_asked_and_answers_later),
        cmocka_unit_test(a_long_answer_leaves_as_it_is_read),
        cmocka_unit_test(who_asked_may_go),
        cmocka_unit_test(a_host_without_answers_is_told_of),
        cmocka_unit_test(the_worker_itself_tells_what_is_largest),
        cmocka_unit_test(what_is_no_question_is_closed),
        cmocka_unit_test(no_more_than_a_worker_may_have),
        cmocka_unit_test(a_failed_allocation_is_an_answer),
        cmocka_unit_test(a_descriptor_comes_along_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
