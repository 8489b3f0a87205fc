/* A stream's life: calls, ends, time. The Redis is the test's.
 * SPDX-License-Identifier: MIT */
#include "redis_probe.h"

static probe p;

static const tw_redis_config plain = {.url = "redis://127.0.0.1:6379"};

static int open_with(const tw_redis_config *config,
                     const tw__redis_events *events) {
    return probe_open(&p, config, events);
}

static int set_up(void **state) {
    (void)state;
    return open_with(&plain, NULL);
}

static int tear_down(void **state) {
    (void)state;
    probe_close(&p);
    assert_int_equal(tw__alloc_live(), 0);
    return 0;
}

static void a_call_is_answered(void **state) {
    (void)state;
    probe_greet(&p);
    assert_int_equal(probe_get(&p), 0);
    redis_expect(&p, GET);
    assert_int_equal(tw__redis_stream_pending(p.stream), 1);
    redis_say(&p, "$3\r\nabc\r\n");
    assert_int_equal(p.calls, 1);
    assert_int_equal(p.status, 0);
    assert_string_equal(p.text, "abc");
    assert_int_equal(tw__redis_stream_pending(p.stream), 0);
}

static void a_call_before_the_connection_waits_for_it(void **state) {
    (void)state;
    assert_int_equal(probe_get(&p), 0);
    probe_greet(&p);
    redis_expect(&p, GET);
    redis_say(&p, "$-1\r\n");
    assert_int_equal(p.calls, 1);
    assert_int_equal(p.kind, TW_REDIS_NIL);
}

static void answers_of_a_pipeline_come_together(void **state) {
    tw_redis_command commands[] = {get_command, get_command, get_command};
    (void)state;
    probe_greet(&p);
    assert_int_equal(
        tw__redis_stream_send(p.stream, commands, 3, 0, on_answer, &p), 0);
    redis_expect(&p, GET GET GET);
    redis_say(&p, "+OK\r\n:1\r\n");
    assert_int_equal(p.calls, 0);
    redis_say(&p, "-ERR no\r\n");
    assert_int_equal(p.calls, 1);
    assert_int_equal(p.count, 3);
    assert_int_equal(p.kind, TW_REDIS_ERROR);
    assert_int_equal(p.figures[TW__REDIS_ERRORS], 1);
}

static void a_call_that_was_sent_is_not_sent_again(void **state) {
    (void)state;
    probe_greet(&p);
    assert_int_equal(probe_get(&p), 0);
    redis_expect(&p, GET);
    close(p.fd);
    p.fd = -1;
    probe_turns(&p, 3);
    assert_int_equal(p.calls, 1);
    assert_int_equal(p.status, TW_EUNAVAILABLE);
    probe_advance(&p, 200);
    redis_expect(&p, GREETING);
    redis_say(&p, "+OK\r\n");
    redis_expect(&p, "");
    assert_int_equal(p.calls, 1);
}

/* Said while the connection is gone: nobody can have seen it. */
static void a_call_that_was_not_sent_goes_to_the_next_connection(void **state) {
    (void)state;
    probe_greet(&p);
    close(p.fd);
    p.fd = -1;
    probe_turns(&p, 3);
    assert_int_equal(probe_get(&p), 0);
    probe_advance(&p, 200);
    redis_expect(&p, GREETING);
    redis_say(&p, "+OK\r\n");
    redis_expect(&p, GET);
    redis_say(&p, "+OK\r\n");
    assert_int_equal(p.calls, 1);
    assert_int_equal(p.status, 0);
}

static void while_redis_is_away_calls_fail_at_once(void **state) {
    (void)state;
    p.refuses = true;
    assert_int_equal(probe_get(&p), 0);
    probe_advance(&p, 60);
    assert_int_equal(p.status, TW_EUNAVAILABLE);
    assert_true(tw__redis_stream_is_down(p.stream));
    assert_int_equal(probe_get(&p), TW_EUNAVAILABLE);
    p.refuses = false;
    probe_advance(&p, 200);
    redis_expect(&p, GREETING);
    assert_int_equal(probe_get(&p), TW_EUNAVAILABLE);
    redis_say(&p, "+OK\r\n");
    assert_int_equal(probe_get(&p), 0);
    assert_non_null(strstr(p.logged, "Redis is unavailable redis=main "
                                     "address=127.0.0.1:6379"));
    assert_non_null(strstr(p.logged, "Redis answers"));
}

