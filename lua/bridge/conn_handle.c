/* How a connection gets its handle. There are two ways to it: the places of
 * the connections that sent last, addressed by the low bits of the number,
 * which are the connection's index in the server's slab and so do not collide
 * before there are more connections than places; and for all others the weak
 * table.
 *
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>

#include "conn.h"
#include "err.h"
#include "vm_alloc.h"

/* The key of the weak table in the registry. */
static const char handles_key;

/* ---- kept handles -------------------------------------------------------- */

static twl_conn_kept *place_of(const twl_gen *gen, uint64_t number) {
    return &gen->conns[number % TWL_CONNS_KEPT];
}

bool twl_conn_put(lua_State *L, const twl_gen *gen, uint64_t number) {
    if (!gen->conns || place_of(gen, number)->number != number) {
        return false;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, place_of(gen, number)->ref);
    return true;
}

/* Without memory it is not kept. */
void twl_conn_keep(lua_State *L, uint64_t number) {
    twl_gen *gen = twl_gen_of(L);
    if (!gen->conns) {
        gen->conns = twl_zalloc(TWL_CONNS_KEPT * sizeof *gen->conns);
        if (!gen->conns) {
            return;
        }
    }
    twl_conn_kept *kept = place_of(gen, number);
    lua_pushvalue(L, -1);
    if (kept->ref) {
        lua_rawseti(L, LUA_REGISTRYINDEX, kept->ref);
    } else {
        kept->ref = twl_ref(L);
    }
    kept->number = number;
}

static void forget(twl_gen *gen, uint64_t number) {
    twl_conn_kept *kept = gen && gen->conns ? place_of(gen, number) : NULL;
    if (kept && kept->number == number) {
        twl_unref(gen->vm, kept->ref);
        *kept = (twl_conn_kept){0};
    }
}

void twl_conn_forget(tw_lua *lua, uint64_t number) {
    forget(lua->current, number);
    forget(lua->old, number);
}

void twl_conns_free(twl_gen *gen) {
    twl_free(gen->conns);
    gen->conns = NULL;
}

/* ---- handles ------------------------------------------------------------- */

/* The table's keys are addresses, which are used again for other connections:
 * the number decides whether the handle is this one's. */
void twl_conn_push(lua_State *L, tw_conn *conn, uint64_t number) {
    if (twl_conn_put(L, twl_gen_of(L), number)) {
        return;
    }
    twl_reg_get(L, &handles_key);
    lua_pushlightuserdata(L, conn);
    lua_rawget(L, -2);
    twl_conn_handle *handle = lua_touserdata(L, -1);
    if (!handle || handle->number != number) {
        lua_pop(L, 1);
        handle = twl_handle_new(L, TWL_HANDLE_CONN, sizeof *handle);
        handle->head.pointer = conn;
        handle->number = number;
        tw_conn_id(conn, handle->id);
        lua_pushlightuserdata(L, conn);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
    }
    lua_remove(L, -2);
}

tw_conn *twl_conn_resolve(const tw_lua *lua, const twl_conn_handle *handle) {
    if (lua->running && lua->running->handle == handle->number) {
        return lua->running->conn; /* its own hook: no look-up */
    }
    return tw_server_find(lua->server, handle->number);
}

tw_conn *twl_conn_at(lua_State *L, int index, const char *what) {
    twl_handle *handle = twl_handle_get(L, index, TWL_HANDLE_CONN);
    if (!handle) {
        twl_raise(L, "%s must be a connection, not %s", what,
                  twl_handle_name(L, index));
        return NULL;
    }
    return twl_conn_resolve(twl_gen_of(L)->lua, (twl_conn_handle *)handle);
}

tw_conn *twl_conn_self_in(lua_State *L, const tw_lua *lua, const char *what) {
    twl_handle *handle = twl_handle_self(L, TWL_HANDLE_CONN, what);
    return twl_conn_resolve(lua, (twl_conn_handle *)handle);
}

tw_conn *twl_conn_self(lua_State *L, const char *what) {
    return twl_conn_self_in(L, twl_gen_of(L)->lua, what);
}

void twl_conn_handles_define(lua_State *L) {
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    twl_reg_set(L, &handles_key);
}
