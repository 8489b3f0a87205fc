/* Pausing, stopping, budgets, memory and its lack, the pool.
 * SPDX-License-Identifier: MIT */
#include "ws_probe.h"

#include "ws/reader.h"

#define TEXT (FIN | TW__WS_TEXT)
#define BINARY (FIN | TW__WS_BINARY)
#define CLOSE (FIN | TW__WS_CLOSE)
#define PING (FIN | TW__WS_PING)
#define MAX 100000

/* "a", "b", "c" with a ping before the last. */
static void three_messages(wire *w) {
    wire_text(w, TEXT, "a");
    wire_text(w, TEXT, "b");
    wire_text(w, PING, "");
    wire_text(w, TEXT, "c");
}

static void an_idle_connection_costs_24_bytes_and_no_block(void **state) {
    (void)state;
    probe p;
    wire w = {0};
    probe_init(&p, MAX);
    assert_true(sizeof p.in <= 24);
    assert_int_equal(tw__alloc_live(), p.live_before);
    three_messages(&w);
    probe_feed_all(&p, &w, w.len);
    assert_false(tw__ws_input_is_partial(&p.in));
    assert_int_equal(tw__ws_input_memory(&p.in), 0);
    /* The pool keeps one context for all. */
    assert_int_equal(tw__alloc_live(), p.live_before + 1);
    assert_int_equal(tw__ws_pool_bound(&p.pool), 0);
    probe_deinit(&p);
    wire_free(&w);
}

static void whole_messages_allocate_nothing(void **state) {
    (void)state;
    static uint8_t data[TW__WS_READER_PIECE];
    probe p;
    wire w = {0};
    probe_init(&p, MAX);
    wire_frame(&w, BINARY, data, sizeof data);
    wire_frame(&w, TEXT, data, 64);
    wire_frame(&w, PING, data, 125);
    probe_feed(&p, w.data, w.len);
    tw__alloc_fail_nth(1);
    assert_int_equal(probe_feed(&p, w.data, w.len), w.len);
    tw__alloc_fail_nth(0);
    assert_int_equal(p.status, TW__WS_MORE);
    assert_int_equal(p.messages, 4);
    probe_deinit(&p);
    wire_free(&w);
}

static void a_begun_header_allocates_nothing(void **state) {
    (void)state;
    probe p;
    wire w = {0};
    probe_init(&p, MAX);
    wire_head(&w, BINARY, 70000, 8);
    tw__alloc_fail_nth(1);
    for (size_t i = 0; i < w.len; i++) {
        probe_feed(&p, w.data + i, 1);
        assert_int_equal(p.status, TW__WS_MORE);
        assert_true(tw__ws_input_is_partial(&p.in));
        assert_int_equal(tw__ws_input_memory(&p.in), 0);
    }
    tw__alloc_fail_nth(0);
    assert_int_equal(tw__ws_pool_bound(&p.pool), 0);
    probe_deinit(&p);
    wire_free(&w);
}

static void partial_says_whether_a_frame_or_message_is_begun(void **state) {
    (void)state;
    probe p;
    wire w = {0};
    probe_init(&p, MAX);
    assert_false(tw__ws_input_is_partial(&p.in));
    wire_text(&w, TEXT, "hello");
    for (size_t i = 0; i < w.len; i++) {
        probe_feed(&p, w.data + i, 1);
        assert_int_equal(tw__ws_input_is_partial(&p.in), i + 1 < w.len);
        assert_int_equal(tw__ws_pool_bound(&p.pool), i >= 6 && i + 1 < w.len);
    }
    wire_free(&w);
    wire_text(&w, TW__WS_TEXT, "first");
    wire_text(&w, PING, "");
    probe_feed_all(&p, &w, w.len);
    assert_true(tw__ws_input_is_partial(&p.in));
    assert_int_equal(tw__ws_pool_bound(&p.pool), 0);
    wire_free(&w);
    wire_text(&w, FIN | TW__WS_CONTINUATION, "");
    probe_feed_all(&p, &w, w.len);
    assert_false(tw__ws_input_is_partial(&p.in));
    assert_string_equal(p.log, "text(hello) ping() text(first) ");
    probe_deinit(&p);
    wire_free(&w);
}

