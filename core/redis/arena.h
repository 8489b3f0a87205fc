/* arena.h - memory that goes all at once, or back to a mark.
 * Belongs to one holder on one thread. SPDX-License-Identifier: MIT */
#ifndef TW_REDIS_ARENA_H
#define TW_REDIS_ARENA_H

#include <stddef.h>

typedef struct tw__arena_chunk tw__arena_chunk;

/* Zero-initialise it. */
typedef struct tw__arena {
    tw__arena_chunk *_last;
} tw__arena;

typedef struct tw__arena_mark {
    tw__arena_chunk *chunk;
    size_t used;
} tw__arena_mark;

/* Aligned for anything; NULL without memory. */
void *tw__arena_alloc(tw__arena *arena, size_t size);

tw__arena_mark tw__arena_mark_of(const tw__arena *arena);

/* What was allocated since the mark is gone. */
void tw__arena_rewind(tw__arena *arena, tw__arena_mark mark);

/* Everything is; one small chunk is kept for what comes next. */
void tw__arena_clear(tw__arena *arena);
void tw__arena_deinit(tw__arena *arena);

#endif
