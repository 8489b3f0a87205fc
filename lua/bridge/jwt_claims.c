/* SPDX-License-Identifier: MIT */
#include "jwt_claims.h"

#include <stdbool.h>

#include "err.h"
#include "facts.h"
#include "json.h"
#include "jwt.h"
#include "opts.h"

/* Clocks of two machines are never quite together. */
#define LEEWAY_SECONDS 5
#define LEEWAY_SECONDS_MAX 3600

/* ---- demands ------------------------------------------------------------ */

void twl_jwt_check_names(lua_State *L, int index, const char *name) {
    size_t count = lua_istable(L, index) ? lua_objlen(L, index) : 0;
    bool are_names = count > 0;
    for (int i = 1; i <= (int)count && are_names; i++) {
        lua_rawgeti(L, index, i);
        are_names = lua_type(L, -1) == LUA_TSTRING;
        lua_pop(L, 1);
    }
    if (!are_names) {
        twl_raise(L, TWL_JWT_VERIFY ": %s must be a list of strings", name);
    }
}

/* One name or a list of them. */
static void check_wanted(lua_State *L, int options, const char *name) {
    lua_getfield(L, options, name);
    if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING) {
        twl_jwt_check_names(L, lua_gettop(L), name);
    }
    lua_pop(L, 1);
}

void twl_jwt_demands_read(lua_State *L, int options, twl_jwt_demands *demands) {
    static const char what[] = TWL_JWT_VERIFY;
    *demands = (twl_jwt_demands){.leeway = LEEWAY_SECONDS, .max_age = -1};
    if (!twl_opt_number(L, options, what, "now", 0, 1e15, &demands->now)) {
        demands->now = twl_wall_seconds(L);
    }
    twl_opt_number(L, options, what, "leeway", 0, LEEWAY_SECONDS_MAX,
                   &demands->leeway);
    twl_opt_number(L, options, what, "max_age", 0, TWL_MAX_SECONDS,
                   &demands->max_age);
    lua_getfield(L, options, "aud");
    bool is_any = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (!is_any) {
        check_wanted(L, options, "aud");
    }
    check_wanted(L, options, "iss");
    lua_getfield(L, options, "require");
    if (!lua_isnil(L, -1)) {
        twl_jwt_check_names(L, lua_gettop(L), "require");
    }
    lua_pop(L, 1);
}

/* ---- times -------------------------------------------------------------- */

typedef struct moment {
    bool is_there;
    double at;
} moment;

static int read_moment(lua_State *L, int claims, const char *name,
                       moment *out) {
    lua_getfield(L, claims, name);
    out->is_there = !lua_isnil(L, -1);
    out->at = lua_tonumber(L, -1);
    bool is_wrong = out->is_there && lua_type(L, -1) != LUA_TNUMBER;
    lua_pop(L, 1);
    return is_wrong ? twl_jwt_refuse(L, TW_EINVALID, "malformed",
                                     "the token's %s is no number", name)
                    : 0;
}

static int check_age(lua_State *L, const twl_jwt_demands *d,
                     const moment *issued) {
    if (issued->is_there && issued->at > d->now + d->leeway) {
        return twl_jwt_refuse(L, TW_EDENIED, "early",
                              "the token was made %.0f s from now",
                              issued->at - d->now);
    }
    if (d->max_age < 0) {
        return 0;
    }
    if (!issued->is_there) {
        return twl_jwt_refuse(L, TW_EDENIED, "claim",
                              "the token does not say when it was made");
    }
    return d->now - issued->at > d->max_age + d->leeway
               ? twl_jwt_refuse(L, TW_EDENIED, "expired",
                                "the token is %.0f s old", d->now - issued->at)
               : 0;
}

