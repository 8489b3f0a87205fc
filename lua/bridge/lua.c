/* The bridge's life and its public functions.
 *
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bridge.h"
#include "budget.h"
#include "dispatch.h"
#include "job.h"
#include "jwt_fetch.h"
#include "listen.h"
#include "loader_sources.h"
#include "log.h"
#include "member.h"
#include "reload.h"
#include "route.h"
#include "timer.h"
#include "vm_alloc.h"

enum { SECOND_MS = 1000 };

/* ---- create and destroy ------------------------------------------------- */

static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) {
        return twl_strdup(".");
    }
    return twl_memdup(path, slash == path ? 1 : (size_t)(slash - path));
}

static char *node_name(const char *given) {
    char name[256];
    if (given) {
        return twl_strdup(given);
    }
    if (gethostname(name, sizeof name)) {
        strcpy(name, "localhost");
    }
    name[sizeof name - 1] = '\0';
    return twl_strdup(name);
}

static int copy_values(tw_lua *lua, const tw_lua_config *config) {
    lua->values = twl_zalloc((config->value_count + 1) * sizeof *lua->values);
    for (size_t i = 0; lua->values && i < config->value_count; i++) {
        twl_value *value = &lua->values[lua->value_count++];
        value->key = twl_strdup(config->values[i].key);
        value->json = twl_strdup(config->values[i].json);
        if (!value->key || !value->json) {
            return TW_ENOMEM;
        }
    }
    return lua->values ? 0 : TW_ENOMEM;
}

static int copy_files(tw_lua *lua, const tw_lua_config *config) {
    lua->files = twl_zalloc((config->file_count + 1) * sizeof *lua->files);
    for (size_t i = 0; lua->files && i < config->file_count; i++) {
        lua->files[lua->file_count++] = twl_strdup(config->files[i]);
        if (!lua->files[i]) {
            lua->file_count--;
            return TW_ENOMEM;
        }
    }
    return lua->files ? 0 : TW_ENOMEM;
}

static int copy_config(tw_lua *lua, const tw_lua_config *config) {
    lua->script = twl_strdup(config->script);
    lua->script_dir = folder_of(config->script);
    lua->library_dir =
        config->library_dir ? twl_strdup(config->library_dir) : NULL;
    lua->node_id = node_name(config->node_id);
    if (!lua->script || !lua->script_dir || !lua->node_id ||
        (config->library_dir && !lua->library_dir)) {
        return TW_ENOMEM;
    }
    lua->memory_limit_bytes = config->memory_limit_bytes;
    lua->budget_ms = config->budget_ms;
    lua->hook_wait_ms = config->hook_wait_ms ? config->hook_wait_ms : 30000;
    lua->retire_ms = config->retire_ms ? config->retire_ms : 30000;
    lua->no_jit = config->no_jit;
    lua->no_profiler = config->no_profiler;
    lua->may_read = config->may_read;
    lua->may_read_arg = config->may_read_arg;
    lua->log = config->log;
    lua->log_arg = config->log_arg;
    int code = copy_values(lua, config);
    return code ? code : copy_files(lua, config);
}

int tw_lua_create(tw_lua **out, const tw_lua_config *config) {
    if (!config->script || !*config->script) {
        return TW_EINVALID;
    }
    tw_lua *lua = twl_zalloc(sizeof *lua);
    if (!lua) {
        return TW_ENOMEM;
    }
    twl_link_init(&lua->free_jobs);
    twl_link_init(&lua->all_jobs);
    twl_link_init(&lua->ready);
    twl_link_init(&lua->feeds);
    twl_link_init(&lua->eager);
    twl_link_init(&lua->fetched);
    for (size_t i = 0; i < TWL_TOKEN_LISTS; i++) {
        twl_link_init(&lua->tokens[i]);
    }
    int code = copy_config(lua, config);
    if (code) {
        tw_lua_destroy(lua);
        return code;
    }
    *out = lua;
    return 0;
}

void tw_lua_destroy(tw_lua *lua) {
    if (!lua) {
        return;
    }
    twl_jobs_free(lua);
    for (size_t i = 0; i < lua->value_count; i++) {
        twl_free(lua->values[i].key);
        twl_free(lua->values[i].json);
    }
    for (size_t i = 0; i < lua->file_count; i++) {
        twl_free(lua->files[i]);
    }
    twl_free(lua->values);
    twl_free(lua->files);
    twl_free(lua->script);
    twl_free(lua->code);
    twl_free(lua->script_dir);
    twl_free(lua->library_dir);
    twl_free(lua->node_id);
    twl_free(lua);
}

/* ---- start and stop ----------------------------------------------------- */

/* What nobody else asks for. */
static void on_second(tw_timer *timer, void *arg) {
    tw_lua *lua = arg;
    (void)timer;
    size_t bytes = lua->current ? twl_vm_memory(lua->current->vm) : 0;
    bytes += lua->old ? twl_vm_memory(lua->old->vm) : 0;
    tw_server_gauge(lua->server, TW_GAUGE_LUA_BYTES, bytes);
    if (lua->current) {
        twl_vm_pace(lua->current->vm);
    }
    lua->second = tw_timer_start(lua->server, SECOND_MS, on_second, lua);
}

