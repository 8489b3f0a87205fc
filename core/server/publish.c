/* publish.c - from a hook to the broker. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "server/server.h"
#include "ws/utf8.h"

static int check(tw_str channel, const void *data, size_t len,
                 const tw_publish_options *options) {
    if (channel.len == 0 || channel.len > TW__CHANNEL_MAX ||
        options->key.len > TW__KEY_MAX || options->id.len > TW__PUB_ID_MAX ||
        len > UINT32_MAX / 2) {
        return TW_EINVALID;
    }
    bool is_fine =
        options->binary || options->is_utf8 || tw__utf8_valid(data, len);
    return is_fine ? 0 : TW_EINVALID;
}

static void fill_header(const tw_server *server, tw__pub_header *header,
                        const tw_publish_options *options) {
    header->flags = (options->binary ? TW__PUB_BINARY : 0) |
                    (options->no_history ? TW__PUB_NO_HISTORY : 0);
    header->colour = options->colour;
    header->origin = (tw__origin){0, server->incarnation, server->slot};
    header->except =
        options->except != NULL ? tw_conn_handle(options->except) : 0;
    header->deadline_ms =
        options->ttl_ms > 0 ? tw__now(server) + options->ttl_ms : 0;
}

/* 0 with *pub given, or an error. */
static int create(tw_server *server, tw_str channel, const void *data,
                  size_t len, const tw_publish_options *options,
                  tw__pub **pub) {
    static const tw_publish_options plain;
    options = options != NULL ? options : &plain;
    int err = check(channel, data, len, options);
    if (err != 0) {
        return err;
    }
    const tw__pub_parts parts = {channel.data,
                                 options->key.data,
                                 options->id.data,
                                 channel.len,
                                 options->key.len,
                                 options->id.len,
                                 data,
                                 len};
    *pub = tw__pub_create_of(&server->pubs, &parts);
    if (*pub == NULL) {
        return TW_ENOMEM;
    }
    fill_header(server, &(*pub)->header, options);
    return 0;
}

static int note_published(tw_server *server, int err) {
    tw__count(server,
              err == 0 ? TW_COUNTER_PUBLISHED : TW_COUNTER_PUBLISH_REFUSED, 1);
    tw__loop_wake(&server->loop);
    return err;
}

int tw_publish(tw_server *server, tw_str channel, const void *data, size_t len,
               const tw_publish_options *options) {
    tw__pub *pub;
    int err = create(server, channel, data, len, options, &pub);
    return err != 0 ? err
                    : note_published(server, server->broker->ops->publish(
                                                 server->broker, pub));
}

/* The callback of the host, until the home answers. */
typedef struct waiting {
    tw_publish_cb cb;
    void *arg;
} waiting;

static void on_sequenced(int status, const tw__position *position, void *arg) {
    waiting wait = *(waiting *)arg;
    tw_position public = {0};
    tw__free(arg);
    if (status == 0) {
        public.offset = position->offset;
        memcpy(public.epoch, position->epoch, sizeof public.epoch);
    }
    wait.cb(status, status == 0 ? &public : NULL, wait.arg);
}

int tw_publish_wait(tw_server *server, tw_str channel, const void *data,
                    size_t len, const tw_publish_options *options,
                    tw_publish_cb cb, void *arg) {
    tw__pub *pub;
    waiting *wait = tw__malloc(sizeof *wait);
    if (wait == NULL) {
        return TW_ENOMEM;
    }
    *wait = (waiting){cb, arg};
    int err = create(server, channel, data, len, options, &pub);
    if (err == 0) {
        err = note_published(
            server, server->broker->ops->publish_wait(server->broker, pub,
                                                      on_sequenced, wait));
    }
    if (err != 0) {
        tw__free(wait);
    }
    return err;
}
