/* vm_bytes.h - a growing run of bytes.
 *
 * Owned by whoever holds the struct; `{0}` is an empty one. It knows nothing
 * of Lua and never raises. Growth is geometric and ends at `limit`.
 *
 * A Lua error that jumps over a C frame does not free what the frame owns:
 * code that may raise uses the VM's scratch bytes (twl_vm_scratch, vm.h).
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_VM_BYTES_H
#define TWL_VM_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct twl_bytes {
    char *data;
    size_t len;
    size_t limit; /* 0: none */
    size_t _cap;
} twl_bytes;

void twl_bytes_deinit(twl_bytes *bytes);

/* Makes room for `more` further bytes. 0, TW_ENOMEM, or TW_ELIMIT when they
 * would exceed the limit; on failure nothing has changed. */
int twl_bytes_grow(twl_bytes *bytes, size_t more);

static inline int twl_bytes_reserve(twl_bytes *bytes, size_t more) {
    bool fits = more <= bytes->_cap - bytes->len &&
                (bytes->limit == 0 || bytes->len + more <= bytes->limit);
    return fits ? 0 : twl_bytes_grow(bytes, more);
}

/* Appends one byte that a reserve has made room for. */
static inline void twl_bytes_put(twl_bytes *bytes, char c) {
    bytes->data[bytes->len++] = c;
}

/* Appends to room that a reserve has made. */
static inline void twl_bytes_put_n(twl_bytes *bytes, const void *data,
                                   size_t len) {
    memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
}

/* Appends; the errors of reserve. */
static inline int twl_bytes_add(twl_bytes *bytes, const void *data,
                                size_t len) {
    int err = twl_bytes_reserve(bytes, len);
    if (err == 0 && len > 0) {
        twl_bytes_put_n(bytes, data, len);
    }
    return err;
}

#endif
