/* A recovery, a hole and a gap in which the nth allocation fails: who is not
 * closed has everything in order, or was told.
 * SPDX-License-Identifier: MIT */
#include "recover_probe.h"

static const tw_class_config room = {
    .pattern = "room", .history = 20, .retain = 5, .slow = TW_SLOW_RESYNC};
static const tw_class_config kept = {.pattern = "far", .history = 100};

enum { MOST = 400 };

static size_t budget; /* of allocations until one fails; 0: it has */

static void begin(void) {
    tw__alloc_fail_nth(budget);
}

static void end(void) {
    budget = tw__alloc_fail_nth(0);
}

/* Its numbers are first, first + 1, ...; nothing else comes but a close. */
static int read_numbers(client *c, int first) {
    int opcode = 0;
    const uint8_t *payload = NULL;
    size_t len = 0, size;
    while ((size = client_peek(c, &opcode, &payload, &len)) > 0 &&
           opcode == TW__WS_TEXT) {
        assert_int_equal(payload[0], 'n');
        assert_int_equal(atoi((const char *)payload + 1), first);
        first++;
        client_take(c, size);
    }
    return first - 1;
}

/* True: the nth was not reached. */
static bool recover_with(size_t n) {
    world w;
    told t = {0}, u = {0};
    recover_open(&w, &room);
    client *c = client_open(&w), *d = client_open(&w);
    tw_subscribed got = recover_subscribe(&w, 1, "room", NULL);
    publish_numbers(&w, "room", 1, 9);
    assert_int_equal(read_numbers(c, 1), 9);
    recover_leave(&w, 1, "room");
    tw_subscribe_options since = since_offset(&got.position, 5);
    tw_subscribe_options last = {.last = 3};
    budget = n;
    begin();
    int err = tw_conn_subscribe(w.conns[1], str_of("room"), &since,
                                recover_on_subscribed, &t);
    int other = tw_conn_subscribe(w.conns[2], str_of("room"), &last,
                                  recover_on_subscribed, &u);
    world_rest(&w);
    end();
    assert_true(err == 0 || err == TW_ENOMEM);
    assert_true(other == 0 || other == TW_ENOMEM);
    assert_int_equal(t.calls, err == 0);
    assert_int_equal(u.calls, other == 0);
    bool is_in = w.conns[1] != NULL && tw_conn_is_open(w.conns[1]) &&
                 tw_conn_is_subscribed(w.conns[1], str_of("room"));
    assert_true(!is_in || t.status == 0);
    world_rest(&w);
    publish_numbers(&w, "room", 10, 11);
    world_turns(&w, 2);
    if (is_in && t.result.recovered) {
        assert_int_equal(read_numbers(c, 6), 11);
    } else if (is_in && strstr(w.log, "missed:1") == NULL) {
        assert_int_equal(t.result.count, 0); /* it could not be had */
        assert_int_equal(read_numbers(c, 10), 11);
    }
    if (u.calls > 0 && u.status == 0 && w.conns[2] != NULL &&
        strstr(w.log, "close:2") == NULL) {
        assert_int_equal(read_numbers(d, u.result.count > 0 ? 7 : 10), 11);
    }
    world_close(&w);
    return budget > 0;
}

/* Whether connection `number` was told that something behind `offset` of E did
 * not come; from before that on is more than need be. */
static bool was_told(const world *w, int number, int offset) {
    char missed[64];
    bool is_told = false;
    for (int at = 5; at <= offset && !is_told; at++) {
        snprintf(missed, sizeof missed, "missed:%d:far:E:%d ", number, at);
        is_told = strstr(w->log, missed) != NULL;
    }
    return is_told;
}

/* 6 to 10 of E come, then 3 of F; nothing is passed over without a word. */
static void check_told(world *w, int number) {
    client *c = w->clients[number - 1];
    int opcode = 0, last = 5;
    const uint8_t *payload = NULL;
    size_t len = 0, size;
    bool is_open =
        w->conns[number] != NULL && tw_conn_is_open(w->conns[number]);
    while ((size = client_peek(c, &opcode, &payload, &len)) > 0 &&
           opcode == TW__WS_TEXT) {
        int n = atoi((const char *)payload + 1);
        assert_true(n == last + 1 || was_told(w, number, last));
        client_take(c, size);
        if (n < last) {
            assert_int_equal(n, 3);
            break;
        }
        last = n;
    }
    assert_true(!is_open || was_told(w, number, last)); /* of the new epoch */
}

static bool fill_with(size_t n) {
    world w;
    told t, u;
    far_open(&w, &kept, 2);
    recover_ask(&w, 1, "far", NULL, &t);
    recover_ask(&w, 2, "far", NULL, &u);
    world_rest(&w);
    far_confirms("E", 5);
    world_rest(&w);
    budget = n;
    tw__pub *pubs[] = {far_pub(6), far_pub(9), far_pub(10)};
    begin();
    for (int i = 0; i < 3; i++) {
        tw__server_on_publication(w.server, pubs[i]);
    }
    world_rest(&w);
    end();
    if (far.waiting > 0) {
        far_answers(0, "E", 10, 7, 10);
    }
    begin();
    world_rest(&w);
    end();
    far_moves("F", 2); /* and a gap */
    begin();
    world_rest(&w);
    end();
    far_delivers(3);
    world_turns(&w, 5);
    check_told(&w, 1);
    check_told(&w, 2);
    far_close(&w);
    return budget > 0;
}

static void try_all(bool (*run)(size_t n)) {
    size_t n = 1;
    while (!run(n)) {
        assert_true(++n < MOST);
    }
    print_message("%zu allocations\n", n - 1);
    assert_true(n > 5);
}

static void a_recovery_is_whole_or_told_or_closed(void **state) {
    (void)state;
    try_all(recover_with);
}

static void a_gap_is_told_or_who_has_it_closed(void **state) {
    (void)state;
    try_all(fill_with);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recovery_is_whole_or_told_or_closed),
        cmocka_unit_test(a_gap_is_told_or_who_has_it_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
