/* SPDX-License-Identifier: MIT */
#include "hub/pub.h"

#include <string.h>

#include "base/alloc.h"

/* Blocks are of one size, and a few bursts of 16 of them are kept. A sanitizer
 * shall see who uses a freed one. */
#ifdef __SANITIZE_ADDRESS__
enum { BLOCK_BYTES = 256, KEEP_BLOCKS = 0 };
#else
enum { BLOCK_BYTES = 256, KEEP_BLOCKS = 64 };
#endif

static tw__pub *take_block(tw__pub_store *store) {
    if (store->_free == NULL) {
        return tw__malloc(BLOCK_BYTES);
    }
    tw__list *node = store->_free;
    store->_free = node->next;
    store->_count--;
    return TW__CONTAINER(node, tw__pub, node);
}

static void give_block(tw__pub_store *store, tw__pub *pub) {
    if (store->_count + 1 > KEEP_BLOCKS) {
        tw__free(pub);
        return;
    }
    pub->node.next = store->_free;
    store->_free = &pub->node;
    store->_count++;
}

void tw__pub_store_deinit(tw__pub_store *store) {
    while (store->_free != NULL) {
        tw__free(take_block(store));
    }
}

tw__pub *tw__pub_create_in(tw__pub_store *store, const char *channel,
                           size_t channel_len, const char *key, size_t key_len,
                           const void *data, size_t len) {
    size_t size = sizeof(tw__pub) + channel_len + key_len + 2 + len;
    store = size <= BLOCK_BYTES ? store : NULL;
    tw__pub *pub = store != NULL ? take_block(store) : tw__malloc(size);
    if (pub == NULL) {
        return NULL;
    }
    memset(pub, 0, sizeof *pub);
    tw__list_init(&pub->node);
    pub->_store = store;
    pub->_refs = 1;
    pub->len = (uint32_t)len;
    pub->channel_len = (uint8_t)channel_len;
    pub->key_len = (uint8_t)key_len;
    memcpy(pub->_bytes, channel, channel_len);
    pub->_bytes[channel_len] = '\0';
    char *key_place = pub->_bytes + channel_len + 1;
    if (key_len > 0) {
        memcpy(key_place, key, key_len);
    }
    key_place[key_len] = '\0';
    if (data != NULL && len > 0) {
        memcpy(tw__pub_data(pub), data, len);
    }
    return pub;
}

void tw__pub_unref(tw__pub *pub) {
    if (pub == NULL || --pub->_refs > 0) {
        return;
    }
    if (pub->_store != NULL) {
        give_block(pub->_store, pub);
    } else {
        tw__free(pub);
    }
}
