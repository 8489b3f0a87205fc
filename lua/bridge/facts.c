/* SPDX-License-Identifier: MIT */
#include "facts.h"

#include <lauxlib.h>
#include <string.h>
#include <time.h>

#include "err.h"
#include "job.h"
#include "json.h"
#include "opts.h"

static double machine_time(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* In a test it is not the machine's. */
static const tw_server *server_of(lua_State *L) {
    return twl_vm_config_of(twl_vm_of(L))->server;
}

double twl_wall_seconds(lua_State *L) {
    const tw_server *server = server_of(L);
    return server ? (double)tw_server_wall_us(server) / 1e6
                  : machine_time(CLOCK_REALTIME);
}

double twl_clock_seconds(lua_State *L) {
    const tw_server *server = server_of(L);
    return server ? (double)tw_server_clock_us(server) / 1e6
                  : machine_time(CLOCK_MONOTONIC);
}

int twl_wall_clock(lua_State *L) {
    lua_pushnumber(L, twl_wall_seconds(L));
    return 1;
}

int twl_mono_clock(lua_State *L) {
    lua_pushnumber(L, twl_clock_seconds(L));
    return 1;
}

/* ---- tw.config ---------------------------------------------------------- */

/* Decoded anew each time, so that a script may change what it got. */
int twl_config_get(lua_State *L) {
    static const char what[] = "tw.config.get";
    const tw_lua *lua = twl_gen_of(L)->lua;
    tw_str key = twl_arg_string(L, 1, what, "key");
    lua_settop(L, 2);
    for (size_t i = 0; i < lua->value_count; i++) {
        const twl_value *value = &lua->values[i];
        if (strcmp(value->key, key.data) == 0) {
            if (twl_json_decode(L, value->json, strlen(value->json), true)) {
                return twl_raise(L, "%s: '%s' is not JSON: %s", what, key.data,
                                 lua_tostring(L, -1));
            }
            return 1;
        }
    }
    return 1; /* the default, or nil */
}

/* ---- tw.stats ----------------------------------------------------------- */

/* What the server as a whole and each worker have. */
typedef struct figures {
    double connections, messages_in, messages_out, deliveries, publications;
} figures;

static void set(lua_State *L, const char *name, double value) {
    lua_pushnumber(L, value);
    lua_setfield(L, -2, name);
}

static void set_figures(lua_State *L, const figures *f) {
    set(L, "connections", f->connections);
    set(L, "messages_in", f->messages_in);
    set(L, "messages_out", f->messages_out);
    set(L, "deliveries", f->deliveries);
    set(L, "publications", f->publications);
}

static figures figures_of(const tw_slot_stats *stats) {
    const uint64_t *counters = stats->counters;
    figures f = {
        .connections = (double)stats->gauges[TW_GAUGE_CONNECTIONS],
        .messages_in = (double)counters[TW_COUNTER_MESSAGES_IN],
        .deliveries = (double)counters[TW_COUNTER_DELIVERED],
        .publications = (double)counters[TW_COUNTER_PUBLISHED],
    };
    f.messages_out = (double)counters[TW_COUNTER_REPLIES] + f.deliveries;
    return f;
}

static void push_worker(lua_State *L, const tw_slot_stats *stats,
                        const figures *f) {
    lua_createtable(L, 0, 12);
    set(L, "slot", stats->slot);
    set(L, "pid", stats->pid);
    /* Only a master keeps the one; the other is this server's own. */
    set(L, "generation",
        stats->generation ? stats->generation
                          : (double)stats->gauges[TW_GAUGE_GENERATION]);
    set_figures(L, f);
    set(L, "uptime", (double)stats->uptime_ms / 1000);
    set(L, "cpu_seconds", (double)stats->cpu_ms / 1000);
    set(L, "memory_bytes", (double)stats->memory_bytes);
}

void twl_push_stats(lua_State *L, tw_server *server) {
    figures all = {0};
    lua_createtable(L, 0, 6);
    lua_newtable(L);
    twl_json_mark_array(L);
    int n = 0;
    for (uint32_t slot = 0; slot < tw_server_slots(server); slot++) {
        tw_slot_stats stats;
        if (tw_server_stats(server, slot, &stats)) {
            continue;
        }
        figures f = figures_of(&stats);
        all.connections += f.connections;
        all.messages_in += f.messages_in;
        all.messages_out += f.messages_out;
        all.deliveries += f.deliveries;
        all.publications += f.publications;
        push_worker(L, &stats, &f);
        lua_rawseti(L, -2, ++n);
    }
    lua_setfield(L, -2, "workers");
    set_figures(L, &all);
}

/* The contract lets it wait, so that figures may come from afar one day; today
 * they lie in shared memory. */
int twl_stats(lua_State *L) {
    twl_job *job = twl_wait_begin(L, "tw.stats");
    if (!job) {
        return twl_wait_over(L);
    }
    twl_push_stats(L, job->gen->lua->server);
    return 1;
}
