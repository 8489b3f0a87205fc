/* Plays the reload machine against a small world of workers in which messages
 * are under way, hooks fail and workers die at any moment, and checks after
 * every step what must always hold. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/reload.h"
#include "tidewire/errors.h"

enum { SLOTS = 3, QUEUE = 64 };

enum kind { PREPARE, FREEZE, COMMIT, ABORT };

typedef struct message {
    enum kind kind;
    uint32_t generation;
    int status;
} message;

typedef struct queue {
    message items[QUEUE];
    unsigned first, last;
} queue;

typedef enum life { GONE, LOADING, LOADED, UP } life_state;

typedef struct worker {
    life_state life;
    uint32_t generation, next;
    bool frozen;
    queue orders, replies;
} worker;

typedef struct world {
    tw__reload reload;
    worker workers[SLOTS];
    uint64_t now_ms;
    bool written[256];                  /* generations that have a snapshot */
    uint32_t last_attempt;              /* of the latest begin */
    uint64_t wanted, covered, answered; /* numbers of requests */
    uint32_t decided;
    unsigned begun, done, committed;
    int status; /* of the latest done */
    char report[TW__RELOAD_REPORT];
} world;

static void push(queue *q, message m) {
    assert_true(q->last - q->first < QUEUE);
    q->items[q->last++ % QUEUE] = m;
}

static bool is_empty(const queue *q) {
    return q->first == q->last;
}

static message shift(queue *q) {
    return q->items[q->first++ % QUEUE];
}

/* ---- the master's side -------------------------------------------------- */

static void order(void *arg, uint32_t slot, enum kind kind, uint32_t generation,
                  int status) {
    world *w = arg;
    assert_int_equal(w->workers[slot].life, UP);
    push(&w->workers[slot].orders, (message){kind, generation, status});
}

static void on_begin(void *arg, uint32_t generation) {
    world *w = arg;
    assert_true(generation > w->last_attempt);
    assert_int_equal(w->begun, w->done);
    w->last_attempt = generation;
    w->covered = w->wanted;
    w->begun++;
}

/* The one that writes is alone; the others are asked when it has written. */
static void on_prepare(void *arg, uint32_t slot, uint32_t generation,
                       bool writes) {
    world *w = arg;
    assert_int_equal(generation, w->last_attempt);
    assert_int_equal(writes, !w->written[generation]);
    order(arg, slot, PREPARE, generation, writes);
}

static void on_freeze(void *arg, uint32_t slot, uint32_t generation) {
    order(arg, slot, FREEZE, generation, 0);
}

static void die(world *w, uint32_t slot);

static void on_decide(void *arg, uint32_t generation) {
    world *w = arg;
    assert_int_equal(generation, w->last_attempt);
    w->decided = generation;
    w->committed++;
    for (uint32_t i = 0; i < SLOTS; i++) {
        worker *one = &w->workers[i];
        if (one->life == UP) {
            assert_true(one->frozen); /* all of them, or it was too early */
            assert_int_equal(one->next, generation);
        } else if (one->life != GONE) {
            memset(one, 0, sizeof *one); /* recalled */
        }
    }
}

static void on_commit(void *arg, uint32_t slot, uint32_t generation) {
    world *w = arg;
    assert_int_equal(w->decided, generation);
    order(arg, slot, COMMIT, generation, 0);
}

static void on_abort(void *arg, uint32_t slot, uint32_t generation) {
    world *w = arg;
    assert_int_not_equal(generation, w->reload.committed);
    if (w->workers[slot].life == UP) {
        order(arg, slot, ABORT, generation, 0);
    }
}

static void on_done(void *arg, uint32_t generation, int status,
                    const char *report) {
    world *w = arg;
    assert_int_equal(generation, w->last_attempt);
    assert_int_equal(status == 0, generation == w->reload.committed);
    assert_int_equal(status == 0, report[0] == '\0');
    w->done++;
    w->status = status;
    w->answered = w->covered;
    snprintf(w->report, sizeof w->report, "%s", report);
}

