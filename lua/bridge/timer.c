/* SPDX-License-Identifier: MIT */
#include "timer.h"

#include <lauxlib.h>
#include <string.h>

#include "call_options.h"
#include "err.h"
#include "handle.h"
#include "job.h"
#include "names.h"
#include "opts.h"
#include "vm_alloc.h"

typedef struct twl_timer {
    twl_link node; /* gen->timers until it is over */
    twl_gen *gen;
    tw_timer *clock; /* the core's, while one is set */
    char *name;      /* may be NULL */
    int fn;
    unsigned refs;      /* its handle, its run, and being not over */
    uint64_t period_ms; /* 0: once */
    uint64_t due_ms;    /* the beat, without jitter */
    uint64_t first_ms;  /* from the start of the generation */
    uint64_t jitter_ms;
    bool is_server_wide; /* in slot 0 only */
    bool is_running;
    bool is_over;
} twl_timer;

static const twl_name options[] = {
    {"name", false}, {"once", false}, {"jitter", false}, {NULL, false}};

const twl_call_options twl_call_every = {"every", 3, "tw.every", options};

static const twl_name fields[] = {{"cancel", false}, {NULL, false}};

static void unref(twl_timer *timer) {
    if (--timer->refs == 0) {
        twl_free(timer->name);
        twl_free(timer);
    }
}

static void stop(twl_timer *timer) {
    if (timer->is_over) {
        return;
    }
    timer->is_over = true;
    twl_link_remove(&timer->node);
    if (timer->clock) {
        tw_timer_stop(timer->clock);
        timer->clock = NULL;
    }
    if (!timer->is_running) {
        twl_unref(timer->gen->vm, timer->fn);
        timer->fn = LUA_NOREF;
    }
    unref(timer);
}

/* ---- running ------------------------------------------------------------ */

static void set(twl_timer *timer);

static void finish(twl_job *job, twl_status status) {
    twl_timer *timer = job->owner;
    (void)status;
    timer->is_running = false;
    if (!timer->is_over && timer->period_ms == 0) {
        stop(timer);
    } else if (timer->is_over) {
        twl_unref(timer->gen->vm, timer->fn);
        timer->fn = LUA_NOREF;
    }
    unref(timer);
}

static const twl_kind after_kind = {.spec = {.name = "tw.after"},
                                    .row = TWL_ROW_AFTER,
                                    .is_limited = true,
                                    .finish = finish};
static const twl_kind every_kind = {.spec = {.name = "tw.every"},
                                    .row = TWL_ROW_EVERY,
                                    .is_limited = true,
                                    .finish = finish};

static void run(twl_timer *timer) {
    tw_server *server = timer->gen->lua->server;
    if (timer->is_running) {
        tw_server_count(server, TW_COUNTER_TIMER_SKIPS, 1);
        return;
    }
    twl_job *job =
        twl_job_take(timer->gen, timer->period_ms ? &every_kind : &after_kind);
    if (!job) {
        return;
    }
    tw_server_count(server, TW_COUNTER_TIMER_RUNS, 1);
    timer->is_running = true;
    timer->refs++;
    job->owner = timer;
    twl_job_start(job, timer->fn);
}

/* The next beat that is still to come; those gone by are skipped. */
static void advance(twl_timer *timer) {
    tw_server *server = timer->gen->lua->server;
    uint64_t now = tw_server_now(server);
    timer->due_ms += timer->period_ms;
    if (timer->due_ms <= now) {
        uint64_t missed = (now - timer->due_ms) / timer->period_ms + 1;
        timer->due_ms += missed * timer->period_ms;
        tw_server_count(server, TW_COUNTER_TIMER_SKIPS, missed);
    }
}

static void on_tick(tw_timer *clock, void *arg) {
    twl_timer *timer = arg;
    (void)clock;
    timer->clock = NULL;
    timer->refs++; /* the script may cancel it */
    if (timer->period_ms) {
        advance(timer);
        set(timer);
    }
    run(timer);
    unref(timer);
}

static void set(twl_timer *timer) {
    tw_lua *lua = timer->gen->lua;
    uint64_t now = tw_server_now(lua->server);
    uint64_t in = timer->due_ms > now ? timer->due_ms - now : 0;
    in += (uint64_t)((double)timer->jitter_ms * twl_random(lua));
    timer->clock = tw_timer_start(lua->server, in, on_tick, timer);
}

static void start(twl_timer *timer) {
    tw_lua *lua = timer->gen->lua;
    if (timer->is_server_wide && tw_server_slot(lua->server) != 0) {
        return;
    }
    timer->due_ms = tw_server_now(lua->server) + timer->first_ms;
    set(timer);
}

/* ---- generations -------------------------------------------------------- */

static twl_timer *find(const twl_gen *gen, const char *name) {
    for (twl_link *at = gen->timers.next; at != &gen->timers; at = at->next) {
        twl_timer *timer = TWL_OF(at, twl_timer, node);
        if (timer->name && strcmp(timer->name, name) == 0) {
            return timer;
        }
    }
    return NULL;
}

/* The beat of the old namesake; where the new period is shorter, the last of
 * the beats that the new period has before it. */
