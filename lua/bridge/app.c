/* SPDX-License-Identifier: MIT */
#include "app_settings.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "handle.h"
#include "names.h"
#include "opts.h"
#include "place.h"
#include "vm_alloc.h"

static const char what[] = "tw.app";

static const char *const hook_names[TWL_HOOK_COUNT] = {
    [TWL_ON_UPGRADE] = "on_upgrade",
    [TWL_ON_OPEN] = "on_open",
    [TWL_ON_MESSAGE] = "on_message",
    [TWL_ON_CLOSE] = "on_close",
    [TWL_ON_SLOW] = "on_slow",
    [TWL_ON_ALARM] = "on_alarm",
    [TWL_ON_RECOVER_FAIL] = "on_recover_fail",
    [TWL_ON_UNSUBSCRIBE] = "on_unsubscribe",
    [TWL_ON_START] = "on_start",
    [TWL_ON_STOP] = "on_stop",
    [TWL_SAVE] = "save",
    [TWL_RESTORE] = "restore",
    [TWL_MIGRATE] = "migrate",
};

static const twl_name hooks[] = {
    {"on_upgrade", false},
    {"on_open", false},
    {"on_message", false},
    {"on_close", false},
    {"on_slow", false},
    {"on_alarm", false},
    {"on_start", false},
    {"on_stop", false},
    {"on_recover_fail", false},
    {"on_unsubscribe", false},
    {"on_subscribe", true},
    {"on_publish", true},
    {"on_rpc", true},
    {"on_refresh", true},
    {"on_presence", true},
    {"on_history", true},
    {NULL, false},
};

static const twl_name options[] = {
    {"wire", false},        {"ping", false},
    {"idle", false},        {"origins", false},
    {"rate", false},        {"errors", false},
    {"deflate", false},     {"drain", false},
    {"version", false},     {"save", false},
    {"restore", false},     {"migrate", false},
    {"max_message", false}, {"user_connections", false},
    {NULL, false},
};

/* ---- checking ----------------------------------------------------------- */

void twl_app_check_name(lua_State *L, const char *word) {
    const twl_name *found = twl_names_find(hooks, word);
    found = found ? found : twl_names_find(options, word);
    if (!found || found->is_reserved) {
        bool is_hook = strncmp(word, "on", 2) == 0 ||
                       twl_names_nearest(hooks, word) != NULL;
        twl_names_raise(L, NULL, is_hook ? "hook" : "option",
                        is_hook ? hooks : options, word);
    }
}

static void check_names(lua_State *L) {
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING) {
            twl_raise(L, "%s: a hook or option is named by a string, not a %s",
                      what, lua_typename(L, lua_type(L, -1)));
            return;
        }
        twl_app_check_name(L, lua_tostring(L, -1));
    }
}

static void read_hooks(lua_State *L, twl_app *app) {
    for (int i = 0; i < TWL_HOOK_COUNT; i++) {
        lua_getfield(L, 1, hook_names[i]);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            continue;
        }
        if (!lua_isfunction(L, -1)) {
            twl_raise(L, "%s: %s must be a function, not %s", what,
                      hook_names[i], luaL_typename(L, -1));
        }
        app->hooks[i] = twl_ref(L);
    }
}

static unsigned hook_mask(const twl_app *app) {
    unsigned mask = 0;
    for (int i = TWL_ON_UPGRADE; i <= TWL_ON_UNSUBSCRIBE; i++) {
        mask |= app->hooks[i] != LUA_NOREF ? 1u << i : 0;
    }
    return mask;
}

_Static_assert(1u << TWL_ON_UPGRADE == TW_HOOK_UPGRADE &&
                   1u << TWL_ON_UNSUBSCRIBE == TW_HOOK_UNSUBSCRIBE,
               "the order of twl_hook is that of tw_hook");

/* ---- the object --------------------------------------------------------- */

/* The app is in the generation's list from here on: what raises below leaks
 * nothing. */
static twl_app *create(lua_State *L) {
    twl_gen *gen = twl_gen_of(L);
    twl_app *app = twl_zalloc(sizeof *app);
    if (!app) {
        luaL_error(L, "out of memory");
        return NULL;
    }
    app->gen = gen;
    for (int i = 0; i < TWL_HOOK_COUNT; i++) {
        app->hooks[i] = LUA_NOREF;
    }
    twl_link_append(&gen->apps, &app->node);
    return app;
}

static int new_app(lua_State *L) {
    if (twl_gen_of(L)->phase != TWL_LOADING) {
        return twl_raise(L, "%s can only be called while the script loads",
                         what);
    }
    if (!lua_istable(L, 1)) {
        return twl_raise(L, "%s takes a table of hooks and options, not %s",
                         what, luaL_typename(L, 1));
    }
    lua_settop(L, 1);
    check_names(L);
    twl_app *app = create(L);
    read_hooks(L, app);
    twl_app_read_settings(L, app);
    app->settings.kind = TW_ROUTE_SOCKET;
    app->settings.hooks = hook_mask(app);
    twl_handle_push(L, TWL_HANDLE_APP, app);
    return 1;
}

int twl_app_new(lua_State *L) {
    return twl_place_call(L, new_app);
}

twl_app *twl_app_at(lua_State *L, int index) {
    return twl_handle_at(L, index, TWL_HANDLE_APP);
}

void twl_app_free(twl_app *app) {
    twl_link_remove(&app->node);
    for (size_t i = 0; app->origins && app->origins[i]; i++) {
        twl_free(app->origins[i]);
    }
    twl_free(app->origins);
    twl_free(app->version.text);
    twl_free(app);
}

bool twl_version_equals(const twl_version *a, const twl_version *b) {
    if (a->kind != b->kind) {
        return false;
    }
    return a->kind == TWL_VERSION_NUMBER ? a->number == b->number
           : a->kind == TWL_VERSION_TEXT ? strcmp(a->text, b->text) == 0
                                         : true;
}

void twl_version_push(lua_State *L, const twl_version *version) {
    switch (version->kind) {
    case TWL_VERSION_NUMBER:
        lua_pushnumber(L, version->number);
        break;
    case TWL_VERSION_TEXT:
        lua_pushstring(L, version->text);
        break;
    default:
        lua_pushnil(L);
    }
}
