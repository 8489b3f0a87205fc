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

twl_data twl_data_read(lua_State *L, int index, const char *what) {
    twl_data data = {NULL, 0, false};
    if (lua_type(L, index) == LUA_TSTRING) {
        data.data = lua_tolstring(L, index, &data.len);
        return data;
    }
    const tw_msg *msg = twl_msg_data(L, index, what);
    if (msg) {
        return (twl_data){msg->data, msg->len, msg->binary};
    }
    if (!is_json(L, index)) {
        twl_raise(L,
                  "%s: data must be a string, a message, or something JSON can "
                  "say, not %s",
                  what,
                  lua_isnone(L, index) ? "nothing" : twl_handle_name(L, index));
    }
    tw_str json = twl_data_json(L, index, what);
    return (twl_data){json.data, json.len, false};
}

int twl_data_parse(lua_State *L, const void *text, size_t len) {
    if (twl_json_decode(L, text, len, false) == 0) {
        return 1;
    }
    /* The message that was pushed becomes that of the error object. */
    return twl_nil_error(L, TW_EINVALID, lua_tostring(L, -1));
}
