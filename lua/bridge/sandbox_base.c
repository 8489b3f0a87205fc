/* Most of these are Lua: what is built on yields and tail calls must not have
 * a C frame in between, and the compiler can see through it.
 *
 * SPDX-License-Identifier: MIT */
#include "sandbox_base.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "call_wait.h"
#include "err.h"
#include "loader_cache.h"
#include "sandbox.h"

/* --- in Lua ----------------------------------------------------------- */

static const char GLUE[] =
    "local G, ENV, MARK, outwards, is_outermost = ...\n"
    "local pcall, error, type, rawequal = G.pcall, G.error, G.type, "
    "G.rawequal\n"

    /* xpcall: the handler runs after the stack has unwound, where hooks are
     * not masked. */
    "local function handled(handler, ok, ...)\n"
    "  if ok then return true, ... end\n"
    "  local _, result = pcall(handler, (...))\n"
    "  return false, result\n"
    "end\n"
    "function G.xpcall(f, handler, ...)\n"
    "  return handled(handler, pcall(f, ...))\n"
    "end\n"

    /* The front table stays empty. */
    "local rawset, rawget = G.rawset, G.rawget\n"
    "function G.rawset(t, k, v)\n"
    "  if rawequal(t, ENV) then error('_G is read-only', 2) end\n"
    "  return rawset(t, k, v)\n"
    "end\n"
    "function G.rawget(t, k)\n"
    "  if rawequal(t, ENV) then t = G end\n"
    "  return rawget(t, k)\n"
    "end\n"

    /* Coroutines: a wait inside one travels outwards, see call_wait.h. */
    "local co = G.coroutine\n"
    "local create, resume, yield, running = co.create, co.resume, co.yield, "
    "co.running\n"
    "local function again(c, ok, first, ...)\n"
    "  if first == MARK and ok then\n"
    "    return again(c, resume(c, outwards()))\n"
    "  end\n"
    "  return ok, first, ...\n"
    "end\n"
    "local function unwrap(ok, ...)\n"
    "  if ok then return ... end\n"
    "  error((...), 0)\n"
    "end\n"
    "function co.resume(c, ...)\n"
    "  return again(c, resume(c, ...))\n"
    "end\n"
    "function co.wrap(f)\n"
    "  local c = create(f)\n"
    "  return function(...)\n"
    "    return unwrap(again(c, resume(c, ...)))\n"
    "  end\n"
    "end\n"
    "function co.yield(...)\n"
    "  if is_outermost() then\n"
    "    error('attempt to yield from outside a coroutine', 2)\n"
    "  end\n"
    "  return yield(...)\n"
    "end\n"
    "function co.running()\n"
    "  if is_outermost() then return nil end\n"
    "  return running()\n"
    "end\n"
    "local isyieldable = co.isyieldable\n"
    "if isyieldable then\n"
    "  function co.isyieldable()\n"
    "    return not is_outermost() and isyieldable()\n"
    "  end\n"
    "end\n"

    /* Sorting without a comparator is one long stretch of C; with one it
     * passes through the interpreter, where it can be stopped. */
    "local sort = G.table.sort\n"
    "local function less(a, b) return a < b end\n"
    "function G.table.sort(t, before)\n"
    "  if before == nil and type(t) == 'table' and #t > 4096 then\n"
    "    before = less\n"
    "  end\n"
    "  return sort(t, before)\n"
    "end\n";

/* --- in C ------------------------------------------------------------- */

static int is_outermost(lua_State *L) {
    lua_pushboolean(L, twl_wait_is_outermost(L));
    return 1;
}

/* Pushes all that the reader at 1 gives, as one string. LuaJIT's own load would
 * call it from inside the parser, and an error raised by a hook there leaves
 * hooks masked for the rest of the call. */
static void push_pieces(lua_State *L) {
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    size_t total = 0;
    for (;;) {
        lua_pushvalue(L, 1);
        lua_call(L, 0, 1);
        if (lua_isnil(L, -1)) {
            break;
        }
        if (!lua_isstring(L, -1)) {
            twl_raise(L, "a reader of load must return a string");
        }
        if (lua_objlen(L, -1) == 0) {
            break;
        }
        total += lua_objlen(L, -1);
        if (total > TWL_CHUNK_MAX_BYTES) {
            break;
        }
        luaL_addvalue(&buffer);
    }
    lua_pop(L, 1);
    luaL_pushresult(&buffer);
}

