/* Two tables make the environment: the real globals, which only C reaches, and
 * an empty one in front of them, which is what scripts have as _G. Reads fall
 * through it, writes raise; it stays empty, so nothing can shadow a name.
 *
 * SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "err.h"
#include "log.h"
#include "sandbox_base.h"
#include "strlib.h"
#include "vm.h"

static const char env_key;
static const char real_key;

/* --- the read-only environment ---------------------------------------- */

static const char *const HIDDEN[] = {
    "io",     "ffi",      "debug",   "jit",     "newproxy", "dofile",
    "module", "loadfile", "getfenv", "setfenv", "gcinfo",   NULL};

static int read_undefined(lua_State *L) {
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    for (const char *const *hidden = HIDDEN; *hidden != NULL; hidden++) {
        if (strcmp(name, *hidden) == 0) {
            return twl_raise(L, "'%s' is not available to scripts", name);
        }
    }
    return twl_raise(L, "undefined variable '%s'", name);
}

static int write_global(lua_State *L) {
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    return twl_raise(L,
                     "assignment to global '%s' (_G is read-only: declare it "
                     "local)",
                     name);
}

static void protect(lua_State *L) {
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
}

/* Makes the front table and gives it to the thread, whose chunks and threads
 * inherit it. */
static void make_env(lua_State *L) {
    lua_pushvalue(L, LUA_GLOBALSINDEX);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, read_undefined);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -3);
    lua_createtable(L, 0, 3);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, write_global);
    lua_setfield(L, -2, "__newindex");
    protect(L);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "_G");
    lua_pushvalue(L, -1);
    twl_reg_set(L, &env_key);
    lua_replace(L, LUA_GLOBALSINDEX);
    twl_reg_set(L, &real_key);
}

void twl_sandbox_push_env(lua_State *L) {
    twl_reg_get(L, &env_key);
}

void twl_sandbox_set(lua_State *L, const char *name) {
    twl_reg_get(L, &real_key);
    lua_insert(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

/* --- the libraries ---------------------------------------------------- */

static void open_library(lua_State *L, const char *name, lua_CFunction open) {
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 0);
}

static void open_libraries(lua_State *L) {
    open_library(L, "", luaopen_base);
    open_library(L, LUA_TABLIBNAME, luaopen_table);
    open_library(L, LUA_OSLIBNAME, luaopen_os);
    open_library(L, LUA_STRLIBNAME, luaopen_string);
    open_library(L, LUA_MATHLIBNAME, luaopen_math);
    open_library(L, LUA_BITLIBNAME, luaopen_bit);
    open_library(L, LUA_JITLIBNAME, luaopen_jit);
}

static void remove_names(lua_State *L, const char *table,
                         const char *const *names) {
    if (table != NULL) {
        lua_getglobal(L, table);
    } else {
        lua_pushvalue(L, LUA_GLOBALSINDEX);
    }
    for (; *names != NULL; names++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *names);
    }
    lua_pop(L, 1);
}

static void remove_dangers(lua_State *L) {
    static const char *const OS[] = {"execute", "exit",      "remove", "rename",
                                     "tmpname", "setlocale", NULL};
    static const char *const STRING[] = {"dump", NULL};
    remove_names(L, NULL, HIDDEN);
    remove_names(L, "os", OS);
    remove_names(L, "string", STRING);
    /* The libraries have put themselves into what `require` calls loaded. */
    static const char *const LOADED[] = {
        "jit", "jit.opt", "jit.util", "jit.profile", "debug",
        "io",  "ffi",     "package",  "_G",          NULL};
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    for (const char *const *name = LOADED; *name != NULL; name++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *name);
    }
    lua_pop(L, 1);
}

static void protect_strings(lua_State *L) {
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    protect(L);
    lua_pop(L, 2);
}

void twl_sandbox_init(lua_State *L) {
    open_libraries(L);
    remove_dangers(L);
    lua_getglobal(L, "string");
    twl_strlib_open(L);
    lua_pop(L, 1);
    protect_strings(L);
    lua_pushcfunction(L, twl_log_print);
    lua_setglobal(L, "print");
    make_env(L);
    twl_reg_get(L, &real_key);
    twl_sandbox_base_open(L);
    lua_pop(L, 1);
}
