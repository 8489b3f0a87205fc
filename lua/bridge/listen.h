/* listen.h - tw.subscribe(channel, fn): a script that listens to a channel.
 *
 * The function runs as a job that may wait, one publication after the other;
 * what comes meanwhile waits in a queue, and beyond its bounds the oldest is
 * dropped, counted and logged. A listener belongs to its generation. Those made
 * while the script loads begin at the switch, and take over what their
 * namesakes in the old generation had not got to.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_LISTEN_H
#define TWL_LISTEN_H

#include "bridge.h"
#include "feed.h"

enum {
    TWL_LISTENERS_MAX = 1000, /* of a generation */
    TWL_HEARD_MAX = 1000,     /* publications waiting for one listener */
    TWL_HEARD_BYTES_MAX = 16 << 20
};

typedef struct twl_listener {
    twl_link node;  /* gen->listeners until it is over */
    twl_link fed;   /* its feed's, while it has one */
    twl_link eager; /* tw_lua.eager */
    twl_gen *gen;
    twl_feed *feed; /* NULL before the switch, and when it is over */
    unsigned refs;  /* its handle, its run, and being not over */
    int fn, name;   /* into the VM: the function, the channel */
    bool is_running, is_over;
    bool is_succeeded; /* another one has taken over its queue */

    twl_link queue;
    size_t waiting, bytes;
    uint64_t dropped; /* and not logged */
    uint64_t next_log_ms;

    size_t len;
    char channel[256]; /* and a NUL */
} twl_listener;

int twl_listen(lua_State *L); /* tw.subscribe(channel, fn) */
void twl_listener_define(lua_State *L);

/* Joins the channel's feed: 0 or TW_ENOMEM. */
int twl_listener_begin(twl_listener *listener);

/* Ends it; again is harmless. A run under way goes on. */
void twl_listener_stop(twl_listener *listener);

void twl_listener_unref(twl_listener *listener);

/* A publication has come. */
void twl_listener_hear(twl_listener *listener,
                       const tw_publication *publication);

/* The generation has become the current one; `old` may be NULL, and its
 * listeners must not have been stopped yet. */
void twl_listeners_start(twl_gen *gen, const twl_gen *old);

/* They hear nothing any more; a run under way goes on. */
void twl_listeners_stop(twl_gen *gen);

#endif
