/* publish.c - from a hook to the broker. SPDX-License-Identifier: MIT */
#include <string.h>

#include "server/server.h"
#include "ws/utf8.h"

static int check(tw_str channel, const void *data, size_t len,
                 const tw_publish_options *options) {
    if (channel.len == 0 || channel.len > TW__CHANNEL_MAX ||
        options->key.len > TW__KEY_MAX || len > UINT32_MAX / 2) {
        return TW_EINVALID;
    }
    bool is_fine =
        options->binary || options->is_utf8 || tw__utf8_valid(data, len);
    return is_fine ? 0 : TW_EINVALID;
}

static void fill_header(const tw_server *server, tw__pub_header *header,
                        const tw_publish_options *options) {
    header->flags = options->binary ? TW__PUB_BINARY : 0;
    header->colour = options->colour;
    header->origin = (tw__origin){0, server->incarnation, server->slot};
    header->except =
        options->except != NULL ? tw_conn_handle(options->except) : 0;
    header->deadline_ms =
        options->ttl_ms > 0 ? tw__now(server) + options->ttl_ms : 0;
}

int tw_publish(tw_server *server, tw_str channel, const void *data, size_t len,
               const tw_publish_options *options) {
    static const tw_publish_options plain;
    options = options != NULL ? options : &plain;
    int err = check(channel, data, len, options);
    if (err != 0) {
        return err;
    }
    tw__pub *pub =
        tw__pub_create_in(&server->pubs, channel.data, channel.len,
                          options->key.data, options->key.len, data, len);
    if (pub == NULL) {
        return TW_ENOMEM;
    }
    fill_header(server, &pub->header, options);
    err = server->broker->ops->publish(server->broker, pub);
    tw__count(server,
              err == 0 ? TW_COUNTER_PUBLISHED : TW_COUNTER_PUBLISH_REFUSED, 1);
    tw__loop_wake(&server->loop);
    return err;
}
