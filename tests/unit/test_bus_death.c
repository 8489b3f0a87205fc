/* Members that end and come back; streams that break; strangers on the socket.
 * SPDX-License-Identifier: MIT */
#include <sys/socket.h>

#include "test_bus_world.h"

enum { AWAY_MS = 2000 }; /* the default */

static void a_home_that_comes_back_is_told_everything_again(void **state) {
    (void)state;
    world *w = world_of(2);
    char a[64], b[64], c[64];
    snprintf(a, sizeof a, "%s", name_at(w, 1, 0));
    snprintf(b, sizeof b, "%s", name_at(w, 1, 1));
    snprintf(c, sizeof c, "%s", name_at(w, 0, 2)); /* of another home */
    member *far = &w->members[0], *home = &w->members[1];
    subscribe(far, a);
    subscribe(far, b);
    subscribe(far, c);
    set_count(far, a, 5);
    drop(far, b);
    UNTIL(w, is_quiet(w));
    journal_clear(far);
    stop(home);
    start(w, 1);
    UNTIL(w, far->gaps == 1);
    assert_int_equal(tw__bus_get_stats(home->bus)->home_channels, 1);
    assert_int_equal(count_of(home, a), 5);
    assert_int_equal(publish(home, a, "new"), 0);
    UNTIL(w, far->publications == 1);
    char expected[300];
    snprintf(expected, sizeof expected, "gap %s 0\npub %s new\n", a, a);
    assert_string_equal(journal_of(far), expected);
    world_destroy(w);
}

static void questions_that_wait_are_answered_by_the_replacement(void **state) {
    (void)state;
    world *w = world_of(2);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0], *home = &w->members[1];
    stop(home);
    interest(far, a);
    set_count(far, a, 4);
    assert_int_equal(try_count(far, a), 0);
    world_pass(w, AWAY_MS - WORLD_TICK_MS);
    assert_int_equal(far->answers, 0);
    start(w, 1);
    UNTIL(w, far->answers == 2);
    assert_int_equal(far->confirms, 1);
    assert_int_equal(far->last_count, 4);
    assert_int_equal(far->gaps, 0);
    world_destroy(w);
}

static void publications_wait_for_a_home_that_is_away(void **state) {
    (void)state;
    enum { COUNT = 200 };
    world *w = world_create(2, 0);
    w->config.away_ms = NEVER_MS;
    start(w, 0);
    start(w, 1);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0], *home = &w->members[1];
    assert_int_equal(publish(far, a, "first"), 0);
    UNTIL(w, tw__bus_get_stats(home->bus)->sequenced == 1);
    stop(home);
    for (int i = 0; i < COUNT; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        assert_int_equal(publish(far, a, text), 0);
        tw__loop_run_once(&w->loop, 0);
    }
    start(w, 1);
    interest(home, a);
    UNTIL(w, home->publications == COUNT);
    char last[100];
    snprintf(last, sizeof last, "pub %s %d\n", a, COUNT - 1);
    assert_string_equal(journal_of(home) + home->journal_len - strlen(last),
                        last);
    assert_int_equal(far->lost, 0);
    world_destroy(w);
}

static void after_too_long_they_are_lost_and_refused(void **state) {
    (void)state;
    world *w = world_of(2);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0], *home = &w->members[1];
    subscribe(far, a);
    assert_int_equal(tw__bus_get_stats(far->bus)->link_connects, 1);
    journal_clear(far);
    world_pass(w, 0);
    stop(home);
    assert_int_equal(publish(far, a, "1"), 0);
    assert_int_equal(publish(far, a, "2"), 0);
    assert_int_equal(try_count(far, a), 0);
    world_pass(w, AWAY_MS - 1);
    assert_int_equal(far->lost, 0);
    world_pass(w, 1);
    char expected[300];
    snprintf(expected, sizeof expected,
             "lost %s unavailable\nlost %s unavailable\nunavailable count\n", a,
             a);
    assert_string_equal(journal_of(far), expected);
    assert_int_equal(publish(far, a, "3"), TW_EUNAVAILABLE);
    assert_int_equal(try_count(far, a), TW_EUNAVAILABLE);
    start(w, 1);
    UNTIL(w, far->gaps == 1);
    assert_int_equal(publish(far, a, "4"), 0);
    UNTIL(w, far->publications == 1);
    assert_int_equal(tw__bus_get_stats(far->bus)->publications_lost, 2);
    world_destroy(w);
}