static void attempts_get_rarer(void **state) {
    (void)state;
    p.refuses = true;
    probe_advance(&p, 2000);
    assert_in_range(p.dials, 4, 8);
    probe_advance(&p, 100000);
    assert_in_range(p.dials, 12, 40);
    assert_int_equal(p.figures[TW__REDIS_FAILED], (uint64_t)p.dials);
}

static void backoff_grows_to_ten_seconds(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        assert_in_range(tw__redis_backoff_ms(0), 0, 50);
        assert_in_range(tw__redis_backoff_ms(1), 50, 100);
        assert_in_range(tw__redis_backoff_ms(4), 400, 800);
        assert_in_range(tw__redis_backoff_ms(100), 5000, 10000);
        assert_in_range(tw__redis_backoff_ms(UINT32_MAX), 5000, 10000);
    }
}

static void an_idle_connection_is_pinged(void **state) {
    (void)state;
    probe_greet(&p);
    probe_advance(&p, 900);
    redis_expect(&p, "");
    probe_advance(&p, 200);
    redis_expect(&p, PING);
    redis_say(&p, "+PONG\r\n");
    probe_advance(&p, 1200);
    redis_expect(&p, PING);
    redis_say(&p, "+PONG\r\n");
    assert_true(tw__redis_stream_is_ready(p.stream));
}

static void without_an_answer_it_is_dead_after_three_seconds(void **state) {
    (void)state;
    probe_greet(&p);
    probe_advance(&p, 1100);
    redis_expect(&p, PING);
    probe_advance(&p, 2800);
    assert_true(tw__redis_stream_is_ready(p.stream));
    probe_advance(&p, 1500);
    assert_int_equal(p.figures[TW__REDIS_BROKEN], 1);
    assert_non_null(strstr(p.logged, "no answer for too long"));
}

static void an_answer_that_is_late_is_thrown_away(void **state) {
    (void)state;
    probe_greet(&p);
    assert_int_equal(probe_get(&p), 0);
    redis_expect(&p, GET);
    probe_advance(&p, 1100);
    assert_int_equal(p.calls, 1);
    assert_int_equal(p.status, TW_ETIMEOUT);
    assert_int_equal(probe_get(&p), 0);
    redis_expect(&p, GET);
    redis_say(&p, "$5\r\nfirst\r\n$6\r\nsecond\r\n");
    assert_int_equal(p.calls, 2);
    assert_string_equal(p.text, "second");
}

/* The loop was held up, not Redis: the answer is in the socket. */
static void an_answer_that_waits_in_the_socket_is_in_time(void **state) {
    (void)state;
    probe_greet(&p);
    assert_int_equal(probe_get(&p), 0);
    redis_expect(&p, GET);
    tw__loop_advance(&p.loop, 5000);
    assert_int_equal(send(p.fd, "+OK\r\n", 5, MSG_NOSIGNAL), 5);
    while (tw__loop_is_advancing(&p.loop)) {
        tw__loop_run_once(&p.loop, 0);
    }
    assert_int_equal(p.calls, 1);
    assert_int_equal(p.status, 0);
}

static void garbage_ends_the_connection(void **state) {
    (void)state;
    probe_greet(&p);
    assert_int_equal(probe_get(&p), 0);
    redis_expect(&p, GET);
    redis_say(&p, "HTTP/1.1 200 OK\r\n");
    assert_int_equal(p.status, TW_EUNAVAILABLE);
    assert_false(tw__redis_stream_is_ready(p.stream));
    assert_non_null(strstr(p.logged, "no RESP"));
}

static void an_answer_that_nobody_asked_for_does_too(void **state) {
    (void)state;
    probe_greet(&p);
    redis_say(&p, "+OK\r\n");
    assert_false(tw__redis_stream_is_ready(p.stream));
    assert_non_null(strstr(p.logged, "what was not asked"));
}

static void half_an_answer_is_none(void **state) {
    (void)state;
    probe_greet(&p);
    assert_int_equal(probe_get(&p), 0);
    redis_expect(&p, GET);
    redis_say(&p, "$10\r\nhalf");
    close(p.fd);
    p.fd = -1;
    probe_turns(&p, 3);
    assert_int_equal(p.status, TW_EUNAVAILABLE);
}

static void too_large_an_answer_is_told_so(void **state) {
    (void)state;
    probe_greet(&p);
    assert_int_equal(probe_get(&p), 0);
    redis_expect(&p, GET);
    redis_say(&p, "$999999999\r\n");
    assert_int_equal(p.calls, 1);
    assert_int_equal(p.status, TW_ELIMIT);
    assert_false(tw__redis_stream_is_ready(p.stream));
}

