/* exception.h - who does not get a whole batch.
 *
 * A short list: most batches have none, and the few there are concern the
 * publishers that are excepted and those who joined while it gathered.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HUB_EXCEPTION_H
#define TW_HUB_EXCEPTION_H

#include "hub/hub.h"

/* 0 or TW_ENOMEM. */
int tw__exceptions_add(tw__exceptions *list, void *owner, uint32_t frame,
                       bool is_join);
void tw__exceptions_remove(tw__exceptions *list, const void *owner);
void tw__exceptions_clear(tw__exceptions *list);
void tw__exceptions_deinit(tw__exceptions *list);

/* How many of `count` frames the owner gets. */
uint32_t tw__exceptions_allow(const tw__exceptions *list, const void *owner,
                              uint32_t count);

/* A walk over the runs of frames that one owner gets; starts with zeros. */
typedef struct tw__run {
    uint32_t first, len;
    uint32_t _at; /* exceptions before it are behind us */
} tw__run;

/* Sets *run to the next one; false at the end. Nothing is removed from the list
 * meanwhile. */
bool tw__exceptions_next_run(const tw__exceptions *list, const void *owner,
                             uint32_t count, tw__run *run);

#endif
