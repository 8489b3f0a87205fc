/* What scripts answer: on_upgrade with an acceptance or a refusal, HTTP
 * handlers with status, body and headers.
 *
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <string.h>

#include "app.h"
#include "data.h"
#include "err.h"
#include "handle.h"
#include "json.h"
#include "log.h"
#include "msg.h"
#include "names.h"
#include "opts.h"
#include "request.h"
#include "route.h"

enum { MAX_HEADERS = 64 };

/* ---- on_upgrade --------------------------------------------------------- */

static const twl_name accept_fields[] = {
    {"user", false},    {"info", false}, {"subprotocol", false},
    {"expires", false}, {NULL, false},
};

static tw_str text_of(const char *text) {
    return (tw_str){text, strlen(text)};
}

static void refuse(twl_job *job, int status, tw_str reason) {
    job->is_answered = true;
    tw_req_refuse(job->req, status, reason);
}

/* The user may be a number: ids often are. */
static tw_str read_user(lua_State *L, int index) {
    tw_str user = {NULL, 0};
    lua_getfield(L, index, "user");
    if (lua_type(L, -1) == LUA_TNUMBER || lua_type(L, -1) == LUA_TSTRING) {
        user.data = lua_tolstring(L, -1, &user.len);
    } else if (!lua_isnil(L, -1)) {
        twl_raise(L, "on_upgrade: user must be a string, not %s",
                  luaL_typename(L, -1));
    }
    return user; /* its string stays on the stack */
}

static void accept_with(lua_State *L, twl_job *job, int index) {
    static const char what[] = "on_upgrade";
    tw_accept accept = {0};
    double expires;
    twl_names_check(L, index, what, "field", accept_fields);
    accept.user = read_user(L, index);
    twl_opt_string(L, index, what, "subprotocol", &accept.subprotocol);
    if (twl_opt_number(L, index, what, "expires", 0.001, 4294967,
                       &expires)) {
        accept.expires_ms = (uint32_t)twl_seconds_to_ms(expires);
    }
    lua_getfield(L, index, "info");
    if (!lua_isnil(L, -1)) {
        accept.info = twl_data_json(L, lua_gettop(L), what);
    }
    if (tw_req_accept(job->req, &accept) == TW_EINVALID) {
        twl_raise(L, "%s: subprotocol '%s' was not offered", what,
                  accept.subprotocol.data ? accept.subprotocol.data : "");
    }
    job->is_answered = true;
}

static int status_of(const char *code) {
    static const struct {
        const char *code;
        int status;
    } table[] = {
        {"denied", 403},      {"not_found", 404},   {"invalid", 400},
        {"exists", 409},      {"limit", 429},       {"overloaded", 503},
        {"unavailable", 503}, {"closed", 503},      {"timeout", 504},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].code, code) == 0) {
            return table[i].status;
        }
    }
    return 403;
}

static tw_str field_text(lua_State *L, int index, const char *name) {
    tw_str text = {"", 0};
    lua_getfield(L, index, name);
    if (lua_type(L, -1) == LUA_TSTRING) {
        text.data = lua_tolstring(L, -1, &text.len);
    }
    return text;
}

/* nil, err; nil, {status=, reason=}; nil, "text". */
static void refuse_with(lua_State *L, twl_job *job, int index) {
    if (lua_type(L, index) == LUA_TSTRING) {
        tw_str reason;
        reason.data = lua_tolstring(L, index, &reason.len);
        refuse(job, 403, reason);
        return;
    }
    if (!lua_istable(L, index)) {
        refuse(job, 403, text_of("refused"));
        return;
    }
    double status = 0;
    if (twl_opt_number(L, index, "on_upgrade", "status", 400, 599, &status)) {
        refuse(job, (int)status, field_text(L, index, "reason"));
        return;
    }
    tw_str code = field_text(L, index, "code");
    refuse(job, status_of(code.data), field_text(L, index, "message"));
}

static void read_upgrade(lua_State *L, int count, void *arg) {
    twl_job *job = arg;
    lua_settop(L, 2);
    (void)count;
    if (lua_isboolean(L, 1) && lua_toboolean(L, 1)) {
        job->is_answered = true;
        tw_req_accept(job->req, NULL);
    } else if (lua_istable(L, 1)) {
        accept_with(L, job, 1);
    } else if (lua_isnil(L, 1) && !lua_isnil(L, 2)) {
        refuse_with(L, job, 2);
    } else if (lua_isnil(L, 1)) {
        twl_log_write(job->gen->vm, TW_LOG_WARN,
                      "on_upgrade returned nothing: the upgrade is refused",
                      NULL, 0);
        refuse(job, 403, text_of("refused"));
    } else {
        luaL_error(L, "on_upgrade must return true, a table, or nil and an "
                      "error, not %s",
                   luaL_typename(L, 1));
    }
}