static void memory_follows_the_bytes_that_came(void **state) {
    (void)state;
    static uint8_t data[50000];
    probe p;
    wire w = {0};
    probe_init(&p, (size_t)1 << 40);
    wire_head(&w, BINARY, (uint64_t)1 << 39, 8);
    wire_add(&w, data, sizeof data);
    size_t fixed = 256 + sizeof(tw__ws_reader) + TW__WS_READER_MEMORY;
    for (size_t at = 0; at < w.len; at += 50) {
        size_t len = w.len - at < 50 ? w.len - at : 50;
        probe_feed(&p, w.data + at, len);
        assert_int_equal(p.status, TW__WS_MORE);
        size_t bound = 2 * (at + 50) > 256 ? 2 * (at + 50) : 256;
        assert_true(tw__ws_input_memory(&p.in) <= fixed + bound);
    }
    probe_deinit(&p);
    wire_free(&w);
}

static void fragments_cost_no_more_than_their_bytes(void **state) {
    (void)state;
    probe p;
    wire w = {0};
    char piece[64] = {0};
    size_t limit = 65536 * sizeof piece;
    probe_init(&p, limit);
    for (size_t i = 0; i < 65535; i++) {
        wire_frame(&w, i == 0 ? TW__WS_BINARY : TW__WS_CONTINUATION, piece,
                   sizeof piece);
    }
    probe_feed_all(&p, &w, 16384);
    assert_int_equal(p.status, TW__WS_MORE);
    assert_true(tw__ws_input_memory(&p.in) <=
                limit + 256 + sizeof(tw__ws_reader) + TW__WS_READER_MEMORY);
    w.len = 0;
    wire_frame(&w, FIN | TW__WS_CONTINUATION, piece, sizeof piece);
    probe_feed_all(&p, &w, w.len);
    assert_int_equal(p.messages, 1);
    assert_int_equal(tw__ws_input_memory(&p.in), 0);
    probe_deinit(&p);
    wire_free(&w);
}

static void empty_fragments_without_end_cost_no_memory(void **state) {
    (void)state;
    probe p;
    wire w = {0};
    probe_init(&p, MAX);
    wire_text(&w, TW__WS_TEXT, "");
    probe_feed_all(&p, &w, w.len);
    size_t memory = tw__ws_input_memory(&p.in);
    w.len = 0;
    for (int i = 0; i < 10000; i++) {
        wire_text(&w, TW__WS_CONTINUATION, "");
    }
    probe_feed_all(&p, &w, w.len);
    assert_int_equal(tw__ws_input_memory(&p.in), memory);
    probe_deinit(&p);
    wire_free(&w);
}

static void too_big_a_declaration_is_refused_before_allocating(void **state) {
    (void)state;
    probe p;
    wire w = {0};
    probe_init(&p, MAX);
    wire_head(&w, BINARY, INT64_MAX, 8);
    wire_text(&w, TEXT, "payload");
    probe_feed(&p, w.data, w.len);
    assert_int_equal(p.status, TW__WS_FAILED);
    assert_int_equal(p.error.code, 1009);
    assert_int_equal(tw__alloc_live(), p.live_before);
    probe_deinit(&p);
    wire_free(&w);
}

/* Feeds all, the rest again whenever some is left; gives how often. */
static int feed_in_turns(probe *p, const wire *w, tw__ws_status expected) {
    int turns = 0;
    size_t at = 0;
    do {
        at += probe_feed(p, w->data + at, w->len - at);
        turns++;
        if (at < w->len) {
            assert_int_equal(p->status, expected);
        }
    } while (at < w->len);
    return turns;
}

static void a_pause_leaves_the_rest_to_be_fed_later(void **state) {
    (void)state;
    for (int at = 1; at <= 2; at++) {
        probe p;
        wire w = {0};
        probe_init(&p, MAX);
        p.pause_at = at;
        three_messages(&w);
        assert_int_equal(feed_in_turns(&p, &w, TW__WS_PAUSED), 2);
        assert_int_equal(p.status, TW__WS_MORE);
        assert_string_equal(p.log, "text(a) text(b) ping() text(c) ");
        probe_deinit(&p);
        wire_free(&w);
    }
}