static const tw__reload_ops ops = {on_begin,  on_prepare, on_freeze, on_decide,
                                   on_commit, on_abort,   on_done};

static void request(world *w) {
    w->wanted++;
    tw__reload_request(&w->reload);
}

static void hear(world *w, uint32_t slot) {
    message m = shift(&w->workers[slot].replies);
    if (m.kind == PREPARE) {
        tw__reload_prepared(&w->reload, slot, m.generation, m.status,
                            m.status ? "app.lua:1: broken" : "", w->now_ms);
    } else if (m.kind == FREEZE) {
        tw__reload_frozen(&w->reload, slot, m.generation, m.status,
                          m.status ? "save() raised" : "", w->now_ms);
    } else {
        tw__reload_switched(&w->reload, slot, m.generation);
    }
}

/* What it said before it died is heard, as the master does it. */
static void die(world *w, uint32_t slot) {
    worker *one = &w->workers[slot];
    while (!is_empty(&one->replies)) {
        hear(w, slot);
    }
    memset(one, 0, sizeof *one);
    tw__reload_slot_down(&w->reload, slot);
}

static void start(world *w, uint32_t slot) {
    w->workers[slot].life = LOADING;
    w->workers[slot].generation = w->reload.committed;
}

static void admit(world *w) {
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (w->workers[i].life == LOADED && tw__reload_may_join(&w->reload)) {
            w->workers[i].life = UP;
            tw__reload_slot_up(&w->reload, i);
        }
    }
}

/* ---- the workers' side -------------------------------------------------- */

static void obey(world *w, uint32_t slot, bool fails) {
    worker *one = &w->workers[slot];
    message m = shift(&one->orders);
    int status = fails ? TW_EINVALID : 0;
    switch (m.kind) {
    case PREPARE:
        assert_int_equal(one->next, 0);
        assert_true(m.status != 0 || w->written[m.generation]);
        w->written[m.generation] |= status == 0;
        one->next = status == 0 ? m.generation : 0;
        push(&one->replies, (message){PREPARE, m.generation, status});
        break;
    case FREEZE:
        assert_int_equal(one->next, m.generation);
        assert_false(one->frozen);
        one->frozen = true;
        push(&one->replies, (message){FREEZE, m.generation, status});
        break;
    case COMMIT:
        assert_true(one->frozen);
        assert_int_equal(one->next, m.generation);
        one->generation = m.generation;
        one->next = 0;
        one->frozen = false;
        push(&one->replies, (message){COMMIT, m.generation, 0});
        break;
    case ABORT:
        one->next = 0;
        one->frozen = false;
        break;
    }
}

/* ---- what always holds -------------------------------------------------- */

static bool is_quiet(const world *w) {
    for (uint32_t i = 0; i < SLOTS; i++) {
        const worker *one = &w->workers[i];
        if (!is_empty(&one->orders) || !is_empty(&one->replies)) {
            return false;
        }
    }
    return w->reload.phase == TW__RELOAD_IDLE;
}

static void check(const world *w) {
    uint32_t running = 0;
    for (uint32_t i = 0; i < SLOTS; i++) {
        const worker *one = &w->workers[i];
        if (one->life == UP && !one->frozen) {
            /* No mixture: who runs hooks runs the same generation. */
            assert_true(running == 0 || running == one->generation);
            running = one->generation;
        }
        if (one->life == UP && is_quiet(w)) {
            assert_false(one->frozen);
            assert_int_equal(one->next, 0);
            assert_int_equal(one->generation, w->reload.committed);
        }
    }
    if (is_quiet(w)) {
        assert_int_equal(w->begun, w->done);
        assert_int_equal(w->answered, w->wanted);
    }
}

static void make(world *w) {
    memset(w, 0, sizeof *w);
    w->now_ms = 1000;
    w->last_attempt = 1;
    assert_int_equal(tw__reload_init(&w->reload, SLOTS, &ops, w), 0);
}

static void make_up(world *w) {
    make(w);
    for (uint32_t i = 0; i < SLOTS; i++) {
        start(w, i);
        w->workers[i].life = LOADED;
    }
    admit(w);
}

