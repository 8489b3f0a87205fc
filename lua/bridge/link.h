/* link.h - an intrusive doubly linked list.
 *
 * A list is a twl_link that is its own neighbour when empty; so is an element
 * that is in no list. No memory of its own.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_LINK_H
#define TWL_LINK_H

#include <stdbool.h>
#include <stddef.h>

typedef struct twl_link {
    struct twl_link *prev, *next;
} twl_link;

#define TWL_OF(link, type, field)                                              \
    ((type *)(void *)((char *)(link)-offsetof(type, field)))

static inline void twl_link_init(twl_link *link) {
    link->prev = link->next = link;
}

static inline bool twl_link_is_empty(const twl_link *list) {
    return list->next == list;
}

static inline void twl_link_append(twl_link *list, twl_link *link) {
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

/* Takes the element out of whatever list it is in; again is harmless. */
static inline void twl_link_remove(twl_link *link) {
    link->prev->next = link->next;
    link->next->prev = link->prev;
    twl_link_init(link);
}

/* Moves all elements of `from` to the end of `to`. */
static inline void twl_link_splice(twl_link *to, twl_link *from) {
    if (twl_link_is_empty(from)) {
        return;
    }
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    twl_link_init(from);
}

#endif
