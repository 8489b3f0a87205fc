/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <string.h>

#include "base/alloc.h"

tw__buf *tw__buf_create(size_t len) {
    if (len > UINT32_MAX) {
        return NULL;
    }
    tw__buf *buf = tw__malloc(sizeof *buf + len);
    if (buf != NULL) {
        buf->_refs = 1;
        buf->_len = (uint32_t)len;
    }
    return buf;
}

tw__buf *tw__buf_copy(const void *data, size_t len) {
    tw__buf *buf = tw__buf_create(len);
    if (buf != NULL && len > 0) {
        memcpy(tw__buf_data(buf), data, len);
    }
    return buf;
}

void tw__buf_unref(tw__buf *buf) {
    if (buf != NULL && --buf->_refs == 0) {
        tw__free(buf);
    }
}
