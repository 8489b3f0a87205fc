/* What becomes of publications for those who do not read.
 *
 * world_turn asserts after every turn that each intended delivery is accounted
 * for; here it is made to matter. SPDX-License-Identifier: MIT */
#include "server_probe.h"

enum { BUDGET = 30000, BLOCK = 1000 };

static void slow_world(world *w, tw_slow_policy policy) {
    world_init(w);
    w->config.publication_budget_bytes = BUDGET;
    world_start(w);
    world_set_class(w, "room", policy, 0);
    world_narrow(w, 4096);
}

static client *slow_client(world *w, const char *channel) {
    client *c = client_open_with(w, 4096);
    world_subscribe(w, w->opened, channel);
    c->is_lazy = true;
    return c;
}

/* A publication that begins with its number, and has a key of its own or one of
 * `keys`. */
static void publish_number(world *w, int number, int keys) {
    char block[BLOCK], key[16];
    tw_publish_options options = {0};
    memset(block, '.', sizeof block);
    snprintf(key, sizeof key, "k%d", keys > 0 ? number % keys : 0);
    sprintf(block, "%d", number);
    block[strlen(block)] = '.';
    options.key = keys > 0 ? str_of(key) : (tw_str){NULL, 0};
    assert_int_equal(
        tw_publish(w->server, str_of("room"), block, sizeof block, &options),
        0);
}

/* The number of the next frame of connection `conn`; -1 at a close, or when
 * there is nothing more. */
static int next_number(world *w, client *c, int conn) {
    int opcode = 0;
    const uint8_t *payload = NULL;
    size_t len;
    world_rest(w); /* what was published has been sent or queued */
    world_until(w, client_has_frame(c) || c->is_ended || c->error != 0 ||
                       client_has_all(w, c, conn));
    size_t size = client_peek(c, &opcode, &payload, &len);
    if (size == 0 || opcode != TW__WS_TEXT) {
        return -1;
    }
    int number = atoi((const char *)payload);
    assert_int_equal(len, BLOCK);
    client_take(c, size);
    return number;
}

static void flood(world *w, int count, int keys) {
    for (int i = 0; i < count; i++) {
        publish_number(w, i, keys);
        if (i % 3 != 0) {
            world_turn(w);
        }
    }
    world_rest(w);
}

/* ---- the policies ---- */

static void close_sends_the_slow_one_away(void **state) {
    world w;
    int last = -1, number;
    (void)state;
    slow_world(&w, TW_SLOW_CLOSE);
    client *c = slow_client(&w, "room");
    flood(&w, 200, 0);
    assert_false(tw_conn_is_open(w.conns[1]));
    assert_log(&w, "open:1 close:1:1013:too slow ");
    assert_int_equal(counter(&w, TW_COUNTER_CLOSED_SLOW), 1);
    assert_true(counter(&w, TW_COUNTER_CLOSED_LOSS) > 0);
    c->is_lazy = false;
    while ((number = next_number(&w, c, 1)) >= 0) {
        assert_int_equal(number, ++last); /* no hole before the close */
    }
    expect_close(&w, c, 1013, "too slow");
    assert_int_equal(counter(&w, TW_COUNTER_DELIVERED), last + 1);
    world_close(&w);
}

static void drop_new_keeps_what_it_has(void **state) {
    world w;
    int number, count = 0;
    (void)state;
    slow_world(&w, TW_SLOW_DROP_NEW);
    client *c = slow_client(&w, "room");
    flood(&w, 200, 0);
    assert_true(tw_conn_is_open(w.conns[1]));
    uint64_t dropped = counter(&w, TW_COUNTER_DROPPED);
    assert_true(dropped > 100);
    c->is_lazy = false;
    while ((number = next_number(&w, c, 1)) >= 0) {
        assert_int_equal(number, count++);
    }
    assert_int_equal(count, 200 - dropped);
    publish_number(&w, 777, 0);
    assert_int_equal(next_number(&w, c, 1), 777);
    assert_non_null(strstr(w.log, "slow:1:room "));
    world_close(&w);
}

