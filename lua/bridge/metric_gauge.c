/* SPDX-License-Identifier: MIT */
#include "metric.h"
#include "names.h"
#include "opts.h"

static const twl_name fields[] = {
    {"set", false}, {"add", false}, {NULL, false}};

typedef int (*change_cb)(tw_metric *metric, const tw_str *values, double n);

static int change(lua_State *L, const char *what, const char *name,
                  change_cb how) {
    tw_str values[TW_METRIC_LABELS_MAX];
    tw_metric *metric;
    int code = twl_metric_self(L, TWL_HANDLE_GAUGE, what, 3, values, &metric);
    double n = twl_arg_number(L, 2, what, name, -1e300, 1e300);
    return twl_push_done(L, code ? code : how(metric, values, n));
}

/* gauge:set(value, values...) */
static int set(lua_State *L) {
    return change(L, "gauge:set", "value", tw_metric_set);
}

/* gauge:add(n, values...) */
static int add(lua_State *L) {
    return change(L, "gauge:add", "n", tw_metric_add);
}

static int unknown(lua_State *L) {
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    return twl_names_raise(L, "gauge", "method", fields, name);
}

static const luaL_Reg methods[] = {{"set", set}, {"add", add}, {NULL, NULL}};

void twl_gauge_define(lua_State *L) {
    twl_metric_methods(L, methods, unknown);
    twl_handle_define(L, TWL_HANDLE_GAUGE);
}
