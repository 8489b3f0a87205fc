/* metric.h - tw.metric: counters, gauges and histograms of scripts.
 *
 * A script names its metrics while it loads; they are opened when its
 * generation is the one that holds, so that a script that is only checked, or
 * loaded and then discarded, leaves nothing in shared memory. Those that are
 * named later are opened when they are first used.
 *
 *   metric.c            tw.metric, what is asked for, and opening it
 *   metric_values.c     the values of labels
 *   metric_counter.c, metric_gauge.c, metric_histogram.c   the methods
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_METRIC_H
#define TWL_METRIC_H

#include "bridge.h"
#include "handle.h"

/* Sets `metric` in the table on top. */
void twl_metric_open(lua_State *L);
void twl_metric_define(lua_State *L);

/* Opens those that the script has named; what fails is logged. */
void twl_metrics_apply(twl_gen *gen);

/* ---- between its files -------------------------------------------------- */

/* head.pointer is the tw_metric once it is open. */
typedef struct twl_metric {
    twl_handle head;
    struct twl_metric *next; /* gen->metrics */
    int error;               /* that opening it gave; it is not tried again */
    tw_metric_config config; /* its texts and numbers lie behind */
    const char *labels[TW_METRIC_LABELS_MAX];
    double bounds[TW_METRIC_BOUNDS_MAX];
    char texts[];
} twl_metric;

/* The metric at argument 1, open; its labels' values begin at argument `first`,
 * and are borrowed from the stack. Raises when there are not as many as it has
 * labels, or the script may not act now. 0, or why it cannot be had. */
int twl_metric_self(lua_State *L, twl_handle_type type, const char *what,
                    int first, tw_str *values, tw_metric **metric);

void twl_counter_define(lua_State *L);
void twl_gauge_define(lua_State *L);
void twl_histogram_define(lua_State *L);

/* Pushes the fields of a metatable: methods in a table, where compiled code
 * finds them at once, and `unknown` for what is none of them. */
void twl_metric_methods(lua_State *L, const luaL_Reg *methods,
                        lua_CFunction unknown);

#endif
