/* SPDX-License-Identifier: MIT */
#include "dict.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "bridge.h"
#include "call_options.h"
#include "err.h"
#include "handle.h"
#include "job.h"
#include "json.h"
#include "log.h"
#include "names.h"
#include "opts.h"

/* keys(limit) without a limit, and with the largest. */
enum { SOME_KEYS = 1000, MOST_KEYS = 1000000 };

/* What the core may add to a size, see its regions: 64 shards, a block each. */
enum { ROUNDING = 4096 };

/* head.pointer is the tw_dict once it is open. */
typedef struct dict_handle {
    twl_handle head;
    size_t bytes; /* asked for; 0: it does not matter */
    size_t len;
    char name[];
} dict_handle;

static const twl_name fields[] = {
    {"get", false},   {"set", false},    {"add", false},
    {"incr", false},  {"delete", false}, {"keys", false},
    {"flush", false}, {"update", false}, {NULL, false},
};

static const twl_name new_options[] = {{"bytes", false}, {NULL, false}};

const twl_call_options twl_call_dict = {"dict", 2, "tw.dict", new_options};

/* The key in the registry of all handles by their name. */
static const char handles_key;

/* ---- making ------------------------------------------------------------- */

static bool is_name(tw_str name) {
    return name.len >= 1 && name.len <= TW_DICT_NAME_MAX &&
           name.data[0] != '.' && strlen(name.data) == name.len;
}

/* Pushes the handle that the script has already. */
static bool push_known(lua_State *L, tw_str name, size_t bytes) {
    twl_reg_get(L, &handles_key);
    lua_pushlstring(L, name.data, name.len);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    dict_handle *handle = lua_touserdata(L, -1);
    if (!handle) {
        lua_pop(L, 1);
        return false;
    }
    if (bytes && handle->bytes && bytes != handle->bytes) {
        twl_raise(L, "tw.dict: '%s' has been asked for with %.0f bytes before",
                  handle->name, (double)handle->bytes);
    }
    handle->bytes = handle->bytes ? handle->bytes : bytes;
    return true;
}

