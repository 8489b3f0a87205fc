/* SPDX-License-Identifier: MIT */
#include "jwt_set.h"

#include <string.h>

#include "../crypto/base64.h"
#include "json.h"
#include "jwt.h"
#include "jwt_cache.h"
#include "jwt_make.h"
#include "jwt_source.h"
#include "opts.h"

/* What a key of each algorithm has, by its names in a JWK. */
static const struct kind {
    const char *type;
    const char *first, *second; /* its numbers */
} KINDS[TWL_JWT_ALGS] = {
    [TWL_JWT_HS256] = {"oct", "k", NULL},
    [TWL_JWT_RS256] = {"RSA", "n", "e"},
    [TWL_JWT_ES256] = {"EC", "x", "y"},
};

/* ---- the set ------------------------------------------------------------ */

bool twl_jwt_is_set(lua_State *L, int index) {
    if (!lua_istable(L, index)) {
        return false;
    }
    lua_getfield(L, index, "keys");
    bool is_set = lua_istable(L, -1);
    lua_pop(L, 1);
    return is_set;
}

/* Pushes the list of keys. */
static int push_list(lua_State *L, int index, const char **path) {
    *path = NULL;
    if (twl_jwt_is_set(L, index)) {
        lua_getfield(L, index, "keys");
        return 0;
    }
    int results = twl_jwt_source_push(L, index, true, path);
    if (results) {
        return results;
    }
    twl_jwt_cache_find(L, TWL_JWT_SETS);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        size_t len;
        const char *text = lua_tolstring(L, -1, &len);
        if (twl_json_decode(L, text, len, false) ||
            !twl_jwt_is_set(L, lua_gettop(L))) {
            return twl_jwt_source_fail(L, *path, "this is no set of keys");
        }
        twl_jwt_cache_add(L, TWL_JWT_SETS);
    }
    lua_getfield(L, -1, "keys");
    return 0;
}

/* ---- one of its keys ---------------------------------------------------- */

/* Whether a member is that text, or is missing where it may be. */
static bool has(lua_State *L, int jwk, const char *name, const char *text,
                bool may_miss) {
    lua_getfield(L, jwk, name);
    bool is_it = lua_isnil(L, -1) ? may_miss
                                  : lua_type(L, -1) == LUA_TSTRING &&
                                        strcmp(lua_tostring(L, -1), text) == 0;
    lua_pop(L, 1);
    return is_it;
}

static bool has_kid(lua_State *L, int jwk, int kid) {
    lua_getfield(L, jwk, "kid");
    bool is_it = lua_rawequal(L, -1, kid);
    lua_pop(L, 1);
    return is_it;
}

static bool fits(lua_State *L, int jwk, const twl_jwt_ask *ask) {
    return lua_istable(L, jwk) &&
           has(L, jwk, "kty", KINDS[ask->alg].type, false) &&
           has(L, jwk, "alg", twl_jwt_alg_name(ask->alg), true) &&
           has(L, jwk, "use", "sig", true) &&
           (ask->alg != TWL_JWT_ES256 || has(L, jwk, "crv", "P-256", false)) &&
           (!ask->kid || has_kid(L, jwk, ask->kid));
}

typedef struct number {
    uint8_t bytes[TWL_JWT_SIGNATURE_MAX + 8];
    size_t len;
} number;

/* Pushes the member's text, and reads it; 0 or TW_EINVALID. */
static int push_number(lua_State *L, int jwk, const char *name, number *out) {
    size_t len;
    lua_getfield(L, jwk, name);
    if (lua_type(L, -1) != LUA_TSTRING) {
        return TW_EINVALID;
    }
    const char *text = lua_tolstring(L, -1, &len);
    return twl_base64_decoded_max(len) > sizeof out->bytes
               ? TW_EINVALID
               : twl_base64_decode(TWL_BASE64URL, text, len, out->bytes,
                                   &out->len);
}

static int init_key(twl_jwt_key *key, twl_jwt_alg alg, const number *a,
                    const number *b, const char **why) {
    switch (alg) {
    case TWL_JWT_HS256:
        return twl_jwt_key_init_secret(key, a->bytes, a->len, why);
    case TWL_JWT_RS256:
        return twl_jwt_key_init_rsa(key, a->bytes, a->len, b->bytes, b->len,
                                    why);
    default:
        return twl_jwt_key_init_p256(key, a->bytes, a->len, b->bytes, b->len,
                                     why);
    }
}

static const char *kid_of(lua_State *L, int jwk) {
    lua_getfield(L, jwk, "kid");
    return lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
}

/* Pushes the key that a JWK is the text of: remembered by its numbers, for the
 * table may have been changed. */
static int push_jwk(lua_State *L, int jwk, twl_jwt_alg alg, const char *path) {
    const struct kind *kind = &KINDS[alg];
    number a, b;
    const char *why = "has numbers that are missing or no base64url";
    lua_pushstring(L, kind->type);
    int err = push_number(L, jwk, kind->first, &a);
    if (!err && kind->second) {
        lua_pushliteral(L, ".");
        err = push_number(L, jwk, kind->second, &b);
    }
    if (!err) {
        lua_concat(L, kind->second ? 4 : 2);
        twl_jwt_cache_find(L, TWL_JWT_NUMBERS);
        if (!lua_isnil(L, -1)) {
            return 0;
        }
        lua_pop(L, 1);
        err = init_key(twl_jwt_make_empty(L), alg, &a, &b, &why);
    }
    if (err) {
        return twl_jwt_make_fail(L, err, path, kid_of(L, jwk), why);
    }
    twl_jwt_cache_add(L, TWL_JWT_NUMBERS);
    return 0;
}

int twl_jwt_set_find(lua_State *L, int index, const twl_jwt_ask *ask) {
    const char *path;
    int results = push_list(L, index, &path);
    if (results) {
        return results;
    }
    int list = lua_gettop(L), count = (int)lua_objlen(L, list), found = 0;
    if (count > TWL_JWT_SET_MAX) {
        return twl_jwt_source_fail(L, path, "the set has over 100 keys");
    }
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, list, i);
        bool is_it = fits(L, lua_gettop(L), ask);
        if (is_it && found && !ask->kid) {
            return twl_jwt_several_fit(L);
        }
        if (is_it && !found) {
            found = lua_gettop(L);
        } else {
            lua_pop(L, 1);
        }
    }
    if (found) {
        return push_jwk(L, found, ask->alg, path);
    }
    results = ask->kid ? twl_jwt_source_again(L, index) : 0;
    return results ? results : twl_jwt_none_fits(L);
}