static int push_request(lua_State *L, void *arg) {
    twl_req_push(L, arg);
    return 1;
}

static void finish_upgrade(twl_job *job, twl_status status) {
    if (status == TWL_FAILED && !job->is_answered) {
        bool is_ours =
            twl_vm_failure(job->gen->vm)->kind == TWL_CANCELLED;
        refuse(job, is_ours ? 503 : 500,
               text_of(is_ours ? "unavailable" : "internal error"));
    }
}

static const twl_kind upgrade_kind = {
    .spec = {.name = "on_upgrade", .push = push_request, .read = read_upgrade},
    .is_limited = true,
    .finish = finish_upgrade,
};

void twl_req_on_upgrade(tw_req *req, void *user) {
    tw_lua *lua = user;
    twl_route *route = tw_route_data(tw_req_route(req));
    twl_app *app = route ? route->app : NULL;
    if (!app || lua->is_stopped) {
        tw_req_refuse(req, 503, text_of("unavailable"));
        return;
    }
    if (app->hooks[TWL_ON_UPGRADE] == LUA_NOREF) {
        tw_req_accept(req, NULL);
        return;
    }
    twl_job *job = twl_job_take(app->gen, &upgrade_kind);
    if (!job) {
        tw_req_refuse(req, 503, text_of("overloaded"));
        return;
    }
    job->app = app;
    job->req = tw_req_ref(req);
    twl_job_start(job, app->hooks[TWL_ON_UPGRADE]);
}

/* ---- HTTP handlers ------------------------------------------------------ */

typedef struct headers {
    tw_header list[MAX_HEADERS];
    size_t count;
    bool has_type;
} headers;

static bool is_content_type(const char *name) {
    static const char want[] = "content-type";
    size_t i = 0;
    for (; name[i] && want[i]; i++) {
        char c = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32)
                                                  : name[i];
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
    const tw_msg *msg = twl_msg_data(L, index, "response");
    if (lua_type(L, index) == LUA_TSTRING || msg) {
        twl_data data = twl_data_read(L, index, "response");
        *type = data.binary ? "application/octet-stream"
                            : "text/plain; charset=utf-8";
        return (tw_str){data.data, data.len};
    }
    twl_data json = twl_data_read(L, index, "response");
    *type = "application/json";
    return (tw_str){json.data, json.len};
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
            (tw_header){text_of("content-type"), text_of(type)};
    }
    if (tw_req_respond(job->req, status, all.list, all.count, body.data,
                       body.len) == TW_EINVALID) {
        luaL_error(L, "the response has a bad status (%d) or header", status);
    }
    job->is_answered = true;
}

static void fail_request(tw_req *req, int status, const char *json) {
    tw_header type = {text_of("content-type"), text_of("application/json")};
    tw_req_respond(req, status, &type, 1, json, strlen(json));
}

static void finish_request(twl_job *job, twl_status status) {
    if (status != TWL_FAILED || job->is_answered) {
        return;
    }
    if (twl_vm_failure(job->gen->vm)->kind == TWL_CANCELLED) {
        fail_request(job->req, 503, "{\"error\":\"unavailable\"}");
    } else {
        fail_request(job->req, 500, "{\"error\":\"internal error\"}");
    }
}

static const twl_kind request_kind = {
    .spec = {.name = "handler", .push = push_request, .read = read_response},
    .is_limited = true,
    .finish = finish_request,
};

void twl_req_on_request(tw_req *req, void *user) {
    tw_lua *lua = user;
    twl_route *route = tw_route_data(tw_req_route(req));
    twl_job *job = NULL;
    if (route && route->kind == TW_ROUTE_HTTP && !lua->is_stopped) {
        job = twl_job_take(route->gen, &request_kind);
    }
    if (!job) {
        fail_request(req, 503, "{\"error\":\"unavailable\"}");
        return;
    }
    job->req = tw_req_ref(req);
    twl_job_start(job, route->handler);
}
