/* SPDX-License-Identifier: MIT */
#include "route.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "err.h"
#include "handle.h"
#include "opts.h"
#include "pattern.h"
#include "place.h"
#include "vm_alloc.h"

static const char what[] = "tw.routes";

enum { MAX_ROUTES = 4096 };

/* ---- tw.static ---------------------------------------------------------- */

int twl_static_new(lua_State *L) {
    tw_str folder = twl_arg_string(L, 1, "tw.static", "folder");
    if (folder.len == 0 || strlen(folder.data) != folder.len) {
        return twl_raise(L, "tw.static: folder must be a path");
    }
    twl_handle *handle =
        twl_handle_new(L, TWL_HANDLE_STATIC, sizeof *handle + folder.len + 1);
    memcpy(handle + 1, folder.data, folder.len + 1);
    return 1;
}

/* A relative folder starts where the script is, wherever the server was
 * started from. */
static char *resolve_folder(const char *dir, const char *folder) {
    if (folder[0] == '/') {
        return twl_strdup(folder);
    }
    size_t size = strlen(dir) + strlen(folder) + 2;
    char *path = twl_malloc(size);
    if (path) {
        strcpy(path, dir);
        strcat(path, "/");
        strcat(path, folder);
    }
    return path;
}

/* ---- tw.routes ---------------------------------------------------------- */

static twl_routes *create(lua_State *L, twl_gen *gen, size_t capacity) {
    twl_routes *routes = twl_zalloc(sizeof *routes);
    if (routes) {
        routes->list = twl_zalloc((capacity + 1) * sizeof *routes->list);
    }
    if (!routes || !routes->list) {
        twl_free(routes);
        luaL_error(L, "out of memory");
        return NULL;
    }
    twl_link_append(&gen->tables, &routes->node);
    return routes;
}

/* Splits "METHOD /path" and checks the path. */
static void read_pattern(lua_State *L, twl_route *route, const char *key) {
    const char *path = key, *why = NULL;
    const char *blank = strchr(key, ' ');
    if (blank) {
        route->method = twl_memdup(key, (size_t)(blank - key));
        path = blank + strspn(blank, " ");
    }
    if (blank && !twl_pattern_method_is_valid(route->method)) {
        twl_raise(L, "%s: bad method in '%s'", what, key);
    }
    if (!twl_pattern_is_valid(path, &why)) {
        twl_raise(L, "%s: bad pattern '%s': %s", what, key, why);
    }
    route->pattern = twl_strdup(path);
    if (!route->pattern || (blank && !route->method)) {
        luaL_error(L, "out of memory");
    }
}

/* The value is on top of the stack. */
static void read_target(lua_State *L, twl_route *route, const char *key) {
    twl_handle *folder = twl_handle_get(L, -1, TWL_HANDLE_STATIC);
    route->app = twl_app_at(L, -1);
    if (lua_isfunction(L, -1)) {
        route->kind = TW_ROUTE_HTTP;
        lua_pushvalue(L, -1);
        route->handler = twl_ref(L);
        return;
    }
    if (!route->app && !folder) {
        twl_raise(L,
                  "%s: '%s' must lead to an app, tw.static or a function, "
                  "not to a %s",
                  what, key, twl_handle_name(L, -1));
        return;
    }
    if (route->method) {
        twl_raise(L, "%s: '%s': only functions go with a method", what, key);
    }
    route->kind = route->app ? TW_ROUTE_SOCKET : TW_ROUTE_STATIC;
    if (folder) {
        route->folder = resolve_folder(route->gen->lua->script_dir,
                                       (const char *)(folder + 1));
        size_t len = strlen(route->pattern);
        if (!route->folder) {
            luaL_error(L, "out of memory");
        } else if (route->pattern[len - 1] != '*') {
            twl_raise(L, "%s: '%s': a folder needs a pattern that ends in '*'",
                      what, key);
        }
    }
}

static void check_doubles(lua_State *L, const twl_routes *routes) {
    for (size_t i = 0; i < routes->count; i++) {
        for (size_t j = 0; j < i; j++) {
            const twl_route *a = &routes->list[i], *b = &routes->list[j];
            bool same_method = a->method && b->method
                                   ? strcmp(a->method, b->method) == 0
                                   : a->method == b->method;
            if (same_method && twl_pattern_is_same(a->pattern, b->pattern)) {
                twl_raise(L, "%s: '%s' and '%s' are the same path", what,
                          b->pattern, a->pattern);
            }
        }
    }
}

