/* bytes.h - a byte string that grows at its end and is consumed at its front.
 *
 * Owned by one holder on one thread. Zero-initialise it, or call init.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BASE_BYTES_H
#define TW_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>

typedef struct tw__bytes {
    uint8_t *_data;
    size_t _start, _end, _cap;
} tw__bytes;

void tw__bytes_init(tw__bytes *bytes);
void tw__bytes_deinit(tw__bytes *bytes); /* frees; may be used again */

static inline uint8_t *tw__bytes_data(const tw__bytes *bytes) {
    return bytes->_data + bytes->_start;
}

static inline size_t tw__bytes_len(const tw__bytes *bytes) {
    return bytes->_end - bytes->_start;
}

/* Makes room for `len` bytes behind the end and gives their place in *out.
 * They count only after tw__bytes_commit. 0 or TW_ENOMEM. */
int tw__bytes_reserve(tw__bytes *bytes, size_t len, uint8_t **out);
void tw__bytes_commit(tw__bytes *bytes, size_t len);

/* Appends a copy. 0 or TW_ENOMEM (nothing changed). */
int tw__bytes_append(tw__bytes *bytes, const void *data, size_t len);

/* printf at the end. 0 or TW_ENOMEM (nothing changed). */
int tw__bytes_printf(tw__bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Takes `len` bytes off the front; `len` is at most the length. */
void tw__bytes_consume(tw__bytes *bytes, size_t len);

#endif
