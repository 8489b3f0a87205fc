/* The wheel against a model that looks through all entries for the next one.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/wheel.h"

enum { ENTRIES = 64, TICK = TW__WHEEL_TICK_MS };

static unsigned fired;
static tw__wheel_entry *last_fired;

static void count(tw__wheel_entry *entry) {
    fired++;
    last_fired = entry;
}

static void an_entry_fires_at_its_deadline_and_not_before(void **state) {
    (void)state;
    tw__wheel wheel;
    uint64_t delays[] = {1,     3,      4,         5,           255,
                         256,   257,    1000,      16384,       60000,
                         86400, 999999, 123456789, 5000000000u, 1ull << 45};
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        uint64_t start = 1000003;
        uint64_t deadline = start + delays[i];
        tw__wheel_entry entry = {.cb = count};
        fired = 0;
        tw__wheel_init(&wheel, start);
        tw__wheel_set(&wheel, &entry, deadline);
        assert_true(tw__wheel_is_set(&entry));
        assert_false(tw__wheel_advance(&wheel, deadline - 1, 0));
        assert_int_equal(fired, 0);
        assert_false(tw__wheel_advance(&wheel, deadline + TICK - 1, 0));
        assert_int_equal(fired, 1);
        assert_false(tw__wheel_is_set(&entry));
    }
}

static void following_next_ms_reaches_a_deadline_in_few_steps(void **state) {
    (void)state;
    tw__wheel wheel;
    tw__wheel_entry entry = {.cb = count};
    uint64_t start = 77777, deadline = start + (1ull << 44) + 12345;
    int steps = 0;
    fired = 0;
    tw__wheel_init(&wheel, start);
    assert_true(tw__wheel_next_ms(&wheel) == UINT64_MAX);
    tw__wheel_set(&wheel, &entry, deadline);
    while (fired == 0) {
        uint64_t next = tw__wheel_next_ms(&wheel);
        assert_true(next < deadline + TICK);
        assert_true(++steps <= TW__WHEEL_LEVELS);
        tw__wheel_advance(&wheel, next, 0);
    }
    assert_true(tw__wheel_next_ms(&wheel) == UINT64_MAX);
}

static void a_deadline_beyond_all_bounds_is_kept_and_can_be_cleared(void **s) {
    (void)s;
    tw__wheel wheel;
    tw__wheel_entry entry = {.cb = count};
    fired = 0;
    tw__wheel_init(&wheel, 5000);
    tw__wheel_set(&wheel, &entry, UINT64_MAX);
    tw__wheel_advance(&wheel, 1ull << 48, 0);
    assert_int_equal(fired, 0);
    assert_true(tw__wheel_is_set(&entry));
    tw__wheel_clear(&wheel, &entry);
    tw__wheel_clear(&wheel, &entry);
    assert_true(tw__wheel_next_ms(&wheel) == UINT64_MAX);
}

static void moving_an_entry_leaves_one_deadline(void **state) {
    (void)state;
    tw__wheel wheel;
    tw__wheel_entry entry = {.cb = count};
    fired = 0;
    tw__wheel_init(&wheel, 0);
    tw__wheel_set(&wheel, &entry, 100);
    tw__wheel_set(&wheel, &entry, 5000);
    assert_true(tw__wheel_next_ms(&wheel) > 100);
    tw__wheel_advance(&wheel, 4999, 0);
    assert_int_equal(fired, 0);
    tw__wheel_advance(&wheel, 50000, 0);
    assert_int_equal(fired, 1);
}

static void a_clock_that_steps_back_changes_nothing(void **state) {
    (void)state;
    tw__wheel wheel;
    tw__wheel_entry entry = {.cb = count};
    fired = 0;
    tw__wheel_init(&wheel, 100000);
    tw__wheel_set(&wheel, &entry, 100100);
    tw__wheel_advance(&wheel, 50, 0);
    assert_int_equal(fired, 0);
    tw__wheel_advance(&wheel, 100100, 0);
    assert_int_equal(fired, 1);
}

static void at_most_max_fire_and_the_rest_comes_first_later(void **state) {
    (void)state;
    tw__wheel wheel;
    tw__wheel_entry entries[5];
    memset(entries, 0, sizeof entries);
    fired = 0;
    tw__wheel_init(&wheel, 0);
    for (int i = 0; i < 5; i++) {
        entries[i].cb = count;
        tw__wheel_set(&wheel, &entries[i], 100 + (uint64_t)i);
    }
    assert_true(tw__wheel_advance(&wheel, 200, 3));
    assert_int_equal(fired, 3);
    assert_ptr_equal(last_fired, &entries[2]);
    assert_true(tw__wheel_next_ms(&wheel) <= 200);
    tw__wheel_clear(&wheel, &entries[3]);
    assert_false(tw__wheel_advance(&wheel, 200, 3));
    assert_int_equal(fired, 4);
    assert_ptr_equal(last_fired, &entries[4]);
}

static tw__wheel *callback_wheel;

static void set_myself_to_the_past(tw__wheel_entry *entry) {
    fired++;
    tw__wheel_set(callback_wheel, entry, 0);
}

static void one_set_to_the_past_by_its_callback_waits_a_call(void **state) {
    (void)state;
    tw__wheel wheel;
    tw__wheel_entry entry = {.cb = set_myself_to_the_past};
    callback_wheel = &wheel;
    fired = 0;
    tw__wheel_init(&wheel, 0);
    tw__wheel_set(&wheel, &entry, 10);
    assert_true(tw__wheel_advance(&wheel, 20, 0));
    assert_int_equal(fired, 1);
    assert_true(tw__wheel_advance(&wheel, 20, 0));
    assert_int_equal(fired, 2);
}

struct owner {
    tw__wheel_entry due, later;
    struct owner *other;
};

/* Frees its own owner and that of a neighbour that is due in the same tick. */
static void free_two(tw__wheel_entry *entry) {
    struct owner *owner = TW__CONTAINER(entry, struct owner, due);
    struct owner *other = owner->other;
    fired++;
    tw__wheel_clear(callback_wheel, &owner->later);
    tw__wheel_clear(callback_wheel, &other->later);
    tw__wheel_clear(callback_wheel, &other->due);
    free(other);
    free(owner);
}

