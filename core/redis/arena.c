/* SPDX-License-Identifier: MIT */
#include "redis/arena.h"

#include <stdint.h>

#include "base/alloc.h"

enum { CHUNK = 4096, ALIGN = 16 };

struct tw__arena_chunk {
    tw__arena_chunk *before;
    size_t size, used;
    size_t _align;
    uint8_t data[];
};

/* What is larger than a chunk has one of its own. */
static tw__arena_chunk *add_chunk(tw__arena *arena, size_t size) {
    size_t room = size > CHUNK ? size : CHUNK;
    if (room > SIZE_MAX - sizeof(tw__arena_chunk)) {
        return NULL;
    }
    tw__arena_chunk *chunk = tw__malloc(sizeof *chunk + room);
    if (chunk != NULL) {
        chunk->before = arena->_last;
        chunk->size = room;
        chunk->used = 0;
        arena->_last = chunk;
    }
    return chunk;
}

void *tw__arena_alloc(tw__arena *arena, size_t size) {
    if (size > SIZE_MAX - ALIGN) {
        return NULL;
    }
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    tw__arena_chunk *chunk = arena->_last;
    if (chunk == NULL || chunk->size - chunk->used < size) {
        chunk = add_chunk(arena, size);
    }
    if (chunk == NULL) {
        return NULL;
    }
    void *block = chunk->data + chunk->used;
    chunk->used += size;
    return block;
}

tw__arena_mark tw__arena_mark_of(const tw__arena *arena) {
    tw__arena_chunk *last = arena->_last;
    return (tw__arena_mark){last, last != NULL ? last->used : 0};
}

void tw__arena_rewind(tw__arena *arena, tw__arena_mark mark) {
    while (arena->_last != mark.chunk) {
        tw__arena_chunk *chunk = arena->_last;
        arena->_last = chunk->before;
        tw__free(chunk);
    }
    if (mark.chunk != NULL) {
        mark.chunk->used = mark.used;
    }
}

void tw__arena_clear(tw__arena *arena) {
    tw__arena_chunk *chunk = arena->_last;
    while (chunk != NULL && (chunk->before != NULL || chunk->size > CHUNK)) {
        arena->_last = chunk->before;
        tw__free(chunk);
        chunk = arena->_last;
    }
    if (chunk != NULL) {
        chunk->used = 0;
    }
}

void tw__arena_deinit(tw__arena *arena) {
    tw__arena_rewind(arena, (tw__arena_mark){NULL, 0});
}
