/* tidewire/lua.h - a server whose logic is Lua scripts.
 *
 * A tw_lua joins the C library to scripts: it answers a server's hooks by
 * running script hooks, and it reloads them while connections stay open. It
 * belongs to the thread of its server and serves one server at a time.
 *
 * As a worker of tw_master_run:
 *
 *     tw_lua_create(&lua, &lua_config);          // in the master: no VM yet
 *     config.server.hooks = tw_lua_hooks(lua);
 *     config.server.hook_user = lua;
 *     config.member = tw_lua_member_hooks(lua);
 *     config.member_user = lua;
 *     status = tw_master_run(&config);
 *     tw_lua_destroy(lua);
 *
 * Embedded, with a server of the host's own:
 *
 *     tw_lua_create, tw_server_create (hooks as above), tw_lua_start,
 *     tw_server_listen, ... tw_lua_reload ..., tw_lua_stop,
 *     tw_server_destroy, tw_lua_destroy
 *
 * SPDX-License-Identifier: MIT */
#ifndef TIDEWIRE_LUA_H
#define TIDEWIRE_LUA_H

#include "tidewire/lua_config.h"
#include "tidewire/master.h"
#include "tidewire/tidewire.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tw_lua tw_lua;

/* A value that scripts read with tw.config.get(key). */
typedef struct tw_lua_value {
    const char *key;
    const char *json; /* its value as JSON text */
} tw_lua_value;

/* Zero-initialise; 0 takes the default in brackets. All of it is copied but
 * the arguments of callbacks. */
typedef struct tw_lua_config {
    const char *script;      /* path of the main script */
    const char *library_dir; /* holds tidewire/, the Lua side of the library */
    const tw_lua_value *values;
    size_t value_count;
    /* What tw.file.read may read: files, or folders (with a "/" at the end)
     * and all below. Relative paths start at the script's folder. */
    const char *const *files;
    size_t file_count;
    const char *node_id;       /* tw.node.id; NULL: the host's name */
    size_t memory_limit_bytes; /* [256 MiB] of one VM */
    uint32_t budget_ms;        /* [100] CPU time of one hook call */
    uint32_t hook_wait_ms;     /* [30000] a hook may wait in all */
    uint32_t retire_ms;        /* [30000] hooks in flight after a reload */
    bool no_jit;
    bool no_profiler; /* the host owns SIGPROF: scripts run interpreted */
    /* Which files may be loaded, at the start and by every reload; NULL: any
     * that can be read. One that may not fails the load with TW_EDENIED. */
    tw_lua_may_read_cb may_read;
    void *may_read_arg;
    tw_log_cb log; /* what scripts log, and reports about them */
    void *log_arg;
} tw_lua_config;

/* 0, TW_EINVALID (no script), TW_ENOMEM. Reads no file and makes no VM. *lua is
 * given. */
TW_API int tw_lua_create(tw_lua **lua, const tw_lua_config *config);

/* Frees it. Unless it was never started, tw_lua_stop ran before (as a member it
 * does by itself, at the worker's end). NULL is allowed. */
TW_API void tw_lua_destroy(tw_lua *lua);

/* The hooks for tw_config.hooks and tw_master_config.member; the user pointers
 * that go with them are `lua`. */
TW_API tw_hooks tw_lua_hooks(tw_lua *lua);
TW_API tw_member_hooks tw_lua_member_hooks(tw_lua *lua);

/* Loads the script as generation 1, sets the server's routes and classes, and
 * runs on_start from a later turn. `report` gets at most TW_REPORT_MAX bytes
 * when it fails: TW_ENOT_FOUND, TW_EINVALID (the script does not load), TW_EIO,
 * TW_EEXISTS (started before), TW_ENOMEM. */
TW_API int tw_lua_start(tw_lua *lua, tw_server *server, char *report);

/* Loads the script again and switches to it, in this server alone, within the
 * call; connections stay. When it fails the old generation goes on; errors as
 * above, and TW_EINVALID from inside a hook (use tw_post). */
TW_API int tw_lua_reload(tw_lua *lua, char *report);

/* Ends the scripts: timers stop, what waits is cancelled, no hook runs any
 * more. Before tw_server_destroy and not from inside a hook; harmless when not
 * started. */
TW_API void tw_lua_stop(tw_lua *lua);

/* The number of the running generation, 0 before the first. */
TW_API uint32_t tw_lua_generation(const tw_lua *lua);

/* One thing that is wrong with a script. */
typedef struct tw_lua_finding {
    const char *file; /* as `require` found it; of the config for the script */
    unsigned line;    /* 0: it has none */
    const char *message;
} tw_lua_finding;

/* Borrows the finding. */
typedef void (*tw_lua_finding_cb)(const tw_lua_finding *finding, void *arg);

/* Loads the script without a server, as `tidewire check` does, and looks
 * through every file that it loaded: calls `found` for all that is wrong, by
 * file and line, also what would only fail when a hook runs. 0: nothing is,
 * and `report` (TW_REPORT_MAX bytes) says what there is ("2 routes, 1 channel
 * class"); else TW_EINVALID or an error of tw_lua_start, with at least one
 * finding; or TW_ENOMEM, which may come without. */
TW_API int tw_lua_inspect(const tw_lua_config *config, tw_lua_finding_cb found,
                          void *arg, char *report);

/* Only loads the script without a server: syntax,
 * globals, hooks, options, routes and classes are checked. 0 and then `report`
 * says what was found ("2 routes, 1 class"), or the errors of tw_lua_start. */
TW_API int tw_lua_check(const tw_lua_config *config, char *report);

#ifdef __cplusplus
}
#endif
#endif