static void a_home_that_never_came_is_away_too(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    start(w, 0);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0];
    assert_int_equal(publish(far, a, "1"), 0);
    world_pass(w, AWAY_MS - 1);
    assert_int_equal(far->lost, 0);
    assert_int_equal(publish(far, a, "not too late"), 0);
    world_pass(w, 1);
    assert_int_equal(far->lost, 2);
    assert_int_equal(publish(far, a, "2"), TW_EUNAVAILABLE);
    start(w, 1);
    UNTIL(w, publish(far, a, "3") == 0);
    world_destroy(w);
}

static void a_member_that_ends_takes_its_interests_along(void **state) {
    (void)state;
    world *w = world_of(3);
    const char *a = name_at(w, 2, 0);
    member *home = &w->members[2];
    for (int i = 0; i < 2; i++) {
        subscribe(&w->members[i], a);
        set_count(&w->members[i], a, 10);
    }
    UNTIL(w, is_quiet(w));
    assert_int_equal(count_of(home, a), 20);
    stop(&w->members[0]);
    UNTIL(w, count_of(home, a) == 10);
    start(w, 0);
    subscribe(&w->members[0], a);
    assert_int_equal(publish(home, a, "x"), 0);
    UNTIL(w, w->members[0].publications == 1);
    UNTIL(w, w->members[1].publications == 1);
    assert_int_equal(count_of(home, a), 10);
    world_destroy(w);
}

/* The replacement asks for the same channel, with deliveries for the old one
 * still queued: none of them may reach it. */
static void a_replacement_does_not_get_what_was_its_predecessors(void **state) {
    (void)state;
    world *w = world_of(2);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0], *home = &w->members[1];
    for (int round = 0; round < 20; round++) {
        subscribe(far, a);
        for (int i = 0; i < 3000; i++) {
            assert_int_equal(publish(home, a, "old"), 0);
        }
        tw__loop_run_once(&w->loop, 0);
        stop(far);
        far->journal_len = 0;
        start(w, 0);
        far->publications = 0;
        interest(far, a);
        unsigned confirms = far->confirms;
        UNTIL(w, far->confirms > confirms);
        assert_memory_equal(journal_of(far), "confirm", 7);
        journal_clear(far);
        assert_int_equal(publish(home, a, "new"), 0);
        UNTIL(w, strstr(journal_of(far), "new") != NULL);
        drop(far, a);
    }
    world_destroy(w);
}

static void a_member_may_end_while_it_is_called(void **state) {
    (void)state;
    world *w = world_of(3);
    for (int round = 0; round < 30; round++) {
        member *m = &w->members[round % 3];
        for (int i = 0; i < 6; i++) {
            interest(m, name_at(w, (uint16_t)(i % 3), 100 * round + i));
            assert_int_equal(publish(m, name_at(w, (uint16_t)(i % 3), i), "x"),
                             0);
        }
        for (int i = 0; i < round % 7; i++) {
            tw__loop_run_once(&w->loop, 0);
        }
        stop(&w->members[(round + 1) % 3]);
        start(w, (uint16_t)((round + 1) % 3));
    }
    /* Everything works afterwards. */
    for (uint16_t i = 0; i < 3; i++) {
        member *m = &w->members[i];
        m->publications = 0;
        subscribe(m, name_at(w, (uint16_t)((i + 1) % 3), 9999));
        assert_int_equal(
            publish(m, name_at(w, (uint16_t)((i + 1) % 3), 9999), "x"), 0);
        UNTIL(w, m->publications == 1);
    }
    world_destroy(w);
}

/* A stranger that speaks the protocol by hand. */

static int stranger_connects(const world *w, uint16_t to) {
    char text[128];
    tw__address address;
    int fd;
    member_path(w, to, text, sizeof text);
    assert_int_equal(tw__address_parse(&address, text), 0);
    assert_int_equal(tw__socket_connect(&address, &fd), 0);
    return fd;
}

