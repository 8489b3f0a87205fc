/* fuzz.h - what the fuzz targets have in common.
 *
 * A target is a file, fuzz_<name>.c, with LLVMFuzzerTestOneInput (and, when it
 * has to set something up, LLVMFuzzerInitialize). It says what must hold for
 * any bytes whatever, with FUZZ_CHECK; the sanitizers see the rest. Whatever
 * else a target needs besides its input (where to cut it into pieces, when to
 * pause) it takes from a generator that is seeded with the input: so inputs
 * stay what they are on the wire, readable, and one input always does the
 * same.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_FUZZ_H
#define TW_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* libFuzzer, or replay.c, calls them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Ends the process, also in builds without assertions. */
#define FUZZ_CHECK(condition)                                                  \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,  \
                    #condition);                                               \
            abort();                                                           \
        }                                                                      \
    } while (0)

/* ---- chance ------------------------------------------------------------- */

typedef struct fuzz_random {
    uint64_t _state;
} fuzz_random;

static inline uint64_t fuzz_hash(const void *data, size_t len) {
    const uint8_t *bytes = data;
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ bytes[i]) * 1099511628211u;
    }
    return hash;
}

/* `salt` tells several runs over one input apart. */
static inline fuzz_random fuzz_random_of(const void *data, size_t len,
                                         unsigned salt) {
    return (fuzz_random){(fuzz_hash(data, len) + salt) | 1};
}

/* A number from 0 to n-1; n is at least 1. */
static inline size_t fuzz_below(fuzz_random *random, size_t n) {
    random->_state ^= random->_state << 13;
    random->_state ^= random->_state >> 7;
    random->_state ^= random->_state << 17;
    return (size_t)(random->_state % n);
}

/* The size of the next piece of `left` bytes (at least 1): mostly small. */
static inline size_t fuzz_piece(fuzz_random *random, size_t left) {
    static const size_t most[] = {1, 2, 3, 8, 30, 200, 5000};
    size_t len = 1 + fuzz_below(random, most[fuzz_below(random, 7)]);
    return len < left ? len : left;
}

/* ---- bytes -------------------------------------------------------------- */

/* A block of just this size, so that the sanitizer sees whoever reads beyond
 * it; free() frees it. */
static inline void *fuzz_copy(const void *data, size_t len) {
    void *copy = malloc(len != 0 ? len : 1);
    FUZZ_CHECK(copy != NULL);
    if (len != 0) {
        memcpy(copy, data, len);
    }
    return copy;
}

/* Bytes with a length, cut off the input. */
typedef struct fuzz_span {
    const uint8_t *data;
    size_t len;
} fuzz_span;

/* Takes the part before the next `separator`, or all of it. */
static inline fuzz_span fuzz_cut(fuzz_span *rest, uint8_t separator) {
    const uint8_t *end =
        rest->len != 0 ? memchr(rest->data, separator, rest->len) : NULL;
    size_t len = end != NULL ? (size_t)(end - rest->data) : rest->len;
    fuzz_span part = {rest->data, len};
    size_t taken = len + (end != NULL);
    rest->data = taken != 0 ? rest->data + taken : rest->data;
    rest->len -= taken;
    return part;
}

/* A line, without its "\r" when it has one. */
static inline fuzz_span fuzz_line(fuzz_span *rest) {
    fuzz_span line = fuzz_cut(rest, '\n');
    line.len -= line.len != 0 && line.data[line.len - 1] == '\r';
    return line;
}

static inline bool fuzz_same(const void *a, size_t a_len, const void *b,
                             size_t b_len) {
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

/* What a run came to, to be compared with another run. Zero is an empty one;
 * allocated apart from base/alloc.h, whose count shows the code under test. */
typedef struct fuzz_log {
    uint8_t *data;
    size_t len, cap;
} fuzz_log;

static inline void fuzz_log_add(fuzz_log *log, const void *data, size_t len) {
    if (log->cap - log->len < len) {
        log->cap = 2 * (log->len + len);
        log->data = realloc(log->data, log->cap);
        FUZZ_CHECK(log->data != NULL);
    }
    if (len != 0) {
        memcpy(log->data + log->len, data, len);
    }
    log->len += len;
}

static inline void fuzz_log_number(fuzz_log *log, uint64_t number) {
    fuzz_log_add(log, &number, sizeof number);
}

/* Bytes with their length before them, so that two texts never look like one.
 */
static inline void fuzz_log_text(fuzz_log *log, const void *data, size_t len) {
    fuzz_log_number(log, len);
    fuzz_log_add(log, data, len);
}

static inline void fuzz_log_free(fuzz_log *log) {
    free(log->data);
    *log = (fuzz_log){0};
}

static inline bool fuzz_log_same(const fuzz_log *a, const fuzz_log *b) {
    return fuzz_same(a->data, a->len, b->data, b->len);
}

static inline bool fuzz_log_begins(const fuzz_log *log, const fuzz_log *part) {
    return log->len >= part->len &&
           fuzz_same(log->data, part->len, part->data, part->len);
}

#endif
