/* tell.h - `tell` of a class with presence = "events": says in the script's own
 * words who came and went.
 *
 * The server keeps a class's number in the place of the function: a reload has
 * another function in the same place, in another VM.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_TELL_H
#define TWL_TELL_H

#include <tidewire/tidewire.h>

/* The hook of the server. */
void twl_tell_on_presence(tw_server *server, const tw_presence_change *change,
                          void *user);

/* What the class at `index` of its generation carries as `data`. */
void *twl_tell_data(size_t index);

#endif