static void stranger_sends(int fd, const tw__record *record) {
    uint8_t bytes[600];
    assert_true(tw__record_size(record) <= sizeof bytes);
    tw__record_write(bytes, record);
    size_t size = tw__record_size(record);
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

static tw__record hello_of(uint16_t slot, uint32_t incarnation) {
    return (tw__record){
        .type = TW__RECORD_HELLO,
        .header = {.origin = {7, incarnation, slot}, .offset = 1}};
}

static tw__record about(enum tw__record_type type, const char *name) {
    return (tw__record){.type = (uint8_t)type,
                        .channel = name,
                        .channel_len = (uint8_t)strlen(name),
                        .token = 1,
                        .header.offset = 1};
}

static bool has_ended(int fd) {
    char byte[256];
    ssize_t len = recv(fd, byte, sizeof byte, 0);
    return len == 0 || (len < 0 && errno != EAGAIN);
}

static void a_greeting_is_answered(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    member *home = start(w, 1);
    int fd = stranger_connects(w, 1);
    tw__record record = hello_of(0, 1);
    uint8_t bytes[100];
    ssize_t len = -1;
    size_t taken;
    stranger_sends(fd, &record);
    UNTIL(w, (len = recv(fd, bytes, sizeof bytes, 0)) > 0);
    assert_int_equal(tw__record_parse(bytes, (size_t)len, &record, &taken), 0);
    assert_int_equal(taken, len);
    assert_int_equal(record.type, TW__RECORD_HELLO_ACK);
    assert_int_equal(record.header.origin.node, 7);
    assert_int_equal(record.header.origin.slot, 1);
    assert_int_equal(record.header.origin.incarnation, home->incarnation);
    close(fd);
    world_destroy(w);
}

static void records_may_come_in_single_bytes(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    member *home = start(w, 1);
    const char *a = name_at(w, 1, 0);
    subscribe(home, a);
    int fd = stranger_connects(w, 1);
    tw__record records[] = {hello_of(0, 1), about(TW__RECORD_INTEREST, a),
                            about(TW__RECORD_PUBLISH, a)};
    uint8_t bytes[600];
    size_t len = 0;
    records[1].header.offset = 8;
    records[2].data = (const uint8_t *)"text";
    records[2].len = 4;
    for (int i = 0; i < 3; i++) {
        tw__record_write(bytes + len, &records[i]);
        len += tw__record_size(&records[i]);
    }
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(send(fd, bytes + i, 1, MSG_NOSIGNAL), 1);
        tw__loop_run_once(&w->loop, 0);
    }
    UNTIL(w, home->publications == 1);
    assert_int_equal(count_of(home, a), 8);
    close(fd);
    world_destroy(w);
}

static void an_unknown_type_is_skipped_and_counted(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    member *home = start(w, 1);
    const char *a = name_at(w, 1, 0);
    subscribe(home, a);
    int fd = stranger_connects(w, 1);
    tw__record record = hello_of(0, 1);
    stranger_sends(fd, &record);
    record = about(77, "whatever");
    stranger_sends(fd, &record);
    record = about(TW__RECORD_PUBLISH, a);
    stranger_sends(fd, &record);
    UNTIL(w, home->publications == 1);
    assert_int_equal(tw__bus_get_stats(home->bus)->link_unknown_records, 1);
    assert_int_equal(tw__bus_get_stats(home->bus)->link_protocol_errors, 0);
    close(fd);
    world_destroy(w);
}

static void a_wrong_beginning_ends_the_stream(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    member *home = start(w, 1);
    const char *a = name_at(w, 1, 0);
    tw__record wrong[7] = {about(TW__RECORD_PUBLISH, a), /* no greeting */
                           hello_of(1, 1),               /* the home itself */
                           hello_of(2 + TW__BUS_EXTRA_MEMBERS, 1), /* nobody */
                           hello_of(0, 1),
                           hello_of(0, 1),
                           hello_of(0, 1)};
    wrong[3].header.origin.node = 8;
    wrong[4].header.offset = 0;
    wrong[5].type = TW__RECORD_HELLO_ACK;
    for (uint64_t i = 0; i < 6; i++) {
        int fd = stranger_connects(w, 1);
        stranger_sends(fd, &wrong[i]);
        UNTIL(w, has_ended(fd));
        close(fd);
        assert_int_equal(tw__bus_get_stats(home->bus)->link_protocol_errors,
                         i + 1);
    }
    world_destroy(w);
}

