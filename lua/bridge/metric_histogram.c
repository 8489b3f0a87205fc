/* SPDX-License-Identifier: MIT */
#include "metric.h"
#include "names.h"
#include "opts.h"

static const twl_name fields[] = {{"observe", false}, {NULL, false}};

/* histogram:observe(value, values...) */
static int observe(lua_State *L) {
    static const char what[] = "histogram:observe";
    tw_str values[TW_METRIC_LABELS_MAX];
    tw_metric *metric;
    int code =
        twl_metric_self(L, TWL_HANDLE_HISTOGRAM, what, 3, values, &metric);
    double value = twl_arg_number(L, 2, what, "value", -1e300, 1e300);
    return twl_push_done(L, code ? code
                                 : tw_metric_observe(metric, values, value));
}

static int unknown(lua_State *L) {
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    return twl_names_raise(L, "histogram", "method", fields, name);
}

static const luaL_Reg methods[] = {{"observe", observe}, {NULL, NULL}};

void twl_histogram_define(lua_State *L) {
    twl_metric_methods(L, methods, unknown);
    twl_handle_define(L, TWL_HANDLE_HISTOGRAM);
}
