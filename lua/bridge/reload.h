/* reload.h - from one generation to the next: prepare, freeze, commit, abort.
 *
 * The master calls these in every worker (master.h), tw_lua_reload in a server
 * of its own. Not from inside a call.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_RELOAD_H
#define TWL_RELOAD_H

#include "bridge.h"

/* Loads generation `number` beside the current one; the one before that ends
 * for good. With `snapshot` and `writes` loads from the disk and writes it. */
int twl_reload_prepare(tw_lua *lua, uint32_t number, const char *snapshot,
                       bool writes, char *report);

/* save() of the current generation, restore() of the next. */
int twl_reload_freeze(tw_lua *lua, char *report);

/* The next generation becomes the current one. */
void twl_reload_commit(tw_lua *lua);

/* The next generation is forgotten. */
void twl_reload_abort(tw_lua *lua);

#endif
