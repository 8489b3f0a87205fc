/* buf.h - counted, immutable bytes.
 *
 * A tw__buf is made with one reference, filled once by its maker through
 * tw__buf_data and then only read. It lives on one thread; the count is plain.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BASE_BUF_H
#define TW_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

typedef struct tw__buf {
    uint32_t _refs;
    uint32_t _len;
} tw__buf;

/* A buffer of `len` bytes, not initialised; the reference is given.
 * NULL when there is no memory or `len` is over 4 GiB - 1. */
tw__buf *tw__buf_create(size_t len);

/* The same, filled from `data`. */
tw__buf *tw__buf_copy(const void *data, size_t len);

static inline uint8_t *tw__buf_data(tw__buf *buf) {
    return (uint8_t *)(buf + 1);
}

static inline size_t tw__buf_len(const tw__buf *buf) {
    return buf->_len;
}

static inline tw__buf *tw__buf_ref(tw__buf *buf) {
    buf->_refs++;
    return buf;
}

/* Drops a reference; the last one frees. NULL is allowed. */
void tw__buf_unref(tw__buf *buf);

#endif
