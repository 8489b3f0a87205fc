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

/* The next run of frames that the owner gets, at or after *first: sets *first
 * and returns its length; 0 at the end. */
uint32_t tw__exceptions_run(const tw__exceptions *list, const void *owner,
                            uint32_t count, uint32_t *first);

#endif
