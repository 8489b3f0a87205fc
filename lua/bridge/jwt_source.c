/* SPDX-License-Identifier: MIT */
#include "jwt_source.h"

#include <string.h>
#include <time.h>

#include "err.h"
#include "file.h"
#include "jwt.h"
#include "jwt_cache.h"
#include "opts.h"

static const twl_name sources[] = {
    {"file", false}, {"url", true}, {NULL, false}};

void twl_jwt_source_check(lua_State *L, int index, const char *name) {
    static const char what[] = TWL_JWT_VERIFY;
    tw_str path;
    if (lua_type(L, index) == LUA_TSTRING) {
        return;
    }
    if (!lua_istable(L, index)) {
        twl_raise(L, "%s: %s must be a string or { file = path }, not %s", what,
                  name, lua_typename(L, lua_type(L, index)));
    }
    twl_names_check(L, index, what, "option", sources);
    if (!twl_opt_string(L, index, what, "file", &path)) {
        twl_raise(L, "%s: %s: the file is missing", what, name);
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

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Pushes its text, if that was read just now. */
static bool push_known(lua_State *L) {
    twl_jwt_cache_find(L, TWL_JWT_FILES);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    lua_rawgeti(L, -1, READ_AT);
    bool is_fresh = now_ms() - lua_tonumber(L, -1) < TWL_JWT_FILE_MS;
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
    lua_pushnumber(L, now_ms());
    lua_rawseti(L, -2, READ_AT);
    twl_jwt_cache_add(L, TWL_JWT_FILES);
    lua_rawgeti(L, -1, TEXT);
    lua_replace(L, path + 1);
    lua_settop(L, path + 1);
    return true;
}

int twl_jwt_source_push(lua_State *L, int index, const char **path) {
    if (!lua_istable(L, index)) {
        *path = NULL;
        lua_pushvalue(L, index);
        return 0;
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
