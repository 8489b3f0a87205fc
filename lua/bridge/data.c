/* SPDX-License-Identifier: MIT */
#include "data.h"

#include <lauxlib.h>

#include "err.h"
#include "handle.h"
#include "json.h"
#include "msg.h"
#include "vm.h"

tw_str twl_data_json(lua_State *L, int index, const char *what) {
    twl_bytes *out = twl_vm_scratch(twl_vm_of(L));
    if (twl_json_encode(L, index, out)) {
        twl_raise(L, "%s: %s", what, lua_tostring(L, -1));
    }
    return (tw_str){out->data, out->len};
}

static bool is_json(lua_State *L, int index) {
    const char *text;
    size_t len;
    switch (lua_type(L, index)) {
    case LUA_TTABLE:
    case LUA_TNUMBER:
    case LUA_TBOOLEAN:
        return true;
    default:
        return twl_json_is_raw(L, index, &text, &len) ||
               twl_json_is_null(L, index);
    }
}

static void read_json(lua_State *L, int index, const char *what, tw_msg *data) {
    if (!is_json(L, index)) {
        twl_raise(L,
                  "%s: data must be a string, a message, or something JSON can "
                  "say, not %s",
                  what,
                  lua_isnone(L, index) ? "nothing" : twl_handle_name(L, index));
    }
    tw_str json = twl_data_json(L, index, what);
    *data = (tw_msg){.data = json.data, .len = json.len};
}

bool twl_data_read(lua_State *L, const tw_lua *lua, int index, const char *what,
                   tw_msg *data) {
    int type = lua_type(L, index);
    if (type == LUA_TSTRING) {
        *data = (tw_msg){0};
        data->data = lua_tolstring(L, index, &data->len);
        return false;
    }
    const tw_msg *msg = twl_msg_at(L, lua, index, type, what);
    if (msg) {
        *data = *msg;
    } else {
        read_json(L, index, what, data);
    }
    return true;
}

int twl_data_parse(lua_State *L, const void *text, size_t len) {
    if (twl_json_decode(L, text, len, false) == 0) {
        return 1;
    }
    /* The message that was pushed becomes that of the error object. */
    return twl_nil_error(L, TW_EINVALID, lua_tostring(L, -1));
}