static void a_callback_may_free_owners_of_entries(void **state) {
    (void)state;
    tw__wheel wheel;
    struct owner *owners[2];
    callback_wheel = &wheel;
    fired = 0;
    tw__wheel_init(&wheel, 0);
    for (int i = 0; i < 2; i++) {
        owners[i] = calloc(1, sizeof *owners[i]);
        assert_non_null(owners[i]);
        owners[i]->due.cb = owners[i]->later.cb = free_two;
        tw__wheel_set(&wheel, &owners[i]->due, 100);
        tw__wheel_set(&wheel, &owners[i]->later, 100000);
    }
    owners[0]->other = owners[1];
    owners[1]->other = owners[0];
    tw__wheel_advance(&wheel, 100, 0);
    tw__wheel_advance(&wheel, 1000000, 0);
    assert_int_equal(fired, 1);
}

/* The model: entries fire in the order of (tick, order of setting); what was
 * set to a time past counts as set to the wheel's tick. */
static struct {
    tw__wheel wheel;
    tw__wheel_entry entries[ENTRIES];
    uint64_t key[ENTRIES], order[ENTRIES]; /* order 0: not set */
    uint64_t next_order, call_order;       /* set after the call began */
    uint64_t tick, target;
    uint64_t seed;
} m;

static uint64_t roll(uint64_t bound) {
    m.seed ^= m.seed << 13;
    m.seed ^= m.seed >> 7;
    m.seed ^= m.seed << 17;
    return m.seed % bound;
}

static uint64_t some_time(uint64_t now) {
    uint64_t scale = roll(42);
    if (scale == 0) {
        return now > 100 ? now - roll(100) : 0;
    }
    return now + roll(UINT64_C(1) << scale);
}

static int model_first(uint64_t before_order) {
    int first = -1;
    for (int i = 0; i < ENTRIES; i++) {
        if (m.order[i] == 0 || m.order[i] >= before_order) {
            continue;
        }
        if (first < 0 || m.key[i] < m.key[first] ||
            (m.key[i] == m.key[first] && m.order[i] < m.order[first])) {
            first = i;
        }
    }
    return first;
}