static void malformed_records_end_only_their_stream(void **state) {
    (void)state;
    world *w = world_of(3);
    const char *a = name_at(w, 1, 0);
    member *home = &w->members[1], *far = &w->members[2];
    subscribe(far, a);
    static const uint8_t malformed[][8] = {{0, 0, 0, 0, 2},
                                           {71, 0, 0, 0, 2},
                                           {255, 255, 255, 255, 2},
                                           {72, 0, 0, 0, 1}};
    for (uint64_t i = 0; i < 4; i++) {
        int fd = stranger_connects(w, 1);
        tw__record hello = hello_of(0, 10);
        tw__record mine = about(TW__RECORD_INTEREST, a);
        mine.header.offset = 5;
        stranger_sends(fd, &hello);
        stranger_sends(fd, &mine);
        UNTIL(w, count_of(home, a) == 5);
        assert_int_equal(send(fd, malformed[i], 8, MSG_NOSIGNAL), 8);
        UNTIL(w, has_ended(fd));
        close(fd);
        assert_int_equal(count_of(home, a), 0);
        assert_int_equal(tw__bus_get_stats(home->bus)->link_protocol_errors,
                         i + 1);
    }
    assert_int_equal(publish(home, a, "x"), 0);
    UNTIL(w, far->publications == 1);
    world_destroy(w);
}

static void an_interest_at_the_wrong_home_ends_the_stream(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    member *home = start(w, 1);
    int fd = stranger_connects(w, 1);
    tw__record record = hello_of(0, 1);
    stranger_sends(fd, &record);
    record = about(TW__RECORD_INTEREST, name_at(w, 0, 0));
    stranger_sends(fd, &record);
    UNTIL(w, has_ended(fd));
    close(fd);
    assert_int_equal(tw__bus_get_stats(home->bus)->link_protocol_errors, 1);
    assert_int_equal(tw__bus_get_stats(home->bus)->home_channels, 0);
    world_destroy(w);
}

static void random_bytes_end_in_nothing_but_resets(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    member *home = start(w, 1);
    const char *a = name_at(w, 1, 0);
    srand(99);
    for (int round = 0; round < 300; round++) {
        int fd = stranger_connects(w, 1);
        tw__record record = hello_of(0, 1);
        stranger_sends(fd, &record);
        for (int i = 0; i < 10; i++) {
            uint8_t bytes[200];
            record = about((enum tw__record_type)(1 + rand() % 28), a);
            tw__record_write(bytes, &record);
            size_t size = tw__record_size(&record);
            for (int k = rand() % 3; k > 0; k--) {
                bytes[4 + (size_t)rand() % (size - 4)] ^= (uint8_t)rand();
            }
            (void)!send(fd, bytes, size, MSG_NOSIGNAL);
        }
        tw__loop_run_once(&w->loop, 0);
        close(fd);
    }
    interest(home, a); /* an older one may still be counted */
    assert_int_equal(publish(home, a, "x"), 0);
    UNTIL(w, strstr(journal_of(home), " x\n") != NULL);
    world_destroy(w);
}

/* What a dead member left in the accept queue does not bring it back. */
static void an_older_incarnation_is_not_let_in(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    member *home = start(w, 1);
    const char *a = name_at(w, 1, 0);
    int young = stranger_connects(w, 1), old = stranger_connects(w, 1);
    tw__record hello = hello_of(0, 6);
    tw__record mine = about(TW__RECORD_INTEREST, a);
    mine.header.offset = 3;
    stranger_sends(young, &hello);
    stranger_sends(young, &mine);
    UNTIL(w, count_of(home, a) == 3);
    hello = hello_of(0, 5);
    mine.header.offset = 100;
    stranger_sends(old, &hello);
    stranger_sends(old, &mine);
    UNTIL(w, has_ended(old));
    assert_int_equal(count_of(home, a), 3);
    hello = hello_of(0, 7);
    int youngest = stranger_connects(w, 1);
    stranger_sends(youngest, &hello);
    UNTIL(w, has_ended(young));
    assert_int_equal(count_of(home, a), 0);
    close(old);
    close(young);
    close(youngest);
    world_destroy(w);
}

