/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include <tidewire/lua_config.h>
#include <tidewire/master.h>

#include "budget.h"
#include "budget_state.h"
#include "call.h"
#include "json.h"
#include "loader.h"
#include "vm.h"
#include "vm_alloc.h"

/* Far more than one needs, so that a mistake ends in a report and not in a
 * machine out of memory. The budget is that of a call; loading gets ten times
 * as much. */
enum { MEMORY_BYTES = 32 << 20, BUDGET_MS = 200 };

typedef struct reading {
    const char *path;
    tw_lua_may_read_cb may_read;
    void *may_read_arg;
    twl_vm *vm;
    int ref;    /* of what the file returned */
    char *json; /* outside of Lua, where an error cannot lose it */
    int code;
} reading;

/* Protected. Its errors name the file: the table no longer knows its lines. */
static void encode(lua_State *L, void *arg) {
    reading *r = arg;
    twl_push_ref(L, r->ref);
    if (!lua_istable(L, -1)) {
        luaL_error(L, "%s: must return a table, not %s", r->path,
                   luaL_typename(L, -1));
    }
    twl_bytes *out = twl_vm_scratch(r->vm);
    r->code = twl_json_encode(L, lua_gettop(L), out);
    if (r->code != 0) {
        luaL_error(L, "%s: %s", r->path, lua_tostring(L, -1));
    }
    r->json = twl_memdup(out->data, out->len);
    r->code = r->json != NULL ? 0 : TW_ENOMEM;
}

static int run_and_encode(reading *r) {
    int code = twl_loader_main(r->vm, r->path, &r->ref);
    if (code == 0) {
        code = twl_vm_protect(r->vm, encode, r);
        twl_unref(r->vm, r->ref);
        code = r->code != 0 ? r->code : code;
    }
    return code;
}

/* Where `require` looks: the folder of the file. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return twl_strdup(".");
    }
    return twl_memdup(path, slash == path ? 1 : (size_t)(slash - path));
}

static int create_vm(reading *r, const char *folder, twl_sources *sources) {
    twl_vm_config config = {.memory_limit_bytes = MEMORY_BYTES,
                            .budget_ms = BUDGET_MS,
                            .no_jit = true,
                            .script_dir = folder,
                            .sources = sources};
    return twl_vm_create(&r->vm, &config);
}

static int read_config(reading *r, char *report) {
    char *folder = folder_of(r->path);
    twl_sources *sources = twl_sources_create_disk();
    int code = TW_ENOMEM;
    if (folder != NULL && sources != NULL) {
        twl_sources_set_check(sources, r->may_read, r->may_read_arg);
        code = create_vm(r, folder, sources);
    }
    const char *why = tw_strerror(code);
    if (code == 0) {
        code = run_and_encode(r);
        why = r->json == NULL && r->code == TW_ENOMEM
                  ? tw_strerror(TW_ENOMEM)
                  : twl_vm_failure(r->vm)->message;
    }
    if (code != 0) {
        snprintf(report, TW_REPORT_MAX, "%s", why);
    }
    twl_vm_destroy(r->vm);
    twl_sources_destroy(sources);
    twl_free(folder);
    return code;
}

int tw_lua_read_checked_config(const char *path, tw_lua_may_read_cb may_read,
                               void *arg, char **json, char *report) {
    reading r = {.path = path,
                 .may_read = may_read,
                 .may_read_arg = arg,
                 .ref = LUA_NOREF};
    /* The budget's timer does not survive a fork, and a program forks after it
     * has read its configuration: what is started here is stopped here. */
    bool was_started = twl_budget.is_started;
    if (!was_started) {
        twl_budget_start(&(twl_budget_options){.no_profiler = true});
    }
    int code = read_config(&r, report);
    if (!was_started) {
        twl_budget_stop();
    }
    if (code == 0) {
        *json = r.json;
    }
    return code;
}

int tw_lua_read_config(const char *path, char **json, char *report) {
    return tw_lua_read_checked_config(path, NULL, NULL, json, report);
}

void tw_lua_config_free(char *json) {
    twl_free(json);
}
