/* publish.h - tw.publish, and what else takes its options.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_PUBLISH_H
#define TWL_PUBLISH_H

#include <lua.h>
#include <tidewire/tidewire.h>

int twl_publish(lua_State *L); /* tw.publish(channel, data, options) */

/* What something is published to: a channel or a user. */
typedef struct twl_target {
    const char *what, *except; /* "tw.publish", "tw.publish: except" */
    int (*publish)(tw_server *server, tw_str to, const void *data, size_t len,
                   const tw_publish_options *options);
    int (*publish_wait)(tw_server *server, tw_str to, const void *data,
                        size_t len, const tw_publish_options *options,
                        tw_publish_cb cb, void *arg);
    /* Why `publish_wait` answers TW_EINVALID although the data is good; NULL:
     * it does not. */
    const char *no_wait;
} twl_target;

/* Argument 2 is the data, 3 the options. */
int twl_publish_to(lua_State *L, const twl_target *target, tw_str to);

#endif
