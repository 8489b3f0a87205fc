/* app.h - tw.app{...}: hooks and settings, checked when the script loads.
 *
 * An app belongs to its generation. Its hooks are resolved once to references,
 * so an absent one costs nothing later. For Lua it is a userdata that can only
 * be put into routes or returned.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_APP_H
#define TWL_APP_H

#include "bridge.h"

typedef enum twl_hook {
    TWL_ON_UPGRADE,
    TWL_ON_OPEN,
    TWL_ON_MESSAGE,
    TWL_ON_CLOSE,
    TWL_ON_SLOW,
    TWL_ON_ALARM,
    TWL_ON_RECOVER_FAIL,
    TWL_ON_UNSUBSCRIBE,
    TWL_ON_START,
    TWL_ON_STOP,
    TWL_SAVE,
    TWL_RESTORE,
    TWL_MIGRATE,
    TWL_HOOK_COUNT
} twl_hook;

/* `version` of an app: what save() and conn.state look like. */
typedef struct twl_version {
    enum { TWL_NO_VERSION, TWL_VERSION_NUMBER, TWL_VERSION_TEXT } kind;
    double number;
    char *text;
} twl_version;

struct twl_app {
    twl_link node; /* gen->apps */
    twl_gen *gen;
    int hooks[TWL_HOOK_COUNT]; /* LUA_NOREF when absent */
    bool ignores_errors;
    bool is_served;   /* some route of the generation leads to it */
    bool is_restored; /* has had its turn in a reload */
    twl_version version;
    /* Everything but pattern and data. */
    tw_route_config settings;
    char **origins;
};

/* tw.app{...} */
int twl_app_new(lua_State *L);

/* Raises unless it is the name of a hook or option. A word that begins like a
 * hook is compared with hooks, so that the answer speaks of hooks. */
void twl_app_check_name(lua_State *L, const char *word);

/* The app at `index`, or NULL. Does not raise. */
twl_app *twl_app_at(lua_State *L, int index);

void twl_app_free(twl_app *app);

bool twl_version_equals(const twl_version *a, const twl_version *b);
void twl_version_push(lua_State *L, const twl_version *version);

#endif