void twl_lua_start_budget(tw_lua *lua) {
    twl_budget_options options = {.no_profiler = lua->no_profiler};
    twl_budget_start(&options);
    if (lua->no_jit || twl_budget_allows_jit() || !lua->log) {
        return;
    }
    tw_log_field field = {"reason", twl_budget_report()};
    lua->log(TW_LOG_WARN, "scripts run interpreted", &field, 1, lua->log_arg);
}

static void seed(tw_lua *lua) {
    struct timespec t;
    if (lua->trial) { /* the same case shall do the same again */
        lua->random =
            UINT64_C(0x9e3779b97f4a7c15) + tw_server_slot(lua->server);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &t);
    lua->random = ((uint64_t)t.tv_nsec << 20 ^ (uint64_t)t.tv_sec ^
                   (uint64_t)getpid() << 40) |
                  1;
}

int twl_lua_load(tw_lua *lua, tw_server *server, uint32_t number,
                 const char *snapshot, bool writes, char *report) {
    if (lua->current || lua->is_stopped) {
        twl_report(report, "started before");
        return TW_EEXISTS;
    }
    lua->server = server;
    lua->hook_calls = tw_server_counter(server, TW_COUNTER_HOOK_CALLS);
    seed(lua);
    twl_lua_start_budget(lua);
    twl_gen *gen;
    int code =
        twl_gen_create(&gen, lua, number, writes ? NULL : snapshot, report);
    if (code) {
        return code;
    }
    if (snapshot && writes) {
        code = twl_sources_save(gen->sources, snapshot);
        if (code) {
            twl_report(report, "%s: %s", snapshot, tw_strerror(code));
        }
    }
    if (code) {
        twl_gen_destroy(gen);
        return code;
    }
    twl_gen_apply(gen);
    gen->phase = TWL_LIVE;
    lua->current = gen;
    twl_vm_activate(gen->vm);
    tw_server_gauge(server, TW_GAUGE_GENERATION, number);
    return 0;
}

void twl_lua_begin(tw_lua *lua, const char *reason) {
    twl_timers_start(lua->current, NULL);
    twl_listeners_start(lua->current, NULL);
    lua->current->start_reason = reason;
    twl_ready_post(lua);
    if (!lua->trial) { /* nobody looks, and time passes at once there */
        lua->second = tw_timer_start(lua->server, SECOND_MS, on_second, lua);
    }
}

int tw_lua_start(tw_lua *lua, tw_server *server, char *report) {
    int code = twl_lua_load(lua, server, 1, NULL, true, report);
    if (!code) {
        twl_lua_begin(lua, "start");
    }
    return code;
}

int tw_lua_reload(tw_lua *lua, char *report) {
    uint32_t number = tw_lua_generation(lua) + 1;
    int code = twl_reload_prepare(lua, number, NULL, true, report);
    if (code) {
        return code;
    }
    tw_server_freeze(lua->server);
    code = twl_reload_freeze(lua, report);
    if (code) {
        twl_reload_abort(lua);
    } else {
        twl_reload_commit(lua);
        tw_server_count(lua->server, TW_COUNTER_GENERATIONS, 1);
    }
    tw_server_thaw(lua->server);
    return code;
}

void tw_lua_stop(tw_lua *lua) {
    if (lua->is_stopped) {
        return;
    }
    lua->is_stopped = true;
    if (!lua->server) {
        return;
    }
    tw_server_set_idle(lua->server, NULL, NULL);
    if (lua->second) {
        tw_timer_stop(lua->second);
    }
    if (lua->retire) {
        tw_timer_stop(lua->retire);
    }
    lua->second = lua->retire = NULL;
    twl_gen *gens[] = {lua->next, lua->old, lua->current};
    lua->next = lua->old = lua->current = NULL;
    for (size_t i = 0; i < sizeof gens / sizeof *gens; i++) {
        twl_gen_destroy(gens[i]);
    }
    twl_jwt_fetch_free(lua);
}

/* ---- small ones --------------------------------------------------------- */

tw_hooks tw_lua_hooks(tw_lua *lua) {
    (void)lua;
    return twl_hooks;
}

tw_member_hooks tw_lua_member_hooks(tw_lua *lua) {
    (void)lua;
    return twl_member_hooks;
}

uint32_t tw_lua_generation(const tw_lua *lua) {
    return lua->current ? lua->current->number : 0;
}

uint64_t twl_now(const tw_lua *lua) {
    return lua->server ? tw_server_now(lua->server) : 0;
}

double twl_random(tw_lua *lua) {
    /* xorshift64: spreads timers, guards nothing. */
    uint64_t x = lua->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    lua->random = x;
    return (double)(x >> 11) / (double)(UINT64_C(1) << 53);
}
