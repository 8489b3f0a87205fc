/* The hub against a model that is too simple to be wrong: a list of what each
 * member still has to get from each channel, in order.
 *
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "hub/hub.h"

enum { PEOPLE = 9, CHANNELS = 3, BACKLOG = 1 << 14 };

static const char *const names[CHANNELS] = {"a", "b", "c"};

/* One person in one channel. `sub` is NULL while it is not a member. */
typedef struct seat {
    tw__sub *sub;
    int person, channel;
    uint32_t owed[BACKLOG]; /* numbers of publications, in order */
    uint32_t first, last;
} seat;

typedef struct model {
    tw__hub hub;
    seat seats[PEOPLE * CHANNELS];
    uint32_t next; /* publication's number */
    uint64_t intended, delivered, left, lost;
    unsigned random;
    int visits_act;       /* what visits do: one in so many does something */
    bool is_memory_short; /* who lost what is not known then */
} model;

static seat *seat_of(model *m, int person, int channel) {
    return &m->seats[person * CHANNELS + channel];
}

static unsigned pick(model *m, unsigned bound) {
    m->random = m->random * 1103515245u + 12345u;
    return (m->random >> 12) % bound;
}

static void check_balance(model *m) {
    uint64_t owed = 0;
    for (int i = 0; i < PEOPLE * CHANNELS; i++) {
        const seat *s = &m->seats[i];
        owed += s->last - s->first;
    }
    if (!m->is_memory_short) {
        assert_int_equal(m->hub.pending_deliveries, owed);
    }
    assert_int_equal(m->intended, m->delivered + m->left + m->lost +
                                      m->hub.pending_deliveries);
}

/* ---- what happens ---- */

static void join(model *m, seat *s) {
    bool created;
    const char *name = names[s->channel];
    tw__channel *channel = tw__channel_open(&m->hub, name, 1, &created);
    if (s->sub != NULL || channel == NULL) {
        if (channel != NULL) {
            tw__channel_close(channel);
        }
        return;
    }
    tw__sub *sub = malloc(sizeof *sub);
    *sub = (tw__sub){channel, s, TW__NOT_JOINED, 0};
    int fd = pick(m, 2) ? s->person : -1;
    if (tw__channel_join(sub, fd, (uint8_t)(s->person % 2)) != 0) {
        tw__channel_close(channel);
        free(sub);
        return;
    }
    s->sub = sub;
    s->first = s->last = 0;
}

static void leave(model *m, seat *s) {
    if (s->sub == NULL) {
        return;
    }
    uint64_t owed = tw__channel_leave(s->sub);
    if (!m->is_memory_short) {
        assert_int_equal(owed, s->last - s->first);
    }
    m->left += owed;
    tw__channel_close(s->sub->channel);
    free(s->sub);
    s->sub = NULL;
    s->first = s->last = 0;
}

static void move(seat *s) {
    if (s->sub != NULL) {
        tw__sub *moved = malloc(sizeof *moved);
        *moved = *s->sub;
        tw__sub_moved(moved);
        free(s->sub);
        s->sub = moved;
    }
}

static void publish(model *m, int which, const seat *except) {
    uint32_t number = m->next++;
    tw__channel *channel = tw__hub_find(&m->hub, names[which], 1);
    tw__sub *not_to =
        except != NULL && except->channel == which ? except->sub : NULL;
    if (channel == NULL) {
        return;
    }
    tw__pub *pub =
        tw__pub_create(names[which], 1, NULL, 0, &number, sizeof number);
    if (pub == NULL) {
        return;
    }
    uint64_t intended = 0, lost = m->lost;
    for (int i = 0; i < PEOPLE; i++) {
        seat *s = seat_of(m, i, which);
        if (s->sub != NULL && s->sub != not_to) {
            intended++;
        }
    }
    uint64_t means = tw__channel_publish(channel, pub, not_to);
    assert_int_equal(means, intended);
    m->intended += means;
    for (int i = 0; i < PEOPLE && m->lost == lost; i++) {
        seat *s = seat_of(m, i, which);
        if (s->sub != NULL && s->sub != not_to) {
            assert_true(s->last < BACKLOG);
            s->owed[s->last++] = number;
        }
    }
    if (channel->pending_count > 0 && pick(m, 4) != 0) {
        tw__channel_set_due(channel);
    }
}

static void act(model *m) {
    seat *s = &m->seats[pick(m, PEOPLE * CHANNELS)];
    switch (pick(m, 8)) {
    case 0:
    case 1:
        join(m, s);
        break;
    case 2:
        leave(m, s);
        break;
    case 3:
        move(s);
        break;
    case 4:
        if (s->sub != NULL) {
            tw__sub_set_fd(s->sub, pick(m, 2) ? s->person : -1);
        }
        break;
    case 5:
        publish(m, s->channel, s);
        break;
    default:
        publish(m, s->channel, NULL);
    }
}

/* ---- the hub's side ---- */

