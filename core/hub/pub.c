/* SPDX-License-Identifier: MIT */
#include "hub/pub.h"

#include <string.h>

#include "base/alloc.h"

tw__pub *tw__pub_create(const char *channel, size_t channel_len,
                        const char *key, size_t key_len, const void *data,
                        size_t len) {
    tw__pub *pub = tw__malloc(sizeof *pub + channel_len + key_len + 2 + len);
    if (pub == NULL) {
        return NULL;
    }
    memset(pub, 0, sizeof *pub);
    tw__list_init(&pub->node);
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
    if (pub != NULL && --pub->_refs == 0) {
        tw__free(pub);
    }
}
