/* The request as scripts see it. Its parts become tables when they are asked
 * for, and are kept in the handle's environment then.
 *
 * SPDX-License-Identifier: MIT */
#include "request.h"

#include <lauxlib.h>
#include <string.h>

#include "data.h"
#include "err.h"
#include "handle.h"
#include "json.h"
#include "names.h"

typedef struct req_handle {
    twl_handle head; /* pointer: the job */
    uint64_t serial;
} req_handle;

static const twl_name fields[] = {
    {"method", false},    {"path", false},    {"params", false},
    {"query", false},     {"headers", false}, {"cookies", false},
    {"ip", false},        {"body", false},    {"json", false},
    {"protocols", false}, {"tls", false},     {NULL, false},
};

/* What has parts, apart: `protocols` is a list. */
static const struct {
    const char *name;
    tw_req_part part;
} parts[] = {
    {"params", TW_REQ_PARAMS},       {"query", TW_REQ_QUERY},
    {"headers", TW_REQ_HEADERS},     {"cookies", TW_REQ_COOKIES},
    {"protocols", TW_REQ_PROTOCOLS},
};

static void set_text(lua_State *L, const char *name, tw_str text) {
    if (text.data != NULL) {
        lua_pushlstring(L, text.data, text.len);
        lua_setfield(L, -2, name);
    }
}

static void push_names(lua_State *L, const tw_tls_peer *peer,
                       tw_tls_name_kind kind) {
    int count = 0;
    lua_newtable(L);
    for (size_t i = 0; i < peer->name_count; i++) {
        if (peer->names[i].kind == kind) {
            tw_str text = peer->names[i].text;
            lua_pushlstring(L, text.data, text.len);
            lua_rawseti(L, -2, ++count);
        }
    }
}

/* All lists are there, so that none has to be looked for before it is walked.
 */
static void push_all_names(lua_State *L, const tw_tls_peer *peer) {
    static const char *const kinds[TW_TLS_NAME_KINDS] = {
        [TW_TLS_NAME_DNS] = "dns",
        [TW_TLS_NAME_IP] = "ip",
        [TW_TLS_NAME_EMAIL] = "email",
        [TW_TLS_NAME_URI] = "uri",
    };
    lua_createtable(L, 0, TW_TLS_NAME_KINDS);
    for (int i = 0; i < TW_TLS_NAME_KINDS; i++) {
        push_names(L, peer, (tw_tls_name_kind)i);
        lua_setfield(L, -2, kinds[i]);
    }
}

static void push_client(lua_State *L, const tw_tls_peer *peer) {
    lua_newtable(L);
    set_text(L, "subject", peer->subject);
    set_text(L, "issuer", peer->issuer);
    set_text(L, "common_name", peer->common_name);
    set_text(L, "serial", peer->serial);
    set_text(L, "fingerprint", peer->fingerprint);
    lua_pushnumber(L, (lua_Number)peer->not_before);
    lua_setfield(L, -2, "not_before");
    lua_pushnumber(L, (lua_Number)peer->not_after);
    lua_setfield(L, -2, "not_after");
    push_all_names(L, peer);
    lua_setfield(L, -2, "names");
}

static void push_tls(lua_State *L, const tw_req *req) {
    tw_tls_info info;
    if (!tw_req_tls(req, &info)) {
        lua_pushnil(L);
        return;
    }
    lua_newtable(L);
    set_text(L, "version", info.version);
    set_text(L, "cipher", info.cipher);
    set_text(L, "server_name", info.server_name);
    lua_pushboolean(L, info.is_resumed);
    lua_setfield(L, -2, "resumed");
    if (info.has_client) {
        push_client(L, &info.client);
        lua_setfield(L, -2, "client");
    }
}

void twl_req_push(lua_State *L, twl_job *job) {
    req_handle *handle = twl_handle_new(L, TWL_HANDLE_REQ, sizeof *handle);
    handle->head.pointer = job;
    handle->serial = job->serial;
}

int twl_req_push_argument(lua_State *L, void *arg) {
    twl_req_push(L, arg);
    return 1;
}

/* Once the scripts are stopped, the routes that the server knows are gone. */
struct twl_route *twl_req_script_route(const tw_lua *lua, tw_req *req) {
    return lua->is_stopped ? NULL : tw_route_data(tw_req_route(req));
}

