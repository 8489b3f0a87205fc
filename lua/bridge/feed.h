/* feed.h - one subscription of the server for all who listen to a channel.
 *
 * It outlives generations: at a switch the new one's listeners join before the
 * old one's leave, and so none of the publications between falls through.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_FEED_H
#define TWL_FEED_H

#include "bridge.h"

typedef struct twl_feed twl_feed;

/* Adds a listener (by its link `fed`) to the channel's feed, which begins with
 * the first. NULL without memory. */
twl_feed *twl_feed_join(tw_lua *lua, tw_str channel, twl_link *fed);

/* Takes it out; the feed ends with the last. Also from inside a listener. */
void twl_feed_leave(twl_feed *feed, twl_link *fed);

#endif
