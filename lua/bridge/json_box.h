/* json_box.h - what keeps jansson's tree while Lua may raise.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_JSON_BOX_H
#define TWL_JSON_BOX_H

#include <lua.h>

/* Makes the VM's box: a tree left in it by an error is freed by the next
 * decoding, or with the VM. */
void twl_json_box_init(lua_State *L);

#endif
