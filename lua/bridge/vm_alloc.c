/* SPDX-License-Identifier: MIT */
#include "vm_alloc.h"

#include <stdlib.h>
#include <string.h>

void *twl_malloc(size_t size) {
    return malloc(size);
}

void *twl_zalloc(size_t size) {
    return calloc(1, size);
}

void *twl_realloc(void *memory, size_t size) {
    return realloc(memory, size);
}

void twl_free(void *memory) {
    free(memory);
}

char *twl_memdup(const void *data, size_t len) {
    char *copy = malloc(len + 1);
    if (copy != NULL) {
        if (len > 0) {
            memcpy(copy, data, len);
        }
        copy[len] = '\0';
    }
    return copy;
}

char *twl_strdup(const char *text) {
    return twl_memdup(text, strlen(text));
}
