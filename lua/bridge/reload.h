/* reload.h - from one generation to the next: prepare, freeze, commit, abort.
 *
 * The master calls these in every worker (master.h), tw_lua_reload in a server
 * of its own. Not from inside a call.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_RELOAD_H
#define TWL_RELOAD_H

#include "bridge.h"

/* Ends the generation before the current one in steps: its hooks raise
 * `retired`, the states it still holds are carried over, its memory goes. True:
 * there is none (any more). Ask again in a later turn. */
bool twl_reload_settle(tw_lua *lua);

/* Loads generation `number` beside the current one; the one before that ends
 * for good, at once if it was not settled before. With `snapshot` and `writes` loads from the disk and writes it. */
int twl_reload_prepare(tw_lua *lua, uint32_t number, const char *snapshot,
                       bool writes, char *report);

/* save() of the current generation, restore() of the next. */
int twl_reload_freeze(tw_lua *lua, char *report);

/* The next generation becomes the current one. */
void twl_reload_commit(tw_lua *lua);

/* The next generation is forgotten. */
void twl_reload_abort(tw_lua *lua);

#endif
