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

static char *put(char *place, const void *bytes, size_t len) {
    if (len > 0) {
        memcpy(place, bytes, len);
    }
    return place + len;
}

static void fill(tw__pub *pub, const tw__pub_parts *parts) {
    char *place = put(pub->_bytes, parts->channel, parts->channel_len);
    *place++ = '\0';
    place = put(place, parts->key, parts->key_len);
    *place++ = '\0';
    place = put(place, parts->id, parts->id_len);
    if (parts->data != NULL) {
        put(place, parts->data, parts->len);
    }
}

tw__pub *tw__pub_create_of(tw__pub_store *store, const tw__pub_parts *parts) {
    size_t size = sizeof(tw__pub) + parts->channel_len + parts->key_len +
                  parts->id_len + 2 + parts->len;
    store = size <= BLOCK_BYTES ? store : NULL;
    tw__pub *pub = store != NULL ? take_block(store) : tw__malloc(size);
    if (pub == NULL) {
        return NULL;
    }
    memset(pub, 0, sizeof *pub);
    tw__list_init(&pub->node);
    pub->_store = store;
    pub->_refs = 1;
    pub->len = (uint32_t)parts->len;
    pub->channel_len = (uint8_t)parts->channel_len;
    pub->key_len = (uint8_t)parts->key_len;
    pub->id_len = (uint8_t)parts->id_len;
    fill(pub, parts);
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
