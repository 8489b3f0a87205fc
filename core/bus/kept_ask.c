/* kept_ask.c - asks a home for what it keeps. The records are in kept.c.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "bus/engine.h"
#include "tidewire/errors.h"

typedef struct asking {
    tw__kept_cb cb;
    void *arg;
} asking;

/* The publications of an answer: those of the log, then the retained. */
typedef struct taken {
    tw__pub **pubs;
    size_t count, cap, log_count;
} taken;

static int take_pub(taken *all, const tw__record *record) {
    if (all->count == all->cap) {
        size_t cap = all->cap ? all->cap * 2 : 16;
        tw__pub **pubs = tw__realloc(all->pubs, cap * sizeof(tw__pub *));
        if (pubs == NULL) {
            return TW_ENOMEM;
        }
        all->pubs = pubs;
        all->cap = cap;
    }
    tw__pub *pub = tw__record_to_pub(record, NULL);
    if (pub == NULL) {
        return TW_ENOMEM;
    }
    all->log_count += pub->token == 0;
    all->pubs[all->count++] = pub;
    return 0;
}

static int take_all(taken *all, const tw__record *reply) {
    size_t pos = 0, size;
    while (pos < reply->len) {
        tw__record record;
        int err = tw__record_parse(reply->data + pos, reply->len - pos, &record,
                                   &size);
        if (err != 0 || size == 0) {
            return TW_EUNAVAILABLE; /* the home answers wrongly */
        }
        err = take_pub(all, &record);
        if (err != 0) {
            return err;
        }
        pos += size;
    }
    return 0;
}

static void on_reply(int status, const tw__record *reply, void *arg) {
    asking asked = *(asking *)arg;
    taken all = {0};
    tw__kept kept;
    tw__free(arg);
    if (status == 0) {
        status = take_all(&all, reply);
    }
    if (status == 0) {
        kept.position = tw__record_position(reply);
        kept.floor = reply->header.except;
        kept.log = all.pubs;
        kept.log_count = all.log_count;
        kept.retained = all.pubs + all.log_count;
        kept.retained_count = all.count - all.log_count;
    }
    asked.cb(status, status == 0 ? &kept : NULL, asked.arg);
    for (size_t i = 0; i < all.count; i++) {
        tw__pub_unref(all.pubs[i]);
    }
    tw__free(all.pubs);
}

int tw__kept_ask(tw__bus *bus, const char *channel, size_t len,
                 const tw__kept_query *query, tw__kept_cb cb, void *arg) {
    tw__record question = {
        .type = TW__RECORD_KEPT_REQUEST,
        .channel = channel,
        .channel_len = (uint8_t)len,
        .key = query->key,
        .key_len = (uint8_t)query->key_len,
        .id = query->since.epoch,
        .id_len = (uint8_t)strlen(query->since.epoch),
        .header = {.flags = (uint16_t)query->what,
                   .offset = query->since.offset,
                   .except = query->limit,
                   .deadline_ms = query->limit_bytes},
    };
    if (len > TW__CHANNEL_MAX || query->key_len > TW__KEY_MAX) {
        return TW_EINVALID;
    }
    asking *asked = tw__malloc(sizeof *asked);
    if (asked == NULL) {
        return TW_ENOMEM;
    }
    *asked = (asking){cb, arg};
    int err = tw__ask_home(bus, &question, on_reply, asked);
    if (err != 0) {
        tw__free(asked);
    }
    return err;
}