static void model_change_one(uint64_t now) {
    int i = (int)roll(ENTRIES);
    if (roll(4) == 0) {
        tw__wheel_clear(&m.wheel, &m.entries[i]);
        m.order[i] = 0;
        return;
    }
    uint64_t deadline = some_time(now);
    uint64_t tick = (deadline + TICK - 1) / TICK;
    tw__wheel_set(&m.wheel, &m.entries[i], deadline);
    m.key[i] = tick > m.tick ? tick : m.tick;
    m.order[i] = m.next_order++;
}

static void model_fired(tw__wheel_entry *entry) {
    int i = (int)(entry - m.entries);
    assert_int_equal(i, model_first(m.call_order));
    assert_true(m.key[i] <= m.target);
    m.order[i] = 0;
    fired++;
    while (roll(3) == 0) {
        model_change_one(m.target * TICK);
    }
}

static void model_advance(uint64_t now, unsigned max) {
    m.call_order = m.next_order;
    m.target = m.tick = now / TICK;
    fired = 0;
    bool is_more = tw__wheel_advance(&m.wheel, now, max);
    int old = model_first(m.call_order), any = model_first(UINT64_MAX);
    assert_true(max == 0 || fired <= max);
    if (max == 0 || fired < max) {
        assert_true(old < 0 || m.key[old] > m.tick);
    }
    assert_int_equal(is_more, any >= 0 && m.key[any] <= m.tick);
    uint64_t next = tw__wheel_next_ms(&m.wheel);
    if (any < 0) {
        assert_true(next == UINT64_MAX);
    } else {
        assert_true(next <= (is_more ? now : m.key[any] * TICK));
        assert_int_equal(next > now, !is_more);
    }
    for (int i = 0; i < ENTRIES; i++) {
        assert_int_equal(m.order[i] != 0, tw__wheel_is_set(&m.entries[i]));
    }
}

static void run_model(uint64_t start, uint64_t seed) {
    memset(&m, 0, sizeof m);
    m.seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    m.next_order = 1;
    m.tick = start / TICK;
    tw__wheel_init(&m.wheel, start);
    for (int i = 0; i < ENTRIES; i++) {
        m.entries[i].cb = model_fired;
    }
    uint64_t now = start;
    for (int step = 0; step < 1500; step++) {
        for (uint64_t n = roll(8); n > 0; n--) {
            model_change_one(now);
        }
        uint64_t next = tw__wheel_next_ms(&m.wheel);
        if (roll(3) == 0 && next != UINT64_MAX && next > now) {
            now = next - roll(2);
        } else {
            now += roll(UINT64_C(1) << roll(30));
        }
        model_advance(now, roll(4) == 0 ? 1 + (unsigned)roll(4) : 0);
    }
}

static void random_work_agrees_with_a_sorted_list(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        run_model(123456 * seed, seed);
    }
}

static void milliseconds_and_ticks_beyond_32_bits_do_not_wrap(void **state) {
    (void)state;
    run_model(TICK, 101);
    run_model(UINT32_MAX - 1000, 102);
    run_model((uint64_t)TICK * UINT32_MAX - 1000, 103);
    run_model((UINT64_C(1) << 44) - 5, 104);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_fires_at_its_deadline_and_not_before),
        cmocka_unit_test(following_next_ms_reaches_a_deadline_in_few_steps),
        cmocka_unit_test(
            a_deadline_beyond_all_bounds_is_kept_and_can_be_cleared),
        cmocka_unit_test(moving_an_entry_leaves_one_deadline),
        cmocka_unit_test(a_clock_that_steps_back_changes_nothing),
        cmocka_unit_test(at_most_max_fire_and_the_rest_comes_first_later),
        cmocka_unit_test(one_set_to_the_past_by_its_callback_waits_a_call),
        cmocka_unit_test(a_callback_may_free_owners_of_entries),
        cmocka_unit_test(random_work_agrees_with_a_sorted_list),
        cmocka_unit_test(milliseconds_and_ticks_beyond_32_bits_do_not_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
