/* wheel.h - a hierarchical timing wheel: many deadlines, cheap to set and drop.
 *
 * Pure: time is passed in as milliseconds. Ticks of TW__WHEEL_TICK_MS; an entry
 * fires at the first advance in or after the tick that begins at or after its
 * deadline, never before the deadline. An entry belongs to its owner and is in
 * at most one wheel. Belongs to one thread; the struct must not move.
 *
 * Ticks are counted in 48 bits from time 0, so that nothing wraps for 35,000
 * years; a deadline farther away is brought nearer to that.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_WHEEL_H
#define TW_NET_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum { TW__WHEEL_TICK_MS = 4, TW__WHEEL_SLOTS = 64, TW__WHEEL_LEVELS = 8 };

/* A deadline, 24 bytes; all zero is a valid one that is not set. The wheel's
 * `on_due` is called for it: a wheel for things of one kind, of which there are
 * many, needs no callback in each. */
typedef struct tw__wheel_node {
    tw__list _link;
    uint64_t _tick; /* 0: not set */
} tw__wheel_node;

typedef void (*tw__wheel_due_cb)(tw__wheel_node *node);

/* A deadline with a callback of its own, which a wheel calls that was given no
 * other `on_due`. */
typedef struct tw__wheel_entry tw__wheel_entry;
typedef void (*tw__wheel_cb)(tw__wheel_entry *entry);
struct tw__wheel_entry {
    tw__wheel_node node;
    tw__wheel_cb cb;
};

typedef struct tw__wheel {
    tw__wheel_due_cb on_due; /* may be replaced before anything is set */
    uint64_t _tick;          /* all up to here has been collected */
    uint64_t _occupied[TW__WHEEL_LEVELS]; /* a bit for each slot not empty */
    tw__list _due;                        /* collected, to be fired */
    tw__list _slots[TW__WHEEL_LEVELS][TW__WHEEL_SLOTS];
} tw__wheel;

void tw__wheel_init(tw__wheel *wheel, uint64_t now_ms);

/* Sets or moves it to `deadline_ms`. */
void tw__wheel_set_node(tw__wheel *wheel, tw__wheel_node *node,
                        uint64_t deadline_ms);

/* Takes it out; does nothing when it is not set. */
void tw__wheel_clear_node(tw__wheel *wheel, tw__wheel_node *node);

static inline bool tw__wheel_is_node_set(const tw__wheel_node *node) {
    return node->_tick != 0;
}

/* The same for an entry; `cb` is set by the owner before. */
static inline void tw__wheel_set(tw__wheel *wheel, tw__wheel_entry *entry,
                                 uint64_t deadline_ms) {
    tw__wheel_set_node(wheel, &entry->node, deadline_ms);
}

static inline void tw__wheel_clear(tw__wheel *wheel, tw__wheel_entry *entry) {
    tw__wheel_clear_node(wheel, &entry->node);
}

static inline bool tw__wheel_is_set(const tw__wheel_entry *entry) {
    return tw__wheel_is_node_set(&entry->node);
}

/* Fires what is due, in order of ticks. A callback's entry is no longer set; it
 * may set and clear any entry, its own too, and free the owner of any that is
 * not set; one set to a time already past fires with the next call.
 * Fires at most `max` entries (0: all); returns true when some due are left. */
bool tw__wheel_advance(tw__wheel *wheel, uint64_t now_ms, unsigned max);

/* When tw__wheel_advance should be called next: a time not later than the
 * earliest deadline's tick; UINT64_MAX when nothing is set. */
uint64_t tw__wheel_next_ms(const tw__wheel *wheel);

#endif
