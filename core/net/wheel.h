/* wheel.h - a hierarchical timing wheel: many deadlines, cheap to set and drop.
 *
 * Pure: time is passed in as milliseconds. Ticks of TW__WHEEL_TICK_MS; an entry
 * fires at the first advance at or after its deadline, never before. An entry
 * belongs to its owner and is in at most one wheel.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_WHEEL_H
#define TW_NET_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum { TW__WHEEL_TICK_MS = 4, TW__WHEEL_SLOTS = 64, TW__WHEEL_LEVELS = 6 };

typedef struct tw__wheel_entry tw__wheel_entry;
typedef void (*tw__wheel_cb)(tw__wheel_entry *entry);

/* 32 bytes; all zero is a valid entry that is not set. */
struct tw__wheel_entry {
    tw__list _node;
    tw__wheel_cb cb;
    uint32_t _tick;
    uint32_t _is_set;
};

typedef struct tw__wheel {
    uint64_t _start_ms;
    uint32_t _tick;
    uint32_t _count;
    uint64_t _occupied[TW__WHEEL_LEVELS];
    tw__list _slots[TW__WHEEL_LEVELS][TW__WHEEL_SLOTS];
} tw__wheel;

void tw__wheel_init(tw__wheel *wheel, uint64_t now_ms);

/* Sets or moves the entry to `deadline_ms`; `cb` is set by the owner before. */
void tw__wheel_set(tw__wheel *wheel, tw__wheel_entry *entry,
                   uint64_t deadline_ms);
void tw__wheel_clear(tw__wheel *wheel, tw__wheel_entry *entry);

static inline bool tw__wheel_is_set(const tw__wheel_entry *entry) {
    return entry->_is_set != 0;
}

/* Fires what is due, in order of ticks. Callbacks may set and clear any entry,
 * also their own; one set to a time already past fires with the next call.
 * Fires at most `max` entries (0: all); returns true when some due are left. */
bool tw__wheel_advance(tw__wheel *wheel, uint64_t now_ms, unsigned max);

/* When tw__wheel_advance should be called next: a time not later than the
 * earliest deadline's tick; UINT64_MAX when nothing is set. */
uint64_t tw__wheel_next_ms(const tw__wheel *wheel);

#endif
