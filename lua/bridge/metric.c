/* SPDX-License-Identifier: MIT */
#include "metric.h"

#include <lauxlib.h>
#include <string.h>

#include "call_options.h"
#include "err.h"
#include "log.h"
#include "names.h"
#include "opts.h"

static const twl_name counter_options[] = {
    {"help", false}, {"max", false}, {NULL, false}};

static const twl_name gauge_options[] = {
    {"help", false}, {"max", false}, {"over", false}, {NULL, false}};

static const twl_name histogram_options[] = {
    {"help", false}, {"max", false}, {"buckets", false}, {NULL, false}};

const twl_call_options twl_call_counter = {
    "metric.counter", 3, "tw.metric.counter", counter_options};
const twl_call_options twl_call_gauge = {"metric.gauge", 3, "tw.metric.gauge",
                                         gauge_options};
const twl_call_options twl_call_histogram = {
    "metric.histogram", 3, "tw.metric.histogram", histogram_options};

/* Where the arguments are. */
enum { NAME = 1, LABELS, OPTIONS, ARGUMENTS = OPTIONS };

/* The key in the registry of all handles by their name. */
static const char handles_key;

/* What a script asks for; the texts are borrowed from its tables. */
typedef struct wanted {
    tw_metric_config config;
    const char *labels[TW_METRIC_LABELS_MAX + 1];
    double bounds[TW_METRIC_BOUNDS_MAX + 1];
} wanted;

/* ---- what is asked for -------------------------------------------------- */

/* One more than there may be is enough for the library to say so. */
static void read_labels(lua_State *L, const char *what, wanted *w) {
    if (!twl_arg_table(L, LABELS, what)) {
        return;
    }
    size_t count = lua_objlen(L, LABELS);
    lua_pushnil(L);
    if (count == 0 && lua_next(L, LABELS)) {
        twl_raise(L, "%s: labels are a list of names; options come behind it",
                  what);
    }
    count = count > TW_METRIC_LABELS_MAX ? TW_METRIC_LABELS_MAX + 1 : count;
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, LABELS, (int)i + 1);
        if (lua_type(L, -1) != LUA_TSTRING) {
            twl_raise(L, "%s: a label must be a string, not %s", what,
                      luaL_typename(L, -1));
        }
        const char *label = lua_tostring(L, -1);
        w->labels[i] = strlen(label) == lua_objlen(L, -1) ? label : "";
        lua_pop(L, 1);
    }
    w->config.labels = w->labels;
    w->config.label_count = count;
}

static void read_buckets(lua_State *L, const char *what, wanted *w) {
    lua_getfield(L, OPTIONS, "buckets");
    if (lua_isnil(L, -1)) {
        return;
    }
    size_t count = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
    if (count == 0) {
        twl_raise(L, "%s: buckets must be a list of numbers", what);
    }
    count = count > TW_METRIC_BOUNDS_MAX ? TW_METRIC_BOUNDS_MAX + 1 : count;
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        if (lua_type(L, -1) != LUA_TNUMBER) {
            twl_raise(L, "%s: buckets must be a list of numbers", what);
        }
        w->bounds[i] = lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
    w->config.bounds = w->bounds;
    w->config.bound_count = count;
}

static tw_metric_over read_over(lua_State *L, const char *what) {
    static const char *const words[] = {"sum", "max", "min", "each"};
    tw_str over = {"sum", 3};
    twl_opt_string(L, OPTIONS, what, "over", &over);
    for (int i = TW_METRIC_SUM; i <= TW_METRIC_EACH; i++) {
        if (strcmp(over.data, words[i]) == 0) {
            return (tw_metric_over)i;
        }
    }
    twl_raise(L, "%s: over must be 'sum', 'max', 'min' or 'each'", what);
    return TW_METRIC_SUM;
}

static void read_wanted(lua_State *L, tw_metric_kind kind, const char *what,
                        const twl_name *options, wanted *w) {
    tw_metric_config *config = &w->config;
    uint64_t max = 0;
    tw_str help;
    *config = (tw_metric_config){.kind = kind};
    tw_str name = twl_arg_string(L, NAME, what, "name");
    config->name = strlen(name.data) == name.len ? name.data : "";
    read_labels(L, what, w);
    if (twl_arg_options(L, OPTIONS, what, options)) {
        if (twl_opt_string(L, OPTIONS, what, "help", &help)) {
            config->help = help.data;
        }
        twl_opt_whole(L, OPTIONS, what, "max", 1, TW_METRIC_SERIES_MAX, &max);
        config->max_series = (uint32_t)max;
        if (kind == TW_METRIC_GAUGE) {
            config->over = read_over(L, what);
        } else if (kind == TW_METRIC_HISTOGRAM) {
            read_buckets(L, what, w);
        }
    }
    char detail[256];
    if (tw_metric_check(config, detail, sizeof detail) != 0) {
        twl_raise(L, "%s: '%s': %s", what, config->name, detail);
    }
}

/* ---- handles ------------------------------------------------------------ */

static twl_handle_type type_of(tw_metric_kind kind) {
    return kind == TW_METRIC_COUNTER ? TWL_HANDLE_COUNTER
           : kind == TW_METRIC_GAUGE ? TWL_HANDLE_GAUGE
                                     : TWL_HANDLE_HISTOGRAM;
}

