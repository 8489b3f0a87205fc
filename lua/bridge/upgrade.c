/* on_upgrade: accepts with a user, or refuses with a status.
 *
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <string.h>

#include "app.h"
#include "data.h"
#include "err.h"
#include "log.h"
#include "names.h"
#include "opts.h"
#include "request.h"
#include "route.h"

enum { MAX_USER = 255 };

static const twl_name accept_fields[] = {
    {"user", false},    {"info", false}, {"subprotocol", false},
    {"expires", false}, {NULL, false},
};

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
    if (user.data && (user.len == 0 || user.len > MAX_USER)) {
        twl_raise(L, "on_upgrade: user has 1 to %d bytes, not %d",
                  (int)MAX_USER, (int)user.len);
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
    if (twl_opt_number(L, index, what, "expires", 0.001, 4294967, &expires)) {
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
        {"denied", 403},      {"not_found", 404}, {"invalid", 400},
        {"exists", 409},      {"limit", 429},     {"overloaded", 503},
        {"unavailable", 503}, {"closed", 503},    {"timeout", 504},
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
        refuse(job, 403, twl_text("refused"));
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
        refuse(job, 403, twl_text("refused"));
    } else {
        luaL_error(L,
                   "on_upgrade must return true, a table, or nil and an "
                   "error, not %s",
                   luaL_typename(L, 1));
    }
}

static void finish_upgrade(twl_job *job, twl_status status) {
    if (status == TWL_FAILED && !job->is_answered) {
        bool is_ours = twl_vm_failure(job->gen->vm)->kind == TWL_CANCELLED;
        refuse(job, is_ours ? 503 : 500,
               twl_text(is_ours ? "unavailable" : "internal error"));
    }
}

static const twl_kind upgrade_kind = {
    .spec = {.name = "on_upgrade",
             .push = twl_req_push_argument,
             .read = read_upgrade},
    .row = TWL_ROW_UPGRADE,
    .is_limited = true,
    .finish = finish_upgrade,
};

void twl_req_on_upgrade(tw_req *req, void *user) {
    tw_lua *lua = user;
    twl_route *route = twl_req_script_route(lua, req);
    twl_app *app = route ? route->app : NULL;
    if (!app) {
        tw_req_refuse(req, 503, twl_text("unavailable"));
        return;
    }
    if (lua->trial && lua->trial->on_upgrade(req, lua->trial->arg)) {
        return;
    }
    if (app->hooks[TWL_ON_UPGRADE] == LUA_NOREF) {
        tw_req_accept(req, NULL);
        return;
    }
    twl_job *job = twl_job_take(app->gen, &upgrade_kind);
    if (!job) {
        tw_req_refuse(req, 503, twl_text("overloaded"));
        return;
    }
    job->app = app;
    job->req = tw_req_ref(req);
    twl_job_start(job, app->hooks[TWL_ON_UPGRADE]);
}
