/* SPDX-License-Identifier: MIT */
#include "hub/batch.h"

#include <string.h>

#include "base/alloc.h"
#include "base/map.h"

static tw__batch *allocate(uint32_t count, size_t bytes, uint64_t channel) {
    size_t head = sizeof(tw__batch) + count * sizeof(tw__frame);
    if (bytes > UINT32_MAX) {
        return NULL;
    }
    tw__batch *batch = tw__malloc(head + bytes);
    if (batch != NULL) {
        memset(batch, 0, sizeof *batch);
        batch->_refs = 1;
        batch->count = count;
        batch->channel = channel;
        batch->data = (uint8_t *)batch + head;
    }
    return batch;
}

static uint64_t key_of(const tw__pub *pub) {
    if (pub->key_len == 0) {
        return 0;
    }
    uint64_t low = tw__hash_keyed(tw__pub_key(pub), pub->key_len);
    uint64_t high = tw__hash_stable(tw__pub_key(pub), pub->key_len);
    return (high << 32 | low) | 1;
}

static void note_deadline(tw__batch *batch, uint64_t deadline_ms) {
    if (deadline_ms != 0 &&
        (batch->deadline_ms == 0 || deadline_ms < batch->deadline_ms)) {
        batch->deadline_ms = deadline_ms;
    }
}

/* Frames that became shorter leave room that nobody needs. */
static tw__batch *give_back(tw__batch *batch, size_t bytes) {
    size_t head = (size_t)(batch->data - (uint8_t *)batch);
    tw__batch *fit = bytes - batch->len > bytes / 4
                         ? tw__realloc(batch, head + batch->len)
                         : NULL;
    if (fit == NULL) {
        return batch;
    }
    fit->data = (uint8_t *)fit + head;
    return fit;
}

static void add_frame(tw__batch *batch, uint32_t at, const tw__encoder *encoder,
                      tw__pub *pub) {
    size_t len = encoder->write(pub, batch->data + batch->len);
    if (encoder->pack != NULL) {
        len = encoder->pack(encoder->arg, batch->data + batch->len, len);
    }
    batch->frames[at] =
        (tw__frame){batch->len, (uint32_t)len, key_of(pub),
                    pub->header.deadline_ms, pub->header.offset};
    batch->len += (uint32_t)len;
    note_deadline(batch, pub->header.deadline_ms);
}

tw__batch *tw__batch_create(const tw__encoder *encoder, tw__list *pubs,
                            uint32_t count, uint64_t channel) {
    size_t bytes = 0;
    uint32_t at = 0;
    for (tw__list *node = pubs->next; node != pubs; node = node->next) {
        bytes += encoder->size(TW__CONTAINER(node, tw__pub, node));
    }
    tw__batch *batch = allocate(count, bytes, channel);
    if (batch == NULL) {
        return NULL;
    }
    for (tw__list *node = pubs->next; node != pubs; node = node->next) {
        add_frame(batch, at++, encoder, TW__CONTAINER(node, tw__pub, node));
    }
    return encoder->pack != NULL ? give_back(batch, bytes) : batch;
}

tw__batch *tw__batch_create_of(const tw__encoder *encoder, tw__pub *const *pubs,
                               uint32_t count, uint64_t channel) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += encoder->size(pubs[i]);
    }
    tw__batch *batch = allocate(count, bytes, channel);
    if (batch == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        add_frame(batch, i, encoder, pubs[i]);
    }
    return encoder->pack != NULL ? give_back(batch, bytes) : batch;
}

tw__batch *tw__batch_copy_frame(const tw__batch *batch, uint32_t frame) {
    const tw__frame *from = &batch->frames[frame];
    tw__batch *copy = allocate(1, from->len, batch->channel);
    if (copy != NULL) {
        copy->row = batch->row;
        copy->deadline_ms = from->deadline_ms;
        copy->frames[0] = *from;
        copy->frames[0].off = 0;
        copy->len = from->len;
        memcpy(copy->data, batch->data + from->off, from->len);
    }
    return copy;
}

void tw__batch_unref(tw__batch *batch) {
    if (batch != NULL && --batch->_refs == 0) {
        tw__free(batch);
    }
}
