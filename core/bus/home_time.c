/* home_time.c - what a home does by itself: it sweeps what it keeps, and tells
 * of what has changed otherwise than by what came.
 *
 * SPDX-License-Identifier: MIT */
#include "bus/engine.h"

enum { SWEEP_HISTORIES = 256 };

/* What callbacks reclass waits for the next turn. */
static void reposition(tw__bus *bus) {
    tw__list now, *node;
    tw__list_init(&now);
    tw__list_move_all(&now, &bus->home.repositions);
    while (!bus->is_closing && (node = tw__list_shift(&now)) != NULL) {
        tw__want_reposition(bus,
                            TW__CONTAINER(node, tw__home_channel, reposition));
    }
    tw__list_move_all(&bus->home.repositions, &now);
}

static void tell_fresh(tw__bus *bus) {
    const tw__locator_events *events = &bus->config.locator_events;
    bus->has_fresh = false;
    for (uint16_t slot = 0; slot < bus->config.slots; slot++) {
        tw__peer *peer = &bus->peers[slot];
        if (peer->is_fresh && !bus->is_closing) {
            peer->is_fresh = false;
            if (events->on_fresh != NULL) {
                events->on_fresh(events->arg, slot);
            }
        }
    }
}

/* From a turn of its own, as every callback. */
void tw__home_time_run(tw__bus *bus) {
    if (!tw__list_is_empty(&bus->home.repositions)) {
        reposition(bus);
    }
    if (bus->has_fresh) {
        tell_fresh(bus);
    }
}

void tw__home_time_start(tw__bus *bus) {
    /* The end of a grace is told; what is kept only takes memory. */
    bool has_graces = !tw__list_is_empty(&bus->home.graces);
    bool is_needed = has_graces || tw__archive_len(&bus->home.archive) > 0;
    bool is_set =
        tw__wheel_is_set(&bus->sweep) && !(has_graces && bus->is_sweep_slow);
    if (is_needed && !bus->is_closing && !is_set) {
        uint32_t wait_ms = has_graces ? TW__BUS_SWEEP_MS : bus->config.sweep_ms;
        bus->is_sweep_slow = wait_ms > TW__BUS_SWEEP_MS;
        tw__clockwork_set(bus->config.clockwork, &bus->sweep, wait_ms);
    }
}

void tw__home_time_sweep(tw__wheel_entry *entry) {
    tw__bus *bus = TW__CONTAINER(entry, tw__bus, sweep);
    tw__archive_sweep(&bus->home.archive, tw__loop_now(bus->config.loop),
                      SWEEP_HISTORIES);
    tw__persons_sweep(bus);
    tw__home_time_start(bus);
}
