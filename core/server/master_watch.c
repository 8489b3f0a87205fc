/* SPDX-License-Identifier: MIT */
#include "server/master_watch.h"

void tw__watch_start(tw__watch *watch, uint64_t turns, uint64_t cpu_ms,
                     uint64_t now_ms) {
    *watch = (tw__watch){.turns = turns,
                         .cpu_ms = cpu_ms,
                         .wall_ms = now_ms,
                         ._looked_ms = now_ms};
}

bool tw__watch_is_hung(tw__watch *watch, uint64_t turns, uint64_t cpu_ms,
                       uint64_t now_ms, uint32_t max_cpu_ms,
                       uint32_t max_wall_ms) {
    bool was_late = now_ms - watch->_looked_ms > TW__WATCH_LATE_MS;
    if (turns != watch->turns || was_late) {
        tw__watch_start(watch, turns, cpu_ms, now_ms);
        return false;
    }
    watch->_looked_ms = now_ms;
    /* The clock of a process that just died stands at 0. */
    return cpu_ms >= watch->cpu_ms + max_cpu_ms ||
           now_ms - watch->wall_ms >= max_wall_ms;
}

uint64_t tw__watch_backoff_ms(uint32_t failures, uint32_t random) {
    enum { FIRST_MS = 100, MAX_MS = 5000, STEPS = 6 };
    if (failures <= 1) {
        return 0;
    }
    uint32_t step = failures - 2 < STEPS ? failures - 2 : STEPS;
    uint64_t ms = (uint64_t)FIRST_MS << step;
    ms = ms < MAX_MS ? ms : MAX_MS;
    return ms + random % (ms / 5 + 1);
}
