/* act.h - what is to be done to a connection wherever it is: made and checked
 * here, done where the connection is (bus/locator.h).
 *
 * What an act refers to is borrowed. SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_ACT_H
#define TW_SERVER_ACT_H

#include "bus/locator.h"
#include "tidewire/tidewire.h"

/* 0, or TW_EINVALID: text that is not UTF-8 (not looked at when `is_utf8`), or
 * more than fits. */
int tw__act_send(tw__act *act, const void *data, size_t len, bool binary,
                 bool is_utf8);

/* 0, or TW_EINVALID: a code that may not be sent, a reason that is not UTF-8.
 * A long reason is cut. */
int tw__act_close(tw__act *act, int code, tw_str reason);

/* `what` is TW__ACT_SUBSCRIBE or TW__ACT_UNSUBSCRIBE. 0, or TW_EINVALID: no
 * name of a channel. */
int tw__act_channel(tw__act *act, enum tw__act_what what, tw_str channel);

#endif
