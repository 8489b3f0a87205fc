/* tell.c - what only this worker's subscribers of a channel are told.
 * SPDX-License-Identifier: MIT */
#include "server/interest.h"
#include "server/server.h"
#include "ws/utf8.h"

static tw__pub *create(tw_server *server, tw_str channel, const void *data,
                       size_t len, bool binary) {
    const tw__pub_parts parts = {.channel = channel.data,
                                 .channel_len = channel.len,
                                 .data = data,
                                 .len = len};
    tw__pub *pub = tw__pub_create_of(&server->pubs, &parts);
    if (pub != NULL) {
        pub->header.flags = TW__PUB_NO_HISTORY | (binary ? TW__PUB_BINARY : 0);
        pub->header.origin = (tw__origin){0, server->incarnation, server->slot};
    }
    return pub;
}

int tw_channel_tell(tw_server *server, tw_str name, const void *data,
                    size_t len, bool binary) {
    if (name.len == 0 || name.len > TW__CHANNEL_MAX || len > UINT32_MAX / 2 ||
        !(binary || tw__utf8_valid(data, len))) {
        return TW_EINVALID;
    }
    tw__channel *channel = tw__hub_find(&server->hub, name.data, name.len);
    if (channel == NULL || tw__channel_len(channel) == 0) {
        return TW_ENOT_FOUND;
    }
    if (channel->pending_count > 0 &&
        channel->pending_bytes + len > server->config.delivery_budget_bytes) {
        return TW_EOVERLOADED;
    }
    tw__pub *pub = create(server, name, data, len, binary);
    if (pub == NULL) {
        return TW_ENOMEM;
    }
    bool was_empty = channel->pending_count == 0;
    tw__count_fate(server, channel->class.row, TW__INTENDED,
                   tw__channel_publish(channel, pub, NULL));
    tw__channel_make_due(server, channel, was_empty);
    return 0;
}