static void a_pause_at_the_last_byte_is_told(void **state) {
    (void)state;
    probe p;
    wire w = {0};
    probe_init(&p, MAX);
    p.pause_at = 3;
    three_messages(&w);
    assert_int_equal(probe_feed(&p, w.data, w.len), w.len);
    assert_int_equal(p.status, TW__WS_PAUSED);
    assert_int_equal(probe_feed(&p, w.data, 0), 0);
    assert_int_equal(p.status, TW__WS_MORE);
    probe_deinit(&p);
    wire_free(&w);
}

static void a_pause_holds_after_an_assembled_message_too(void **state) {
    (void)state;
    static uint8_t data[10000];
    probe p;
    wire w = {0};
    probe_init(&p, MAX);
    p.pause_at = 1;
    wire_frame(&w, BINARY, data, sizeof data);
    size_t first = w.len;
    wire_text(&w, TEXT, "next");
    assert_int_equal(probe_feed(&p, w.data, 5000), 5000);
    assert_int_equal(probe_feed(&p, w.data + 5000, w.len - 5000), first - 5000);
    assert_int_equal(p.status, TW__WS_PAUSED);
    assert_false(tw__ws_input_is_partial(&p.in));
    probe_feed(&p, w.data + first, w.len - first);
    assert_int_equal(p.messages, 2);
    probe_deinit(&p);
    wire_free(&w);
}

static void a_turn_is_bounded_in_frames(void **state) {
    (void)state;
    probe p;
    wire w = {0};
    probe_init(&p, MAX);
    p.how.max_frames = 3;
    for (int i = 0; i < 10; i++) {
        wire_text(&w, i % 2 ? PING : TEXT, "x");
    }
    assert_int_equal(feed_in_turns(&p, &w, TW__WS_BUDGET), 4);
    assert_int_equal(p.messages, 5);
    assert_int_equal(p.status, TW__WS_MORE);
    probe_deinit(&p);
    wire_free(&w);
}

static void tiny_fragments_count_in_the_bound_as_well(void **state) {
    (void)state;
    probe p;
    wire w = {0};
    probe_init(&p, MAX);
    p.how.max_frames = 2;
    wire_text(&w, TW__WS_TEXT, "");
    wire_text(&w, TW__WS_CONTINUATION, "");
    wire_text(&w, TW__WS_CONTINUATION, "a");
    wire_text(&w, FIN | TW__WS_CONTINUATION, "");
    assert_int_equal(feed_in_turns(&p, &w, TW__WS_BUDGET), 2);
    assert_string_equal(p.log, "text(a) ");
    probe_deinit(&p);
    wire_free(&w);
}

static void a_stop_ends_the_turn_at_once(void **state) {
    (void)state;
    probe p;
    wire w = {0};
    probe_init(&p, MAX);
    p.stop_at = 2;
    three_messages(&w);
    assert_int_equal(probe_feed(&p, w.data, w.len), w.len);
    assert_int_equal(p.status, TW__WS_STOPPED);
    assert_string_equal(p.log, "text(a) text(b) ");
    probe_deinit(&p);
    wire_free(&w);
}

/* The callback deinitialises the input and still reads its data; with and
 * without the right answer. */
static void a_callback_may_deinitialise_its_input(void **state) {
    (void)state;
    static uint8_t data[9000];
    for (int variant = 0; variant < 8; variant++) {
        probe p;
        wire w = {0};
        probe_init(&p, MAX);
        p.deinit_at = 2;
        p.stop_at = variant & 1 ? 2 : 0;
        p.pause_at = variant & 2 ? 2 : 0;
        wire_text(&w, TEXT, "a");
        if (variant & 4) {
            wire_frame(&w, TW__WS_BINARY, data, sizeof data);
            wire_text(&w, FIN | TW__WS_CONTINUATION, "end");
        } else {
            wire_text(&w, TEXT, "b");
        }
        wire_text(&w, TEXT, "never");
        probe_feed_all(&p, &w, variant & 4 ? 700 : w.len);
        assert_int_equal(p.status, TW__WS_STOPPED);
        assert_int_equal(p.messages, 2);
        assert_int_equal(tw__ws_input_memory(&p.in), 0);
        probe_deinit(&p);
        wire_free(&w);
    }
}

static tw__ws_verdict deinit_on_ping(void *owner, const uint8_t *data,
                                     size_t len) {
    probe *p = owner;
    tw__ws_input_deinit(&p->in, &p->pool);
    note(p, "ping", data, len);
    return TW__WS_CONTINUE;
}