static void drop_old_keeps_the_newest(void **state) {
    world w;
    int number, last = -1, count = 0;
    (void)state;
    slow_world(&w, TW_SLOW_DROP_OLD);
    client *c = slow_client(&w, "room");
    flood(&w, 200, 0);
    assert_true(tw_conn_queued(w.conns[1]) <= BUDGET);
    c->is_lazy = false;
    while ((number = next_number(&w, c, 1)) >= 0) {
        assert_true(number > last);
        last = number;
        count++;
    }
    assert_int_equal(last, 199);
    assert_int_equal(count, 200 - counter(&w, TW_COUNTER_DROPPED));
    world_close(&w);
}

static void conflate_keeps_the_newest_of_each_key(void **state) {
    world w;
    enum { KEYS = 9 };
    int number, last = -1, newest[KEYS];
    (void)state;
    slow_world(&w, TW_SLOW_CONFLATE);
    client *c = slow_client(&w, "room");
    flood(&w, 400, KEYS);
    assert_int_equal(counter(&w, TW_COUNTER_DROPPED), 0);
    assert_true(counter(&w, TW_COUNTER_CONFLATED) > 300);
    c->is_lazy = false;
    memset(newest, -1, sizeof newest);
    while ((number = next_number(&w, c, 1)) >= 0) {
        assert_true(number > last);
        last = number;
        newest[number % KEYS] = number;
    }
    for (int i = 400 - KEYS; i < 400; i++) {
        assert_int_equal(newest[i % KEYS], i);
    }
    world_close(&w);
}

static void without_a_key_the_channel_is_the_key(void **state) {
    world w;
    int number, last = -1;
    (void)state;
    slow_world(&w, TW_SLOW_CONFLATE);
    client *c = slow_client(&w, "room");
    flood(&w, 100, 0);
    c->is_lazy = false;
    while ((number = next_number(&w, c, 1)) >= 0) {
        last = number;
    }
    assert_int_equal(last, 99);
    assert_int_equal(counter(&w, TW_COUNTER_DROPPED), 0);
    world_close(&w);
}

/* Two channels that conflate share a queue: neither costs the other its newest.
 */
static void channels_that_conflate_do_not_disturb_each_other(void **state) {
    world w;
    char block[BLOCK + 1];
    int seen[2] = {-1, -1};
    (void)state;
    slow_world(&w, TW_SLOW_CONFLATE);
    tw_class_config both[] = {
        {.pattern = "a", .slow = TW_SLOW_CONFLATE, .batch_ms = 0},
        {.pattern = "b", .slow = TW_SLOW_CONFLATE, .batch_ms = 0}};
    tw_server_set_classes(w.server, both, 2, NULL);
    client *c = slow_client(&w, "a");
    world_subscribe(&w, 1, "b");
    for (int i = 0; i < 300; i++) {
        memset(block, '.', BLOCK);
        block[BLOCK] = '\0';
        sprintf(block, "%d %d", i % 2, i);
        block[strlen(block)] = '.';
        world_publish(&w, i % 2 ? "b" : "a", block);
        world_turn(&w);
    }
    assert_int_equal(counter(&w, TW_COUNTER_DROPPED), 0);
    c->is_lazy = false;
    world_until(&w, client_has_all(&w, c, 1));
    while (client_has_frame(c)) {
        int opcode, which, number;
        const uint8_t *payload = NULL;
        size_t len, size = client_peek(c, &opcode, &payload, &len);
        char text[16]; // a payload has no end of its own
        snprintf(text, sizeof text, "%.*s", 15, (const char *)payload);
        assert_int_equal(sscanf(text, "%d %d", &which, &number), 2);
        seen[which] = number;
        client_take(c, size);
    }
    assert_int_equal(seen[0], 298);
    assert_int_equal(seen[1], 299);
    world_close(&w);
}