static void take_phase(twl_timer *timer, const twl_gen *old) {
    twl_timer *before = old && timer->name ? find(old, timer->name) : NULL;
    if (!before || !before->due_ms || !timer->period_ms) {
        return;
    }
    uint64_t now = tw_server_now(timer->gen->lua->server);
    uint64_t in = before->due_ms > now ? before->due_ms - now : 0;
    timer->first_ms = in % timer->period_ms;
}

void twl_timers_start(twl_gen *gen, const twl_gen *old) {
    for (twl_link *at = gen->timers.next; at != &gen->timers; at = at->next) {
        twl_timer *timer = TWL_OF(at, twl_timer, node);
        take_phase(timer, old);
        start(timer);
    }
}

void twl_timers_stop(twl_gen *gen) {
    while (!twl_link_is_empty(&gen->timers)) {
        stop(TWL_OF(gen->timers.next, twl_timer, node));
    }
}

/* ---- for scripts -------------------------------------------------------- */

static bool is_under_way(const twl_gen *gen) {
    return gen->phase >= TWL_LIVE;
}

/* Pushes the handle; the function is argument 2. */
static twl_timer *create(lua_State *L, const char *what, uint64_t ms) {
    twl_gen *gen = twl_gen_of(L);
    /* Those made before the switch start with it; those that a hook makes which
     * finishes in the old generation live as long as that. */
    if (is_under_way(gen)) {
        twl_gen_check_live(L, what);
    }
    twl_handle *handle = twl_handle_new(L, TWL_HANDLE_TIMER, sizeof *handle);
    lua_pushvalue(L, 2);
    int fn = twl_ref(L);
    twl_timer *timer = twl_zalloc(sizeof *timer);
    if (!timer) {
        twl_unref(gen->vm, fn);
        luaL_error(L, "out of memory");
        return NULL;
    }
    timer->gen = gen;
    timer->fn = fn;
    timer->first_ms = ms;
    timer->refs = 2;
    handle->pointer = timer;
    twl_link_append(&gen->timers, &timer->node);
    return timer;
}

int twl_timer_after(lua_State *L) {
    static const char what[] = "tw.after";
    double seconds = twl_arg_number(L, 1, what, "seconds", 0, TWL_MAX_SECONDS);
    twl_arg_function(L, 2, what, "the callback");
    twl_timer *timer = create(L, what, twl_seconds_to_ms(seconds));
    if (is_under_way(timer->gen)) {
        start(timer);
    }
    return 1;
}

/* What `once` says; the name is required with it. */
static bool read_once(lua_State *L, const char *what, const char *name) {
    tw_str once;
    if (!twl_opt_string(L, 3, what, "once", &once)) {
        return false;
    }
    if (strcmp(once.data, "cluster") == 0) {
        twl_raise(L, "%s: once 'cluster' is not available in this version",
                  what);
    } else if (strcmp(once.data, "server") != 0) {
        twl_raise(L, "%s: once must be 'server'", what);
    } else if (!name) {
        twl_raise(L, "%s: a timer with `once` needs a name", what);
    }
    return true;
}

int twl_timer_every(lua_State *L) {
    static const char what[] = "tw.every";
    double seconds =
        twl_arg_number(L, 1, what, "seconds", 0.001, TWL_MAX_SECONDS);
    twl_arg_function(L, 2, what, "the callback");
    lua_settop(L, 3);
    tw_str name = {NULL, 0};
    double jitter = 0;
    bool is_server_wide = false;
    if (twl_arg_options(L, 3, what, options)) {
        twl_opt_string(L, 3, what, "name", &name);
        twl_opt_number(L, 3, what, "jitter", 0, TWL_MAX_SECONDS, &jitter);
        is_server_wide = read_once(L, what, name.data);
    }
    if (name.data && find(twl_gen_of(L), name.data)) {
        return twl_raise(L, "%s: there is a timer named '%s' already", what,
                         name.data);
    }
    twl_timer *timer = create(L, what, twl_seconds_to_ms(seconds));
    timer->period_ms = timer->first_ms;
    timer->jitter_ms = twl_seconds_to_ms(jitter);
    timer->is_server_wide = is_server_wide;
    if (name.data) {
        timer->name = twl_memdup(name.data, name.len);
        if (!timer->name) {
            stop(timer);
            return luaL_error(L, "out of memory");
        }
    }
    if (is_under_way(timer->gen)) {
        start(timer);
    }
    return 1;
}

static int cancel(lua_State *L) {
    stop(twl_handle_self(L, TWL_HANDLE_TIMER, "timer:cancel")->pointer);
    return 0;
}

static int collect(lua_State *L) {
    twl_timer *timer = twl_handle_at(L, 1, TWL_HANDLE_TIMER);
    if (timer) {
        unref(timer);
    }
    return 0;
}

static int get_field(lua_State *L) {
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    twl_handle_self(L, TWL_HANDLE_TIMER, "timer");
    if (strcmp(name, "cancel") != 0) {
        return twl_names_raise(L, "timer", "method", fields, name);
    }
    lua_pushcfunction(L, cancel);
    return 1;
}

void twl_timer_define(lua_State *L) {
    lua_createtable(L, 0, 4);
    lua_pushcfunction(L, get_field);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    twl_handle_define(L, TWL_HANDLE_TIMER);
}
