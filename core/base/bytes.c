/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tidewire/errors.h"

void tw__bytes_init(tw__bytes *bytes) {
    memset(bytes, 0, sizeof *bytes);
}

void tw__bytes_deinit(tw__bytes *bytes) {
    tw__free(bytes->_data);
    tw__bytes_init(bytes);
}

/* Moving the live part to the front is worth it only when that part is at
 * most half of the block; then the cost is paid for by what was consumed. */
static void slide(tw__bytes *bytes) {
    size_t len = tw__bytes_len(bytes);
    if (bytes->_start > 0 && len <= bytes->_cap / 2) {
        memmove(bytes->_data, bytes->_data + bytes->_start, len);
        bytes->_start = 0;
        bytes->_end = len;
    }
}

int tw__bytes_reserve(tw__bytes *bytes, size_t len, uint8_t **out) {
    if (bytes->_cap - bytes->_end < len) {
        slide(bytes);
    }
    if (bytes->_cap - bytes->_end < len) {
        size_t cap = bytes->_cap ? bytes->_cap * 2 : 256;
        while (cap - bytes->_end < len) {
            cap *= 2;
        }
        uint8_t *data = tw__realloc(bytes->_data, cap);
        if (data == NULL) {
            return TW_ENOMEM;
        }
        bytes->_data = data;
        bytes->_cap = cap;
    }
    *out = bytes->_data + bytes->_end;
    return 0;
}

void tw__bytes_commit(tw__bytes *bytes, size_t len) {
    assert(len <= bytes->_cap - bytes->_end);
    bytes->_end += len;
}

int tw__bytes_append(tw__bytes *bytes, const void *data, size_t len) {
    uint8_t *place;
    if (len == 0) {
        return 0;
    }
    if (tw__bytes_reserve(bytes, len, &place) != 0) {
        return TW_ENOMEM;
    }
    memcpy(place, data, len);
    tw__bytes_commit(bytes, len);
    return 0;
}

int tw__bytes_printf(tw__bytes *bytes, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    uint8_t *place = NULL;
    int err = len < 0 ? TW_EINVALID
                      : tw__bytes_reserve(bytes, (size_t)len + 1, &place);
    if (err == 0) {
        vsnprintf((char *)place, (size_t)len + 1, format, again);
        tw__bytes_commit(bytes, (size_t)len);
    }
    va_end(again);
    return err;
}

void tw__bytes_consume(tw__bytes *bytes, size_t len) {
    assert(len <= tw__bytes_len(bytes));
    bytes->_start += len;
    if (bytes->_start == bytes->_end) {
        bytes->_start = bytes->_end = 0;
    }
}
