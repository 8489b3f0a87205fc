/* SPDX-License-Identifier: MIT */
#include "vm_bytes.h"

#include <stdint.h>

#include <tidewire/errors.h>

#include "vm_alloc.h"

enum { FIRST_CAPACITY = 256 };

void twl_bytes_deinit(twl_bytes *bytes) {
    twl_free(bytes->data);
    *bytes = (twl_bytes){.limit = bytes->limit};
}

int twl_bytes_grow(twl_bytes *bytes, size_t more) {
    size_t wanted = bytes->len + more;
    if (wanted < more || wanted > SIZE_MAX / 2 ||
        (bytes->limit != 0 && wanted > bytes->limit)) {
        return TW_ELIMIT;
    }
    size_t cap = bytes->_cap != 0 ? bytes->_cap : FIRST_CAPACITY;
    while (cap < wanted) {
        cap *= 2;
    }
    char *data = twl_realloc(bytes->data, cap);
    if (data == NULL) {
        return TW_ENOMEM;
    }
    bytes->data = data;
    bytes->_cap = cap;
    return 0;
}