/* ---- others ---- */

static void the_slow_do_not_disturb_the_healthy(void **state) {
    world w;
    (void)state;
    slow_world(&w, TW_SLOW_DROP_OLD);
    slow_client(&w, "room");
    slow_client(&w, "room");
    client *c = client_open(&w);
    world_subscribe(&w, 3, "room");
    for (int i = 0; i < 200; i++) {
        publish_number(&w, i, 0);
        assert_int_equal(next_number(&w, c, 3), i);
    }
    world_close(&w);
}

static void
a_batch_that_fits_only_in_part_goes_on_where_it_stopped(void **state) {
    world w;
    (void)state;
    slow_world(&w, TW_SLOW_CLOSE);
    w.server->config.publication_budget_bytes = 1 << 20;
    client *c = slow_client(&w, "room");
    for (int i = 0; i < 150; i++) {
        publish_number(&w, i, 0); /* all in one turn */
    }
    world_rest(&w);
    assert_true(counter(&w, TW_COUNTER_DELIVERED) < 150);
    c->is_lazy = false;
    for (int i = 0; i < 150; i++) {
        assert_int_equal(next_number(&w, c, 1), i);
    }
    world_close(&w);
}

static void more_than_the_budget_in_one_turn_is_not_slow(void **state) {
    world w;
    (void)state;
    slow_world(&w, TW_SLOW_CLOSE);
    client *c = client_open(&w);
    world_subscribe(&w, 1, "room");
    world_subscribe(&w, 1, "second"); /* no fast path */
    for (int i = 0; i < 40; i++) {
        publish_number(&w, i, 0);
    }
    for (int i = 0; i < 40; i++) {
        assert_int_equal(next_number(&w, c, 1), i);
    }
    world_close(&w);
}

/* At 29 ms the queue still has them all, at 30 none but what was begun. */
static void what_is_queued_expires(void **state) {
    static char block[BLOCK];
    tw_publish_options options = {.ttl_ms = 30, .binary = true};
    (void)state;
    for (uint64_t ms = 29; ms <= 30; ms++) {
        world w;
        slow_world(&w, TW_SLOW_DROP_NEW);
        client *c = slow_client(&w, "room");
        for (int i = 0; i < 25; i++) {
            tw_publish(w.server, str_of("room"), block, sizeof block, &options);
            world_turn(&w);
        }
        world_pass(&w, ms);
        uint64_t delivered = counter(&w, TW_COUNTER_DELIVERED);
        assert_true(delivered < 20);
        c->is_lazy = false;
        world_until(&w, client_has_all(&w, c, 1));
        if (ms == 29) {
            assert_int_equal(counter(&w, TW_COUNTER_DELIVERED), 25);
        } else {
            assert_true(counter(&w, TW_COUNTER_DELIVERED) <= delivered + 1);
        }
        assert_int_equal(counter(&w, TW_COUNTER_DELIVERED) +
                             counter(&w, TW_COUNTER_EXPIRED),
                         25);
        world_close(&w);
    }
}

static void nothing_of_a_channel_is_queued_after_unsubscribe(void **state) {
    world w;
    int number, last = -1;
    (void)state;
    slow_world(&w, TW_SLOW_DROP_NEW);
    client *c = slow_client(&w, "room");
    flood(&w, 60, 0);
    assert_true(w.server->pins.frames > 2);
    publish_number(&w, 1000, 0); /* on its way in this turn */
    assert_int_equal(tw_conn_unsubscribe(w.conns[1], str_of("room")), 0);
    assert_true(w.server->pins.frames <= 1); /* one may be written in part */
    c->is_lazy = false;
    while ((number = next_number(&w, c, 1)) >= 0) {
        assert_int_equal(number, ++last);
    }
    assert_true(last < 60);
    world_close(&w);
}

