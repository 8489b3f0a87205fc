/* SPDX-License-Identifier: MIT */
#include "loader.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include <tidewire/errors.h>

#include "err.h"
#include "loader_cache.h"
#include "loader_cjson.h"
#include "sandbox.h"
#include "vm_state.h"

enum { MAX_PATH_LEN = 4096, LOAD_BUDGET_FACTOR = 10 };

static const char loaded_key;
static const char preload_key;
/* What `loaded` holds while a module runs: an address no script can make. */
static const char under_way;

/* --- names and places ------------------------------------------------- */

/* Letters, digits, _ and -, in words parted by one dot or slash each: nothing
 * that could lead out of the folders. */
static bool is_module_name(const char *name, size_t len) {
    bool after_word = false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!is_word && !((c == '.' || c == '/') && after_word)) {
            return false;
        }
        after_word = is_word;
    }
    return after_word;
}

/* "dir/a/b" + suffix; false when it is too long. */
static bool make_path(char *path, const char *dir, const char *name,
                      const char *suffix) {
    int len = snprintf(path, MAX_PATH_LEN, "%s/%s%s", dir, name, suffix);
    if (len < 0 || len >= MAX_PATH_LEN) {
        return false;
    }
    for (char *c = path + strlen(dir); *c != '\0'; c++) {
        if (*c == '.') {
            *c = '/';
        }
    }
    memcpy(path + len - strlen(suffix), suffix, strlen(suffix));
    return true;
}

typedef struct search {
    char path[MAX_PATH_LEN];
    const char *data;
    size_t len;
} search;

/* Looks for the module; pushes the list of places for the message. */
static int find_module(lua_State *L, const char *name, search *found) {
    static const char *const SUFFIXES[] = {".lua", "/init.lua"};
    const twl_vm_config *config = twl_vm_config_of(twl_vm_of(L));
    const char *dirs[] = {config->script_dir, config->library_dir};
    lua_pushliteral(L, "");
    for (int i = 0; i < 4; i++) {
        const char *dir = dirs[i / 2];
        if (dir == NULL ||
            !make_path(found->path, dir, name, SUFFIXES[i % 2])) {
            continue;
        }
        int err = twl_sources_read(config->sources, found->path, &found->data,
                                   &found->len);
        if (err != TW_ENOT_FOUND) {
            return err;
        }
        lua_pushfstring(L, "\n\tno file '%s'", found->path);
        lua_concat(L, 2);
    }
    return TW_ENOT_FOUND;
}

/* --- require ---------------------------------------------------------- */

/* Compiles what was found and pushes the chunk, or raises. */
static void push_chunk(lua_State *L, const char *chunk_name, const char *data,
                       size_t len) {
    /* A first line that a shell reads is a comment to us, and stays a line. */
    if (len > 0 && data[0] == '#') {
        const char *end = memchr(data, '\n', len);
        size_t skipped = end != NULL ? (size_t)(end - data) : len;
        data += skipped;
        len -= skipped;
    }
    if (twl_cache_load(L, data, len, chunk_name) != 0) {
        lua_error(L);
    }
}

/* Pushes the function that makes the module `name`. */
static void push_maker(lua_State *L, const char *name) {
    twl_reg_get(L, &preload_key);
    lua_getfield(L, -1, name);
    if (!lua_isnil(L, -1)) {
        return;
    }
    search *found = lua_newuserdata(L, sizeof *found);
    int err = find_module(L, name, found);
    if (err == TW_ENOT_FOUND) {
        luaL_error(L, "module '%s' not found:%s", name, lua_tostring(L, -1));
    } else if (err != 0) {
        const twl_vm_config *config = twl_vm_config_of(twl_vm_of(L));
        luaL_error(L, "module '%s': cannot read '%s': %s", name, found->path,
                   twl_sources_why(config->sources, err));
    }
    const char *chunk_name = lua_pushfstring(L, "@%s", found->path);
    push_chunk(L, chunk_name, found->data, found->len);
}

static bool is_under_way(lua_State *L, int index) {
    return lua_touserdata(L, index) == &under_way;
}

/* Runs the maker on top; a failing module may be required again. */
static void make_module(lua_State *L, const char *name, int loaded) {
    int maker = lua_gettop(L);
    lua_pushlightuserdata(L, (void *)&under_way);
    lua_setfield(L, loaded, name);
    lua_pushvalue(L, maker);
    lua_pushstring(L, name);
    if (lua_pcall(L, 1, 1, 0) != 0) {
        lua_pushnil(L);
        lua_setfield(L, loaded, name);
        lua_error(L);
    }
    if (!lua_isnil(L, -1)) {
        lua_setfield(L, loaded, name);
    }
    lua_getfield(L, loaded, name);
    if (is_under_way(L, -1)) {
        lua_pushboolean(L, 1);
        lua_setfield(L, loaded, name);
        lua_pushboolean(L, 1);
    }
}