static void push_new(lua_State *L, tw_str name, size_t bytes) {
    dict_handle *handle =
        twl_handle_new(L, TWL_HANDLE_DICT, sizeof *handle + name.len + 1);
    handle->bytes = bytes;
    handle->len = name.len;
    memcpy(handle->name, name.data, name.len + 1);
    twl_reg_get(L, &handles_key);
    lua_pushlstring(L, name.data, name.len);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/* While the script loads, too little memory is a mistake in it or in the
 * configuration: better found now than with the first use. */
static int check_room(lua_State *L, tw_str name, size_t bytes) {
    twl_gen *gen = twl_gen_of(L);
    size_t left = 0;
    if (!gen->lua->server) {
        return 0;
    }
    bool is_loading = gen->phase == TWL_LOADING;
    size_t promised = is_loading ? gen->dict_bytes : 0;
    int code = tw_dict_check(gen->lua->server, name, bytes, &promised, &left);
    if (is_loading && code == TW_ELIMIT) {
        return twl_raise(L,
                         "tw.dict: '%s' does not fit: %.0f bytes of "
                         "limits.dict_memory are left",
                         name.data, (double)left);
    }
    if (is_loading) {
        gen->dict_bytes = promised;
    }
    return code;
}

int twl_dict_new(lua_State *L) {
    static const char what[] = "tw.dict";
    tw_str name = twl_arg_string(L, 1, what, "name");
    uint64_t bytes = 0;
    if (!is_name(name)) {
        return twl_raise(L,
                         "%s: name has 1 to %d bytes, no NUL, and begins with "
                         "no dot",
                         what, TW_DICT_NAME_MAX);
    }
    if (twl_arg_options(L, 2, what, new_options)) {
        twl_opt_whole(L, 2, what, "bytes", 16384, 1e12, &bytes);
    }
    if (push_known(L, name, bytes)) {
        return 1;
    }
    int code = check_room(L, name, bytes);
    if (code) {
        return twl_push_done(L, code);
    }
    push_new(L, name, bytes);
    return 1;
}

/* ---- opening ------------------------------------------------------------ */

static void warn_of_size(lua_State *L, const dict_handle *handle, size_t is) {
    if (handle->bytes &&
        (is < handle->bytes || is > handle->bytes + ROUNDING)) {
        twl_log_printf(twl_vm_of(L), TW_LOG_WARN,
                       "tw.dict '%s' has %zu bytes until the server starts "
                       "anew, not the %zu that the script asks for",
                       handle->name, is, handle->bytes);
    }
}

static int open_now(lua_State *L, dict_handle *handle) {
    tw_dict *dict;
    tw_str name = {handle->name, handle->len};
    int code =
        tw_dict_open(twl_gen_of(L)->lua->server, name, handle->bytes, &dict);
    if (!code) {
        handle->head.pointer = dict;
        warn_of_size(L, handle, tw_dict_bytes(dict));
    }
    return code;
}

int twl_dict_self(lua_State *L, const char *what, tw_dict **dict) {
    twl_handle *head = twl_handle_self(L, TWL_HANDLE_DICT, what);
    if (!twl_gen_is_live(twl_gen_of(L))) {
        twl_gen_check_live(L, what);
    }
    int code = head->pointer ? 0 : open_now(L, (dict_handle *)(void *)head);
    *dict = head->pointer;
    return code;
}

tw_str twl_dict_key(lua_State *L, const char *what) {
    tw_str key = twl_arg_string(L, 2, what, "key");
    if (key.len == 0 || key.len > TW_DICT_KEY_MAX) {
        twl_raise(L, "%s: key has 1 to %d bytes", what, TW_DICT_KEY_MAX);
    }
    return key;
}

int twl_dict_done(lua_State *L, int code) {
    switch (code) {
    case TW_EOVERLOADED:
        return twl_nil_error(L, code, "busy");
    case TW_ELIMIT:
        return twl_nil_error(L, code, "too large for this dictionary");
    default:
        return twl_push_done(L, code);
    }
}

/* ---- methods ------------------------------------------------------------ */

/* The argument after the value: seconds, absent for ever. */
static uint64_t read_ttl(lua_State *L, int index, const char *what) {
    if (lua_isnoneornil(L, index)) {
        return 0;
    }
    return twl_seconds_to_ms(
        twl_arg_number(L, index, what, "ttl", 0.001, TWL_MAX_SECONDS));
}

static int get(lua_State *L) {
    static const char what[] = "dict:get";
    tw_dict *dict;
    tw_dict_value value;
    int code = twl_dict_self(L, what, &dict);
    tw_str key = twl_dict_key(L, what);
    code = code ? code : tw_dict_get(dict, key, &value);
    if (code == TW_ENOT_FOUND) {
        lua_pushnil(L);
        return 1;
    }
    if (code) {
        return twl_dict_done(L, code);
    }
    twl_dict_push(L, &value);
    return 1;
}

typedef int (*write_cb)(tw_dict *dict, tw_str key, const tw_dict_value *value,
                        uint64_t ttl_ms);

static int write(lua_State *L, const char *what, write_cb how) {
    tw_dict *dict;
    tw_dict_value value;
    int code = twl_dict_self(L, what, &dict);
    tw_str key = twl_dict_key(L, what);
    uint64_t ttl_ms = read_ttl(L, 4, what);
    if (lua_isnoneornil(L, 3)) {
        return twl_raise(L, "%s: there is no value (dict:delete removes one)",
                         what);
    }
    if (!code) {
        code =
            twl_dict_read(L, 3, what, tw_dict_max_bytes(dict, key.len), &value);
    }
    return twl_dict_done(L, code ? code : how(dict, key, &value, ttl_ms));
}

static int set(lua_State *L) {
    return write(L, "dict:set", tw_dict_set);
}

static int add(lua_State *L) {
    return write(L, "dict:add", tw_dict_add);
}

static double number_or(lua_State *L, int index, const char *what,
                        const char *name, double otherwise) {
    return lua_isnoneornil(L, index)
               ? otherwise
               : twl_arg_number(L, index, what, name, -1e300, 1e300);
}

static int incr(lua_State *L) {
    static const char what[] = "dict:incr";
    tw_dict *dict;
    int code = twl_dict_self(L, what, &dict);
    tw_str key = twl_dict_key(L, what);
    double n = number_or(L, 3, what, "n", 1);
    double init = number_or(L, 4, what, "init", 0);
    uint64_t ttl_ms = read_ttl(L, 5, what);
    double result;
    code = code ? code : tw_dict_incr(dict, key, n, init, ttl_ms, &result);
    if (code == TW_EINVALID) {
        return twl_nil_error(L, code, "the value is no number");
    }
    if (code) {
        return twl_dict_done(L, code);
    }
    lua_pushnumber(L, result);
    return 1;
}

static int delete (lua_State *L) {
    static const char what[] = "dict:delete";
    tw_dict *dict;
    int code = twl_dict_self(L, what, &dict);
    tw_str key = twl_dict_key(L, what);
    code = code ? code : tw_dict_delete(dict, key);
    if (code && code != TW_ENOT_FOUND) {
        return twl_dict_done(L, code);
    }
    lua_pushboolean(L, code == 0);
    return 1;
}

static int flush(lua_State *L) {
    tw_dict *dict;
    int code = twl_dict_self(L, "dict:flush", &dict);
    return twl_dict_done(L, code ? code : tw_dict_flush(dict));
}

static int keys(lua_State *L) {
    static const char what[] = "dict:keys";
    tw_dict *dict;
    int code = twl_dict_self(L, what, &dict);
    double limit = SOME_KEYS;
    if (!lua_isnoneornil(L, 2)) {
        limit = twl_arg_number(L, 2, what, "limit", 1, MOST_KEYS);
    }
    lua_newtable(L);
    twl_json_mark_array(L);
    uint64_t cursor = 0;
    int left = (int)limit, n = 0;
    while (!code && left > n && cursor != TW_DICT_END) {
        tw_str found[64];
        size_t count = 0;
        code = tw_dict_keys(dict, &cursor, found, 64, &count);
        for (size_t i = 0; i < count && n < left; i++) {
            lua_pushlstring(L, found[i].data, found[i].len);
            lua_rawseti(L, -2, ++n);
        }
    }
    return code ? twl_dict_done(L, code) : 1;
}

/* ---- the handle --------------------------------------------------------- */

static int unknown(lua_State *L) {
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    return twl_names_raise(L, "dict", "method", fields, name);
}

static const luaL_Reg methods[] = {
    {"get", get},       {"set", set},   {"add", add},     {"incr", incr},
    {"delete", delete}, {"keys", keys}, {"flush", flush}, {NULL, NULL},
};

/* The methods are in a table, where compiled code finds them at once; the
 * table's own metatable is asked for what is missing only. */
void twl_dict_define(lua_State *L) {
    lua_createtable(L, 0, 4);
    lua_createtable(L, 0, 8);
    luaL_register(L, NULL, methods);
    twl_dict_push_update(L);
    lua_setfield(L, -2, "update");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, unknown);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "__index");
    twl_handle_define(L, TWL_HANDLE_DICT);
    lua_newtable(L);
    twl_reg_set(L, &handles_key);
}
