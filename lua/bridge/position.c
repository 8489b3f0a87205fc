/* SPDX-License-Identifier: MIT */
#include "position.h"

#include <string.h>

#include "err.h"
#include "names.h"
#include "opts.h"

/* Beyond it a Lua number is no longer exact, and no channel gets there. */
#define MAX_OFFSET 9007199254740992.0

static const twl_name since_options[] = {
    {"epoch", false}, {"offset", false}, {NULL, false}};

/* Both have to be there: half a position comes from a client that lost the
 * other half, and would be taken for the beginning. */
static void read_position(lua_State *L, int index, const char *what,
                          tw_position *out) {
    tw_str epoch = {NULL, 0};
    uint64_t offset;
    twl_names_check(L, index, what, "field of since", since_options);
    if (!twl_opt_string(L, index, what, "epoch", &epoch) ||
        !twl_opt_whole(L, index, what, "offset", 0, MAX_OFFSET, &offset)) {
        twl_raise(L, "%s: since needs an epoch and an offset", what);
        return;
    }
    if (epoch.len > TW_EPOCH_MAX || strlen(epoch.data) != epoch.len) {
        twl_raise(L, "%s: an epoch is text of at most %d bytes", what,
                  (int)TW_EPOCH_MAX);
    }
    memset(out, 0, sizeof *out);
    memcpy(out->epoch, epoch.data, epoch.len);
    out->offset = offset;
}

bool twl_opt_since(lua_State *L, int index, const char *what,
                   tw_position *out) {
    lua_getfield(L, index, "since");
    bool is_there = !lua_isnil(L, -1);
    if (is_there && !lua_istable(L, -1)) {
        twl_raise(L, "%s: since must be a table { epoch =, offset = }, not %s",
                  what, lua_typename(L, lua_type(L, -1)));
    } else if (is_there) {
        read_position(L, lua_gettop(L), what, out);
    }
    lua_pop(L, 1);
    return is_there;
}

void twl_position_set(lua_State *L, const tw_position *position) {
    lua_pushstring(L, position->epoch);
    lua_setfield(L, -2, "epoch");
    lua_pushnumber(L, (lua_Number)position->offset);
    lua_setfield(L, -2, "offset");
}

void twl_position_push(lua_State *L, const tw_position *position) {
    lua_createtable(L, 0, 2);
    twl_position_set(L, position);
}
