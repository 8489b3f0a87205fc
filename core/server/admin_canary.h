/* admin_canary.h - publications that must come back, one by way of each slot.
 *
 * That a worker listens does not say that it works: the canary of a slot is a
 * publication to a channel whose home it is, sent over the link as any other.
 * It proves the loop, the bus and the order-giving of the slot at once.
 *
 * Belongs to the admin member and its loop. The channels' names begin with a
 * control character, so that no script meets them by chance.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_ADMIN_CANARY_H
#define TW_SERVER_ADMIN_CANARY_H

#include "bus/bus.h"
#include "server/worker.h"

enum { TW__CANARY_EACH_MS = 1000, TW__CANARY_LATE_MS = 3000 };

typedef struct tw__canary tw__canary;

/* Joins the bus as the admin member of `job`, whose bus socket it takes, and
 * sends the first ones. 0, TW_ENOMEM or TW_EIO. */
int tw__canary_create(tw__canary **canary, tw__job *job, tw__loop *loop,
                      tw__poller *poller, tw__clockwork *clockwork,
                      const tw__log *log);

/* Frees; the loop must run one turn more. NULL is allowed. */
void tw__canary_destroy(tw__canary *canary);

/* How many slots have sent one back within TW__CANARY_LATE_MS. */
uint32_t tw__canary_returned(const tw__canary *canary);

#endif
