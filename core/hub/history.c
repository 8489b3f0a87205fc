/* SPDX-License-Identifier: MIT */
#include "hub/history.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "hub/history_parts.h"
#include "tidewire/errors.h"

/* 80 random bits: no two are ever alike. */
static void make_epoch(char epoch[TW__EPOCH_MAX + 1]) {
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t random[TW__EPOCH_MAX];
    tw__random_pooled(random, sizeof random);
    for (int i = 0; i < TW__EPOCH_MAX; i++) {
        epoch[i] = digits[random[i] % 32];
    }
    epoch[TW__EPOCH_MAX] = '\0';
}

static bool keeps_something(const tw__history_class *class) {
    return class->size > 0 || class->retain > 0;
}

static void check_class(const tw__history_class *class) {
    assert(class->size <= TW__HISTORY_MAX && class->retain <= TW__RETAIN_MAX);
    (void)class;
}

tw__history *tw__history_create(tw__archive *archive,
                                const tw__history_class *class, void *owner) {
    tw__history *history = tw__calloc(1, sizeof *history);
    check_class(class);
    if (history == NULL) {
        return NULL;
    }
    history->owner = owner;
    history->class = *class;
    history->ring.first = 1;
    make_epoch(history->epoch);
    tw__archive_add(archive, history);
    tw__archive_fit(archive, history);
    return history;
}

void tw__history_destroy(tw__history *history) {
    if (history == NULL) {
        return;
    }
    tw__retained_clear(history);
    tw__ring_clear(history);
    tw__ids_clear(history);
    tw__archive_remove(history);
    tw__free(history);
}

void *tw__history_owner(const tw__history *history) {
    return history->owner;
}

void tw__history_charge(tw__history *history, uint32_t bytes) {
    history->charged += bytes;
    history->archive->bytes += bytes;
}

static void expire(tw__history *history, uint64_t now_ms) {
    tw__ring_expire(history, now_ms);
    tw__retained_expire(history, now_ms);
}

/* What passed by had no offsets. One is left out for it, or else whoever was
 * there before would be told that nothing is missing. */
static void begin_again(tw__history *history) {
    if (history->has_passed_by) {
        history->has_passed_by = false;
        history->offset++;
        history->ring.first = history->offset + 1;
    }
}

void tw__history_set_class(tw__history *history, const tw__history_class *class,
                           uint64_t now_ms) {
    bool had_retained = history->class.retain > 0;
    check_class(class);
    history->class = *class;
    if (keeps_something(class)) {
        begin_again(history);
    }
    if (!had_retained) {
        history->retained_floor = history->offset;
    }
    while (tw__retained_len(history) > class->retain) {
        tw__retained_pop(history, now_ms);
    }
    while (history->ring.len > class->size) {
        tw__ring_pop(history);
    }
    expire(history, now_ms);
    tw__ring_fit(history);
    tw__retained_fit(history);
}

/* ---- appending ---- */

/* A block of a store is larger than what is short: what stays for long has one
 * of its own size. Without memory for that the block stays. */
static tw__pub *hold(tw__pub *pub) {
    if (pub->_store == NULL) {
        return tw__pub_ref(pub);
    }
    const tw__pub_parts parts = {
        .channel = tw__pub_channel(pub),
        .channel_len = pub->channel_len,
        .key = tw__pub_key(pub),
        .key_len = pub->key_len,
        .id = tw__pub_id(pub),
        .id_len = pub->id_len,
        .data = tw__pub_data(pub),
        .len = pub->len,
    };
    tw__pub *copy = tw__pub_create_of(NULL, &parts);
    if (copy == NULL) {
        return tw__pub_ref(pub);
    }
    copy->header = pub->header;
    return copy;
}

static int keep(tw__history *history, tw__pub *pub, uint64_t now_ms) {
    tw__pub *held = hold(pub);
    int error = 0;
    if (history->class.size > 0) {
        error = tw__ring_push(history, held, now_ms);
    } else {
        history->ring.first = history->offset + 1;
    }
    if (history->class.retain > 0 &&
        tw__retained_put(history, held, now_ms) != 0) {
        error = TW_ENOMEM;
    }
    tw__pub_unref(held);
    return error;
}

static int add(tw__history *history, tw__pub *pub, uint64_t now_ms) {
    pub->header.offset = 0;
    if ((pub->header.flags & TW__PUB_NO_HISTORY) != 0) {
        return 0;
    }
    if (!keeps_something(&history->class)) {
        history->has_passed_by = true;
        return 0;
    }
    pub->header.offset = ++history->offset;
    return keep(history, pub, now_ms);
}

static bool is_known(tw__history *history, const tw__pub *pub, uint64_t now_ms,
                     uint64_t *offset) {
    if (pub->id_len == 0) {
        return false;
    }
    tw__ids_expire(history, now_ms);
    return tw__ids_find(history, tw__pub_id(pub), pub->id_len, offset);
}

int tw__history_append(tw__history *history, tw__pub *pub, uint64_t now_ms,
                       uint64_t *offset) {
    if (is_known(history, pub, now_ms, offset)) {
        return TW_EEXISTS;
    }
    expire(history, now_ms);
    int error = add(history, pub, now_ms);
    if (pub->id_len > 0 && tw__ids_add(history, tw__pub_id(pub), pub->id_len,
                                       pub->header.offset, now_ms) != 0) {
        error = TW_ENOMEM;
    }
    *offset = pub->header.offset;
    tw__archive_use(history);
    tw__archive_fit(history->archive, history);
    return error;
}

/* ---- asking ---- */

void tw__history_position(const tw__history *history, tw__position *position) {
    position->offset = history->offset;
    memcpy(position->epoch, history->epoch, sizeof position->epoch);
}

uint64_t tw__history_floor(tw__history *history, uint64_t now_ms) {
    expire(history, now_ms);
    bool has_log = history->class.size > 0 || history->class.retain == 0;
    return has_log ? history->ring.first - 1 : history->retained_floor;
}

tw__pub *tw__history_at(tw__history *history, uint64_t offset) {
    return tw__ring_at(&history->ring, offset);
}

tw__pub *tw__history_next_retained(tw__history *history, uint64_t now_ms,
                                   void **pos) {
    return tw__retained_next(history, now_ms, pos);
}

tw__pub *tw__history_latest(tw__history *history, const char *key, size_t len,
                            uint64_t now_ms) {
    return tw__retained_find(history, key, len, now_ms);
}

bool tw__history_remove(tw__history *history, const char *key, size_t len) {
    return tw__retained_remove(history, key, len);
}
