/* SPDX-License-Identifier: MIT */
#include "server/reload.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tidewire/errors.h"

/* A slot in the present phase. What is asked of it depends on the phase: to
 * prepare (LOADING, PREPARING), to freeze, to commit. In the first three
 * phases a slot that is ASKED or ANSWERED has something to forget on abort. */
enum slot_state { SLOT_DOWN, SLOT_UP, SLOT_ASKED, SLOT_ANSWERED };

int tw__reload_init(tw__reload *reload, uint32_t slots,
                    const tw__reload_ops *ops, void *arg) {
    uint8_t *states = tw__calloc(slots, 1);
    if (states == NULL) {
        return TW_ENOMEM;
    }
    *reload = (tw__reload){.committed = 1,
                           .attempt = 1,
                           .freeze_ms = TW__RELOAD_FREEZE_MS,
                           ._ops = ops,
                           ._arg = arg,
                           ._slots = states,
                           ._count = slots};
    return 0;
}

void tw__reload_deinit(tw__reload *reload) {
    tw__free(reload->_slots);
    reload->_slots = NULL;
    reload->_count = 0;
}

static bool has(const tw__reload *reload, enum slot_state state) {
    return memchr(reload->_slots, state, reload->_count) != NULL;
}

static bool is_touched(uint8_t state) {
    return state == SLOT_ASKED || state == SLOT_ANSWERED;
}

static void rest_slots(tw__reload *reload) {
    for (uint32_t i = 0; i < reload->_count; i++) {
        if (reload->_slots[i] != SLOT_DOWN) {
            reload->_slots[i] = SLOT_UP;
        }
    }
}

static void begin(tw__reload *reload);

static void finish(tw__reload *reload, int status, const char *report) {
    rest_slots(reload);
    reload->phase = TW__RELOAD_IDLE;
    reload->_ops->done(reload->_arg, reload->attempt, status, report);
    if (reload->_wanted) {
        begin(reload);
    }
}

static void fail(tw__reload *reload, int status, const char *report) {
    for (uint32_t i = 0; i < reload->_count; i++) {
        if (is_touched(reload->_slots[i])) {
            reload->_ops->abort(reload->_arg, i, reload->attempt);
        }
    }
    finish(reload, status, report);
}

static void ask_prepare(tw__reload *reload, uint32_t slot, bool writes) {
    reload->_slots[slot] = SLOT_ASKED;
    reload->_ops->prepare(reload->_arg, slot, reload->attempt, writes);
}

static void begin(tw__reload *reload) {
    reload->_wanted = false;
    reload->attempt++;
    reload->_ops->begin(reload->_arg, reload->attempt);
    const uint8_t *first = memchr(reload->_slots, SLOT_UP, reload->_count);
    if (reload->_stopped) {
        finish(reload, TW_ECLOSED, "the server is draining");
    } else if (first == NULL) {
        finish(reload, TW_EUNAVAILABLE, "no worker is running");
    } else {
        reload->phase = TW__RELOAD_LOADING;
        ask_prepare(reload, (uint32_t)(first - reload->_slots), true);
    }
}

/* Asks every slot that answered the step before for the next one. */
static void ask_all(tw__reload *reload, void (*ask)(void *arg, uint32_t slot,
                                                    uint32_t generation)) {
    for (uint32_t i = 0; i < reload->_count; i++) {
        if (reload->_slots[i] == SLOT_ANSWERED) {
            reload->_slots[i] = SLOT_ASKED;
            ask(reload->_arg, i, reload->attempt);
        }
    }
}

static void prepare_others(tw__reload *reload) {
    reload->phase = TW__RELOAD_PREPARING;
    for (uint32_t i = 0; i < reload->_count; i++) {
        if (reload->_slots[i] == SLOT_UP) {
            ask_prepare(reload, i, false);
        }
    }
}

static void freeze(tw__reload *reload, uint64_t now_ms) {
    reload->phase = TW__RELOAD_FREEZING;
    reload->_freeze_until_ms = now_ms + reload->freeze_ms;
    ask_all(reload, reload->_ops->freeze);
}

static void commit(tw__reload *reload) {
    reload->phase = TW__RELOAD_COMMITTING;
    reload->committed = reload->attempt;
    reload->_ops->decide(reload->_arg, reload->attempt);
    ask_all(reload, reload->_ops->commit);
}

