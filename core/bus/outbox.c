/* SPDX-License-Identifier: MIT */
#include "bus/outbox.h"

#include <string.h>

/* An outbox that becomes empty keeps its block when no more than this had
 * waited: ordinary traffic does not allocate, and a burst does not stay. */
enum { KEEP_BYTES = 512 * 1024 };

enum tw__outbox_class tw__outbox_class_of(uint8_t type) {
    switch (type) {
    case TW__RECORD_PUBLISH:
    case TW__RECORD_REMOVE:
    case TW__RECORD_ENTER:
    case TW__RECORD_LEAVE:
    case TW__RECORD_USER_ENTER:
    case TW__RECORD_USER_LEAVE:
    case TW__RECORD_USER_ACT:
    case TW__RECORD_ACT:
        return TW__OUTBOX_PUBLISH;
    case TW__RECORD_DELIVER:
    case TW__RECORD_GAP:
    case TW__RECORD_REPLY:
    case TW__RECORD_PRESENCE:
        return TW__OUTBOX_DELIVERY;
    default:
        return TW__OUTBOX_CONTROL;
    }
}

void tw__outbox_init(tw__outbox *outbox) {
    memset(outbox, 0, sizeof *outbox);
    tw__bytes_init(&outbox->_bytes);
}

void tw__outbox_deinit(tw__outbox *outbox) {
    tw__bytes_deinit(&outbox->_bytes);
}

static void count_in(tw__outbox *outbox, uint8_t type, size_t len) {
    outbox->level[tw__outbox_class_of(type)] += len;
    outbox->records++;
    if (tw__bytes_len(&outbox->_bytes) > outbox->_peak) {
        outbox->_peak = tw__bytes_len(&outbox->_bytes);
    }
}

int tw__outbox_append(tw__outbox *outbox, const tw__record *record) {
    size_t len = tw__record_size(record);
    uint8_t *place;
    int err = tw__bytes_reserve(&outbox->_bytes, len, &place);
    if (err != 0) {
        return err;
    }
    tw__record_write(place, record);
    tw__bytes_commit(&outbox->_bytes, len);
    count_in(outbox, record->type, len);
    return 0;
}

int tw__outbox_append_bytes(tw__outbox *outbox, const uint8_t *bytes,
                            size_t len) {
    int err = tw__bytes_append(&outbox->_bytes, bytes, len);
    if (err == 0) {
        count_in(outbox, tw__record_type_of(bytes), len);
    }
    return err;
}

const uint8_t *tw__outbox_unsent(const tw__outbox *outbox, size_t *len) {
    *len = tw__outbox_len(outbox);
    return tw__bytes_data(&outbox->_bytes) + outbox->_head_sent;
}

static size_t all_sent(tw__outbox *outbox) {
    size_t records = outbox->records;
    memset(outbox->level, 0, sizeof outbox->level);
    outbox->records = 0;
    outbox->_head_sent = 0;
    bool keep = outbox->_peak <= KEEP_BYTES;
    outbox->_peak = 0;
    if (!keep) {
        tw__bytes_deinit(&outbox->_bytes);
    } else {
        tw__bytes_consume(&outbox->_bytes, tw__bytes_len(&outbox->_bytes));
    }
    return records;
}

size_t tw__outbox_sent(tw__outbox *outbox, size_t len) {
    if (len == tw__outbox_len(outbox)) {
        return all_sent(outbox);
    }
    size_t records = 0;
    outbox->_head_sent += len;
    for (;;) {
        const uint8_t *head = tw__bytes_data(&outbox->_bytes);
        size_t size = tw__record_claimed(head, tw__bytes_len(&outbox->_bytes));
        if (outbox->_head_sent < size) {
            break;
        }
        outbox->level[tw__outbox_class_of(tw__record_type_of(head))] -= size;
        outbox->_head_sent -= size;
        tw__bytes_consume(&outbox->_bytes, size);
        records++;
    }
    outbox->records -= records;
    return records;
}

bool tw__outbox_next(const tw__outbox *outbox, size_t *pos,
                     tw__record *record) {
    size_t taken = 0;
    const uint8_t *data = tw__bytes_data(&outbox->_bytes) + *pos;
    size_t len = tw__bytes_len(&outbox->_bytes) - *pos;
    if (len == 0 || tw__record_parse(data, len, record, &taken) != 0 ||
        taken == 0) {
        return false;
    }
    *pos += taken;
    return true;
}

void tw__outbox_clear(tw__outbox *outbox) {
    tw__outbox_deinit(outbox);
    tw__outbox_init(outbox);
}
