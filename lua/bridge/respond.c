/* HTTP handlers: status, body and headers.
 *
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "data.h"
#include "err.h"
#include "msg.h"
#include "opts.h"
#include "request.h"
#include "route.h"

enum { MAX_HEADERS = 64 };

typedef struct headers {
    tw_header list[MAX_HEADERS];
    size_t count;
    bool has_type;
} headers;

static bool is_content_type(const char *name) {
    static const char want[] = "content-type";
    size_t i = 0;
    for (; name[i] && want[i]; i++) {
        char c =
            name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
        if (c != want[i]) {
            return false;
        }
    }
    return !name[i] && !want[i];
}

static void add_header(lua_State *L, headers *to, tw_str name, int index) {
    int type = lua_type(L, index);
    if (type != LUA_TSTRING && type != LUA_TNUMBER) {
        twl_raise(L, "response: header '%s' must be a string, not %s",
                  name.data, lua_typename(L, type));
    }
    if (to->count == MAX_HEADERS) {
        twl_raise(L, "response: more than %d headers", (int)MAX_HEADERS);
    }
    tw_header *header = &to->list[to->count++];
    header->name = name;
    header->value.data = lua_tolstring(L, index, &header->value.len);
    to->has_type = to->has_type || is_content_type(name.data);
}

/* A value may be a list: one line each, as Set-Cookie needs. The texts stay in
 * the table, or on the stack where a number was turned into text. */
static void read_headers(lua_State *L, int index, headers *to) {
    if (lua_isnil(L, index)) {
        return;
    }
    if (!lua_istable(L, index)) {
        twl_raise(L, "response: headers must be a table, not %s",
                  luaL_typename(L, index));
    }
    lua_pushnil(L);
    while (lua_next(L, index)) {
        if (lua_type(L, -2) != LUA_TSTRING) {
            twl_raise(L, "response: a header's name must be a string");
        }
        luaL_checkstack(L, 8, "headers");
        tw_str name;
        name.data = lua_tolstring(L, -2, &name.len);
        int value = lua_gettop(L);
        if (lua_istable(L, value)) {
            int n = (int)lua_objlen(L, value);
            luaL_checkstack(L, n + 8, "headers");
            for (int i = 1; i <= n; i++) {
                lua_rawgeti(L, value, i);
                add_header(L, to, name, lua_gettop(L));
            }
        } else {
            add_header(L, to, name, value);
        }
        /* The key on top for lua_next; the values below keep their texts. */
        lua_pushvalue(L, value - 1);
    }
}

static tw_str read_body(lua_State *L, int index, const char **type) {
    tw_str body = {"", 0};
    *type = NULL;
    if (lua_isnil(L, index)) {
        return body;
    }
    const tw_lua *lua = twl_gen_of(L)->lua;
    int kind = lua_type(L, index);
    bool is_as_it_is = kind == LUA_TSTRING ||
                       twl_msg_at(L, lua, index, kind, "response") != NULL;
    tw_msg data;
    twl_data_read(L, lua, index, "response", &data);
    if (!is_as_it_is) {
        *type = "application/json";
    } else if (data.binary) {
        *type = "application/octet-stream";
    } else {
        *type = "text/plain; charset=utf-8";
    }
    return (tw_str){data.data, data.len};
}

static void read_response(lua_State *L, int count, void *arg) {
    twl_job *job = arg;
    (void)count;
    lua_settop(L, 3);
    if (lua_type(L, 1) != LUA_TNUMBER) {
        luaL_error(L, "a handler must return a status as a number, not %s",
                   lua_isnil(L, 1) ? "nil" : luaL_typename(L, 1));
    }
    int status = (int)twl_arg_number(L, 1, "response", "status", 200, 599);
    headers all = {.count = 0};
    read_headers(L, 3, &all);
    const char *type;
    tw_str body = read_body(L, 2, &type);
    if (type && !all.has_type && all.count < MAX_HEADERS) {
        all.list[all.count++] =
            (tw_header){twl_text("content-type"), twl_text(type)};
    }
    int err = tw_req_respond(job->req, status, all.list, all.count, body.data,
                             body.len);
    if (err == TW_EINVALID) {
        luaL_error(L, "the response has a bad status (%d) or header", status);
    }
    if (err == TW_ENOMEM) { /* not answered: a shorter one may still fit */
        luaL_error(L, "there is no memory for the response");
    }
    job->is_answered = true;
}

/* The same shape as every error of the server. */
static void fail_request(tw_req *req, int status, const char *message) {
    tw_header type = {twl_text("content-type"), twl_text("application/json")};
    char json[128];
    int len = snprintf(json, sizeof json,
                       "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}",
                       tw_err_name(TW_EUNAVAILABLE), message);
    tw_req_respond(req, status, &type, 1, json, (size_t)len);
}

static void finish_request(twl_job *job, twl_status status) {
    if (status != TWL_FAILED || job->is_answered) {
        return;
    }
    if (twl_vm_failure(job->gen->vm)->kind == TWL_CANCELLED) {
        fail_request(job->req, 503, "the handler was cut off by a reload");
    } else {
        fail_request(job->req, 500, "the handler failed");
    }
}

static const twl_kind request_kind = {
    .spec = {.name = "handler",
             .push = twl_req_push_argument,
             .read = read_response},
    .row = TWL_ROW_REQUEST,
    .is_limited = true,
    .finish = finish_request,
};

void twl_req_on_request(tw_req *req, void *user) {
    tw_lua *lua = user;
    twl_route *route = twl_req_script_route(lua, req);
    twl_job *job = NULL;
    if (route && route->kind == TW_ROUTE_HTTP) {
        job = twl_job_take(route->gen, &request_kind);
    }
    if (!job) {
        fail_request(req, 503, "the server is busy with something else");
        return;
    }
    job->req = tw_req_ref(req);
    twl_job_start(job, route->handler);
}