static tw_req *self(lua_State *L, const char *what) {
    twl_handle *head = twl_handle_self(L, TWL_HANDLE_REQ, what);
    twl_job *job = head->pointer;
    if (job->serial != ((req_handle *)head)->serial || !job->req) {
        twl_raise(L,
                  "%s: a request is valid until its hook returned; take "
                  "what you need from it",
                  what);
    }
    return job->req;
}

/* Of a repeated header all lines count, of a query key the last, of a cookie
 * the first (browsers send the most specific path first). */
static void push_pairs(lua_State *L, tw_req *req, tw_req_part part) {
    lua_newtable(L);
    tw_str name, value;
    for (size_t i = 0; tw_req_at(req, part, i, &name, &value); i++) {
        lua_pushlstring(L, name.data, name.len);
        lua_pushvalue(L, -1);
        lua_rawget(L, -3);
        bool is_known = !lua_isnil(L, -1);
        lua_pop(L, 1);
        if (is_known && part == TW_REQ_COOKIES) {
            lua_pop(L, 1);
            continue;
        }
        if (is_known && part == TW_REQ_HEADERS) {
            value = tw_req_header(req, lua_tostring(L, -1));
        }
        lua_pushlstring(L, value.data ? value.data : "", value.len);
        lua_rawset(L, -3);
    }
}

static void push_protocols(lua_State *L, tw_req *req) {
    lua_newtable(L);
    twl_json_mark_array(L);
    tw_str name, value;
    for (size_t i = 0; tw_req_at(req, TW_REQ_PROTOCOLS, i, &name, &value);
         i++) {
        lua_pushlstring(L, name.data, name.len);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* Whether the handle has an environment of its own; pushes it then. It starts
 * out with that of the C function, which is everybody's. */
static bool push_own(lua_State *L) {
    lua_getfenv(L, 1);
    lua_pushlightuserdata(L, lua_touserdata(L, 1));
    lua_rawget(L, -2);
    bool is_own = !lua_isnil(L, -1);
    lua_pop(L, is_own ? 1 : 2);
    return is_own;
}

static bool push_kept(lua_State *L, const char *name) {
    if (!push_own(L)) {
        return false;
    }
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    return true;
}

/* Remembers the value on top, which stays there. */
static void keep_part(lua_State *L, const char *name) {
    if (!push_own(L)) {
        lua_newtable(L);
        lua_pushlightuserdata(L, lua_touserdata(L, 1));
        lua_pushboolean(L, true);
        lua_rawset(L, -3);
        lua_pushvalue(L, -1);
        lua_setfenv(L, 1);
    }
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

static bool push_part(lua_State *L, tw_req *req, const char *name) {
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strcmp(parts[i].name, name) != 0) {
            continue;
        }
        if (push_kept(L, name)) {
            return true;
        }
        if (parts[i].part == TW_REQ_PROTOCOLS) {
            push_protocols(L, req);
        } else {
            push_pairs(L, req, parts[i].part);
        }
        keep_part(L, name);
        return true;
    }
    return false;
}

static int json(lua_State *L) {
    tw_str body = tw_req_body(self(L, "req:json"));
    return twl_data_parse(L, body.data ? body.data : "", body.len);
}

static int push_text(lua_State *L, tw_str text) {
    lua_pushlstring(L, text.data ? text.data : "", text.len);
    return 1;
}

static int get_field(lua_State *L) {
    tw_req *req = self(L, "req");
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    if (push_part(L, req, name)) {
        return 1;
    }
    if (strcmp(name, "method") == 0) {
        return push_text(L, tw_req_method(req));
    }
    if (strcmp(name, "path") == 0) {
        return push_text(L, tw_req_path(req));
    }
    if (strcmp(name, "ip") == 0) {
        return push_text(L, tw_req_ip(req));
    }
    if (strcmp(name, "body") == 0) {
        return push_text(L, tw_req_body(req));
    }
    if (strcmp(name, "json") == 0) {
        lua_pushcfunction(L, json);
        return 1;
    }
    if (strcmp(name, "tls") == 0) {
        if (!push_kept(L, name)) {
            push_tls(L, req);
            keep_part(L, name); /* nil is not kept, and not asked for often */
        }
        return 1;
    }
    return twl_names_raise(L, "req", "field", fields, name);
}

void twl_req_define(lua_State *L) {
    lua_createtable(L, 0, 4);
    lua_pushcfunction(L, get_field);
    lua_setfield(L, -2, "__index");
    twl_handle_define(L, TWL_HANDLE_REQ);
}