static int require(lua_State *L) {
    size_t len;
    const char *name = luaL_checklstring(L, 1, &len);
    lua_settop(L, 1);
    twl_reg_get(L, &loaded_key);
    lua_getfield(L, 2, name);
    if (is_under_way(L, -1)) {
        return luaL_error(L, "module '%s' requires itself (a loop)", name);
    }
    if (lua_toboolean(L, -1)) {
        return 1;
    }
    if (!is_module_name(name, len)) {
        return luaL_error(L, "'%s' is no module name", name);
    }
    push_maker(L, name);
    make_module(L, name, 2);
    return 1;
}

/* --- main ------------------------------------------------------------- */

typedef struct loading {
    const char *name;
    const char *data;
    size_t len;
    bool is_binary;
    int ref;
} loading;

static int push_main(lua_State *L, void *arg) {
    loading *load = arg;
    if (!load->is_binary) {
        push_chunk(L, load->name, load->data, load->len);
    } else if (luaL_loadbufferx(L, load->data, load->len, load->name, "b")) {
        lua_error(L);
    }
    return 1;
}

static void read_result(lua_State *L, int count, void *arg) {
    loading *load = arg;
    lua_settop(L, count > 0 ? 1 : 0);
    if (count > 0) {
        load->ref = twl_ref(L);
    }
}

static int run_main(twl_vm *vm, loading *load, int *result_ref) {
    twl_spec spec = {.name = "load",
                     .push = push_main,
                     .read = read_result,
                     .no_wait = "while the script loads",
                     .budget_ms = vm->config.budget_ms * LOAD_BUDGET_FACTOR};
    if (twl_run(vm, &spec, LUA_NOREF, load, NULL) != TWL_DONE) {
        return TW_EINVALID;
    }
    *result_ref = load->ref;
    return 0;
}

int twl_loader_text(twl_vm *vm, const char *name, const char *text, size_t len,
                    int *result_ref) {
    loading load = {.name = name, .data = text, .len = len, .ref = LUA_REFNIL};
    return run_main(vm, &load, result_ref);
}

int twl_loader_code(twl_vm *vm, const char *path, const char *code, size_t len,
                    bool is_binary, int *result_ref) {
    char name[MAX_PATH_LEN + 2];
    snprintf(name, sizeof name, "@%s", path);
    loading load = {.name = name,
                    .data = code,
                    .len = len,
                    .is_binary = is_binary,
                    .ref = LUA_REFNIL};
    return run_main(vm, &load, result_ref);
}

int twl_loader_main(twl_vm *vm, const char *path, int *result_ref) {
    const char *data;
    size_t len;
    int err = twl_sources_read(vm->config.sources, path, &data, &len);
    char text[MAX_PATH_LEN + 512];
    if (err != 0) {
        snprintf(text, sizeof text, "%s: %s", path,
                 twl_sources_why(vm->config.sources, err));
        twl_failure_set(vm, TWL_RAISED, "load", text, NULL);
        return err;
    }
    snprintf(text, sizeof text, "@%s", path);
    return twl_loader_text(vm, text, data, len, result_ref);
}

/* --- preloaded modules ------------------------------------------------ */

typedef struct preloading {
    const char *name;
    lua_CFunction open;
} preloading;

static void preload(lua_State *L, void *arg) {
    const preloading *p = arg;
    twl_reg_get(L, &preload_key);
    lua_pushcfunction(L, p->open);
    lua_setfield(L, -2, p->name);
}

void twl_loader_push_preload(lua_State *L, const char *name) {
    twl_reg_get(L, &preload_key);
    lua_insert(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

int twl_loader_preload(twl_vm *vm, const char *name, lua_CFunction open) {
    preloading p = {.name = name, .open = open};
    return twl_vm_protect(vm, preload, &p) == 0 ? 0 : TW_ENOMEM;
}

/* --- what is there ---------------------------------------------------- */

static bool has_field(lua_State *L, const void *key, const char *name) {
    twl_reg_get(L, key);
    lua_getfield(L, -1, name);
    bool is_there = lua_toboolean(L, -1);
    lua_pop(L, 2);
    return is_there;
}

bool twl_loader_has(lua_State *L, const char *name) {
    return has_field(L, &loaded_key, name) || has_field(L, &preload_key, name);
}

/* --- opening ---------------------------------------------------------- */

static void push_package(lua_State *L) {
    const twl_vm_config *config = twl_vm_config_of(twl_vm_of(L));
    lua_createtable(L, 0, 3);
    twl_reg_get(L, &loaded_key);
    lua_setfield(L, -2, "loaded");
    lua_pushfstring(L, "%s/?.lua;%s/?/init.lua", config->script_dir,
                    config->script_dir);
    if (config->library_dir != NULL) {
        lua_pushfstring(L, ";%s/?.lua;%s/?/init.lua", config->library_dir,
                        config->library_dir);
        lua_concat(L, 2);
    }
    lua_setfield(L, -2, "path");
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "cpath");
}

void twl_loader_init(lua_State *L) {
    lua_newtable(L);
    twl_reg_set(L, &preload_key);
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    twl_reg_set(L, &loaded_key);
    lua_pushcfunction(L, require);
    twl_sandbox_set(L, "require");
    push_package(L);
    twl_sandbox_set(L, "package");
    preloading cjson = {.name = "cjson", .open = twl_open_cjson};
    preload(L, &cjson);
}
