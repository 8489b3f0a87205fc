/* SPDX-License-Identifier: MIT */
#include "conn.h"

#include <lauxlib.h>
#include <string.h>

#include "data.h"
#include "err.h"
#include "handle.h"
#include "json.h"
#include "names.h"
#include "opts.h"
#include "state.h"
#include "subscribe.h"

typedef struct conn_handle {
    twl_handle head; /* pointer: the tw_conn, to be trusted only if found */
    uint64_t number;
    char id[TW_ID_TEXT];
} conn_handle;

/* The key of the weak table in the registry. */
static const char handles_key;

static const twl_name fields[] = {
    {"id", false},         {"user", false},      {"info", false},
    {"ip", false},         {"state", false},     {"subprotocol", false},
    {"send", false},       {"close", false},     {"channels", false},
    {"subscribed", false}, {"queued", false},    {"login", false},
    {"alarm", false},      {"subscribe", false}, {"unsubscribe", false},
    {"limit", true},       {"join", true},       {"leave", true},
    {NULL, false},
};

static const twl_name send_options[] = {{"binary", false}, {NULL, false}};

/* ---- handles ------------------------------------------------------------ */

/* The table's keys are addresses, which are used again for other connections:
 * the number decides whether the handle is this one's. */
void twl_conn_push(lua_State *L, tw_conn *conn, uint64_t number) {
    twl_reg_get(L, &handles_key);
    lua_pushlightuserdata(L, conn);
    lua_rawget(L, -2);
    conn_handle *handle = lua_touserdata(L, -1);
    if (!handle || handle->number != number) {
        lua_pop(L, 1);
        handle = twl_handle_new(L, TWL_HANDLE_CONN, sizeof *handle);
        handle->head.pointer = conn;
        handle->number = number;
        tw_conn_id(conn, handle->id);
        lua_pushlightuserdata(L, conn);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
    }
    lua_remove(L, -2);
}

static tw_conn *resolve(lua_State *L, const conn_handle *handle) {
    tw_lua *lua = twl_gen_of(L)->lua;
    if (lua->running && lua->running->handle == handle->number) {
        return lua->running->conn; /* its own hook: no look-up */
    }
    return tw_server_find(lua->server, handle->number);
}

tw_conn *twl_conn_at(lua_State *L, int index, const char *what) {
    twl_handle *handle = twl_handle_get(L, index, TWL_HANDLE_CONN);
    if (!handle) {
        twl_raise(L, "%s must be a connection, not %s", what,
                  twl_handle_name(L, index));
        return NULL;
    }
    return resolve(L, (conn_handle *)handle);
}

tw_conn *twl_conn_self(lua_State *L, const char *what) {
    return resolve(L, (conn_handle *)twl_handle_self(L, TWL_HANDLE_CONN, what));
}

static int closed(lua_State *L) {
    return twl_nil_error(L, TW_ECLOSED, NULL);
}

/* ---- methods ------------------------------------------------------------ */

static int send(lua_State *L) {
    static const char what[] = "conn:send";
    tw_conn *conn = twl_conn_self(L, what);
    twl_gen_check_live(L, what);
    bool binary = false;
    if (twl_arg_options(L, 3, what, send_options)) {
        twl_opt_bool(L, 3, what, "binary", &binary);
    }
    twl_data data = twl_data_read(L, 2, what);
    int code =
        conn ? tw_conn_send(conn, data.data, data.len, binary || data.binary)
             : TW_ECLOSED;
    if (code == TW_EINVALID) {
        return twl_raise(L,
                         "%s: the text is not valid UTF-8 "
                         "({ binary = true } sends bytes)",
                         what);
    }
    return twl_push_done(L, code);
}

static int close(lua_State *L) {
    static const char what[] = "conn:close";
    tw_conn *conn = twl_conn_self(L, what);
    twl_gen_check_live(L, what);
    int code = 1000;
    tw_str reason = {"", 0};
    if (!lua_isnoneornil(L, 2)) {
        code = (int)twl_arg_number(L, 2, what, "code", 1000, 4999);
    }
    if (!lua_isnoneornil(L, 3)) {
        reason = twl_arg_string(L, 3, what, "reason");
    }
    int status = conn ? tw_conn_close(conn, code, reason) : TW_ECLOSED;
    if (status == TW_EINVALID) {
        return twl_raise(L,
                         "%s: code %d may not be sent, or the reason is "
                         "not UTF-8",
                         what, code);
    }
    return twl_push_done(L, status);
}

