/* random.h - bytes nobody can guess, and cheap numbers for jitter.
 * SPDX-License-Identifier: MIT */
#ifndef TW_BASE_RANDOM_H
#define TW_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fills `out` from the kernel's generator. Never fails: without a source of
 * randomness the process ends, since nothing that follows would be safe. */
void tw__random_bytes(void *out, size_t len);

/* The same bytes from a pool that is filled in blocks: a system call in many
 * calls. Not shared over fork: a child starts with an empty pool. */
void tw__random_pooled(void *out, size_t len);

/* A number below `bound` (not 0); not for secrets. */
uint32_t tw__random_below(uint32_t bound);

#endif
