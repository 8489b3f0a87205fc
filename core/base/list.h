/* list.h - a doubly linked ring whose nodes live inside what is listed.
 *
 * A node that is in no list points to itself, so that removing it twice does
 * no harm.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BASE_LIST_H
#define TW_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tw__list {
    struct tw__list *next, *prev;
} tw__list;

#define TW__CONTAINER(ptr, type, member)                                       \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void tw__list_init(tw__list *node) {
    node->next = node->prev = node;
}

static inline bool tw__list_is_empty(const tw__list *head) {
    return head->next == head;
}

/* Adds `node`, which is in no list, at the end. */
static inline void tw__list_push(tw__list *head, tw__list *node) {
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void tw__list_remove(tw__list *node) {
    node->prev->next = node->next;
    node->next->prev = node->prev;
    tw__list_init(node);
}

/* Takes the first node out; NULL when the list is empty. */
static inline tw__list *tw__list_shift(tw__list *head) {
    tw__list *node = head->next;
    if (node == head) {
        return NULL;
    }
    tw__list_remove(node);
    return node;
}

/* Moves everything from `from` to the end of `to`, leaving `from` empty. */
static inline void tw__list_move_all(tw__list *to, tw__list *from) {
    if (tw__list_is_empty(from)) {
        return;
    }
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    tw__list_init(from);
}

#endif