static void a_ping_inside_a_message_may_end_the_connection(void **state) {
    (void)state;
    for (size_t step = 1; step < 30; step++) {
        probe p;
        wire w = {0};
        probe_init(&p, MAX);
        p.events.on_ping = deinit_on_ping;
        wire_text(&w, TW__WS_TEXT, "half");
        wire_text(&w, PING, "the end");
        wire_text(&w, FIN | TW__WS_CONTINUATION, "never");
        probe_feed_all(&p, &w, step);
        assert_int_equal(p.status, TW__WS_STOPPED);
        assert_string_equal(p.log, "ping(the end) ");
        probe_deinit(&p);
        wire_free(&w);
    }
}

static void deinit_on_close(void *owner, int code, const char *reason,
                            size_t len) {
    probe *p = owner;
    tw__ws_input_deinit(&p->in, &p->pool);
    probe_on_close(p, code, reason, len);
}

static void after_a_close_all_later_bytes_are_ignored(void **state) {
    (void)state;
    for (size_t step = 1; step < 40; step++) {
        probe p;
        wire w = {0};
        probe_init(&p, MAX);
        if (step % 2) {
            p.events.on_close = deinit_on_close;
        }
        wire_text(&w, TW__WS_TEXT, "half");
        wire_frame(&w, CLOSE,
                   "\x03\xe8"
                   "bye",
                   5);
        probe_feed_all(&p, &w, step);
        assert_int_equal(p.status, TW__WS_CLOSED);
        assert_int_equal(probe_feed(&p, w.data, w.len), w.len);
        assert_int_equal(p.status, TW__WS_CLOSED);
        assert_string_equal(p.log, "close:1000(bye) ");
        assert_false(tw__ws_input_is_partial(&p.in));
        probe_deinit(&p);
        wire_free(&w);
    }
}

static void after_a_failure_all_later_bytes_are_ignored(void **state) {
    (void)state;
    probe p;
    wire w = {0};
    probe_init(&p, MAX);
    wire_text(&w, TW__WS_TEXT, "half");
    wire_add(&w, "\xff", 1);
    assert_int_equal(probe_feed(&p, w.data, w.len), w.len);
    assert_int_equal(p.status, TW__WS_FAILED);
    assert_int_equal(tw__ws_input_memory(&p.in), 0);
    assert_false(tw__ws_input_is_partial(&p.in));
    p.error.code = 0;
    assert_int_equal(probe_feed(&p, w.data, w.len), w.len);
    assert_int_equal(p.status, TW__WS_CLOSED);
    assert_int_equal(p.error.code, 0);
    assert_string_equal(p.log, "");
    probe_deinit(&p);
    wire_free(&w);
}

static void a_deinitialised_input_takes_nothing(void **state) {
    (void)state;
    probe p;
    wire w = {0};
    probe_init(&p, MAX);
    three_messages(&w);
    probe_feed(&p, w.data, 8);
    tw__ws_input_deinit(&p.in, &p.pool);
    assert_int_equal(probe_feed(&p, w.data, w.len), w.len);
    assert_int_equal(p.status, TW__WS_CLOSED);
    assert_string_equal(p.log, "text(a) ");
    probe_deinit(&p);
    wire_free(&w);
}

/* Feeds another connection of the same pool from inside a callback. */
static tw__ws_verdict feed_other(void *owner, bool is_binary,
                                 const uint8_t *data, size_t len) {
    probe **both = owner;
    wire w = {0};
    wire_text(&w, TEXT, "inner");
    both[1]->how.pool = &both[0]->pool;
    probe_feed(both[1], w.data, w.len);
    probe_feed(both[1], w.data, 8);
    note(both[0], is_binary ? "binary" : "text", data, len);
    wire_free(&w);
    return TW__WS_CONTINUE;
}

static void connections_of_one_pool_may_nest(void **state) {
    (void)state;
    probe outer, inner;
    probe *both[2] = {&outer, &inner};
    wire w = {0};
    probe_init(&outer, MAX);
    probe_init(&inner, MAX);
    outer.events.on_message = feed_other;
    outer.how.owner = both;
    wire_text(&w, TEXT, "outer");
    probe_feed(&outer, w.data, w.len);
    assert_string_equal(outer.log, "text(outer) ");
    assert_string_equal(inner.log, "text(inner) ");
    assert_int_equal(tw__ws_pool_bound(&outer.pool), 1);
    tw__ws_input_deinit(&inner.in, &outer.pool);
    probe_deinit(&outer);
    wire_free(&w);
}