static void a_full_queue_says_overloaded(void **state) {
    tw_redis_config config = plain;
    (void)state;
    probe_close(&p);
    config.max_pending = 3;
    assert_int_equal(open_with(&config, NULL), 0);
    assert_int_equal(probe_get(&p), 0);
    assert_int_equal(probe_get(&p), 0);
    assert_int_equal(probe_get(&p), 0);
    assert_int_equal(probe_get(&p), TW_EOVERLOADED);
    assert_int_equal(p.figures[TW__REDIS_REFUSED], 1);
}

static void user_and_database_are_in_the_greeting(void **state) {
    tw_redis_config config = {.url = "redis://me:p%40ss@127.0.0.1:6379/7"};
    (void)state;
    probe_close(&p);
    assert_int_equal(open_with(&config, NULL), 0);
    probe_advance(&p, 60);
    redis_expect(&p, "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$4\r\np@ss\r\n" GREETING
                     "*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n");
    redis_say(&p, "+OK\r\n-NOPERM no\r\n");
    assert_false(tw__redis_stream_is_ready(p.stream));
    redis_say(&p, "+OK\r\n");
    assert_true(tw__redis_stream_is_ready(p.stream));
}

static void a_wrong_password_is_told_without_it(void **state) {
    tw_redis_config config = {.url = "redis://:hush@127.0.0.1:6379"};
    (void)state;
    probe_close(&p);
    assert_int_equal(open_with(&config, NULL), 0);
    probe_advance(&p, 60);
    redis_say(&p, "-WRONGPASS hush is wrong\r\n-NOAUTH no\r\n");
    assert_true(tw__redis_stream_is_down(p.stream));
    assert_non_null(strstr(p.logged, "reason=AUTH: WRONGPASS"));
    assert_null(strstr(p.logged, "hush"));
}

static void a_server_that_is_loading_is_tried_again(void **state) {
    (void)state;
    probe_advance(&p, 60);
    redis_say(&p, "-LOADING Redis is loading the dataset in memory\r\n");
    assert_true(tw__redis_stream_is_down(p.stream));
    probe_advance(&p, 200);
    redis_expect(&p, GREETING);
}

static void a_greeting_has_its_time(void **state) {
    (void)state;
    assert_int_equal(probe_get(&p), 0);
    probe_advance(&p, 900);
    redis_expect(&p, GREETING);
    probe_advance(&p, 1300);
    assert_int_equal(p.status, TW_EUNAVAILABLE);
    assert_non_null(strstr(p.logged, "no connection in time"));
}

/* ---- pushes and ends ----------------------------------------------------- */

static int pushes, readies, breaks;

static void on_push(tw__redis_stream *stream, const tw_redis_value *value,
                    void *arg) {
    (void)stream;
    (void)arg;
    assert_int_equal(value->kind, TW_REDIS_ARRAY);
    pushes++;
}

static void on_ready(tw__redis_stream *stream, void *arg) {
    static const tw_str args[] = {{"SUBSCRIBE", 9}, {"a", 1}};
    tw_redis_command command = {args, 2};
    (void)arg;
    readies++;
    assert_int_equal(tw__redis_stream_write(stream, &command), 0);
}

static void on_broken(tw__redis_stream *stream, void *arg) {
    (void)stream;
    (void)arg;
    breaks++;
}

