/* Error codes on their way to scripts. SPDX-License-Identifier: MIT */
#include <lua.h>

#include "bridge.h"
#include "err.h"

/* Scripts know the codes that a network, a peer or load can cause; what is
 * wrong with this machine looks to them like load, or like a part that is
 * down. */
static int script_code(int code) {
    switch (code) {
    case TW_ENOMEM:
        return TW_EOVERLOADED;
    case TW_EIO:
        return TW_EUNAVAILABLE;
    default:
        return code;
    }
}

int twl_push_done(lua_State *L, int code) {
    if (code == 0) {
        lua_pushboolean(L, true);
        return 1;
    }
    return twl_nil_error(L, script_code(code), NULL);
}