static void the_pool_caps_how_many_frames_are_partial(void **state) {
    (void)state;
    enum { CAP = 4 };
    probe p;
    wire w = {0};
    tw__ws_input others[CAP];
    size_t consumed;
    probe_init(&p, MAX);
    wire_text(&w, TEXT, "hello");
    for (int i = 0; i < CAP; i++) {
        tw__ws_input_init(&others[i]);
        tw__ws_input_feed(&others[i], &p.how, w.data, 7, &consumed, &p.error);
        assert_int_equal(tw__ws_pool_bound(&p.pool), i + 1);
    }
    /* Whole frames and begun headers need none. */
    probe_feed(&p, w.data, w.len);
    wire_text(&w, TW__WS_TEXT, "frag");
    wire_text(&w, FIN | TW__WS_CONTINUATION, "ment");
    probe_feed(&p, w.data, w.len);
    probe_feed(&p, w.data, 6);
    assert_int_equal(p.status, TW__WS_MORE);
    assert_string_equal(p.log, "text(hello) text(hello) text(fragment) ");
    probe_feed(&p, w.data + 6, 1);
    assert_int_equal(p.status, TW__WS_FAILED);
    assert_int_equal(p.error.code, 1013);
    assert_string_equal(p.error.reason, "too many partial frames");
    /* One that ends makes room. */
    tw__ws_input_feed(&others[0], &p.how, w.data + 7, 4, &consumed, &p.error);
    assert_int_equal(tw__ws_pool_bound(&p.pool), CAP - 1);
    tw__ws_input_init(&p.in);
    probe_feed(&p, w.data, 7);
    assert_int_equal(p.status, TW__WS_MORE);
    for (int i = 0; i < CAP; i++) {
        tw__ws_input_deinit(&others[i], &p.pool);
    }
    probe_deinit(&p);
    wire_free(&w);
}

/* A context that was left in the middle of a frame must not come back. */
static void an_abandoned_frame_spoils_no_other_connection(void **state) {
    (void)state;
    probe p;
    wire w = {0};
    probe_init(&p, MAX);
    wire_text(&w, TEXT, "hello");
    for (size_t cut = 1; cut < w.len; cut++) {
        probe_feed(&p, w.data, cut);
        tw__ws_input_deinit(&p.in, &p.pool);
        tw__ws_input_init(&p.in);
        p.log_len = 0;
        probe_feed(&p, w.data, w.len);
        assert_string_equal(p.log, "text(hello) ");
    }
    probe_deinit(&p);
    wire_free(&w);
}

static void frames_of_many_connections_do_not_mix(void **state) {
    (void)state;
    enum { COUNT = 20 };
    static probe all[COUNT];
    wire w[COUNT] = {{0}};
    size_t at[COUNT] = {0};
    tw__ws_pool pool;
    tw__ws_pool_init(&pool, COUNT, 2);
    srand(7);
    for (int i = 0; i < COUNT; i++) {
        char text[300];
        probe_init(&all[i], MAX);
        all[i].how.pool = &pool;
        for (int k = 0; k < 30; k++) {
            int n = snprintf(text, sizeof text, "%d.%d%0*d", i, k,
                             rand() % 40 + 1, 0);
            wire_frame(&w[i], TEXT, text, (size_t)n);
        }
    }
    for (int i = 0; i < 200000; i++) {
        int c = rand() % COUNT;
        size_t len = 1 + (size_t)rand() % 30;
        len = len < w[c].len - at[c] ? len : w[c].len - at[c];
        at[c] += probe_feed(&all[c], w[c].data + at[c], len);
        assert_int_equal(all[c].status, TW__WS_MORE);
    }
    for (int i = 0; i < COUNT; i++) {
        probe alone;
        assert_int_equal(at[i], w[i].len);
        probe_init(&alone, MAX);
        probe_feed_all(&alone, &w[i], w[i].len);
        assert_string_equal(all[i].log, alone.log);
        assert_int_equal(all[i].messages, 30);
        probe_deinit(&alone);
        wire_free(&w[i]);
    }
    assert_int_equal(tw__ws_pool_bound(&pool), 0);
    tw__ws_pool_deinit(&pool);
}

