/* on_start and on_stop: they run as tasks in the turn after the switch, so
 * that they may wait and make no freeze longer.
 *
 * SPDX-License-Identifier: MIT */
#include "lifecycle.h"

#include <lauxlib.h>
#include <string.h>

#include "app.h"
#include "job.h"

static int push_context(lua_State *L, void *arg) {
    const twl_job *job = arg;
    lua_createtable(L, 0, 1);
    lua_pushlstring(L, job->text.data, job->text.len);
    lua_setfield(L, -2, "reason");
    return 1;
}

static void finish_stop(twl_job *job, twl_status status) {
    (void)status;
    twl_lifecycle_stopped(job->gen->lua);
}

static const twl_kind start_kind = {
    .spec = {.name = "on_start", .push = push_context},
    .row = TWL_ROW_START,
    .is_limited = true};
static const twl_kind stop_kind = {
    .spec = {.name = "on_stop", .push = push_context},
    .row = TWL_ROW_STOP,
    .is_limited = true,
    .finish = finish_stop};

static void run(twl_gen *gen, const twl_kind *kind, twl_hook hook,
                const char *reason) {
    for (twl_link *at = gen->apps.next; at != &gen->apps; at = at->next) {
        twl_app *app = TWL_OF(at, twl_app, node);
        if (!app->is_served || app->hooks[hook] == LUA_NOREF) {
            continue;
        }
        twl_job *job = twl_job_take(gen, kind);
        if (!job) {
            continue;
        }
        if (hook == TWL_ON_STOP) {
            gen->lua->stopping++;
        }
        job->app = app;
        job->text = (tw_str){reason, strlen(reason)};
        twl_job_start(job, app->hooks[hook]);
    }
}

static void turn(twl_gen *gen) {
    const char *start = gen->start_reason, *stop = gen->stop_reason;
    gen->start_reason = gen->stop_reason = NULL;
    if (start) {
        run(gen, &start_kind, TWL_ON_START, start);
    }
    if (stop) {
        run(gen, &stop_kind, TWL_ON_STOP, stop);
    }
}

void twl_lifecycle_turn(tw_lua *lua) {
    if (lua->old) {
        turn(lua->old);
        twl_reload_idle(lua);
    }
    if (lua->current) {
        bool is_end = lua->current->stop_reason != NULL;
        lua->stopping += is_end;
        turn(lua->current);
        if (is_end) {
            twl_lifecycle_stopped(lua);
        }
    }
}

static void end(tw_server *server, void *arg) {
    tw_lua_stop(arg);
    tw_member_stopped(server);
}

void twl_lifecycle_stopped(tw_lua *lua) {
    lua->stopping--;
    if (lua->stopping == 0 && lua->is_ending) {
        /* From a turn of its own: here a call may still be on its way. */
        if (tw_post(lua->server, end, lua)) {
            tw_member_stopped(lua->server);
        }
    }
}
