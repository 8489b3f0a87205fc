/* SPDX-License-Identifier: MIT */
#include "class.h"

#include <lauxlib.h>
#include <string.h>

#include "err.h"
#include "names.h"
#include "opts.h"
#include "pattern.h"
#include "vm_alloc.h"

static const char what[] = "tw.channels";

enum { MAX_CLASSES = 4096 };

static const twl_name options[] = {
    {"slow", false}, {"batch", false},   {"retain", true}, {"history", true},
    {"ttl", true},   {"presence", true}, {NULL, false},
};

static const twl_name policies[] = {
    {"close", false},    {"drop_new", false}, {"drop_old", false},
    {"conflate", false}, {"resync", true},    {NULL, false},
};

static tw_slow_policy read_slow(lua_State *L, int index) {
    static const tw_slow_policy order[] = {TW_SLOW_CLOSE, TW_SLOW_DROP_NEW,
                                           TW_SLOW_DROP_OLD, TW_SLOW_CONFLATE};
    tw_str slow;
    if (!twl_opt_string(L, index, what, "slow", &slow)) {
        return TW_SLOW_CLOSE;
    }
    const twl_name *found = twl_names_find(policies, slow.data);
    if (!found || found->is_reserved) {
        twl_names_raise(L, what, "slow policy", policies, slow.data);
        return TW_SLOW_CLOSE;
    }
    return order[found - policies];
}

/* Room for one more; the new one is zero. */
static tw_class_config *add(lua_State *L, twl_gen *gen) {
    if (gen->class_count == MAX_CLASSES) {
        twl_raise(L, "%s: more than %d classes", what, (int)MAX_CLASSES);
    }
    tw_class_config *classes = twl_realloc(
        gen->classes, (gen->class_count + 1) * sizeof *gen->classes);
    if (!classes) {
        luaL_error(L, "out of memory");
        return NULL;
    }
    gen->classes = classes;
    tw_class_config *class = &classes[gen->class_count];
    memset(class, 0, sizeof *class);
    return class;
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
    tw_slow_policy slow = read_slow(L, index);
    double batch = 0;
    twl_opt_number(L, index, what, "batch", 0, 60, &batch);

    tw_class_config *class = add(L, gen);
    class->slow = slow;
    class->batch_ms = (uint32_t)twl_seconds_to_ms(batch);
    class->pattern = twl_strdup(pattern);
    if (!class->pattern) {
        luaL_error(L, "out of memory");
    }
    gen->class_count++;
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
    }
    twl_free(gen->classes);
    gen->classes = NULL;
    gen->class_count = 0;
}