/* Every allocation in turn fails: the connection with 1011, and nothing is
 * left behind. */
static void running_out_of_memory_fails_the_connection_alone(void **state) {
    (void)state;
    static uint8_t data[20000];
    wire w = {0};
    wire_text(&w, TEXT, "a");
    wire_frame(&w, TW__WS_BINARY, data, 3000);
    wire_text(&w, PING, "ping");
    wire_frame(&w, TW__WS_CONTINUATION, data, 5000);
    wire_frame(&w, FIN | TW__WS_CONTINUATION, data, 1);
    wire_frame(&w, BINARY, data, sizeof data);
    const size_t steps[] = {w.len, 1, 9, 1000};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        size_t nth = 0;
        int code;
        do {
            probe p;
            probe_init(&p, MAX);
            tw__alloc_fail_nth(++nth);
            probe_feed_all(&p, &w, steps[i]);
            tw__alloc_fail_nth(0);
            code = p.error.code;
            if (code != 0) {
                assert_int_equal(p.status, TW__WS_FAILED);
                assert_int_equal(code, 1011);
                assert_string_equal(p.error.reason, "out of memory");
                /* The pool serves the next connection. */
                tw__ws_input_init(&p.in);
                p.messages = 0;
                probe_feed_all(&p, &w, steps[i]);
            }
            assert_int_equal(p.messages, 3);
            assert_int_equal(p.status, TW__WS_MORE);
            probe_deinit(&p);
        } while (code != 0);
        assert_true(nth > 4);
    }
    wire_free(&w);
}

static void the_pool_keeps_no_more_idle_contexts_than_told(void **state) {
    (void)state;
    size_t live = tw__alloc_live();
    tw__ws_pool pool;
    tw__ws_reader *out[5];
    tw__ws_pool_init(&pool, 10, 2);
    for (int i = 0; i < 5; i++) {
        out[i] = tw__ws_pool_take(&pool);
        assert_non_null(out[i]);
    }
    for (int i = 0; i < 5; i++) {
        tw__ws_pool_give(&pool, out[i]);
    }
    assert_int_equal(tw__alloc_live(), live + 2);
    tw__ws_pool_deinit(&pool);
    assert_int_equal(tw__alloc_live(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_connection_costs_24_bytes_and_no_block),
        cmocka_unit_test(whole_messages_allocate_nothing),
        cmocka_unit_test(a_begun_header_allocates_nothing),
        cmocka_unit_test(partial_says_whether_a_frame_or_message_is_begun),
        cmocka_unit_test(memory_follows_the_bytes_that_came),
        cmocka_unit_test(fragments_cost_no_more_than_their_bytes),
        cmocka_unit_test(empty_fragments_without_end_cost_no_memory),
        cmocka_unit_test(too_big_a_declaration_is_refused_before_allocating),
        cmocka_unit_test(a_pause_leaves_the_rest_to_be_fed_later),
        cmocka_unit_test(a_pause_at_the_last_byte_is_told),
        cmocka_unit_test(a_pause_holds_after_an_assembled_message_too),
        cmocka_unit_test(a_turn_is_bounded_in_frames),
        cmocka_unit_test(tiny_fragments_count_in_the_bound_as_well),
        cmocka_unit_test(a_stop_ends_the_turn_at_once),
        cmocka_unit_test(a_callback_may_deinitialise_its_input),
        cmocka_unit_test(a_ping_inside_a_message_may_end_the_connection),
        cmocka_unit_test(after_a_close_all_later_bytes_are_ignored),
        cmocka_unit_test(after_a_failure_all_later_bytes_are_ignored),
        cmocka_unit_test(a_deinitialised_input_takes_nothing),
        cmocka_unit_test(connections_of_one_pool_may_nest),
        cmocka_unit_test(the_pool_caps_how_many_frames_are_partial),
        cmocka_unit_test(an_abandoned_frame_spoils_no_other_connection),
        cmocka_unit_test(frames_of_many_connections_do_not_mix),
        cmocka_unit_test(running_out_of_memory_fails_the_connection_alone),
        cmocka_unit_test(the_pool_keeps_no_more_idle_contexts_than_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