/* The same incarnation with another stream: the old one is read to its end
 * before anything of the new one counts. */
static void a_second_stream_follows_the_first(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    member *home = start(w, 1);
    char a[64], b[64];
    snprintf(a, sizeof a, "%s", name_at(w, 1, 0));
    snprintf(b, sizeof b, "%s", name_at(w, 1, 1));
    subscribe(home, a);
    int first = stranger_connects(w, 1);
    tw__record record = hello_of(0, 1);
    stranger_sends(first, &record);
    record = about(TW__RECORD_INTEREST, b);
    stranger_sends(first, &record);
    UNTIL(w, count_of(home, b) == 1);
    int second = stranger_connects(w, 1);
    for (int i = 0; i < 3; i++) {
        tw__loop_run_once(&w->loop, 0); /* accepted, and ready before the */
    }                                   /* first stream is again */
    record = hello_of(0, 1);
    record.header.offset = 2;
    stranger_sends(second, &record);
    record = about(TW__RECORD_PUBLISH, a);
    record.data = (const uint8_t *)"second";
    record.len = 6;
    stranger_sends(second, &record);
    record.data = (const uint8_t *)"first";
    record.len = 5;
    for (int i = 0; i < 100; i++) {
        stranger_sends(first, &record);
    }
    close(first);
    UNTIL(w, home->publications == 101);
    const char *last = strstr(journal_of(home), "second");
    assert_non_null(last);
    assert_string_equal(last, "second\n");
    assert_int_equal(count_of(home, b), 0);
    close(second);
    world_destroy(w);
}

/* A home played by hand: it greets and is greeted. */
typedef struct puppet {
    world *w;
    int in, out; /* the stream from and to the member under test */
    tw__bytes received;
} puppet;

static void puppet_accepts(puppet *p, uint16_t slot, uint32_t incarnation) {
    tw__record ack = hello_of(slot, incarnation);
    ack.type = TW__RECORD_HELLO_ACK;
    UNTIL(p->w, (p->in = tw__socket_accept(p->w->members[slot].listen_fd,
                                           NULL)) >= 0);
    tw__bytes_deinit(&p->received);
    stranger_sends(p->in, &ack);
}

/* The next record of the wanted type, or whatever comes when it is 0. */
static tw__record puppet_receives(puppet *p, enum tw__record_type type) {
    for (;;) {
        tw__record record;
        size_t taken = 0;
        assert_int_equal(tw__record_parse(tw__bytes_data(&p->received),
                                          tw__bytes_len(&p->received), &record,
                                          &taken),
                         0);
        if (taken != 0) {
            tw__bytes_consume(&p->received, taken); /* the bytes stay */
            if (record.type == type) {
                return record;
            }
            continue;
        }
        uint8_t bytes[4096];
        ssize_t len = -1;
        UNTIL(p->w, (len = recv(p->in, bytes, sizeof bytes, 0)) > 0);
        assert_int_equal(tw__bytes_append(&p->received, bytes, (size_t)len), 0);
    }
}

static void puppet_answers(puppet *p, enum tw__record_type type,
                           const char *name, uint64_t token, uint64_t number) {
    tw__record record = about(type, name);
    record.token = token;
    record.header.offset = number;
    stranger_sends(p->out, &record);
}

