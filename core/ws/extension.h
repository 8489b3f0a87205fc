/* extension.h - what a client asks for in Sec-WebSocket-Extensions, and the
 * one thing that is granted: permessage-deflate without context takeover.
 *
 * Without takeover every message is compressed by itself. So one compressed
 * frame serves all subscribers of a channel, and no connection holds a window
 * of its own. What cannot be had that way is declined: an offer that demands a
 * smaller window of the server, and, as RFC 7692 section 7.1 has it, one with
 * a parameter that is unknown, repeated or has a wrong value. The client's next
 * offer is looked at then; without a good one the connection goes on plain.
 *
 * Pure, any thread, no allocation.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_WS_EXTENSION_H
#define TW_WS_EXTENSION_H

#include <stdbool.h>

#include "ws/request.h"

/* Whether all lines of Sec-WebSocket-Extensions follow the grammar of RFC 6455
 * section 9.1; blank elements are passed over. Where they do not, the handshake
 * must fail, whatever the extensions are. */
bool tw__ws_extensions_are_sound(const tw__ws_request *req);

/* What to answer in Sec-WebSocket-Extensions to the first offer that can be
 * met, a static text; NULL to go without. The lines are sound. */
const char *tw__ws_extensions_answer(const tw__ws_request *req);

#endif
