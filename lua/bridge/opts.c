/* SPDX-License-Identifier: MIT */
#include "opts.h"

#include <math.h>

#include "err.h"

static const char *type_at(lua_State *L, int index) {
    int type = lua_type(L, index);
    return type == LUA_TNONE ? "nothing" : lua_typename(L, type);
}

tw_str twl_arg_string(lua_State *L, int index, const char *what,
                      const char *name) {
    tw_str text = {NULL, 0};
    if (lua_type(L, index) != LUA_TSTRING) {
        twl_raise(L, "%s: %s must be a string, not %s", what, name,
                  type_at(L, index));
        return text;
    }
    text.data = lua_tolstring(L, index, &text.len);
    return text;
}

tw_str twl_arg_channel(lua_State *L, int index, const char *what) {
    tw_str channel = twl_arg_string(L, index, what, "channel");
    if (channel.len == 0 || channel.len > 255) {
        twl_raise(L, "%s: a channel's name has 1 to 255 bytes", what);
    }
    return channel;
}

bool twl_arg_bool(lua_State *L, int index, const char *what, const char *name) {
    if (!lua_isboolean(L, index)) {
        twl_raise(L, "%s: %s must be true or false, not %s", what, name,
                  type_at(L, index));
    }
    return lua_toboolean(L, index);
}

double twl_arg_number(lua_State *L, int index, const char *what,
                      const char *name, double min, double max) {
    double value = lua_tonumber(L, index);
    if (lua_type(L, index) != LUA_TNUMBER) {
        twl_raise(L, "%s: %s must be a number, not %s", what, name,
                  type_at(L, index));
    } else if (!(value >= min && value <= max)) {
        twl_raise(L, "%s: %s must be a number from %.14g to %.14g", what, name,
                  min, max);
    }
    return value;
}

void twl_arg_function(lua_State *L, int index, const char *what,
                      const char *name) {
    if (!lua_isfunction(L, index)) {
        twl_raise(L, "%s: %s must be a function, not %s", what, name,
                  type_at(L, index));
    }
}

bool twl_arg_table(lua_State *L, int index, const char *what) {
    if (lua_isnoneornil(L, index)) {
        return false;
    }
    if (!lua_istable(L, index)) {
        twl_raise(L, "%s: options must be a table, not %s", what,
                  type_at(L, index));
    }
    return true;
}

bool twl_arg_options(lua_State *L, int index, const char *what,
                     const twl_name *names) {
    if (!twl_arg_table(L, index, what)) {
        return false;
    }
    twl_names_check(L, index, what, "option", names);
    return true;
}

/* Pushes the field; false, with nothing pushed, when it is nil. */
static bool field(lua_State *L, int index, const char *name) {
    lua_getfield(L, index, name);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    return true;
}

bool twl_opt_number(lua_State *L, int index, const char *what, const char *name,
                    double min, double max, double *out) {
    if (!field(L, index, name)) {
        return false;
    }
    *out = twl_arg_number(L, lua_gettop(L), what, name, min, max);
    lua_pop(L, 1);
    return true;
}

bool twl_opt_whole(lua_State *L, int index, const char *what, const char *name,
                   double min, double max, uint64_t *out) {
    double value;
    if (!twl_opt_number(L, index, what, name, min, max, &value)) {
        return false;
    }
    if (value != floor(value)) {
        twl_raise(L, "%s: %s must be a whole number", what, name);
    }
    *out = (uint64_t)value;
    return true;
}

bool twl_opt_bool(lua_State *L, int index, const char *what, const char *name,
                  bool *out) {
    if (!field(L, index, name)) {
        return false;
    }
    *out = twl_arg_bool(L, lua_gettop(L), what, name);
    lua_pop(L, 1);
    return true;
}

bool twl_opt_string(lua_State *L, int index, const char *what, const char *name,
                    tw_str *out) {
    if (!field(L, index, name)) {
        return false;
    }
    *out = twl_arg_string(L, lua_gettop(L), what, name);
    lua_pop(L, 1);
    return true;
}

uint64_t twl_seconds_to_ms(double seconds) {
    return (uint64_t)ceil(seconds * 1000);
}
