/* SPDX-License-Identifier: MIT */
#include "remote.h"

#include <lauxlib.h>
#include <string.h>

#include "call_options.h"
#include "data.h"
#include "err.h"
#include "handle.h"
#include "job.h"
#include "names.h"
#include "opts.h"
#include "utf8.h"

typedef struct remote_handle {
    twl_handle head;
    bool is_found; /* by user:connections(): the rest is known */
    uint32_t slot;
    double opened, idle; /* seconds */
    size_t id_len, ip_len;
    char text[]; /* the id and a NUL, the address and a NUL */
} remote_handle;

static const twl_name fields[] = {
    {"id", false},          {"node", false},   {"slot", false},
    {"ip", false},          {"opened", false}, {"idle", false},
    {"send", false},        {"close", false},  {"subscribe", false},
    {"unsubscribe", false}, {NULL, false},
};

static const twl_name send_options[] = {{"binary", false}, {NULL, false}};

const twl_call_options twl_call_remote_send = {"conn():send", 2, "remote:send",
                                               send_options};

/* ---- making -------------------------------------------------------------- */

static remote_handle *push_handle(lua_State *L, tw_str id, tw_str ip) {
    remote_handle *handle = twl_handle_new(
        L, TWL_HANDLE_REMOTE, sizeof *handle + id.len + ip.len + 2);
    handle->is_found = false;
    handle->id_len = id.len;
    handle->ip_len = ip.len;
    memcpy(handle->text, id.data, id.len);
    handle->text[id.len] = '\0';
    memcpy(handle->text + id.len + 1, ip.data, ip.len);
    handle->text[id.len + 1 + ip.len] = '\0';
    return handle;
}

int twl_remote_new(lua_State *L) {
    push_handle(L, twl_arg_string(L, 1, "tw.conn", "id"), (tw_str){"", 0});
    return 1;
}

void twl_remote_push(lua_State *L, const tw_user_conn *conn) {
    tw_str ip = conn->ip.data ? conn->ip : (tw_str){"", 0};
    remote_handle *handle =
        push_handle(L, (tw_str){conn->id, strlen(conn->id)}, ip);
    handle->is_found = true;
    handle->slot = conn->slot;
    handle->opened = (double)conn->opened_ms / 1000;
    handle->idle = (double)conn->idle_ms / 1000;
}

static remote_handle *self(lua_State *L, const char *what) {
    return (remote_handle *)(void *)twl_handle_self(L, TWL_HANDLE_REMOTE, what);
}

/* ---- doing --------------------------------------------------------------- */

/* Ids come from clients, too ("to": ...): one that cannot be is their mistake,
 * and does not raise. */
static bool may_be_id(tw_str id) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz0123456789-_";
    return id.len == TW_ID_TEXT - 1 && strspn(id.data, alphabet) == id.len;
}

static int push_done(lua_State *L, int code) {
    if (code == TW_EINVALID) {
        return twl_nil_error(L, code, "no connection has such an id");
    }
    return twl_push_done(L, code);
}

static tw_str begin(lua_State *L, const char *what) {
    const remote_handle *handle = self(L, what);
    twl_gen_check_live(L, what);
    return (tw_str){handle->text, handle->id_len};
}

static tw_server *server_of(lua_State *L) {
    return twl_gen_of(L)->lua->server;
}

/* Text is looked at here: to the core it would be one mistake with the id. */
static tw_msg read_data(lua_State *L, const char *what) {
    tw_msg data;
    bool binary = false;
    if (twl_arg_options(L, 3, what, send_options)) {
        twl_opt_bool(L, 3, what, "binary", &binary);
    }
    bool is_utf8 = twl_data_read(L, twl_gen_of(L)->lua, 2, what, &data);
    data.binary = data.binary || binary;
    if (!is_utf8 && !data.binary && !twl_utf8_is_valid(data.data, data.len)) {
        twl_raise(L,
                  "%s: the text is not valid UTF-8 "
                  "({ binary = true } sends bytes)",
                  what);
    }
    return data;
}

static int send(lua_State *L) {
    static const char what[] = "remote:send";
    tw_str id = begin(L, what);
    tw_msg data = read_data(L, what);
    int code = TW_EINVALID;
    if (may_be_id(id)) {
        code =
            tw_remote_send(server_of(L), id, data.data, data.len, data.binary);
    }
    return push_done(L, code);
}