static void a_connection_that_closes_accounts_for_what_it_had(void **state) {
    world w;
    (void)state;
    slow_world(&w, TW_SLOW_DROP_NEW);
    client *c = slow_client(&w, "room");
    flood(&w, 60, 0);
    publish_number(&w, 1000, 0);
    client_reset(c);
    world_until(&w, w.gone == 1);
    assert_int_equal(w.server->pins.frames, 0);
    assert_int_equal(w.server->pins.bytes, 0);
    assert_int_equal(w.server->hub.pending_deliveries, 0);
    world_close(&w);
}

static void the_pin_limit_copies_frames_out(void **state) {
    world w;
    (void)state;
    slow_world(&w, TW_SLOW_DROP_OLD);
    w.server->pins.limit = 5000;
    client *c = slow_client(&w, "room");
    world_subscribe(&w, 1, "second");
    for (int i = 0; i < 300; i++) {
        publish_number(&w, i, 0);
        if (i % 10 == 9) {
            world_turn(&w); /* ten frames to a batch */
        }
    }
    world_rest(&w);
    /* Each copy counts for itself: all that is waited for, and no more. */
    assert_true(w.server->pins.bytes <= w.server->pins.frames * (BLOCK + 4));
    assert_true(w.server->pins.frames > 10);
    c->is_lazy = false;
    int number, last = -1;
    while ((number = next_number(&w, c, 1)) >= 0) {
        last = number;
    }
    assert_int_equal(last, 299);
    assert_int_equal(w.server->pins.bytes, 0);
    world_close(&w);
}

/* The kernel may take something late, when the receiver's side acknowledges:
 * then the time counts from there. */
static void thirty_seconds_without_write_progress_close(void **state) {
    world w;
    uint64_t last;
    (void)state;
    world_open(&w);
    world_set_class(&w, "room", TW_SLOW_DROP_NEW, 0);
    world_narrow(&w, 4096);
    slow_client(&w, "room");
    flood(&w, 100, 0);
    tw_conn *conn = w.conns[1];
    assert_true(tw_conn_queued(conn) > 0);
    do {
        last = conn->out->progress_ms;
        world_pass(&w, last + 30000 - 1 - tw_server_now(w.server));
        assert_true(tw_conn_is_open(conn));
        if (conn->out->progress_ms == last) {
            world_pass(&w, 1);
        }
    } while (w.gone == 0 && conn->out->progress_ms != last);
    assert_int_equal(w.gone, 1);
    assert_int_equal(counter(&w, TW_COUNTER_CLOSED_SLOW), 1);
    assert_non_null(strstr(w.log, "close:1:1006:"));
    world_close(&w);
}

static void on_slow_tells_what_was_dropped_since(void **state) {
    world w;
    (void)state;
    slow_world(&w, TW_SLOW_DROP_NEW);
    slow_client(&w, "room");
    flood(&w, 100, 0);
    assert_true(counter(&w, TW_COUNTER_SLOW_EVENTS) >= 30);
    assert_int_equal(counter(&w, TW_COUNTER_SLOW_EVENTS),
                     counter(&w, TW_COUNTER_DROPPED));
    assert_non_null(strstr(w.log, "slow:1:room slow:1:room "));
    world_close(&w);
}

/* ---- everything at random ---- */

