/* SPDX-License-Identifier: MIT */
#include "hub/exception.h"

#include <string.h>

#include "base/alloc.h"

int tw__exceptions_add(tw__exceptions *list, void *owner, uint32_t frame,
                       bool is_join) {
    if (list->count == list->cap) {
        uint32_t cap = list->cap ? list->cap * 2 : 4;
        tw__exception *items = tw__realloc(list->items, cap * sizeof *items);
        if (items == NULL) {
            return TW_ENOMEM;
        }
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = (tw__exception){owner, frame, is_join};
    return 0;
}

/* Keeps the order: frames of one owner stand in rising order. */
void tw__exceptions_remove(tw__exceptions *list, const void *owner) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i].owner != owner) {
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept;
}

void tw__exceptions_clear(tw__exceptions *list) {
    list->count = 0;
}

void tw__exceptions_deinit(tw__exceptions *list) {
    tw__free(list->items);
    memset(list, 0, sizeof *list);
}

uint32_t tw__exceptions_allow(const tw__exceptions *list, const void *owner,
                              uint32_t count) {
    uint32_t allowed = count;
    for (uint32_t i = 0; i < list->count; i++) {
        const tw__exception *item = &list->items[i];
        if (item->owner == owner) {
            allowed -= item->is_join ? item->frame : 1;
        }
    }
    return allowed;
}

bool tw__exceptions_next_run(const tw__exceptions *list, const void *owner,
                             uint32_t count, tw__run *run) {
    uint32_t start = run->first + run->len, end = count;
    for (; run->_at < list->count; run->_at++) {
        const tw__exception *item = &list->items[run->_at];
        if (item->owner != owner) {
            continue;
        }
        if (item->is_join) {
            start = start < item->frame ? item->frame : start;
        } else if (item->frame == start) {
            start++;
        } else if (item->frame > start) {
            end = item->frame;
            break;
        }
    }
    run->first = start;
    run->len = start < end ? end - start : 0;
    return run->len > 0;
}