/* The chunk's name: as given; else LuaJIT's own for a reader and for text. */
static void default_name(lua_State *L, bool is_reader) {
    if (lua_isnil(L, 2)) {
        if (is_reader) {
            lua_pushliteral(L, "=(load)");
        } else {
            lua_pushvalue(L, 1);
        }
        lua_replace(L, 2);
    }
}

/* load(chunk [, name [, mode [, env]]]), always in text mode and with the
 * read-only environment unless another is given. */
static int load_text(lua_State *L) {
    bool is_reader = lua_isfunction(L, 1);
    if (!is_reader) {
        luaL_checkstring(L, 1);
    }
    lua_settop(L, 4);
    luaL_optstring(L, 2, "");
    default_name(L, is_reader);
    if (is_reader) {
        push_pieces(L);
        lua_replace(L, 1);
    }
    size_t len;
    const char *text = lua_tolstring(L, 1, &len);
    if (len > TWL_CHUNK_MAX_BYTES) {
        lua_pushnil(L);
        lua_pushfstring(L, "chunk of more than %d bytes", TWL_CHUNK_MAX_BYTES);
        return 2;
    }
    if (luaL_loadbufferx(L, text, len, lua_tostring(L, 2), "t") != 0) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (lua_istable(L, 4)) {
        lua_pushvalue(L, 4);
    } else {
        twl_sandbox_push_env(L);
    }
    lua_setfenv(L, -2);
    return 1;
}

static int collect_garbage(lua_State *L) {
    static const char *const WHAT[] = {"collect", "count", "step", NULL};
    static const int ACTION[] = {LUA_GCCOLLECT, LUA_GCCOUNT, LUA_GCSTEP};
    const char *name = luaL_optstring(L, 1, "collect");
    int i = 0;
    while (WHAT[i] != NULL && strcmp(WHAT[i], name) != 0) {
        i++;
    }
    if (WHAT[i] == NULL) {
        return twl_raise(L, "collectgarbage('%s') is not available to scripts",
                         name);
    }
    int result = lua_gc(L, ACTION[i], (int)luaL_optinteger(L, 2, 0));
    if (ACTION[i] == LUA_GCCOUNT) {
        lua_pushnumber(L, result + lua_gc(L, LUA_GCCOUNTB, 0) / 1024.0);
    } else if (ACTION[i] == LUA_GCSTEP) {
        lua_pushboolean(L, result);
    } else {
        lua_pushinteger(L, result);
    }
    return 1;
}

/* os.date through LuaJIT's own: a long format is a long stretch of C. */
static int date(lua_State *L) {
    size_t len;
    luaL_optlstring(L, 1, "", &len);
    luaL_argcheck(L, len <= TWL_DATE_MAX_BYTES, 1, "format too long");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* Replaces field `name` of the table on top by `fn` over what was there. */
static void wrap(lua_State *L, const char *name, lua_CFunction fn) {
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, fn, 1);
    lua_setfield(L, -2, name);
}

static void run_glue(lua_State *L) {
    if (twl_cache_load(L, GLUE, sizeof GLUE - 1, TWL_GLUE_NAME) != 0) {
        lua_error(L);
    }
    lua_pushvalue(L, -2);
    twl_sandbox_push_env(L);
    twl_wait_push_mark(L);
    lua_pushcfunction(L, twl_wait_outwards);
    lua_pushcfunction(L, is_outermost);
    lua_call(L, 5, 0);
}

void twl_sandbox_base_open(lua_State *L) {
    run_glue(L);
    lua_pushcfunction(L, load_text);
    lua_setfield(L, -2, "load");
    lua_pushcfunction(L, load_text);
    lua_setfield(L, -2, "loadstring");
    lua_pushcfunction(L, collect_garbage);
    lua_setfield(L, -2, "collectgarbage");
    lua_getfield(L, -1, "os");
    wrap(L, "date", date);
    lua_pop(L, 1);
}