/* Lets everything under way arrive. */
static void settle(world *w) {
    while (!is_quiet(w)) {
        for (uint32_t i = 0; i < SLOTS; i++) {
            if (!is_empty(&w->workers[i].orders)) {
                obey(w, i, false);
            }
            if (!is_empty(&w->workers[i].replies)) {
                hear(w, i);
            }
            check(w);
        }
        admit(w);
    }
}

/* ---- the plain stories -------------------------------------------------- */

static void all_slots_switch_together(void **state) {
    (void)state;
    world w;
    make_up(&w);
    request(&w);
    settle(&w);
    assert_int_equal(w.status, 0);
    assert_int_equal(w.reload.committed, 2);
    tw__reload_deinit(&w.reload);
}

static void a_hundred_requests_make_at_most_two_reloads(void **state) {
    (void)state;
    world w;
    make_up(&w);
    for (int i = 0; i < 100; i++) {
        request(&w);
    }
    settle(&w);
    assert_int_equal(w.done, 2);
    assert_int_equal(w.reload.committed, 3);
    tw__reload_deinit(&w.reload);
}

static void a_failed_load_aborts_with_its_report(void **state) {
    (void)state;
    world w;
    make_up(&w);
    request(&w);
    obey(&w, 0, true);
    hear(&w, 0);
    settle(&w);
    assert_int_equal(w.status, TW_EINVALID);
    assert_string_equal(w.report, "app.lua:1: broken");
    assert_int_equal(w.reload.committed, 1);
    tw__reload_deinit(&w.reload);
}

static void
the_number_of_an_aborted_generation_is_not_used_again(void **state) {
    (void)state;
    world w;
    make_up(&w);
    request(&w);
    obey(&w, 0, true);
    hear(&w, 0);
    request(&w);
    settle(&w);
    assert_int_equal(w.reload.committed, 3);
    tw__reload_deinit(&w.reload);
}

static void freeze_all(world *w) {
    request(w);
    obey(w, 0, false);
    hear(w, 0);
    for (uint32_t i = 1; i < SLOTS; i++) {
        obey(w, i, false);
        hear(w, i);
    }
    assert_int_equal(w->reload.phase, TW__RELOAD_FREEZING);
}

static void a_freeze_that_takes_too_long_aborts(void **state) {
    (void)state;
    world w;
    make_up(&w);
    freeze_all(&w);
    obey(&w, 0, false);
    hear(&w, 0);
    assert_int_equal(tw__reload_due(&w.reload),
                     w.now_ms + TW__RELOAD_FREEZE_MS);
    w.now_ms += TW__RELOAD_FREEZE_MS - 1;
    tw__reload_tick(&w.reload, w.now_ms);
    assert_int_equal(w.done, 0);
    w.now_ms++;
    tw__reload_tick(&w.reload, w.now_ms);
    assert_int_equal(w.status, TW_ETIMEOUT);
    assert_string_equal(w.report, "worker 1 did not freeze within 250 ms");
    settle(&w);
    assert_int_equal(w.reload.committed, 1);
    tw__reload_deinit(&w.reload);
}

static void a_freeze_may_be_given_more_time(void **state) {
    (void)state;
    world w;
    make_up(&w);
    w.reload.freeze_ms = 3000;
    freeze_all(&w);
    assert_int_equal(tw__reload_due(&w.reload), w.now_ms + 3000);
    w.now_ms += 2999;
    tw__reload_tick(&w.reload, w.now_ms);
    assert_int_equal(w.done, 0);
    w.now_ms++;
    tw__reload_tick(&w.reload, w.now_ms);
    assert_string_equal(w.report, "worker 0 did not freeze within 3000 ms");
    settle(&w);
    tw__reload_deinit(&w.reload);
}

