/* count.c - how many subscribe to a channel, on all members.
 * SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "bus/engine.h"
#include "tidewire/errors.h"

typedef struct counting {
    tw__count_cb cb;
    void *arg;
} counting;

static void on_reply(int status, const tw__record *reply, void *arg) {
    counting asked = *(counting *)arg;
    tw__free(arg);
    asked.cb(status, reply != NULL ? reply->header.offset : 0, asked.arg);
}

int tw__count_ask(tw__bus *bus, const char *channel, size_t len,
                  tw__count_cb cb, void *arg) {
    tw__record question = {.type = TW__RECORD_COUNT_REQUEST,
                           .channel = channel,
                           .channel_len = (uint8_t)len};
    if (len > TW__CHANNEL_MAX) {
        return TW_EINVALID;
    }
    counting *asked = tw__malloc(sizeof *asked);
    if (asked == NULL) {
        return TW_ENOMEM;
    }
    *asked = (counting){cb, arg};
    int err = tw__ask_home(bus, &question, on_reply, asked);
    if (err != 0) {
        tw__free(asked);
    }
    return err;
}
