/* SPDX-License-Identifier: MIT */
#include "jwt_source.h"

#include <string.h>

#include "err.h"
#include "facts.h"
#include "file.h"
#include "jwt.h"
#include "jwt_cache.h"
#include "jwt_fetch.h"
#include "opts.h"

static const twl_name sources[] = {
    {"file", false}, {"url", false}, {"insecure", false}, {NULL, false}};

static bool check_url(lua_State *L, int index, const char *name) {
    static const char what[] = TWL_JWT_VERIFY;
    bool is_insecure = false;
    tw_str url;
    twl_opt_bool(L, index, what, "insecure", &is_insecure);
    if (!twl_opt_string(L, index, what, "url", &url)) {
        return false;
    }
    if (strcmp(name, "secret") == 0) {
        twl_raise(L, "%s: a secret does not come from a url", what);
    }
    twl_jwt_fetch_check(L, url.data, is_insecure);
    return true;
}

void twl_jwt_source_check(lua_State *L, int index, const char *name) {
    static const char what[] = TWL_JWT_VERIFY;
    tw_str path;
    if (lua_type(L, index) == LUA_TSTRING) {
        return;
    }
    if (!lua_istable(L, index)) {
        twl_raise(L,
                  "%s: %s must be a string, { file = path } or { url = address "
                  "}, not %s",
                  what, name, lua_typename(L, lua_type(L, index)));
    }
    twl_names_check(L, index, what, "option", sources);
    bool has_url = check_url(L, index, name);
    bool has_file = twl_opt_string(L, index, what, "file", &path);
    if (has_url == has_file) {
        twl_raise(L, "%s: %s: a file or a url must be given", what, name);
    }
}

int twl_jwt_source_fail(lua_State *L, const char *path, const char *why) {
    if (path == NULL) {
        return twl_raise(L, TWL_JWT_VERIFY ": %s", why);
    }
    return twl_jwt_refuse(L, TW_EUNAVAILABLE, "key", "%s: %s", path, why);
}

/* ---- files -------------------------------------------------------------- */

/* The two fields of what is remembered of a file. */
enum { TEXT = 1, READ_AT = 2 };

static double now_ms(lua_State *L) {
    return twl_clock_seconds(L) * 1e3;
}

/* Pushes its text, if that was read just now. */
static bool push_known(lua_State *L) {
    twl_jwt_cache_find(L, TWL_JWT_FILES);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    lua_rawgeti(L, -1, READ_AT);
    bool is_fresh = now_ms(L) - lua_tonumber(L, -1) < TWL_JWT_FILE_MS;
    lua_pop(L, 1);
    lua_rawgeti(L, -1, TEXT);
    lua_replace(L, -2);
    if (!is_fresh) {
        lua_pop(L, 1);
    }
    return is_fresh;
}

/* An editor ends a file with a line's end; it is no part of a secret. */
static void push_without_end(lua_State *L, int index) {
    size_t len;
    const char *text = lua_tolstring(L, index, &len);
    len -= len > 0 && text[len - 1] == '\n';
    len -= len > 0 && text[len - 1] == '\r';
    lua_pushlstring(L, text, len);
}

/* With the path on top: pushes the text, or nil and an error. */
static bool read_file(lua_State *L) {
    int path = lua_gettop(L);
    lua_pushcfunction(L, twl_file_read);
    lua_pushvalue(L, path);
    lua_call(L, 1, 2);
    if (lua_isnil(L, path + 1)) {
        return false;
    }
    lua_pushvalue(L, path);
    lua_createtable(L, 2, 0);
    push_without_end(L, path + 1);
    lua_rawseti(L, -2, TEXT);
    lua_pushnumber(L, now_ms(L));
    lua_rawseti(L, -2, READ_AT);
    twl_jwt_cache_add(L, TWL_JWT_FILES);
    lua_rawgeti(L, -1, TEXT);
    lua_replace(L, path + 1);
    lua_settop(L, path + 1);
    return true;
}

/* ---- addresses ---------------------------------------------------------- */

/* Whether the value says one, which is pushed then. */
static bool push_address(lua_State *L, int index, bool is_set,
                         twl_jwt_address *address) {
    if (!lua_istable(L, index)) {
        return false;
    }
    lua_getfield(L, index, "url");
    *address = (twl_jwt_address){lua_tostring(L, -1), is_set};
    if (address->url == NULL) {
        lua_pop(L, 1);
    }
    return address->url != NULL;
}

int twl_jwt_source_again(lua_State *L, int index) {
    twl_jwt_address address;
    return push_address(L, index, true, &address)
               ? twl_jwt_fetch_again(L, &address)
               : 0;
}

/* ---- any of them -------------------------------------------------------- */

static int push_fetched(lua_State *L, const twl_jwt_address *address) {
    int results = twl_jwt_fetch_push(L, address);
    if (results == 0) {
        lua_replace(L, -2);
    }
    return results;
}

int twl_jwt_source_push(lua_State *L, int index, bool is_set,
                        const char **path) {
    twl_jwt_address address;
    if (!lua_istable(L, index)) {
        *path = NULL;
        lua_pushvalue(L, index);
        return 0;
    }
    if (push_address(L, index, is_set, &address)) {
        *path = address.url;
        return push_fetched(L, &address);
    }
    lua_getfield(L, index, "file");
    *path = lua_tostring(L, -1);
    if (!push_known(L) && !read_file(L)) {
        lua_getfield(L, -1, "message");
        return twl_jwt_refuse(L, TW_EUNAVAILABLE, "key", "%s",
                              lua_tostring(L, -1));
    }
    lua_replace(L, -2);
    return 0;
}
