/* outbox.h - the records that wait to be written to one peer.
 *
 * One byte string, written from its front with as few system calls as the
 * kernel allows, that still knows its records: how many bytes of each class
 * wait (budgets are per class), and which records had not left whole when a
 * stream broke. The record that is being written stays at the front until its
 * last byte has left. Owned by the peer. Pure.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BUS_OUTBOX_H
#define TW_BUS_OUTBOX_H

#include <stdbool.h>

#include "base/bytes.h"
#include "bus/record.h"

enum tw__outbox_class {
    TW__OUTBOX_CONTROL,
    TW__OUTBOX_DELIVERY, /* DELIVER, GAP, REPLY, PRESENCE */
    TW__OUTBOX_PUBLISH,  /* all that is ordered with publications */
    TW__OUTBOX_CLASSES
};

typedef struct tw__outbox {
    tw__bytes _bytes;
    size_t _head_sent; /* of the first record, already with the kernel */
    size_t _peak;      /* the most that has waited since it was empty */
    size_t level[TW__OUTBOX_CLASSES]; /* bytes; read only */
    size_t records;                   /* read only */
} tw__outbox;

/* Of a type of records. */
enum tw__outbox_class tw__outbox_class_of(uint8_t type);

void tw__outbox_init(tw__outbox *outbox);
void tw__outbox_deinit(tw__outbox *outbox);

/* Both append a whole record; `bytes` must be one. 0 or TW_ENOMEM (nothing
 * changed). */
int tw__outbox_append(tw__outbox *outbox, const tw__record *record);
int tw__outbox_append_bytes(tw__outbox *outbox, const uint8_t *bytes,
                            size_t len);

/* What is to be written next. */
const uint8_t *tw__outbox_unsent(const tw__outbox *outbox, size_t *len);

/* Says that `len` bytes of that have left; returns how many records are whole
 * with it. */
size_t tw__outbox_sent(tw__outbox *outbox, size_t len);

/* Walks the records that have not left whole: start with *pos = 0; false at the
 * end. */
bool tw__outbox_next(const tw__outbox *outbox, size_t *pos, tw__record *record);

/* Forgets everything and gives back the memory. */
void tw__outbox_clear(tw__outbox *outbox);

static inline bool tw__outbox_is_empty(const tw__outbox *outbox) {
    return outbox->records == 0;
}

static inline size_t tw__outbox_len(const tw__outbox *outbox) {
    return tw__bytes_len(&outbox->_bytes) - outbox->_head_sent;
}

#endif