static void only_the_newest_request_can_be_confirmed(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    member *far = start(w, 0);
    const char *a = name_at(w, 1, 0);
    puppet p = {.w = w};
    interest(far, a);
    puppet_accepts(&p, 1, 1);
    p.out = stranger_connects(w, 0);
    tw__record hello = hello_of(1, 1);
    stranger_sends(p.out, &hello);
    uint64_t token = puppet_receives(&p, TW__RECORD_INTEREST).token;
    puppet_answers(&p, TW__RECORD_DELIVER, a, 0, 0);         /* too early */
    puppet_answers(&p, TW__RECORD_CONFIRM, a, token - 1, 0); /* not asked */
    puppet_answers(&p, TW__RECORD_CONFIRM, "other", token, 0);
    puppet_answers(&p, TW__RECORD_GAP, a, 0, 3); /* too early */
    puppet_answers(&p, TW__RECORD_CONFIRM, a, token, 17);
    puppet_answers(&p, TW__RECORD_CONFIRM, a, token, 17); /* again */
    puppet_answers(&p, TW__RECORD_DELIVER, a, 0, 18);
    puppet_answers(&p, TW__RECORD_GAP, a, 0, 3);
    UNTIL(w, far->gaps == 1);
    char expected[300];
    snprintf(expected, sizeof expected, "confirm %s\npub %s \ngap %s 3\n", a, a,
             a);
    assert_string_equal(journal_of(far), expected);
    close(p.in);
    close(p.out);
    tw__bytes_deinit(&p.received);
    world_destroy(w);
}

/* The home's stream broke while the member's did not: gaps are told, and what
 * was not confirmed is asked for again. */
static void a_broken_stream_of_the_home_is_suspected(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    member *far = start(w, 0);
    char a[64], b[64];
    snprintf(a, sizeof a, "%s", name_at(w, 1, 0));
    snprintf(b, sizeof b, "%s", name_at(w, 1, 1));
    puppet p = {.w = w};
    interest(far, a);
    puppet_accepts(&p, 1, 1);
    uint64_t token = puppet_receives(&p, TW__RECORD_INTEREST).token;
    p.out = stranger_connects(w, 0);
    tw__record hello = hello_of(1, 1);
    stranger_sends(p.out, &hello);
    puppet_answers(&p, TW__RECORD_CONFIRM, a, token, 0);
    UNTIL(w, far->confirms == 1);
    interest(far, b);
    assert_int_equal(try_count(far, b), 0);
    uint64_t lost_token = puppet_receives(&p, TW__RECORD_INTEREST).token;
    uint64_t question = puppet_receives(&p, TW__RECORD_COUNT_REQUEST).token;
    close(p.out);
    p.out = stranger_connects(w, 0);
    hello.header.offset = 2;
    stranger_sends(p.out, &hello);
    token = puppet_receives(&p, TW__RECORD_INTEREST).token;
    assert_true(token > lost_token);
    assert_int_equal(puppet_receives(&p, TW__RECORD_COUNT_REQUEST).token,
                     question);
    puppet_answers(&p, TW__RECORD_CONFIRM, b, lost_token, 0);
    puppet_answers(&p, TW__RECORD_CONFIRM, b, token, 0);
    puppet_answers(&p, TW__RECORD_REPLY, "", question, 12);
    UNTIL(w, far->answers == 3);
    char expected[300];
    snprintf(expected, sizeof expected,
             "confirm %s\ngap %s 0\nconfirm %s\ncount 12\n", a, a, b);
    assert_string_equal(journal_of(far), expected);
    close(p.in);
    close(p.out);
    tw__bytes_deinit(&p.received);
    world_destroy(w);
}

static char to_be_dropped[64];

static void drop_the_other(member *m) {
    drop(m, to_be_dropped);
}

/* The home may know of an interest that was to be asked for again: dropping it
 * then must be told. */
static void an_interest_in_doubt_is_dropped_at_the_home(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    member *far = start(w, 0);
    char a[64];
    snprintf(to_be_dropped, sizeof to_be_dropped, "%s", name_at(w, 1, 1));
    snprintf(a, sizeof a, "%s", name_at(w, 1, 0));
    puppet p = {.w = w};
    interest(far, to_be_dropped);
    interest(far, a);
    puppet_accepts(&p, 1, 1);
    puppet_receives(&p, TW__RECORD_INTEREST);
    uint64_t token = puppet_receives(&p, TW__RECORD_INTEREST).token;
    p.out = stranger_connects(w, 0);
    tw__record hello = hello_of(1, 1);
    stranger_sends(p.out, &hello);
    puppet_answers(&p, TW__RECORD_CONFIRM, a, token, 0);
    UNTIL(w, far->confirms == 1);
    close(p.out);
    far->on_gap = drop_the_other;
    p.out = stranger_connects(w, 0);
    hello.header.offset = 2;
    stranger_sends(p.out, &hello);
    tw__record record = puppet_receives(&p, TW__RECORD_DROP);
    assert_int_equal(record.channel_len, strlen(to_be_dropped));
    assert_memory_equal(record.channel, to_be_dropped, record.channel_len);
    close(p.in);
    close(p.out);
    tw__bytes_deinit(&p.received);
    world_destroy(w);
}

