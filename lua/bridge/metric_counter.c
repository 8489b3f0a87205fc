/* SPDX-License-Identifier: MIT */
#include "metric.h"
#include "names.h"
#include "opts.h"

static const twl_name fields[] = {{"inc", false}, {NULL, false}};

/* counter:inc(n, values...) */
static int inc(lua_State *L) {
    static const char what[] = "counter:inc";
    tw_str values[TW_METRIC_LABELS_MAX];
    tw_metric *metric;
    int code = twl_metric_self(L, TWL_HANDLE_COUNTER, what, 3, values, &metric);
    double n = 1;
    if (!lua_isnoneornil(L, 2)) {
        n = twl_arg_number(L, 2, what, "n", 0, 1e300);
    }
    return twl_push_done(L, code ? code : tw_metric_add(metric, values, n));
}

static int unknown(lua_State *L) {
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    return twl_names_raise(L, "counter", "method", fields, name);
}

static const luaL_Reg methods[] = {{"inc", inc}, {NULL, NULL}};

void twl_counter_define(lua_State *L) {
    twl_metric_methods(L, methods, unknown);
    twl_handle_define(L, TWL_HANDLE_COUNTER);
}