/* Goes on to the next phase when nobody is left to answer in this one. */
static void advance(tw__reload *reload, uint64_t now_ms) {
    if (reload->phase == TW__RELOAD_LOADING && !has(reload, SLOT_ASKED)) {
        prepare_others(reload);
    }
    if (reload->phase == TW__RELOAD_PREPARING && !has(reload, SLOT_ASKED)) {
        freeze(reload, now_ms);
    } else if (reload->phase == TW__RELOAD_FREEZING &&
               !has(reload, SLOT_ASKED)) {
        commit(reload);
    } else if (reload->phase == TW__RELOAD_COMMITTING &&
               !has(reload, SLOT_ASKED)) {
        finish(reload, 0, "");
    }
}

void tw__reload_request(tw__reload *reload) {
    if (reload->phase == TW__RELOAD_IDLE) {
        begin(reload);
    } else {
        reload->_wanted = true;
    }
}

bool tw__reload_may_join(const tw__reload *reload) {
    return reload->phase != TW__RELOAD_FREEZING;
}

void tw__reload_slot_up(tw__reload *reload, uint32_t slot) {
    reload->_slots[slot] = SLOT_UP;
    if (reload->phase == TW__RELOAD_PREPARING) {
        ask_prepare(reload, slot, false);
    }
}

void tw__reload_slot_down(tw__reload *reload, uint32_t slot) {
    if (reload->_slots[slot] == SLOT_DOWN) {
        return;
    }
    reload->_slots[slot] = SLOT_DOWN;
    if (reload->phase == TW__RELOAD_COMMITTING) {
        advance(reload, 0);
    } else if (reload->phase != TW__RELOAD_IDLE) {
        char report[TW__RELOAD_REPORT];
        snprintf(report, sizeof report, "worker %u died during the reload",
                 slot);
        fail(reload, TW_EUNAVAILABLE, report);
    }
}

static bool is_expected(const tw__reload *reload, uint32_t slot,
                        uint32_t generation) {
    return generation == reload->attempt && slot < reload->_count &&
           reload->_slots[slot] == SLOT_ASKED;
}

static void answered(tw__reload *reload, uint32_t slot, int status,
                     const char *report, uint64_t now_ms) {
    reload->_slots[slot] = SLOT_ANSWERED;
    if (status != 0) {
        fail(reload, TW_EINVALID, report);
    } else {
        advance(reload, now_ms);
    }
}

void tw__reload_prepared(tw__reload *reload, uint32_t slot, uint32_t generation,
                         int status, const char *report, uint64_t now_ms) {
    if ((reload->phase == TW__RELOAD_LOADING ||
         reload->phase == TW__RELOAD_PREPARING) &&
        is_expected(reload, slot, generation)) {
        answered(reload, slot, status, report, now_ms);
    }
}

void tw__reload_frozen(tw__reload *reload, uint32_t slot, uint32_t generation,
                       int status, const char *report, uint64_t now_ms) {
    if (reload->phase == TW__RELOAD_FREEZING &&
        is_expected(reload, slot, generation)) {
        answered(reload, slot, status, report, now_ms);
    }
}

void tw__reload_switched(tw__reload *reload, uint32_t slot,
                         uint32_t generation) {
    if (reload->phase == TW__RELOAD_COMMITTING &&
        is_expected(reload, slot, generation)) {
        answered(reload, slot, 0, "", 0);
    }
}

void tw__reload_tick(tw__reload *reload, uint64_t now_ms) {
    if (now_ms >= tw__reload_due(reload)) {
        char report[TW__RELOAD_REPORT];
        const uint8_t *slow =
            memchr(reload->_slots, SLOT_ASKED, reload->_count);
        snprintf(report, sizeof report, "worker %u did not freeze within %u ms",
                 (unsigned)(slow - reload->_slots), reload->freeze_ms);
        fail(reload, TW_ETIMEOUT, report);
    }
}

uint64_t tw__reload_due(const tw__reload *reload) {
    return reload->phase == TW__RELOAD_FREEZING ? reload->_freeze_until_ms
                                                : UINT64_MAX;
}

void tw__reload_stop(tw__reload *reload) {
    reload->_stopped = true;
    if (reload->phase != TW__RELOAD_IDLE &&
        reload->phase != TW__RELOAD_COMMITTING) {
        fail(reload, TW_ECLOSED, "the server is draining");
    }
}