/* What had left only in part is sent again, whole; what the home may have seen
 * is not. */
static void what_had_not_left_whole_is_sent_again(void **state) {
    (void)state;
    enum { COUNT = 40, SIZE = 20000 };
    world *w = world_create(2, 0);
    w->config.away_ms = NEVER_MS;
    member *far = start(w, 0);
    const char *a = name_at(w, 1, 0);
    char *data = calloc(1, SIZE);
    assert_non_null(data);
    puppet p = {.w = w, .out = -1};
    for (int i = 0; i < COUNT; i++) {
        snprintf(data, SIZE, "%d", i);
        assert_int_equal(publish_bytes(far, a, data, SIZE), 0);
    }
    free(data);
    puppet_accepts(&p, 1, 1);
    UNTIL(w, tw__bus_get_stats(far->bus)->link_bytes_sent > 100000);
    for (int i = 0; i < 3; i++) {
        tw__loop_run_once(&w->loop, 0); /* the socket is full now */
    }
    uint64_t records = tw__bus_get_stats(far->bus)->link_records_sent;
    assert_true(records > 2 && records < COUNT);
    close(p.in);
    puppet_accepts(&p, 1, 2);
    for (uint64_t i = records - 1; i < COUNT; i++) { /* less the greeting */
        tw__record record = puppet_receives(&p, TW__RECORD_PUBLISH);
        assert_int_equal(record.len, SIZE);
        assert_int_equal(atoi((const char *)record.data), i);
    }
    UNTIL(w, tw__bus_is_idle(far->bus));
    assert_int_equal(far->lost, 0);
    close(p.in);
    tw__bytes_deinit(&p.received);
    world_destroy(w);
}

/* A home that reads nothing, while interests are dropped: the stream is given
 * up though it is full, and the next one begins with what there is. */
static void a_full_stream_can_be_given_up(void **state) {
    (void)state;
    enum { COUNT = 100, SIZE = 20000 };
    static const char data[SIZE];
    world *w = world_create(2, 0);
    w->config.control_budget_bytes = 2 * COUNT * TW__RECORD_HEADER;
    w->config.away_ms = NEVER_MS;
    member *far = start(w, 0);
    char kept[64];
    snprintf(kept, sizeof kept, "%s", name_at(w, 1, 3 * COUNT));
    puppet p = {.w = w, .out = -1};
    interest(far, kept);
    puppet_accepts(&p, 1, 1);
    int unread = p.in;
    for (int i = 0; i < 3 * COUNT; i++) {
        interest(far, name_at(w, 1, i));
        if (i % 20 == 0) {
            tw__loop_run_once(&w->loop, 0); /* all are told */
        }
    }
    for (int i = 0; i < 30; i++) {
        assert_int_equal(publish_bytes(far, kept, data, SIZE), 0);
    }
    for (int i = 0; i < 3; i++) {
        tw__loop_run_once(&w->loop, 0); /* the socket is full now */
    }
    assert_false(tw__bus_is_idle(far->bus));
    for (int i = 0; i < 3 * COUNT; i++) {
        drop(far, name_at(w, 1, i));
    }
    assert_int_equal(tw__bus_get_stats(far->bus)->link_resets, 1);
    puppet_accepts(&p, 1, 1);
    tw__record record = puppet_receives(&p, TW__RECORD_INTEREST);
    assert_int_equal(record.channel_len, strlen(kept));
    assert_memory_equal(record.channel, kept, strlen(kept));
    assert_int_equal(puppet_receives(&p, TW__RECORD_PUBLISH).len, SIZE);
    UNTIL(w, far->answers == 3 * COUNT); /* closed, all but the kept one */
    close(unread);
    close(p.in);
    tw__bytes_deinit(&p.received);
    world_destroy(w);
}

