/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>

#include "err.h"
#include "job.h"
#include "metric.h"
#include "opts.h"

/* A number is written as a script writes it, whole ones without a point. The
 * text takes the number's place on the stack. */
static void write_number(lua_State *L, int index) {
    char text[32];
    double number = lua_tonumber(L, index);
    bool is_whole = floor(number) == number && fabs(number) < 9e15;
    snprintf(text, sizeof text, is_whole ? "%.0f" : "%.14g", number);
    lua_pushstring(L, text);
    lua_replace(L, index);
}

static tw_str read_value(lua_State *L, int index, const char *what,
                         const char *label) {
    tw_str value;
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        write_number(L, index);
        break;
    case LUA_TBOOLEAN:
        return lua_toboolean(L, index) ? (tw_str){"true", 4}
                                       : (tw_str){"false", 5};
    case LUA_TSTRING:
        break;
    default:
        twl_raise(L,
                  "%s: the value of '%s' must be a string, a number or a "
                  "boolean, not %s",
                  what, label, luaL_typename(L, index));
    }
    value.data = lua_tolstring(L, index, &value.len);
    return value;
}

static void read_values(lua_State *L, const twl_metric *handle,
                        const char *what, int first, tw_str *values) {
    int count = (int)handle->config.label_count;
    int given = lua_gettop(L) - first + 1;
    if (given != count && !(given < 0 && count == 0)) {
        twl_raise(L, "%s: '%s' has %d labels, and there are %d values for them",
                  what, handle->config.name, count, given < 0 ? 0 : given);
    }
    for (int i = 0; i < count; i++) {
        values[i] = read_value(L, first + i, what, handle->labels[i]);
    }
}

static int open_late(lua_State *L, twl_metric *handle) {
    tw_metric *metric;
    if (handle->error == 0) {
        handle->error = tw_metric_open(twl_gen_of(L)->lua->server,
                                       &handle->config, &metric);
    }
    if (handle->error == 0) {
        handle->head.pointer = metric;
    }
    return handle->error;
}

int twl_metric_self(lua_State *L, twl_handle_type type, const char *what,
                    int first, tw_str *values, tw_metric **metric) {
    twl_metric *handle = (void *)twl_handle_self(L, type, what);
    if (!twl_gen_is_live(twl_gen_of(L))) {
        twl_gen_check_live(L, what);
    }
    read_values(L, handle, what, first, values);
    int code = handle->head.pointer ? 0 : open_late(L, handle);
    *metric = handle->head.pointer;
    return code;
}