static int channels(lua_State *L) {
    tw_conn *conn = twl_conn_self(L, "conn:channels");
    if (!conn) {
        return closed(L);
    }
    lua_newtable(L);
    twl_json_mark_array(L);
    tw_str channel;
    for (size_t i = 0; tw_conn_channel(conn, i, &channel); i++) {
        lua_pushlstring(L, channel.data, channel.len);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

static int subscribed(lua_State *L) {
    static const char what[] = "conn:subscribed";
    tw_conn *conn = twl_conn_self(L, what);
    tw_str channel = twl_arg_string(L, 2, what, "channel");
    lua_pushboolean(L, conn && tw_conn_is_subscribed(conn, channel));
    return 1;
}

static int queued(lua_State *L) {
    tw_conn *conn = twl_conn_self(L, "conn:queued");
    if (!conn) {
        return closed(L);
    }
    lua_pushnumber(L, (lua_Number)tw_conn_queued(conn));
    return 1;
}

static int login(lua_State *L) {
    static const char what[] = "conn:login";
    tw_conn *conn = twl_conn_self(L, what);
    twl_gen_check_live(L, what);
    tw_str user = twl_arg_string(L, 2, what, "user");
    tw_str info = {NULL, 0};
    if (!lua_isnoneornil(L, 3)) {
        info = twl_data_json(L, 3, what);
    }
    int status = conn ? tw_conn_login(conn, user, info) : TW_ECLOSED;
    if (status == TW_EINVALID) {
        return twl_raise(L, "%s: user must be text of a sane length", what);
    }
    return twl_push_done(L, status);
}

static int alarm(lua_State *L) {
    static const char what[] = "conn:alarm";
    tw_conn *conn = twl_conn_self(L, what);
    twl_gen_check_live(L, what);
    uint64_t ms = 0;
    if (!lua_isnoneornil(L, 2)) {
        ms = twl_seconds_to_ms(
            twl_arg_number(L, 2, what, "seconds", 0, TWL_MAX_SECONDS));
        ms = ms ? ms : 1; /* 0 would drop it */
    }
    tw_str name = {"alarm", 5};
    if (!lua_isnoneornil(L, 3)) {
        name = twl_arg_string(L, 3, what, "name");
    }
    if (name.len == 0 || name.len > 64) {
        return twl_raise(L, "%s: name must have 1 to 64 bytes", what);
    }
    int status = conn ? tw_conn_alarm(conn, name, ms) : TW_ECLOSED;
    return twl_push_done(L, status);
}

/* ---- fields ------------------------------------------------------------- */

static int push_text(lua_State *L, tw_str text) {
    if (text.data) {
        lua_pushlstring(L, text.data, text.len);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

static int push_info(lua_State *L, tw_conn *conn) {
    tw_str info = tw_conn_info(conn);
    if (!info.data) {
        lua_pushnil(L);
    } else if (twl_json_decode(L, info.data, info.len, true)) {
        lua_pop(L, 1); /* set by another host: as it is */
        push_text(L, info);
    }
    return 1;
}

static int push_field(lua_State *L, tw_conn *conn, const char *name) {
    if (strcmp(name, "state") == 0) {
        return twl_state_push(L, conn);
    }
    if (strcmp(name, "user") == 0) {
        return push_text(L, tw_conn_user(conn));
    }
    if (strcmp(name, "info") == 0) {
        return push_info(L, conn);
    }
    if (strcmp(name, "ip") == 0) {
        return push_text(L, tw_conn_ip(conn));
    }
    return push_text(L, tw_conn_subprotocol(conn));
}

/* The methods are upvalue 1. */
static int get_field(lua_State *L) {
    twl_handle *head = twl_handle_self(L, TWL_HANDLE_CONN, "conn");
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    if (!lua_isnil(L, -1)) {
        return 1;
    }
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    const conn_handle *handle = (const conn_handle *)head;
    if (strcmp(name, "id") == 0) {
        lua_pushstring(L, handle->id);
        return 1;
    }
    const twl_name *found = twl_names_find(fields, name);
    if (!found || found->is_reserved) {
        return twl_names_raise(L, "conn", "field", fields, name);
    }
    tw_conn *conn = resolve(L, handle);
    return conn ? push_field(L, conn, name) : closed(L);
}

static int newindex(lua_State *L) {
    return twl_raise(L, "conn has no fields of your own: use conn.state");
}

static void add(lua_State *L, const char *name, lua_CFunction function) {
    lua_pushcfunction(L, function);
    lua_setfield(L, -2, name);
}

static void push_methods(lua_State *L) {
    lua_createtable(L, 0, 12);
    add(L, "send", send);
    add(L, "close", close);
    add(L, "channels", channels);
    add(L, "subscribed", subscribed);
    add(L, "queued", queued);
    add(L, "login", login);
    add(L, "alarm", alarm);
    add(L, "subscribe", twl_conn_subscribe);
    add(L, "unsubscribe", twl_conn_unsubscribe);
}

void twl_conn_define(lua_State *L) {
    lua_createtable(L, 0, 6);
    push_methods(L);
    lua_pushcclosure(L, get_field, 1);
    lua_setfield(L, -2, "__index");
    add(L, "__newindex", newindex);
    twl_handle_define(L, TWL_HANDLE_CONN);

    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    twl_reg_set(L, &handles_key);
}