/* It accepts, and never answers: that is being away too. */
static void a_home_that_does_not_answer_is_away(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    member *far = start(w, 0);
    const char *a = name_at(w, 1, 0);
    assert_int_equal(publish(far, a, "x"), 0);
    world_pass(w, 0);
    int fd = tw__socket_accept(w->members[1].listen_fd, NULL);
    assert_true(fd >= 0);
    world_pass(w, AWAY_MS - 1);
    assert_int_equal(far->lost, 0);
    world_pass(w, 1);
    assert_int_equal(far->lost, 1);
    assert_int_equal(publish(far, a, "x"), TW_EUNAVAILABLE);
    close(fd);
    world_destroy(w);
}

/* The answer to a greeting, wrong in every way there is. */
static void a_wrong_answer_is_not_taken(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    w->config.away_ms = NEVER_MS;
    member *far = start(w, 0);
    const char *a = name_at(w, 1, 0);
    tw__record wrong[4] = {hello_of(1, 1), hello_of(0, 1), hello_of(1, 1),
                           hello_of(1, 1)};
    wrong[1].type = wrong[2].type = wrong[3].type = TW__RECORD_HELLO_ACK;
    wrong[2].header.origin.node = 8;
    wrong[3].channel = "surplus";
    wrong[3].channel_len = 7;
    assert_int_equal(publish(far, a, "x"), 0);
    for (uint64_t i = 0; i < 4; i++) {
        int fd = -1;
        UNTIL(w, (fd = tw__socket_accept(w->members[1].listen_fd, NULL)) >= 0);
        stranger_sends(fd, &wrong[i]);
        UNTIL(w, tw__bus_get_stats(far->bus)->link_protocol_errors == i + 1);
        close(fd);
    }
    assert_int_equal(tw__bus_get_stats(far->bus)->link_connects, 0);
    member *home = start(w, 1);
    UNTIL(w, tw__bus_get_stats(home->bus)->sequenced == 1);
    world_destroy(w);
}

static void the_end_answers_what_waits_for_others(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    member *far = start(w, 0);
    const char *a = name_at(w, 1, 0);
    interest(far, a);
    assert_int_equal(try_count(far, a), 0);
    assert_int_equal(publish(far, a, "x"), 0);
    tw__loop_run_once(&w->loop, 0);
    stop(far);
    char expected[300];
    snprintf(expected, sizeof expected,
             "closed %s\nclosed count\nlost %s closed\n", a, a);
    assert_string_equal(journal_of(far), expected);
    world_destroy(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_home_that_comes_back_is_told_everything_again),
        cmocka_unit_test(questions_that_wait_are_answered_by_the_replacement),
        cmocka_unit_test(publications_wait_for_a_home_that_is_away),
        cmocka_unit_test(after_too_long_they_are_lost_and_refused),
        cmocka_unit_test(a_home_that_never_came_is_away_too),
        cmocka_unit_test(a_member_that_ends_takes_its_interests_along),
        cmocka_unit_test(a_replacement_does_not_get_what_was_its_predecessors),
        cmocka_unit_test(a_member_may_end_while_it_is_called),
        cmocka_unit_test(a_greeting_is_answered),
        cmocka_unit_test(records_may_come_in_single_bytes),
        cmocka_unit_test(an_unknown_type_is_skipped_and_counted),
        cmocka_unit_test(a_wrong_beginning_ends_the_stream),
        cmocka_unit_test(malformed_records_end_only_their_stream),
        cmocka_unit_test(an_interest_at_the_wrong_home_ends_the_stream),
        cmocka_unit_test(random_bytes_end_in_nothing_but_resets),
        cmocka_unit_test(an_older_incarnation_is_not_let_in),
        cmocka_unit_test(a_second_stream_follows_the_first),
        cmocka_unit_test(only_the_newest_request_can_be_confirmed),
        cmocka_unit_test(a_broken_stream_of_the_home_is_suspected),
        cmocka_unit_test(an_interest_in_doubt_is_dropped_at_the_home),
        cmocka_unit_test(what_had_not_left_whole_is_sent_again),
        cmocka_unit_test(a_full_stream_can_be_given_up),
        cmocka_unit_test(a_home_that_does_not_answer_is_away),
        cmocka_unit_test(a_wrong_answer_is_not_taken),
        cmocka_unit_test(the_end_answers_what_waits_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
