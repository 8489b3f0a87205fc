/* SPDX-License-Identifier: MIT */
#include "class.h"

#include <lauxlib.h>
#include <string.h>

#include "err.h"
#include "names.h"
#include "opts.h"
#include "pattern.h"
#include "tell.h"
#include "vm_alloc.h"

static const char what[] = "tw.channels";

enum { MAX_CLASSES = 4096 };

static const twl_name options[] = {
    {"slow", false}, {"batch", false},    {"retain", false}, {"history", false},
    {"ttl", false},  {"presence", false}, {"tell", false},   {NULL, false},
};

/* In the order of tw_slow_policy. */
static const twl_name policies[] = {
    {"close", false},    {"drop_new", false}, {"drop_old", false},
    {"conflate", false}, {"resync", false},   {NULL, false},
};

/* In the order of tw_presence, less TW_PRESENCE_NONE. */
static const twl_name presences[] = {
    {"count", false}, {"list", false}, {"events", false}, {NULL, false}};

/* ---- options ------------------------------------------------------------- */

/* The word's place in `words`, counted from 1; 0 when the option is absent. */
static int read_word(lua_State *L, int index, const char *name,
                     const char *kind, const twl_name *words) {
    tw_str word;
    if (!twl_opt_string(L, index, what, name, &word)) {
        return 0;
    }
    const twl_name *found = twl_names_find(words, word.data);
    if (!found) {
        twl_names_raise(L, what, kind, words, word.data);
        return 0;
    }
    return (int)(found - words) + 1;
}

static void read_kept(lua_State *L, int index, tw_class_config *class) {
    uint64_t history = 0, retain = 0;
    double ttl = 0;
    twl_opt_whole(L, index, what, "history", 0, TW_HISTORY_MAX, &history);
    twl_opt_whole(L, index, what, "retain", 0, TW_RETAIN_MAX, &retain);
    class->history = (uint32_t)history;
    class->retain = (uint32_t)retain;
    if (!twl_opt_number(L, index, what, "ttl", 0.001, TWL_MAX_SECONDS, &ttl)) {
        return;
    }
    if (!history && !retain) {
        twl_raise(L, "%s: ttl is for what history or retain keeps", what);
    }
    class->ttl_ms = twl_seconds_to_ms(ttl);
}

static void read_class(lua_State *L, int index, tw_class_config *class) {
    double batch = 0;
    int slow = read_word(L, index, "slow", "slow policy", policies);
    class->slow = slow ? (tw_slow_policy)(slow - 1) : TW_SLOW_CLOSE;
    class->presence =
        (tw_presence)read_word(L, index, "presence", "presence", presences);
    twl_opt_number(L, index, what, "batch", 0, 60, &batch);
    class->batch_ms = (uint32_t)twl_seconds_to_ms(batch);
    read_kept(L, index, class);
}

/* LUA_NOREF without one. */
static int read_tell(lua_State *L, int index, const tw_class_config *class) {
    lua_getfield(L, index, "tell");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return LUA_NOREF;
    }
    twl_arg_function(L, lua_gettop(L), what, "tell");
    if (class->presence != TW_PRESENCE_EVENTS) {
        twl_raise(L, "%s: tell needs presence = \"events\"", what);
    }
    return twl_ref(L);
}

/* ---- declaring ----------------------------------------------------------- */

/* Makes room for one more. */
static void grow(lua_State *L, twl_gen *gen) {
    if (gen->class_count == MAX_CLASSES) {
        twl_raise(L, "%s: more than %d classes", what, (int)MAX_CLASSES);
    }
    size_t count = gen->class_count + 1;
    tw_class_config *classes =
        twl_realloc(gen->classes, count * sizeof *gen->classes);
    gen->classes = classes ? classes : gen->classes;
    int *tells = twl_realloc(gen->tells, count * sizeof *gen->tells);
    gen->tells = tells ? tells : gen->tells;
    if (!classes || !tells) {
        luaL_error(L, "out of memory");
    }
}

static void declare(lua_State *L, twl_gen *gen, const char *pattern) {
    const char *why;
    if (!twl_pattern_channel_is_valid(pattern, &why)) {
        twl_raise(L, "%s: bad pattern '%s': %s", what, pattern, why);
    }
    for (size_t i = 0; i < gen->class_count; i++) {
        if (strcmp(gen->classes[i].pattern, pattern) == 0) {
            twl_raise(L, "%s: '%s' is declared twice", what, pattern);
        }
    }
    int index = lua_gettop(L);
    if (!lua_istable(L, index)) {
        twl_raise(L, "%s: '%s' needs a table of options, not a %s", what,
                  pattern, luaL_typename(L, index));
    }
    twl_names_check(L, index, what, "option", options);
    tw_class_config class = {0};
    read_class(L, index, &class);
    grow(L, gen);
    int tell = read_tell(L, index, &class);
    class.data = tell != LUA_NOREF ? twl_tell_data(gen->class_count) : NULL;
    class.pattern = twl_strdup(pattern);
    if (!class.pattern) {
        luaL_error(L, "out of memory");
    }
    gen->tells[gen->class_count] = tell;
    gen->classes[gen->class_count++] = class;
}

int twl_channels_declare(lua_State *L) {
    twl_gen *gen = twl_gen_of(L);
    if (gen->phase != TWL_LOADING) {
        return twl_raise(L, "%s can only be called while the script loads",
                         what);
    }
    if (!lua_istable(L, 1)) {
        return twl_raise(L, "%s takes a table of classes, not %s", what,
                         luaL_typename(L, 1));
    }
    lua_settop(L, 1);
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING) {
            return twl_raise(L, "%s: keys are patterns as strings, not a %s",
                             what, luaL_typename(L, -2));
        }
        declare(L, gen, lua_tostring(L, -2));
        lua_pop(L, 1);
    }
    return 0;
}

void twl_classes_free(twl_gen *gen) {
    for (size_t i = 0; i < gen->class_count; i++) {
        twl_free((char *)gen->classes[i].pattern);
        twl_unref(gen->vm, gen->tells[i]);
    }
    twl_free(gen->classes);
    twl_free(gen->tells);
    gen->classes = NULL;
    gen->tells = NULL;
    gen->class_count = 0;
}
