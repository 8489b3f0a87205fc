/* SPDX-License-Identifier: MIT */
#include "net/wheel.h"

#include <string.h>

/* Where an entry stands. A tick is a number in base 64 and the wheel's own tick
 * another; the highest digit in which they differ is the entry's level, and its
 * digit there is the slot. So slots of a level lie ahead of the wheel's own
 * digit, those of a lower level come before all of a higher one, and a slot
 * keeps its meaning until the wheel reaches its first tick. Then its entries
 * agree in one digit more and move to lower levels. */

enum { DIGIT_BITS = 6 };

#define MAX_TICK ((UINT64_C(1) << (DIGIT_BITS * TW__WHEEL_LEVELS)) - 1)

_Static_assert(1 << DIGIT_BITS == TW__WHEEL_SLOTS, "a digit names a slot");
_Static_assert(sizeof(tw__wheel_node) <= 24, "every connection has one");

struct place {
    unsigned level, slot;
};

/* `tick` lies after the wheel's. */
static struct place find_place(const tw__wheel *wheel, uint64_t tick) {
    unsigned bit = 63u - (unsigned)__builtin_clzll(tick ^ wheel->_tick);
    unsigned level = bit / DIGIT_BITS;
    uint64_t digit = tick >> (level * DIGIT_BITS) & (TW__WHEEL_SLOTS - 1);
    return (struct place){level, (unsigned)digit};
}

static void insert(tw__wheel *wheel, tw__wheel_node *node) {
    if (node->_tick <= wheel->_tick) {
        tw__list_push(&wheel->_due, &node->_link);
        return;
    }
    struct place place = find_place(wheel, node->_tick);
    wheel->_occupied[place.level] |= UINT64_C(1) << place.slot;
    tw__list_push(&wheel->_slots[place.level][place.slot], &node->_link);
}

static uint64_t tick_at(uint64_t ms) {
    uint64_t tick = ms / TW__WHEEL_TICK_MS;
    return tick < MAX_TICK ? tick : MAX_TICK;
}

/* Rounded up; 0 stands for "not set". */
static uint64_t deadline_tick(uint64_t ms) {
    uint64_t tick = ms / TW__WHEEL_TICK_MS + (ms % TW__WHEEL_TICK_MS != 0);
    if (tick == 0) {
        return 1;
    }
    return tick < MAX_TICK ? tick : MAX_TICK;
}

static void call_entry(tw__wheel_node *node) {
    tw__wheel_entry *entry = TW__CONTAINER(node, tw__wheel_entry, node);
    entry->cb(entry);
}

void tw__wheel_init(tw__wheel *wheel, uint64_t now_ms) {
    memset(wheel, 0, sizeof *wheel);
    wheel->on_due = call_entry;
    wheel->_tick = tick_at(now_ms);
    tw__list_init(&wheel->_due);
    for (int level = 0; level < TW__WHEEL_LEVELS; level++) {
        for (int slot = 0; slot < TW__WHEEL_SLOTS; slot++) {
            tw__list_init(&wheel->_slots[level][slot]);
        }
    }
}

void tw__wheel_set_node(tw__wheel *wheel, tw__wheel_node *node,
                        uint64_t deadline_ms) {
    tw__wheel_clear_node(wheel, node);
    node->_tick = deadline_tick(deadline_ms);
    insert(wheel, node);
}

void tw__wheel_clear_node(tw__wheel *wheel, tw__wheel_node *node) {
    if (!tw__wheel_is_node_set(node)) {
        return;
    }
    tw__list_remove(&node->_link);
    if (node->_tick > wheel->_tick) {
        struct place place = find_place(wheel, node->_tick);
        if (tw__list_is_empty(&wheel->_slots[place.level][place.slot])) {
            wheel->_occupied[place.level] &= ~(UINT64_C(1) << place.slot);
        }
    }
    node->_tick = 0;
}

/* The first tick of the first slot that is not empty, and its place. */
static bool find_next(const tw__wheel *wheel, uint64_t *tick,
                      struct place *place) {
    for (unsigned level = 0; level < TW__WHEEL_LEVELS; level++) {
        if (wheel->_occupied[level] == 0) {
            continue;
        }
        unsigned slot = (unsigned)__builtin_ctzll(wheel->_occupied[level]);
        unsigned shift = level * DIGIT_BITS;
        uint64_t digits = wheel->_tick >> shift;
        *tick = ((digits & ~(uint64_t)(TW__WHEEL_SLOTS - 1)) | slot) << shift;
        *place = (struct place){level, slot};
        return true;
    }
    return false;
}

/* Moves the wheel to `target`; what is due by then comes to the end of the due
 * list in order. */
static void collect(tw__wheel *wheel, uint64_t target) {
    uint64_t tick;
    struct place place;
    while (find_next(wheel, &tick, &place) && tick <= target) {
        tw__list reached, *link;
        tw__list_init(&reached);
        tw__list_move_all(&reached, &wheel->_slots[place.level][place.slot]);
        wheel->_occupied[place.level] &= ~(UINT64_C(1) << place.slot);
        wheel->_tick = tick;
        if (place.level == 0) {
            tw__list_move_all(&wheel->_due, &reached);
        }
        while ((link = tw__list_shift(&reached)) != NULL) {
            insert(wheel, TW__CONTAINER(link, tw__wheel_node, _link));
        }
    }
    if (target > wheel->_tick) {
        wheel->_tick = target;
    }
}

bool tw__wheel_advance(tw__wheel *wheel, uint64_t now_ms, unsigned max) {
    tw__list firing, *link;
    collect(wheel, tick_at(now_ms));
    /* What callbacks set to a time past gathers in the emptied due list. */
    tw__list_init(&firing);
    tw__list_move_all(&firing, &wheel->_due);
    for (unsigned fired = 0; max == 0 || fired < max; fired++) {
        if ((link = tw__list_shift(&firing)) == NULL) {
            break;
        }
        tw__wheel_node *node = TW__CONTAINER(link, tw__wheel_node, _link);
        node->_tick = 0;
        wheel->on_due(node);
    }
    tw__list_move_all(&firing, &wheel->_due);
    tw__list_move_all(&wheel->_due, &firing);
    return !tw__list_is_empty(&wheel->_due);
}

uint64_t tw__wheel_next_ms(const tw__wheel *wheel) {
    uint64_t tick;
    struct place place;
    if (!tw__list_is_empty(&wheel->_due)) {
        return wheel->_tick * TW__WHEEL_TICK_MS;
    }
    if (!find_next(wheel, &tick, &place)) {
        return UINT64_MAX;
    }
    return tick * TW__WHEEL_TICK_MS;
}