static int check_times(lua_State *L, int claims, const twl_jwt_demands *d) {
    moment expires, begins, issued;
    int results = read_moment(L, claims, "exp", &expires);
    results = results ? results : read_moment(L, claims, "nbf", &begins);
    results = results ? results : read_moment(L, claims, "iat", &issued);
    if (results) {
        return results;
    }
    if (expires.is_there && d->now >= expires.at + d->leeway) {
        return twl_jwt_refuse(L, TW_EDENIED, "expired",
                              "the token expired %.0f s ago",
                              d->now - expires.at);
    }
    if (begins.is_there && d->now + d->leeway < begins.at) {
        return twl_jwt_refuse(L, TW_EDENIED, "early",
                              "the token is valid %.0f s from now",
                              begins.at - d->now);
    }
    return check_age(L, d, &issued);
}

/* ---- names -------------------------------------------------------------- */

/* Whether the value on top is `wanted`, or among it. */
static bool is_wanted(lua_State *L, int wanted) {
    int value = lua_gettop(L);
    if (!lua_istable(L, wanted)) {
        return lua_rawequal(L, value, wanted);
    }
    bool is_it = false;
    for (int i = 1; i <= (int)lua_objlen(L, wanted) && !is_it; i++) {
        lua_rawgeti(L, wanted, i);
        is_it = lua_rawequal(L, -1, value);
        lua_pop(L, 1);
    }
    return is_it;
}

static int check_issuer(lua_State *L, int claims, int options) {
    lua_getfield(L, options, "iss");
    int wanted = lua_gettop(L);
    lua_getfield(L, claims, "iss");
    bool is_right = lua_isnil(L, wanted) || is_wanted(L, wanted);
    lua_pop(L, 2);
    return is_right ? 0
                    : twl_jwt_refuse(L, TW_EDENIED, "issuer",
                                     "the token is of another issuer");
}

/* Whether one of the token's audiences, a list at `audience` or one name, is
 * wanted. */
static bool is_audience(lua_State *L, int audience, int wanted) {
    if (!lua_istable(L, audience)) {
        lua_pushvalue(L, audience);
        bool is_it = is_wanted(L, wanted);
        lua_pop(L, 1);
        return is_it;
    }
    bool is_it = false;
    for (int i = 1; i <= (int)lua_objlen(L, audience) && !is_it; i++) {
        lua_rawgeti(L, audience, i);
        is_it = is_wanted(L, wanted);
        lua_pop(L, 1);
    }
    return is_it;
}

/* RFC 7519, section 4.1.3: who is not among the audience must not take the
 * token, and who does not say who he is, is not. */
static int check_audience(lua_State *L, int claims, int options) {
    lua_getfield(L, options, "aud");
    int wanted = lua_gettop(L);
    lua_getfield(L, claims, "aud");
    bool is_any = lua_isboolean(L, wanted);
    bool is_free = lua_isnil(L, wanted) && lua_isnil(L, wanted + 1);
    bool is_named = !lua_isnil(L, wanted);
    bool is_right =
        is_any || is_free || (is_named && is_audience(L, wanted + 1, wanted));
    lua_pop(L, 2);
    if (is_right) {
        return 0;
    }
    return twl_jwt_refuse(L, TW_EDENIED, "audience",
                          is_named ? "the token is for another audience"
                                   : "the token is for an audience, and the "
                                     "option aud does not say which");
}

static int check_required(lua_State *L, int claims, int options) {
    lua_getfield(L, options, "require");
    int list = lua_gettop(L);
    int count = lua_isnil(L, list) ? 0 : (int)lua_objlen(L, list);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, list, i);
        lua_pushvalue(L, -1);
        lua_rawget(L, claims);
        if (lua_isnil(L, -1) || twl_json_is_null(L, -1)) {
            return twl_jwt_refuse(L, TW_EDENIED, "claim",
                                  "the token says nothing of '%s'",
                                  lua_tostring(L, -2));
        }
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    return 0;
}

int twl_jwt_claims_check(lua_State *L, int claims, int options,
                         const twl_jwt_demands *demands) {
    int results = check_times(L, claims, demands);
    results = results ? results : check_issuer(L, claims, options);
    results = results ? results : check_audience(L, claims, options);
    return results ? results : check_required(L, claims, options);
}
