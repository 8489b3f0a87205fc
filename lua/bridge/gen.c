/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "bridge.h"
#include "class.h"
#include "conn.h"
#include "err.h"
#include "job.h"
#include "listen.h"
#include "loader.h"
#include "log.h"
#include "metric.h"
#include "module.h"
#include "route.h"
#include "state.h"
#include "task.h"
#include "timer.h"
#include "vm_alloc.h"

void twl_report(char *report, const char *format, ...) {
    if (report) {
        va_list args;
        va_start(args, format);
        vsnprintf(report, TW_REPORT_MAX, format, args);
        va_end(args);
    }
}

/* ---- loading ------------------------------------------------------------ */

static twl_gen *new_gen(tw_lua *lua, uint32_t number) {
    twl_gen *gen = twl_zalloc(sizeof *gen);
    if (gen) {
        gen->lua = lua;
        gen->number = number;
        gen->phase = TWL_LOADING;
        twl_link_init(&gen->apps);
        twl_link_init(&gen->tables);
        twl_link_init(&gen->jobs);
        twl_link_init(&gen->timers);
        twl_link_init(&gen->listeners);
        twl_link_init(&gen->spawned);
        twl_link_init(&gen->tasks);
        twl_link_init(&gen->states);
    }
    return gen;
}

static int open_sources(twl_gen *gen, const char *snapshot, char *report) {
    if (gen->lua->sources) {
        gen->sources = twl_sources_ref(gen->lua->sources);
        return 0;
    }
    if (!snapshot) {
        gen->sources = twl_sources_create_disk();
        if (gen->sources) {
            twl_sources_set_check(gen->sources, gen->lua->may_read,
                                  gen->lua->may_read_arg);
        }
        return gen->sources ? 0 : TW_ENOMEM;
    }
    int code = twl_sources_open_snapshot(&gen->sources, snapshot);
    if (code) {
        twl_report(report, "%s: %s", snapshot, tw_strerror(code));
    }
    return code;
}

static int create_vm(twl_gen *gen, char *report) {
    tw_lua *lua = gen->lua;
    twl_vm_config config = {
        .memory_limit_bytes = lua->memory_limit_bytes,
        .budget_ms = lua->budget_ms,
        .no_jit = lua->no_jit,
        .is_brief = lua->trial != NULL,
        .generation = gen->number,
        .script_dir = lua->script_dir,
        .library_dir = lua->library_dir,
        .sources = gen->sources,
        .log = lua->log,
        .log_arg = lua->log_arg,
        .server = lua->server,
        .user = gen,
    };
    int code = twl_vm_create(&gen->vm, &config);
    if (code) {
        twl_report(report, "the script VM could not be made: %s",
                   tw_strerror(code));
        return code;
    }
    twl_log_set_context(gen->vm, twl_job_log_context, lua);
    code = twl_module_install(gen);
    if (code) {
        twl_report(report, "%s", twl_vm_failure(gen->vm)->message);
    }
    return code;
}

typedef struct taking {
    twl_gen *gen;
    int ref;
} taking;

static void take_result(lua_State *L, void *arg) {
    taking *t = arg;
    twl_push_ref(L, t->ref);
    twl_routes_take(L, t->gen, lua_gettop(L));
}

static int load(twl_gen *gen, char *report) {
    taking t = {gen, LUA_NOREF};
    const tw_lua *lua = gen->lua;
    int code = lua->code
                   ? twl_loader_code(gen->vm, lua->script, lua->code,
                                     lua->code_len, lua->is_code_binary, &t.ref)
                   : twl_loader_main(gen->vm, lua->script, &t.ref);
    if (!code) {
        code = twl_vm_protect(gen->vm, take_result, &t);
        twl_unref(gen->vm, t.ref);
    }
    if (code) {
        twl_report(report, "%s", twl_vm_failure(gen->vm)->message);
    }
    return code;
}

/* Everything about the routes that can fail, done before anybody relies on the
 * generation: applying it cannot fail then. */
static int make_table(twl_gen *gen, char *report) {
    char detail[512];
    size_t bad = 0;
    tw_route_config *configs = twl_routes_config(gen->routes);
    int code = TW_ENOMEM;
    snprintf(detail, sizeof detail, "%s", tw_strerror(code));
    if (configs) {
        code = tw_routes_create(&gen->table, configs, gen->routes->count, &bad,
                                detail, sizeof detail);
    }
    if (code) {
        twl_report(report, "%s: route '%s': %s", gen->lua->script,
                   bad < gen->routes->count ? gen->routes->list[bad].pattern
                                            : "?",
                   detail);
    }
    twl_free(configs);
    return code;
}