static int compare(const void *a, const void *b) {
    return strcmp(((const twl_route *)a)->pattern,
                  ((const twl_route *)b)->pattern);
}

static size_t count_entries(lua_State *L) {
    size_t count = 0;
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING) {
            twl_raise(L, "%s: keys are paths as strings, not a %s", what,
                      luaL_typename(L, -1));
        }
        count++;
    }
    if (count == 0 || count > MAX_ROUTES) {
        twl_raise(L, "%s: from 1 to %d routes", what, (int)MAX_ROUTES);
    }
    return count;
}

static int new_routes(lua_State *L) {
    twl_gen *gen = twl_gen_of(L);
    if (gen->phase != TWL_LOADING) {
        return twl_raise(L, "%s can only be called while the script loads",
                         what);
    }
    if (!lua_istable(L, 1)) {
        return twl_raise(L, "%s takes a table, not %s", what,
                         luaL_typename(L, 1));
    }
    lua_settop(L, 1);
    twl_routes *routes = create(L, gen, count_entries(L));
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        twl_route *route = &routes->list[routes->count++];
        route->gen = gen;
        route->handler = LUA_NOREF;
        const char *key = lua_tostring(L, -2);
        read_pattern(L, route, key);
        read_target(L, route, key);
        lua_pop(L, 1);
    }
    check_doubles(L, routes);
    /* The order of a Lua table is any; what follows from it shall not be. */
    qsort(routes->list, routes->count, sizeof *routes->list, compare);
    twl_handle_push(L, TWL_HANDLE_ROUTES, routes);
    return 1;
}

int twl_routes_new(lua_State *L) {
    return twl_place_call(L, new_routes);
}

/* ---- the script's result ------------------------------------------------ */

static twl_routes *only_app(lua_State *L, twl_gen *gen, twl_app *app) {
    twl_routes *routes = create(L, gen, 1);
    twl_route *route = &routes->list[0];
    routes->count = 1;
    route->gen = gen;
    route->handler = LUA_NOREF;
    route->kind = TW_ROUTE_SOCKET;
    route->app = app;
    route->pattern = twl_strdup("/*");
    if (!route->pattern) {
        luaL_error(L, "out of memory");
    }
    return routes;
}

void twl_routes_take(lua_State *L, twl_gen *gen, int index) {
    twl_app *app = twl_app_at(L, index);
    twl_routes *routes = twl_handle_at(L, index, TWL_HANDLE_ROUTES);
    if (!app && !routes) {
        luaL_error(L,
                   "%s: the script must return tw.app{...} or "
                   "tw.routes{...}, not %s%s",
                   gen->lua->script,
                   lua_isnoneornil(L, index) ? "nothing" : "a ",
                   lua_isnoneornil(L, index) ? "" : twl_handle_name(L, index));
        return;
    }
    gen->routes = app ? only_app(L, gen, app) : routes;
    for (size_t i = 0; i < gen->routes->count; i++) {
        if (gen->routes->list[i].app) {
            gen->routes->list[i].app->is_served = true;
        }
    }
}

void twl_routes_free(twl_gen *gen, twl_routes *routes) {
    twl_link_remove(&routes->node);
    for (size_t i = 0; i < routes->count; i++) {
        twl_route *route = &routes->list[i];
        twl_unref(gen->vm, route->handler);
        twl_free(route->folder);
        twl_free(route->method);
        twl_free(route->pattern);
    }
    twl_free(routes->list);
    twl_free(routes);
}

tw_route_config *twl_routes_config(const twl_routes *routes) {
    tw_route_config *configs =
        twl_zalloc((routes->count + 1) * sizeof *configs);
    for (size_t i = 0; configs && i < routes->count; i++) {
        twl_route *route = &routes->list[i];
        if (route->app) {
            configs[i] = route->app->settings;
            /* A test's guests come in through the hook. */
            configs[i].hooks |= route->gen->lua->trial ? TW_HOOK_UPGRADE : 0;
        }
        configs[i].kind = route->kind;
        configs[i].method = route->method;
        configs[i].pattern = route->pattern;
        configs[i].folder = route->folder;
        configs[i].data = route;
    }
    return configs;
}