static void a_death_in_each_phase_before_commit_aborts(void **state) {
    (void)state;
    for (int phase = TW__RELOAD_LOADING; phase <= TW__RELOAD_FREEZING;
         phase++) {
        for (uint32_t victim = 0; victim < SLOTS; victim++) {
            world w;
            make_up(&w);
            request(&w);
            while ((int)w.reload.phase < phase) {
                for (uint32_t i = 0; i < SLOTS; i++) {
                    if (!is_empty(&w.workers[i].orders)) {
                        obey(&w, i, false);
                        hear(&w, i);
                        break;
                    }
                }
            }
            die(&w, victim);
            assert_int_equal(w.status, TW_EUNAVAILABLE);
            settle(&w);
            assert_int_equal(w.reload.committed, 1);
            tw__reload_deinit(&w.reload);
        }
    }
}

static void a_death_after_commit_leaves_the_new_generation(void **state) {
    (void)state;
    world w;
    make_up(&w);
    freeze_all(&w);
    for (uint32_t i = 0; i < SLOTS; i++) {
        obey(&w, i, false);
        hear(&w, i);
    }
    assert_int_equal(w.reload.phase, TW__RELOAD_COMMITTING);
    die(&w, 1);
    settle(&w);
    assert_int_equal(w.status, 0);
    start(&w, 1);
    assert_int_equal(w.workers[1].generation, 2);
    tw__reload_deinit(&w.reload);
}

static void a_slot_that_comes_up_while_others_prepare_joins(void **state) {
    (void)state;
    world w;
    make_up(&w);
    die(&w, 2);
    request(&w);
    start(&w, 2);
    obey(&w, 0, false);
    hear(&w, 0);
    assert_int_equal(w.reload.phase, TW__RELOAD_PREPARING);
    w.workers[2].life = LOADED;
    admit(&w);
    settle(&w);
    assert_int_equal(w.status, 0);
    assert_int_equal(w.workers[2].generation, 2);
    tw__reload_deinit(&w.reload);
}

static void without_a_running_slot_there_is_no_reload(void **state) {
    (void)state;
    world w;
    make(&w);
    request(&w);
    assert_int_equal(w.status, TW_EUNAVAILABLE);
    tw__reload_deinit(&w.reload);
}

static void a_stop_aborts_and_answers_what_waits(void **state) {
    (void)state;
    world w;
    make_up(&w);
    request(&w);
    request(&w);
    tw__reload_stop(&w.reload);
    assert_int_equal(w.done, 2);
    assert_int_equal(w.status, TW_ECLOSED);
    request(&w);
    assert_int_equal(w.done, 3);
    settle(&w);
    tw__reload_deinit(&w.reload);
}

static void a_stop_after_the_decision_lets_the_commit_end(void **state) {
    (void)state;
    world w;
    make_up(&w);
    freeze_all(&w);
    for (uint32_t i = 0; i < SLOTS; i++) {
        obey(&w, i, false);
        hear(&w, i);
    }
    tw__reload_stop(&w.reload);
    settle(&w);
    assert_int_equal(w.status, 0);
    assert_int_equal(w.reload.committed, 2);
    tw__reload_deinit(&w.reload);
}

/* ---- every story -------------------------------------------------------- */

/* The next event is one of EVENTS for one of SLOTS; those that make no sense
 * now do nothing and answer false. */
enum { OBEY, OBEY_FAILING, HEAR, DIE, COME, REQUEST, LATE, EVENTS };

static bool come(world *w, uint32_t slot) {
    worker *one = &w->workers[slot];
    if (one->life == GONE) {
        start(w, slot);
    } else if (one->life == LOADING) {
        one->life = LOADED;
    } else {
        return false;
    }
    return true;
}

static bool happen(world *w, int event, uint32_t slot) {
    worker *one = &w->workers[slot];
    switch (event) {
    case OBEY:
    case OBEY_FAILING:
        if (is_empty(&one->orders)) {
            return false;
        }
        obey(w, slot, event == OBEY_FAILING);
        return true;
    case HEAR:
        if (is_empty(&one->replies)) {
            return false;
        }
        hear(w, slot);
        return true;
    case DIE:
        if (one->life == GONE) {
            return false;
        }
        die(w, slot);
        return true;
    case COME:
        return come(w, slot);
    case REQUEST:
        if (slot != 0) {
            return false;
        }
        request(w);
        return true;
    default:
        if (slot != 0 || tw__reload_due(&w->reload) == UINT64_MAX) {
            return false;
        }
        w->now_ms += TW__RELOAD_FREEZE_MS;
        tw__reload_tick(&w->reload, w->now_ms);
        return true;
    }
}

