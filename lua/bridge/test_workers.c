/* The workers of a world: started, killed, started again, reloaded.
 *
 * SPDX-License-Identifier: MIT */
#include "loader_sources.h"
#include "member.h"
#include "reload.h"
#include "test_world_state.h"
#include "vm_alloc.h"

enum {
    SETTLE_TURNS = 10000,
    HOOK_MS = 1000 /* more than in a server: the machine may be slow */
};

/* ---- workers ------------------------------------------------------------ */

static int create_lua(twl_worker *w) {
    const twl_world *world = w->world;
    tw_lua_config config = {
        .script = world->script.path,
        .library_dir = world->library_dir,
        .values = (const tw_lua_value *)(const void *)world->values,
        .value_count = world->value_count,
        .files = (const char *const *)world->files,
        .file_count = world->file_count,
        .node_id = "test",
        .budget_ms = HOOK_MS,
        .no_jit = true,
        .no_profiler = true,
        .log = twl_wires_log,
        .log_arg = w,
    };
    int code = tw_lua_create(&w->lua, &config);
    if (!code) {
        w->trial = (twl_trial){twl_wires_failure, twl_wires_upgrade, w};
        w->lua->trial = &w->trial;
    }
    return code;
}

/* What it is to load from now on, beside what it has. */
static int point_to(tw_lua *lua, const twl_test_script *script) {
    char *path = twl_strdup(script->path), *dir = twl_strdup(script->dir);
    char *code = script->code ? twl_memdup(script->code, script->len) : NULL;
    if (!path || !dir || (script->code && !code)) {
        twl_free(path);
        twl_free(dir);
        twl_free(code);
        return TW_ENOMEM;
    }
    twl_free(lua->script);
    twl_free(lua->script_dir);
    twl_free(lua->code);
    lua->script = path;
    lua->script_dir = dir;
    lua->code = code;
    lua->code_len = script->len;
    lua->is_code_binary = script->is_binary;
    return 0;
}

static int start_server(twl_worker *w) {
    twl_world *world = w->world;
    tw_config config = world->limits;
    tw_server *server;
    char detail[256];
    int code = create_lua(w);
    if (code) {
        return code;
    }
    config.hooks = tw_lua_hooks(w->lua);
    config.hook_user = w->lua;
    config.log = NULL;
    code = tw_lab_start(world->lab, w->slot, &config, &server, detail,
                        sizeof detail);
    if (!code) {
        code = point_to(w->lua, &world->script);
    }
    return code;
}

static int load(twl_worker *w, char *report) {
    w->lua->sources = w->world->sources;
    return twl_lua_load(w->lua, tw_lab_server(w->world->lab, w->slot),
                        w->world->generation, NULL, true, report);
}

int twl_world_start(twl_world *world, twl_test_script *script, char *report) {
    int code = 0;
    twl_test_script_deinit(&world->script);
    world->script = *script;
    *script = (twl_test_script){0};
    world->generation = 1;
    world->sources = twl_sources_create_disk();
    code = world->sources ? 0 : TW_ENOMEM;
    for (uint32_t i = 0; !code && i < world->workers; i++) {
        code = start_server(&world->members[i]);
    }
    for (uint32_t i = 0; !code && i < world->workers; i++) {
        code = load(&world->members[i], report);
    }
    for (uint32_t i = 0; !code && i < world->workers; i++) {
        twl_lua_begin(world->members[i].lua, "start");
    }
    return code;
}

void twl_world_kill(twl_world *world, uint32_t slot) {
    twl_worker *w = &world->members[slot];
    if (!w->lua) {
        return;
    }
    tw_lua_stop(w->lua);
    tw_lab_kill(world->lab, slot);
    tw_lua_destroy(w->lua);
    w->lua = NULL;
    for (twl_link *at = world->asked.next, *next; at != &world->asked;
         at = next) {
        twl_asked *asked = TWL_OF(at, twl_asked, node);
        next = at->next;
        if (asked->slot == slot) {
            twl_asked_free(asked);
        }
    }
}

int twl_world_respawn(twl_world *world, uint32_t slot, char *report) {
    twl_worker *w = &world->members[slot];
    if (w->lua) {
        return 0;
    }
    int code = start_server(w);
    code = code ? code : load(w, report);
    if (!code) {
        twl_lua_begin(w->lua, "respawn");
    }
    return code;
}

/* ---- reload ------------------------------------------------------------- */

static bool is_settled(twl_world *world) {
    bool is_it = true;
    for (uint32_t i = 0; i < world->workers; i++) {
        tw_lua *lua = world->members[i].lua;
        is_it &= !lua || twl_reload_settle(lua);
    }
    return is_it;
}

static int prepare(twl_world *world, const twl_test_script *script,
                   twl_sources *sources, char *report) {
    int code = sources ? 0 : TW_ENOMEM;
    for (uint32_t i = 0; !code && i < world->workers; i++) {
        tw_lua *lua = world->members[i].lua;
        if (lua) {
            code = point_to(lua, script);
            lua->sources = sources;
            code = code ? code
                        : twl_reload_prepare(lua, world->generation + 1, NULL,
                                             true, report);
        }
    }
    return code;
}

static int freeze(twl_world *world, char *report) {
    int code = 0;
    for (uint32_t i = 0; i < world->workers; i++) {
        tw_lua *lua = world->members[i].lua;
        if (lua) {
            tw_server_freeze(lua->server);
            code = code ? code : twl_reload_freeze(lua, report);
        }
    }
    return code;
}

static void end_reload(twl_world *world, bool is_good, bool is_frozen) {
    for (uint32_t i = 0; i < world->workers; i++) {
        tw_lua *lua = world->members[i].lua;
        if (!lua) {
            continue;
        }
        if (is_good) {
            twl_reload_commit(lua);
            tw_server_count(lua->server, TW_COUNTER_GENERATIONS, 1);
        } else {
            point_to(lua, &world->script);
            if (lua->next) {
                twl_reload_abort(lua);
            }
        }
        if (is_frozen) {
            tw_server_thaw(lua->server);
        }
    }
}

/* In the order of the master: all load, all freeze, all switch. */
int twl_world_reload(twl_world *world, twl_test_script *script, char *report) {
    bool is_frozen = false;
    for (int i = 0; i < SETTLE_TURNS && !is_settled(world); i++) {
        tw_lab_run(world->lab, 1);
    }
    twl_sources *sources = twl_sources_create_disk();
    int code =
        prepare(world, script ? script : &world->script, sources, report);
    if (!code) {
        is_frozen = true;
        code = freeze(world, report);
    }
    end_reload(world, code == 0, is_frozen);
    if (!code) {
        world->generation++;
        twl_sources_destroy(world->sources);
        world->sources = sources;
    } else {
        twl_sources_destroy(sources);
    }
    if (!code && script) {
        twl_test_script_deinit(&world->script);
        world->script = *script;
        *script = (twl_test_script){0};
    } else if (script) {
        twl_test_script_deinit(script);
    }
    return code;
}