static void pushes_are_told_apart_from_answers(void **state) {
    const tw__redis_events events = {on_ready, on_broken, on_push, NULL};
    (void)state;
    pushes = readies = breaks = 0;
    probe_close(&p);
    assert_int_equal(open_with(&plain, &events), 0);
    probe_greet(&p);
    assert_int_equal(readies, 1);
    redis_expect(&p, "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n");
    redis_say(&p, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    probe_advance(&p, 1100);
    redis_expect(&p, PING);
    redis_say(&p, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n"
                  "*2\r\n$4\r\npong\r\n$0\r\n\r\n"
                  "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nho\r\n");
    assert_int_equal(pushes, 3);
    assert_true(tw__redis_stream_is_ready(p.stream));
    assert_int_equal(tw__redis_stream_pending(p.stream), 0);
    close(p.fd);
    p.fd = -1;
    probe_advance(&p, 200);
    assert_int_equal(breaks, 1);
}

static void destroy_within(int status, const tw_redis_value *values,
                           size_t count, void *arg) {
    (void)values;
    (void)count;
    p.calls++;
    p.status = status;
    tw__redis_stream_destroy(arg);
}

static void a_callback_may_destroy_the_stream(void **state) {
    (void)state;
    probe_greet(&p);
    assert_int_equal(tw__redis_stream_send(p.stream, &get_command, 1, 0,
                                           destroy_within, p.stream),
                     0);
    assert_int_equal(probe_get(&p), 0);
    redis_expect(&p, GET GET);
    assert_int_equal(send(p.fd, "+OK\r\n+OK\r\n", 10, MSG_NOSIGNAL), 10);
    probe_turns(&p, 3);
    assert_int_equal(p.calls, 2);
    assert_int_equal(p.status, TW_ECLOSED);
    p.stream = NULL;
}

static void ten_thousand_commands_go_through(void **state) {
    enum { MANY = 10000 };
    tw_redis_command *commands = calloc(MANY, sizeof *commands);
    char *heard = malloc(PROBE_MAX), *said = malloc(MANY * 8 + 1);
    (void)state;
    probe_greet(&p);
    for (int i = 0; i < MANY; i++) {
        commands[i] = get_command;
        sprintf(said + i * 8, "+%05d\r\n", i);
    }
    assert_int_equal(
        tw__redis_stream_send(p.stream, commands, MANY, 0, on_answer, &p), 0);
    size_t len = 0;
    while (len < MANY * strlen(GET)) {
        len += redis_hear(&p, heard + len, PROBE_MAX - len);
    }
    assert_int_equal(len, MANY * strlen(GET));
    redis_say_bytes(&p, said, MANY * 8);
    assert_int_equal(p.calls, 1);
    assert_int_equal(p.count, MANY);
    assert_string_equal(p.text, "09999");
    free(commands);
    free(heard);
    free(said);
}

/* ---- without memory ------------------------------------------------------ */

/* One answered call, as far as it gets. */
static void run_once(void) {
    tw_redis_config config = {.url = "redis://u:p@127.0.0.1:6379/1"};
    if (open_with(&config, NULL) != 0) {
        return;
    }
    probe_advance(&p, 60);
    if (p.fd >= 0) {
        send(p.fd, "+OK\r\n+OK\r\n+OK\r\n", 15, MSG_NOSIGNAL);
    }
    probe_turns(&p, 3);
    if (tw__redis_stream_send(p.stream, &get_command, 1, 0, on_answer, &p) ==
        0) {
        probe_turns(&p, 2);
        if (p.fd >= 0) {
            send(p.fd, "*2\r\n$1\r\na\r\n:1\r\n", 16, MSG_NOSIGNAL);
        }
        probe_advance(&p, 5000);
        assert_int_equal(p.calls, 1);
    }
}

static void every_allocation_may_fail(void **state) {
    bool has_failed = true;
    (void)state;
    probe_close(&p);
    for (size_t nth = 1; has_failed; nth++) {
        tw__alloc_fail_nth(nth);
        run_once();
        has_failed = tw__alloc_fail_nth(0) == 0;
        probe_close(&p);
        assert_int_equal(tw__alloc_live(), 0);
    }
    assert_int_equal(open_with(&plain, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(a_call_is_answered),
        CASE(a_call_before_the_connection_waits_for_it),
        CASE(answers_of_a_pipeline_come_together),
        CASE(a_call_that_was_sent_is_not_sent_again),
        CASE(a_call_that_was_not_sent_goes_to_the_next_connection),
        CASE(while_redis_is_away_calls_fail_at_once),
        CASE(attempts_get_rarer),
        CASE(backoff_grows_to_ten_seconds),
        CASE(an_idle_connection_is_pinged),
        CASE(without_an_answer_it_is_dead_after_three_seconds),
        CASE(an_answer_that_is_late_is_thrown_away),
        CASE(an_answer_that_waits_in_the_socket_is_in_time),
        CASE(garbage_ends_the_connection),
        CASE(an_answer_that_nobody_asked_for_does_too),
        CASE(half_an_answer_is_none),
        CASE(too_large_an_answer_is_told_so),
        CASE(a_full_queue_says_overloaded),
        CASE(user_and_database_are_in_the_greeting),
        CASE(a_wrong_password_is_told_without_it),
        CASE(a_server_that_is_loading_is_tried_again),
        CASE(a_greeting_has_its_time),
        CASE(pushes_are_told_apart_from_answers),
        CASE(a_callback_may_destroy_the_stream),
        CASE(ten_thousand_commands_go_through),
        CASE(every_allocation_may_fail),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