static void step(world *w, int event, uint32_t slot, bool *happened) {
    *happened = happen(w, event, slot);
    if (*happened) {
        admit(w);
        check(w);
    }
}

/* From a world in the middle of each phase, every sequence of five events. */
static void explore(const world *from, int depth, unsigned long *count) {
    if (depth == 0) {
        world end = *from;
        uint8_t states[SLOTS];
        memcpy(states, from->reload._slots, SLOTS);
        end.reload._slots = states;
        end.reload._arg = &end;
        settle(&end);
        check(&end);
        ++*count;
        return;
    }
    for (int event = 0; event < EVENTS; event++) {
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            world next = *from;
            uint8_t states[SLOTS];
            bool happened;
            memcpy(states, from->reload._slots, SLOTS);
            next.reload._slots = states;
            next.reload._arg = &next;
            step(&next, event, slot, &happened);
            if (happened) {
                explore(&next, depth - 1, count);
            }
        }
    }
}

static void every_order_of_four_events_from_every_phase_is_whole(void **state) {
    (void)state;
    unsigned long count = 0;
    for (int phase = TW__RELOAD_IDLE; phase <= TW__RELOAD_COMMITTING; phase++) {
        world w;
        make_up(&w);
        if (phase != TW__RELOAD_IDLE) {
            request(&w);
        }
        while ((int)w.reload.phase < phase) {
            for (uint32_t i = 0; i < SLOTS; i++) {
                if (!is_empty(&w.workers[i].orders)) {
                    obey(&w, i, false);
                    hear(&w, i);
                    break;
                }
            }
        }
        explore(&w, 4, &count);
        tw__reload_deinit(&w.reload);
    }
    assert_true(count > 5000);
}

static uint32_t next_random(uint32_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void long_random_lives_stay_whole(void **state) {
    (void)state;
    unsigned committed = 0, aborted = 0;
    for (uint32_t walk = 1; walk <= 2000; walk++) {
        world w;
        uint32_t seed = walk * 2654435761u;
        make_up(&w);
        for (int i = 0; i < 300; i++) {
            uint32_t random = next_random(&seed);
            int event = (int)(random % 64);
            bool happened;
            /* Mostly work gets done; now and then something breaks. */
            event = event < 30   ? OBEY
                    : event < 56 ? HEAR
                    : event < 59 ? COME
                    : event < 61 ? REQUEST
                    : event < 62 ? OBEY_FAILING
                    : event < 63 ? DIE
                                 : LATE;
            step(&w, event, next_random(&seed) % SLOTS, &happened);
        }
        settle(&w);
        check(&w);
        committed += w.committed;
        aborted += w.done - w.committed;
        tw__reload_deinit(&w.reload);
    }
    assert_true(committed > 2000); /* the walk reaches both ends often */
    assert_true(aborted > 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_slots_switch_together),
        cmocka_unit_test(a_hundred_requests_make_at_most_two_reloads),
        cmocka_unit_test(a_failed_load_aborts_with_its_report),
        cmocka_unit_test(the_number_of_an_aborted_generation_is_not_used_again),
        cmocka_unit_test(a_freeze_that_takes_too_long_aborts),
        cmocka_unit_test(a_freeze_may_be_given_more_time),
        cmocka_unit_test(a_death_in_each_phase_before_commit_aborts),
        cmocka_unit_test(a_death_after_commit_leaves_the_new_generation),
        cmocka_unit_test(a_slot_that_comes_up_while_others_prepare_joins),
        cmocka_unit_test(without_a_running_slot_there_is_no_reload),
        cmocka_unit_test(a_stop_aborts_and_answers_what_waits),
        cmocka_unit_test(a_stop_after_the_decision_lets_the_commit_end),
        cmocka_unit_test(every_order_of_four_events_from_every_phase_is_whole),
        cmocka_unit_test(long_random_lives_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