static void every_delivery_is_accounted_for_whatever_happens(void **state) {
    static char big[3000];
    (void)state;
    memset(big, 'x', sizeof big);
    for (unsigned seed = 0; seed < 8; seed++) {
        world w;
        client *c[12];
        const char *rooms[] = {"room:a", "room:b", "news", "live"};
        tw_class_config classes[] = {
            {.pattern = "room:*", .slow = TW_SLOW_CLOSE, .batch_ms = 0},
            {.pattern = "room:b", .slow = TW_SLOW_DROP_OLD, .batch_ms = 3},
            {.pattern = "news", .slow = TW_SLOW_DROP_NEW, .batch_ms = 0},
            {.pattern = "live", .slow = TW_SLOW_CONFLATE, .batch_ms = 5}};
        world_init(&w);
        w.config.publication_budget_bytes = 20000;
        w.config.pinned_limit_bytes = 30000;
        world_start(&w);
        w.is_silent = true;
        world_narrow(&w, 4096);
        tw_server_set_classes(w.server, classes, 4, NULL);
        srand(seed);
        for (int i = 0; i < 12; i++) {
            c[i] = client_open_with(&w, 4096);
            c[i]->is_lazy = i % 3 != 0;
        }
        for (int step = 0; step < 400; step++) {
            int who = 1 + rand() % 12;
            tw_conn *conn = w.conns[who];
            const char *room = rooms[rand() % 4];
            char key[2] = {(char)('a' + rand() % 5), '\0'};
            tw_publish_options options = {
                .binary = true,
                .key = rand() % 2 ? str_of(key) : (tw_str){NULL, 0},
                .ttl_ms = rand() % 3 ? 0 : (uint64_t)(1 + rand() % 10),
                .except = rand() % 3 ? NULL : conn,
            };
            switch (rand() % 12) {
            case 0:
            case 1:
                if (conn != NULL) {
                    tw_conn_subscribe(conn, str_of(room), NULL, NULL, NULL);
                }
                break;
            case 2:
                if (conn != NULL) {
                    tw_conn_unsubscribe(conn, str_of(room));
                }
                break;
            case 3:
                if (conn != NULL && rand() % 8 == 0) {
                    tw_conn_close(conn, 4000, str_of(""));
                }
                break;
            case 4:
                if (rand() % 8 == 0) {
                    client_reset(c[who - 1]);
                }
                break;
            case 5:
                client_read_some(c[who - 1], (size_t)(rand() % 5000));
                break;
            case 6:
                if (conn != NULL) {
                    tw_conn_send(conn, big, (size_t)(rand() % 100), true);
                }
                break;
            default:
                tw_publish(w.server, str_of(room), big,
                           (size_t)(rand() % (int)sizeof big), &options);
            }
            world_check(&w);
            if (rand() % 2) {
                world_turn(&w);
            } else if (rand() % 4 == 0) {
                world_pass(&w, (uint64_t)(rand() % 6));
            }
        }
        for (int i = 0; i < 12; i++) {
            client_close(c[i]);
        }
        world_until(&w, w.server->conn_live == 0);
        world_pass(&w, 8); /* the last batches */
        assert_int_equal(w.server->hub.pending_deliveries, 0);
        assert_int_equal(w.server->pins.frames, 0);
        assert_int_equal(w.server->pins.bytes, 0);
        world_close(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_sends_the_slow_one_away),
        cmocka_unit_test(drop_new_keeps_what_it_has),
        cmocka_unit_test(drop_old_keeps_the_newest),
        cmocka_unit_test(conflate_keeps_the_newest_of_each_key),
        cmocka_unit_test(without_a_key_the_channel_is_the_key),
        cmocka_unit_test(channels_that_conflate_do_not_disturb_each_other),
        cmocka_unit_test(the_slow_do_not_disturb_the_healthy),
        cmocka_unit_test(
            a_batch_that_fits_only_in_part_goes_on_where_it_stopped),
        cmocka_unit_test(more_than_the_budget_in_one_turn_is_not_slow),
        cmocka_unit_test(what_is_queued_expires),
        cmocka_unit_test(nothing_of_a_channel_is_queued_after_unsubscribe),
        cmocka_unit_test(a_connection_that_closes_accounts_for_what_it_had),
        cmocka_unit_test(the_pin_limit_copies_frames_out),
        cmocka_unit_test(thirty_seconds_without_write_progress_close),
        cmocka_unit_test(on_slow_tells_what_was_dropped_since),
        cmocka_unit_test(every_delivery_is_accounted_for_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
