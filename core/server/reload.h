/* reload.h - decides a reload: who loads, when all freeze, commit or abort.
 *
 * Pure: events and the time go in, commands come out through `ops`. The master
 * joins it to the control sockets; tests play it through.
 *
 * One attempt runs at a time; requests that come meanwhile merge into one more.
 * The phases, and what ends each:
 *
 *   IDLE        a request
 *   LOADING     the lowest slot that is up loads the sources and writes the
 *               snapshot
 *   PREPARING   every other slot loads that snapshot; a slot that comes up now
 *               joins
 *   FREEZING    no hook runs anywhere; save and restore. At most `freeze_ms`
 *   COMMITTING  the new generation holds; the slots switch and say so. Nothing
 *               can fail here: a slot that dies starts on the new generation
 *
 * A failure or a death in LOADING, PREPARING or FREEZING, or a freeze that
 * takes too long, aborts: every slot that was asked to prepare is told to
 * forget it. The number of an aborted generation is not used again, so an
 * answer that was under way is known to be old.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_RELOAD_H
#define TW_SERVER_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

enum { TW__RELOAD_FREEZE_MS = 250, TW__RELOAD_REPORT = 512 };

typedef enum tw__reload_phase {
    TW__RELOAD_IDLE,
    TW__RELOAD_LOADING,
    TW__RELOAD_PREPARING,
    TW__RELOAD_FREEZING,
    TW__RELOAD_COMMITTING
} tw__reload_phase;

/* Commands. None may call back into the machine. */
typedef struct tw__reload_ops {
    /* An attempt starts; it answers every request made so far. */
    void (*begin)(void *arg, uint32_t generation);
    void (*prepare)(void *arg, uint32_t slot, uint32_t generation,
                    bool writes_snapshot);
    void (*freeze)(void *arg, uint32_t slot, uint32_t generation);
    /* From here on the generation holds; before the first commit. */
    void (*decide)(void *arg, uint32_t generation);
    void (*commit)(void *arg, uint32_t slot, uint32_t generation);
    void (*abort)(void *arg, uint32_t slot, uint32_t generation);
    /* The attempt is over: 0, TW_EINVALID (a slot's hook failed: its report),
     * TW_ETIMEOUT, TW_EUNAVAILABLE (a death, or no slot is up) or TW_ECLOSED
     * (stopped). */
    void (*done)(void *arg, uint32_t generation, int status,
                 const char *report);
} tw__reload_ops;

typedef struct tw__reload {
    tw__reload_phase phase;
    uint32_t committed; /* the generation that holds */
    uint32_t attempt;   /* the highest number used so far */
    uint32_t freeze_ms; /* how long a freeze may take; TW__RELOAD_FREEZE_MS */
    const tw__reload_ops *_ops;
    void *_arg;
    uint8_t *_slots; /* enum slot_state */
    uint32_t _count;
    uint64_t _freeze_until_ms;
    bool _wanted, _stopped;
} tw__reload;

/* Generation 1 holds, every slot is down. 0 or TW_ENOMEM. */
int tw__reload_init(tw__reload *reload, uint32_t slots,
                    const tw__reload_ops *ops, void *arg);
void tw__reload_deinit(tw__reload *reload);

/* Someone wants a reload: begins one, or notes that one more is wanted. */
void tw__reload_request(tw__reload *reload);

/* The slot runs the committed generation and takes commands. Not in FREEZING:
 * wait for `done` (tw__reload_may_join). */
bool tw__reload_may_join(const tw__reload *reload);
void tw__reload_slot_up(tw__reload *reload, uint32_t slot);
void tw__reload_slot_down(tw__reload *reload, uint32_t slot);

/* Answers of slots. Those to another generation than the attempt's, or that
 * were not asked for, are ignored. */
void tw__reload_prepared(tw__reload *reload, uint32_t slot, uint32_t generation,
                         int status, const char *report, uint64_t now_ms);
void tw__reload_frozen(tw__reload *reload, uint32_t slot, uint32_t generation,
                       int status, const char *report, uint64_t now_ms);
void tw__reload_switched(tw__reload *reload, uint32_t slot,
                         uint32_t generation);

/* Aborts a freeze that took too long. Call it at tw__reload_due. */
void tw__reload_tick(tw__reload *reload, uint64_t now_ms);
uint64_t tw__reload_due(const tw__reload *reload); /* UINT64_MAX: never */

/* No more reloads: aborts the one under way unless it is committed; requests
 * from now on end at once with TW_ECLOSED. */
void tw__reload_stop(tw__reload *reload);

#endif