int twl_arg_close(lua_State *L, int index, const char *what, tw_str *reason) {
    int code = 1000;
    *reason = (tw_str){"", 0};
    if (!lua_isnoneornil(L, index)) {
        code = (int)twl_arg_number(L, index, what, "code", 1000, 4999);
    }
    if (!lua_isnoneornil(L, index + 1)) {
        *reason = twl_arg_string(L, index + 1, what, "reason");
    }
    return code;
}

int twl_raise_close(lua_State *L, const char *what, int code) {
    return twl_raise(L,
                     "%s: code %d may not be sent, or the reason is not UTF-8",
                     what, code);
}

static int close(lua_State *L) {
    static const char what[] = "remote:close";
    tw_str id = begin(L, what), reason;
    int code = twl_arg_close(L, 2, what, &reason);
    if (!may_be_id(id)) {
        return push_done(L, TW_EINVALID);
    }
    int status = tw_remote_close(server_of(L), id, code, reason);
    return status == TW_EINVALID ? twl_raise_close(L, what, code)
                                 : push_done(L, status);
}

static int subscribe(lua_State *L) {
    static const char what[] = "remote:subscribe";
    tw_str id = begin(L, what);
    tw_str channel = twl_arg_channel(L, 2, what);
    return push_done(L, may_be_id(id)
                            ? tw_remote_subscribe(server_of(L), id, channel)
                            : TW_EINVALID);
}

static int unsubscribe(lua_State *L) {
    static const char what[] = "remote:unsubscribe";
    tw_str id = begin(L, what);
    tw_str channel = twl_arg_channel(L, 2, what);
    return push_done(L, may_be_id(id)
                            ? tw_remote_unsubscribe(server_of(L), id, channel)
                            : TW_EINVALID);
}

/* ---- fields -------------------------------------------------------------- */

/* What is known of those that were found; nil of others. */
static void push_fact(lua_State *L, const remote_handle *handle,
                      const char *name) {
    if (!handle->is_found) {
        lua_pushnil(L);
    } else if (strcmp(name, "node") == 0) {
        lua_pushstring(L, twl_gen_of(L)->lua->node_id);
    } else if (strcmp(name, "slot") == 0) {
        lua_pushnumber(L, (lua_Number)handle->slot);
    } else if (strcmp(name, "ip") == 0) {
        lua_pushlstring(L, handle->text + handle->id_len + 1, handle->ip_len);
    } else {
        lua_pushnumber(L, strcmp(name, "opened") == 0 ? handle->opened
                                                      : handle->idle);
    }
}

static const luaL_Reg methods[] = {
    {"send", send},
    {"close", close},
    {"subscribe", subscribe},
    {"unsubscribe", unsubscribe},
    {NULL, NULL},
};

static int get_field(lua_State *L) {
    const remote_handle *handle = self(L, "remote");
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    if (twl_handle_method(L)) {
        return 1;
    }
    if (strcmp(name, "id") == 0) {
        lua_pushlstring(L, handle->text, handle->id_len);
    } else if (twl_names_find(fields, name)) {
        push_fact(L, handle, name);
    } else {
        return twl_names_raise(L, "remote", "field", fields, name);
    }
    return 1;
}

/* Two handles of one connection are equal. */
static int equals(lua_State *L) {
    const twl_handle *a = twl_handle_get(L, 1, TWL_HANDLE_REMOTE);
    const twl_handle *b = twl_handle_get(L, 2, TWL_HANDLE_REMOTE);
    const remote_handle *x = (const remote_handle *)(const void *)a;
    const remote_handle *y = (const remote_handle *)(const void *)b;
    lua_pushboolean(L, x && y && x->id_len == y->id_len &&
                           memcmp(x->text, y->text, x->id_len) == 0);
    return 1;
}

static void add_equals(lua_State *L) {
    lua_pushcfunction(L, equals);
    lua_setfield(L, -2, "__eq");
}

void twl_remote_define(lua_State *L) {
    twl_handle_define_methods(L, TWL_HANDLE_REMOTE, methods, get_field,
                              add_equals);
}
