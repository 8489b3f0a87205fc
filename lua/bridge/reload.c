/* SPDX-License-Identifier: MIT */
#include "reload.h"

#include <string.h>

#include "job.h"
#include "listen.h"
#include "loader_sources.h"
#include "log.h"
#include "save.h"
#include "state.h"
#include "timer.h"

enum { SLICE_US = 1000 };

/* ---- the old generation ------------------------------------------------- */

static bool has_work(const twl_gen *gen) {
    return gen->stop_reason || !twl_link_is_empty(&gen->jobs) ||
           !twl_link_is_empty(&gen->spawned) ||
           !twl_link_is_empty(&gen->timers) ||
           !twl_link_is_empty(&gen->listeners);
}

static void destroy_old(tw_lua *lua) {
    if (lua->retire) {
        tw_timer_stop(lua->retire);
        lua->retire = NULL;
    }
    twl_gen_destroy(lua->old);
    lua->old = NULL;
}

/* A step of the old generation's end: carries states over, and once nothing
 * runs there any more, collects its memory so that closing is short. */
static bool on_idle(tw_server *server, void *arg) {
    tw_lua *lua = arg;
    (void)server;
    if (!lua->old || lua->is_frozen) {
        return false;
    }
    if (!lua->old->is_dropped) {
        if (twl_state_carry_slice(lua, SLICE_US)) {
            return true;
        }
        if (has_work(lua->old)) {
            return false; /* the end of that asks again */
        }
        twl_gen_drop(lua->old);
        return true;
    }
    if (!twl_vm_collect_step(lua->old->vm, SLICE_US)) {
        return true;
    }
    destroy_old(lua);
    return false;
}

void twl_reload_idle(tw_lua *lua) {
    if (lua->old && !lua->is_stopped && !lua->is_frozen) {
        tw_server_set_idle(lua->server, on_idle, lua);
    }
}

static void on_retire(tw_timer *timer, void *arg) {
    tw_lua *lua = arg;
    (void)timer;
    lua->retire = NULL;
    if (lua->old && !lua->old->is_dropped) {
        twl_gen_stop(lua->old, "retired");
        twl_reload_idle(lua);
    }
}

/* Its time is over because there must not be three. */
static void finish_old(tw_lua *lua) {
    if (!lua->old) {
        return;
    }
    if (!lua->old->is_dropped) {
        twl_gen_stop(lua->old, "retired");
        while (twl_state_carry_slice(lua, SLICE_US * 1000)) {
        }
    }
    destroy_old(lua);
}

bool twl_reload_settle(tw_lua *lua) {
    if (!lua->old || lua->is_stopped) {
        return true;
    }
    if (!lua->old->is_retired) {
        twl_gen_stop(lua->old, "retired");
    }
    twl_reload_idle(lua);
    return false;
}

/* ---- steps -------------------------------------------------------------- */

static int write_snapshot(twl_gen *gen, const char *path, char *report) {
    int code = twl_sources_save(gen->sources, path);
    if (code) {
        twl_report(report, "%s: %s", path, tw_strerror(code));
    }
    return code;
}

int twl_reload_prepare(tw_lua *lua, uint32_t number, const char *snapshot,
                       bool writes, char *report) {
    if (lua->running) {
        twl_report(report, "a reload cannot begin inside a hook");
        return TW_EINVALID;
    }
    if (lua->is_stopped || !lua->current) {
        twl_report(report, "no script runs");
        return TW_ECLOSED;
    }
    twl_gen_destroy(lua->next);
    lua->next = NULL;
    finish_old(lua);
    twl_gen *gen;
    int code =
        twl_gen_create(&gen, lua, number, writes ? NULL : snapshot, report);
    if (code) {
        return code;
    }
    code = snapshot && writes ? write_snapshot(gen, snapshot, report) : 0;
    if (code) {
        twl_gen_destroy(gen);
        return code;
    }
    lua->next = gen;
    return 0;
}

int twl_reload_freeze(tw_lua *lua, char *report) {
    if (!lua->next) {
        twl_report(report, "nothing was prepared");
        return TW_EINVALID;
    }
    lua->is_frozen = true;
    return twl_save_restore(lua->current, lua->next, report);
}

static void thaw(tw_lua *lua) {
    lua->is_frozen = false;
    twl_ready_post(lua);
    twl_reload_idle(lua);
}

void twl_reload_abort(tw_lua *lua) {
    twl_gen *next = lua->next;
    lua->next = NULL;
    twl_gen_destroy(next);
    thaw(lua);
}

void twl_reload_commit(tw_lua *lua) {
    if (!lua->next) {
        twl_reload_abort(lua);
        return;
    }
    twl_gen_apply(lua->next);
    twl_gen *old = lua->current, *now = lua->next;
    lua->next = NULL;
    lua->old = old;
    lua->current = now;
    old->phase = TWL_RETIRING;
    now->phase = TWL_LIVE;
    twl_vm_activate(now->vm);
    twl_vm_freeze(old->vm);
    twl_timers_start(now, old);
    twl_timers_stop(old);
    twl_listeners_start(now, old);
    twl_listeners_stop(old);
    now->start_reason = "reload";
    old->stop_reason = "reload";
    lua->dropped_logged = 0;
    lua->retire = tw_timer_start(lua->server, lua->retire_ms, on_retire, lua);
    tw_server_gauge(lua->server, TW_GAUGE_GENERATION, now->number);
    thaw(lua);
}