int twl_gen_attempt(twl_gen **out, tw_lua *lua, uint32_t number,
                    const char *snapshot, char *report) {
    twl_gen *gen = new_gen(lua, number);
    *out = gen;
    if (!gen) {
        return TW_ENOMEM;
    }
    int code = open_sources(gen, snapshot, report);
    code = code ? code : create_vm(gen, report);
    code = code ? code : load(gen, report);
    code = code ? code : make_table(gen, report);
    gen->phase = code ? TWL_LOADING : TWL_LOADED;
    if (!code) {
        twl_vm_loaded(gen->vm);
    }
    return code;
}

int twl_gen_empty(twl_gen **out, tw_lua *lua, char *report) {
    twl_gen *gen = new_gen(lua, 1);
    if (!gen) {
        return TW_ENOMEM;
    }
    int code = open_sources(gen, NULL, report);
    code = code ? code : create_vm(gen, report);
    if (code) {
        twl_gen_destroy(gen);
        return code;
    }
    *out = gen;
    return 0;
}

int twl_gen_create(twl_gen **out, tw_lua *lua, uint32_t number,
                   const char *snapshot, char *report) {
    twl_gen *gen;
    int code = twl_gen_attempt(&gen, lua, number, snapshot, report);
    if (code) {
        twl_gen_destroy(gen);
        return code;
    }
    *out = gen;
    return 0;
}

/* ---- the server --------------------------------------------------------- */

void twl_gen_apply(twl_gen *gen) {
    tw_server *server = gen->lua->server;
    size_t bad;
    tw_server_use_routes(server, gen->table);
    gen->table = NULL;
    /* Checked when they were declared: what is left is memory, and without it
     * the channels go on with the classes they had. */
    gen->are_classes_used = tw_server_set_classes(server, gen->classes,
                                                  gen->class_count, &bad) == 0;
    if (!gen->are_classes_used) {
        twl_log_write(gen->vm, TW_LOG_ERROR,
                      "the channel classes could not be set", NULL, 0);
    }
    twl_metrics_apply(gen);
}

void twl_gen_check_live(lua_State *L, const char *what) {
    twl_gen *gen = twl_gen_of(L);
    twl_job *job = gen->lua->running;
    if (job && job->gen == gen && job->kind->spec.no_wait &&
        !job->kind->may_act) {
        twl_raise(L, "%s cannot be used %s", what, job->kind->spec.no_wait);
    } else if (gen->phase < TWL_LIVE) {
        twl_raise(L, "%s cannot be used while the script loads", what);
    }
}

/* ---- the end ------------------------------------------------------------ */

void twl_gen_stop(twl_gen *gen, const char *reason) {
    gen->is_retired = true;
    gen->start_reason = gen->stop_reason = NULL;
    twl_timers_stop(gen);
    twl_listeners_stop(gen);
    twl_tasks_forget(gen);
    twl_jobs_cancel(gen, reason);
    /* What the ends of those started. */
    twl_timers_stop(gen);
    twl_listeners_stop(gen);
    twl_tasks_forget(gen);
    twl_jobs_cancel(gen, reason);
}

void twl_gen_drop(twl_gen *gen) {
    if (gen->is_dropped) {
        return;
    }
    twl_states_drop(gen);
    while (!twl_link_is_empty(&gen->tables)) {
        twl_routes_free(gen, TWL_OF(gen->tables.next, twl_routes, node));
    }
    while (!twl_link_is_empty(&gen->apps)) {
        twl_app_free(TWL_OF(gen->apps.next, twl_app, node));
    }
    gen->routes = NULL;
    tw_routes_destroy(gen->table);
    gen->table = NULL;
    twl_classes_free(gen);
    twl_conns_free(gen);
    gen->metrics = NULL;
    gen->is_dropped = true;
    twl_vm_drop(gen->vm);
}

void twl_gen_destroy(twl_gen *gen) {
    if (!gen) {
        return;
    }
    if (gen->vm) {
        twl_gen_stop(gen, "retired");
        twl_gen_drop(gen);
        twl_vm_destroy(gen->vm);
    }
    twl_sources_destroy(gen->sources);
    twl_free(gen);
}