static size_t texts_of(const tw_metric_config *config) {
    size_t bytes = strlen(config->name) + 1;
    bytes += config->help != NULL ? strlen(config->help) + 1 : 0;
    for (size_t i = 0; i < config->label_count; i++) {
        bytes += strlen(config->labels[i]) + 1;
    }
    return bytes;
}

static const char *keep(char **to, const char *text) {
    size_t len = strlen(text) + 1;
    char *place = memcpy(*to, text, len);
    *to += len;
    return place;
}

static void fill(twl_metric *handle, const tw_metric_config *from) {
    char *to = handle->texts;
    tw_metric_config *config = &handle->config;
    *config = *from;
    config->name = keep(&to, from->name);
    config->help = from->help != NULL ? keep(&to, from->help) : NULL;
    for (size_t i = 0; i < from->label_count; i++) {
        handle->labels[i] = keep(&to, from->labels[i]);
    }
    config->labels = handle->labels;
    if (from->bound_count > 0) {
        memcpy(handle->bounds, from->bounds,
               from->bound_count * sizeof *from->bounds);
        config->bounds = handle->bounds;
    }
}

static void push_new(lua_State *L, const tw_metric_config *config) {
    twl_gen *gen = twl_gen_of(L);
    twl_metric *handle = twl_handle_new(L, type_of(config->kind),
                                        sizeof *handle + texts_of(config));
    handle->error = 0;
    fill(handle, config);
    handle->config.generation = gen->number;
    twl_reg_get(L, &handles_key);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, handle->config.name);
    lua_pop(L, 1);
    handle->next = gen->metrics;
    gen->metrics = handle;
}

static bool same_labels(const tw_metric_config *a, const tw_metric_config *b) {
    bool is_same = a->label_count == b->label_count;
    for (size_t i = 0; is_same && i < a->label_count; i++) {
        is_same = strcmp(a->labels[i], b->labels[i]) == 0;
    }
    return is_same;
}

static bool is_same(const tw_metric_config *a, const tw_metric_config *b) {
    return a->kind == b->kind && a->over == b->over && same_labels(a, b) &&
           a->bound_count == b->bound_count &&
           (a->bound_count == 0 ||
            memcmp(a->bounds, b->bounds, a->bound_count * sizeof *a->bounds) ==
                0);
}

/* Pushes the one that the script has already. */
static bool push_known(lua_State *L, const char *what,
                       const tw_metric_config *config) {
    twl_reg_get(L, &handles_key);
    lua_getfield(L, -1, config->name);
    lua_remove(L, -2);
    const twl_metric *handle = lua_touserdata(L, -1);
    if (handle == NULL) {
        lua_pop(L, 1);
        return false;
    }
    if (!is_same(&handle->config, config)) {
        twl_raise(L, "%s: '%s' has been made before, as something else", what,
                  config->name);
    }
    return true;
}

static int make(lua_State *L, tw_metric_kind kind, const char *what,
                const twl_name *options) {
    wanted w;
    lua_settop(L, ARGUMENTS);
    read_wanted(L, kind, what, options, &w);
    if (!push_known(L, what, &w.config)) {
        push_new(L, &w.config);
    }
    return 1;
}

/* ---- opening ------------------------------------------------------------ */

void twl_metrics_apply(twl_gen *gen) {
    for (twl_metric *at = gen->metrics; at != NULL; at = at->next) {
        tw_metric *metric;
        at->error = tw_metric_open(gen->lua->server, &at->config, &metric);
        if (at->error == 0) {
            at->head.pointer = metric;
        } else {
            twl_log_printf(
                gen->vm, TW_LOG_WARN, "the metric '%s' is not counted: %s",
                at->config.name,
                at->error == TW_ELIMIT ? "limits.metric_memory is used up"
                                       : tw_strerror(at->error));
        }
    }
}

/* ---- tw.metric ---------------------------------------------------------- */

static int counter(lua_State *L) {
    return make(L, TW_METRIC_COUNTER, "tw.metric.counter", counter_options);
}

static int gauge(lua_State *L) {
    return make(L, TW_METRIC_GAUGE, "tw.metric.gauge", gauge_options);
}

static int histogram(lua_State *L) {
    return make(L, TW_METRIC_HISTOGRAM, "tw.metric.histogram",
                histogram_options);
}

void twl_metric_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"counter", counter},
                                         {"gauge", gauge},
                                         {"histogram", histogram},
                                         {NULL, NULL}};
    lua_createtable(L, 0, 3);
    luaL_register(L, NULL, functions);
    lua_setfield(L, -2, "metric");
}

void twl_metric_methods(lua_State *L, const luaL_Reg *methods,
                        lua_CFunction unknown) {
    lua_createtable(L, 0, 4);
    lua_createtable(L, 0, 2);
    luaL_register(L, NULL, methods);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, unknown);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "__index");
}

void twl_metric_define(lua_State *L) {
    twl_counter_define(L);
    twl_gauge_define(L);
    twl_histogram_define(L);
    lua_newtable(L);
    twl_reg_set(L, &handles_key);
}
