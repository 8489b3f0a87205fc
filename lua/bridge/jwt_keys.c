/* SPDX-License-Identifier: MIT */
#include "jwt_keys.h"

#include "err.h"
#include "jwt.h"
#include "jwt_make.h"
#include "jwt_set.h"
#include "jwt_source.h"
#include "opts.h"

/* ---- keys by their id --------------------------------------------------- */

static const twl_name entry_fields[] = {{"secret", false},
                                        {"file", false},
                                        {"url", false},
                                        {"insecure", false},
                                        {NULL, false}};

/* PEM, { file = }, or { secret = }; pushes the secret then. */
static bool push_secret_of(lua_State *L, int entry) {
    if (!lua_istable(L, entry)) {
        return false;
    }
    lua_getfield(L, entry, "secret");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    twl_names_check(L, entry, TWL_JWT_VERIFY, "option", entry_fields);
    return true;
}

static int push_entry(lua_State *L, int entry) {
    bool is_secret = push_secret_of(L, entry);
    int source = is_secret ? lua_gettop(L) : entry;
    twl_jwt_source_check(L, source, is_secret ? "secret" : "keys");
    return twl_jwt_make_from(L, source, is_secret);
}

/* The only one with the token's algorithm. */
static int push_only_entry(lua_State *L, int keys, const twl_jwt_ask *ask) {
    lua_pushnil(L);
    int found = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, keys)) {
        int results = push_entry(L, lua_gettop(L));
        if (results) {
            return results;
        }
        if (((const twl_jwt_key *)lua_touserdata(L, -1))->alg == ask->alg) {
            if (!lua_isnil(L, found)) {
                return twl_jwt_several_fit(L);
            }
            lua_replace(L, found);
        }
        lua_settop(L, found + 1);
    }
    return lua_isnil(L, found) ? twl_jwt_none_fits(L) : 0;
}

static int find_by_id(lua_State *L, int keys, const twl_jwt_ask *ask) {
    if (!ask->kid) {
        return push_only_entry(L, keys, ask);
    }
    lua_pushvalue(L, ask->kid);
    lua_rawget(L, keys);
    return lua_isnil(L, -1) ? twl_jwt_none_fits(L)
                            : push_entry(L, lua_gettop(L));
}

/* ---- which of the four -------------------------------------------------- */

static const char *const KINDS[] = {"secret", "key", "keys", "jwks", NULL};

/* Pushes the value of the one that is there, and says which one that is. */
static const char *push_kind(lua_State *L, int options) {
    for (const char *const *kind = KINDS; *kind; kind++) {
        lua_getfield(L, options, *kind);
        if (!lua_isnil(L, -1)) {
            return *kind;
        }
        lua_pop(L, 1);
    }
    return NULL;
}

void twl_jwt_keys_check(lua_State *L, int options) {
    int top = lua_gettop(L), count = 0;
    for (const char *const *kind = KINDS; *kind; kind++) {
        lua_getfield(L, options, *kind);
        count += !lua_isnil(L, -1);
    }
    lua_settop(L, top);
    if (count != 1) {
        twl_raise(L, TWL_JWT_VERIFY ": exactly one of secret, key, keys and "
                                    "jwks must be given");
    }
    const char *kind = push_kind(L, options);
    if (kind == KINDS[2]) {
        if (!lua_istable(L, -1)) {
            twl_raise(L, TWL_JWT_VERIFY ": keys must be a table");
        }
    } else if (kind != KINDS[3] || !twl_jwt_is_set(L, top + 1)) {
        twl_jwt_source_check(L, top + 1, kind);
    }
    lua_settop(L, top);
}

int twl_jwt_keys_find(lua_State *L, int options, const twl_jwt_ask *ask,
                      twl_jwt_key **key) {
    const char *kind = push_kind(L, options);
    int value = lua_gettop(L);
    int results = kind == KINDS[2] ? find_by_id(L, value, ask)
                  : kind == KINDS[3]
                      ? twl_jwt_set_find(L, value, ask)
                      : twl_jwt_make_from(L, value, kind == KINDS[0]);
    if (results) {
        return results;
    }
    *key = lua_touserdata(L, -1);
    return (*key)->alg == ask->alg
               ? 0
               : twl_jwt_refuse(L, TW_EDENIED, "algorithm",
                                "the token's algorithm is not that of the key");
}
