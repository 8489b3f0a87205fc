/* SPDX-License-Identifier: MIT */
#include "conn.h"

#include <lauxlib.h>
#include <string.h>

#include "data.h"
#include "err.h"
#include "json.h"
#include "limit.h"
#include "loader_cache.h"
#include "names.h"
#include "opts.h"
#include "sandbox.h"
#include "state.h"
#include "subscribe.h"

static const twl_name fields[] = {
    {"id", false},         {"user", false},      {"info", false},
    {"ip", false},         {"state", false},     {"subprotocol", false},
    {"send", false},       {"close", false},     {"channels", false},
    {"subscribed", false}, {"queued", false},    {"login", false},
    {"alarm", false},      {"subscribe", false}, {"unsubscribe", false},
    {"limit", false},       {"join", true},       {"leave", true},
    {NULL, false},
};

static const twl_name send_options[] = {{"binary", false}, {NULL, false}};

static int closed(lua_State *L) {
    return twl_nil_error(L, TW_ECLOSED, NULL);
}

/* ---- methods ------------------------------------------------------------ */

static int send(lua_State *L) {
    static const char what[] = "conn:send";
    const twl_gen *gen = twl_gen_of(L);
    tw_conn *conn = twl_conn_self_in(L, gen->lua, what);
    if (!twl_gen_is_live(gen)) {
        twl_gen_check_live(L, what);
    }
    bool binary = false;
    if (lua_gettop(L) > 2 && twl_arg_options(L, 3, what, send_options)) {
        twl_opt_bool(L, 3, what, "binary", &binary);
    }
    tw_msg msg;
    bool is_utf8 = twl_data_read(L, gen->lua, 2, what, &msg);
    msg.binary = msg.binary || binary;
    int code = TW_ECLOSED;
    if (conn) {
        code = is_utf8 ? tw_conn_forward(conn, &msg)
                       : tw_conn_send(conn, msg.data, msg.len, msg.binary);
    }
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

/* What is no method. */
static int get_field(lua_State *L) {
    twl_handle *head = twl_handle_self(L, TWL_HANDLE_CONN, "conn");
    const twl_conn_handle *handle = (const twl_conn_handle *)head;
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    if (strcmp(name, "id") == 0) {
        lua_pushstring(L, handle->id);
        return 1;
    }
    const twl_name *found = twl_names_find(fields, name);
    if (!found || found->is_reserved) {
        return twl_names_raise(L, "conn", "field", fields, name);
    }
    tw_conn *conn = twl_conn_resolve(twl_gen_of(L)->lua, handle);
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
    add(L, "limit", twl_conn_limit);
    add(L, "subscribe", twl_conn_subscribe);
    add(L, "unsubscribe", twl_conn_unsubscribe);
}

/* In Lua, because the compiler sees through it: a method costs what it costs in
 * any object of a script's. */
static const char INDEX[] = "local methods, field = ...\n"
                            "return function(conn, name)\n"
                            "  return methods[name] or field(conn, name)\n"
                            "end\n";

static void push_index(lua_State *L) {
    if (twl_cache_load(L, INDEX, sizeof INDEX - 1, TWL_GLUE_NAME) != 0) {
        lua_error(L);
    }
    push_methods(L);
    lua_pushcfunction(L, get_field);
    lua_call(L, 2, 1);
}

void twl_conn_define(lua_State *L) {
    lua_createtable(L, 0, 6);
    push_index(L);
    lua_setfield(L, -2, "__index");
    add(L, "__newindex", newindex);
    twl_handle_define(L, TWL_HANDLE_CONN);
    twl_conn_handles_define(L);
}