static void deliver(void *arg, tw__sub *sub, int fd, tw__channel *channel,
                    tw__batch *batch, uint32_t first, uint32_t count) {
    model *m = arg;
    seat *s = sub->owner;
    assert_ptr_equal(s->sub, sub);
    assert_ptr_equal(sub->channel, channel);
    if (fd >= 0) {
        assert_int_equal(fd, s->person);
        assert_true(first == 0 && count == batch->count);
    }
    for (uint32_t i = first; i < first + count; i++) {
        const tw__frame *frame = &batch->frames[i];
        uint32_t number;
        assert_int_equal(frame->len, sizeof number + 1);
        assert_int_equal(batch->data[frame->off], s->person % 2);
        memcpy(&number, batch->data + frame->off + 1, sizeof number);
        if (m->is_memory_short) {
            while (s->first < s->last && s->owed[s->first] != number) {
                s->first++; /* lost meanwhile */
            }
        }
        assert_true(s->first < s->last);
        assert_int_equal(s->owed[s->first++], number);
    }
    m->delivered += count;
    if (s->first == s->last) {
        s->first = s->last = 0;
    }
    check_balance(m);
    while (m->visits_act > 0 && pick(m, (unsigned)m->visits_act) == 0) {
        act(m);
        check_balance(m);
    }
}

static void lose(void *arg, tw__channel *channel, uint64_t lost) {
    model *m = arg;
    assert_non_null(channel);
    assert_true(m->is_memory_short);
    m->lost += lost;
}

static size_t size_of(const tw__pub *pub) {
    return pub->len + 1u;
}

static size_t write_0(tw__pub *pub, uint8_t *out) {
    out[0] = 0;
    memcpy(out + 1, tw__pub_data(pub), pub->len);
    return pub->len + 1u;
}

static size_t write_1(tw__pub *pub, uint8_t *out) {
    size_t len = write_0(pub, out);
    out[0] = 1;
    return len;
}

static const tw__encoder encoders[2] = {{size_of, write_0, NULL, NULL},
                                        {size_of, write_1, NULL, NULL}};

/* ---- the runs ---- */

static void start(model *m, unsigned seed) {
    tw__hub_events events = {deliver, lose, m};
    memset(m, 0, sizeof *m);
    m->random = seed * 7919 + 1;
    tw__hub_init(&m->hub, &events);
    m->hub.encoders[0] = &encoders[0];
    m->hub.encoders[1] = &encoders[1];
    for (int i = 0; i < PEOPLE * CHANNELS; i++) {
        m->seats[i].person = i / CHANNELS;
        m->seats[i].channel = i % CHANNELS;
    }
}

static void finish(model *m) {
    int left = 1000;
    m->visits_act = 0;
    for (int i = 0; i < CHANNELS; i++) {
        tw__channel *channel = tw__hub_find(&m->hub, names[i], 1);
        if (channel != NULL) {
            tw__channel_set_due(channel);
        }
    }
    while (tw__hub_walk(&m->hub, 3)) {
        assert_true(--left > 0);
    }
    check_balance(m);
    assert_int_equal(m->hub.pending_deliveries, 0);
    for (int i = 0; i < PEOPLE * CHANNELS; i++) {
        leave(m, &m->seats[i]);
    }
    tw__hub_deinit(&m->hub);
}

static void run(model *m, unsigned seed, int steps, int visits_act) {
    start(m, seed);
    m->visits_act = visits_act;
    for (int step = 0; step < steps; step++) {
        act(m);
        if (pick(m, 3) == 0) {
            tw__hub_walk(&m->hub, 1 + pick(m, 6));
        }
        check_balance(m);
    }
    finish(m);
}

static void deliveries_are_those_of_the_model(void **state) {
    size_t live = tw__alloc_live();
    model *m = malloc(sizeof *m);
    (void)state;
    for (unsigned seed = 0; seed < 60; seed++) {
        run(m, seed, 300, 0);
        assert_true(m->delivered > 100);
    }
    free(m);
    assert_int_equal(tw__alloc_live(), live);
}

static void visits_that_change_everything_change_nothing_of_that(void **state) {
    size_t live = tw__alloc_live();
    model *m = malloc(sizeof *m);
    (void)state;
    for (unsigned seed = 100; seed < 200; seed++) {
        run(m, seed, 200, 2 + (int)(seed % 4));
    }
    free(m);
    assert_int_equal(tw__alloc_live(), live);
}

static void without_memory_all_is_accounted_for(void **state) {
    size_t live = tw__alloc_live();
    model *m = malloc(sizeof *m);
    uint64_t lost = 0;
    (void)state;
    for (size_t nth = 1; nth < 200; nth++) {
        start(m, 5);
        m->is_memory_short = true;
        m->visits_act = 5;
        tw__alloc_fail_nth(nth);
        for (int step = 0; step < 100; step++) {
            act(m);
            if (pick(m, 3) == 0) {
                tw__hub_walk(&m->hub, 4);
            }
            check_balance(m);
        }
        tw__alloc_fail_nth(0);
        lost += m->lost;
        finish(m);
        assert_int_equal(tw__alloc_live(), live);
    }
    assert_true(lost > 0);
    free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deliveries_are_those_of_the_model),
        cmocka_unit_test(visits_that_change_everything_change_nothing_of_that),
        cmocka_unit_test(without_memory_all_is_accounted_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
