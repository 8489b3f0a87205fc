/* SPDX-License-Identifier: MIT */
#include "jwt_make.h"

#include <string.h>

#include "err.h"
#include "jwt.h"
#include "jwt_cache.h"
#include "jwt_source.h"
#include "vm.h"

static const char metatable_key;

static int collect_key(lua_State *L) {
    twl_jwt_key_deinit(lua_touserdata(L, 1));
    return 0;
}

twl_jwt_key *twl_jwt_make_empty(lua_State *L) {
    twl_jwt_key *key = lua_newuserdata(L, sizeof *key);
    memset(key, 0, sizeof *key);
    twl_reg_get(L, &metatable_key);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 1);
        lua_pushcfunction(L, collect_key);
        lua_setfield(L, -2, "__gc");
        lua_pushvalue(L, -1);
        twl_reg_set(L, &metatable_key);
    }
    lua_setmetatable(L, -2);
    return key;
}

int twl_jwt_make_fail(lua_State *L, int code, const char *path, const char *kid,
                      const char *why) {
    if (code == TW_ENOMEM) {
        return twl_nil_error(L, TW_EOVERLOADED, "no memory");
    }
    const char *gap = *kid ? " " : "";
    return twl_jwt_source_fail(
        L, path, lua_pushfstring(L, "the key%s%s %s", gap, kid, why));
}

int twl_jwt_make_from(lua_State *L, int index, bool is_secret) {
    twl_jwt_cache cache = is_secret ? TWL_JWT_SECRETS : TWL_JWT_PEMS;
    const char *path, *why;
    int results = twl_jwt_source_push(L, index, false, &path);
    if (results) {
        return results;
    }
    twl_jwt_cache_find(L, cache);
    if (!lua_isnil(L, -1)) {
        lua_replace(L, -2);
        return 0;
    }
    lua_pop(L, 1);
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    twl_jwt_key *key = twl_jwt_make_empty(L);
    int err = is_secret ? twl_jwt_key_init_secret(key, text, len, &why)
                        : twl_jwt_key_init_pem(key, text, len, &why);
    if (err) {
        return twl_jwt_make_fail(L, err, path, "", why);
    }
    twl_jwt_cache_add(L, cache);
    return 0;
}

int twl_jwt_none_fits(lua_State *L) {
    return twl_jwt_refuse(L, TW_EDENIED, "key",
                          "none of the keys is the token's");
}

int twl_jwt_several_fit(lua_State *L) {
    return twl_jwt_refuse(L, TW_EDENIED, "key",
                          "the token does not say which of the keys it is "
                          "signed with");
}
