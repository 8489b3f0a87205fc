/* SPDX-License-Identifier: MIT */
#include "state.h"

#include <lauxlib.h>
#include <time.h>

#include "app.h"
#include "err.h"
#include "job.h"
#include "log.h"
#include "plain.h"
#include "route.h"
#include "vm_alloc.h"

enum { MAX_DROPPED_LOGGED = 20 };

typedef struct conn_state {
    twl_link node; /* gen->states */
    twl_app *app;  /* of the generation whose VM holds the table */
    tw_conn *conn;
    int ref;
    bool is_held; /* a hook of the connection waits: for the carrying only */
} conn_state;

static void free_state(conn_state *state) {
    twl_link_remove(&state->node);
    twl_unref(state->app->gen->vm, state->ref);
    tw_conn_set_data(state->conn, NULL);
    twl_free(state);
}

void twl_state_forget(tw_conn *conn) {
    conn_state *state = tw_conn_data(conn);
    if (state) {
        free_state(state);
    }
}

void twl_states_drop(twl_gen *gen) {
    while (!twl_link_is_empty(&gen->states)) {
        free_state(TWL_OF(gen->states.next, conn_state, node));
    }
}

/* ---- use ---------------------------------------------------------------- */

/* The app whose hooks the connection runs in this generation, or NULL. */
static twl_app *app_of(twl_gen *gen, tw_conn *conn) {
    twl_job *job = gen->lua->running;
    if (job && job->conn == conn && job->gen == gen) {
        return job->app;
    }
    twl_route *route = tw_route_data(tw_conn_route(conn));
    return route && route->gen == gen ? route->app : NULL;
}

static conn_state *create(lua_State *L, tw_conn *conn) {
    twl_app *app = app_of(twl_gen_of(L), conn);
    if (!app) {
        twl_raise(L, "conn.state belongs to another generation by now");
        return NULL;
    }
    lua_newtable(L);
    int ref = twl_ref(L);
    conn_state *state = twl_zalloc(sizeof *state);
    if (!state) {
        twl_unref(app->gen->vm, ref);
        luaL_error(L, "out of memory");
        return NULL;
    }
    state->app = app;
    state->conn = conn;
    state->ref = ref;
    twl_link_append(&app->gen->states, &state->node);
    tw_conn_set_data(conn, state);
    return state;
}

int twl_state_push(lua_State *L, tw_conn *conn) {
    conn_state *state = tw_conn_data(conn);
    if (!state) {
        state = create(L, conn);
    } else if (state->app->gen != twl_gen_of(L)) {
        return twl_raise(L, "conn.state is in use by generation %d",
                         (int)state->app->gen->number);
    }
    twl_push_ref(L, state->ref);
    return 1;
}

/* ---- migrate ------------------------------------------------------------ */

typedef struct migration {
    conn_state *state;
    const twl_version *version; /* of the old app */
} migration;

static int push_migrate(lua_State *L, void *arg) {
    const twl_job *job = arg;
    const migration *m = job->input;
    twl_push_ref(L, m->state->ref);
    twl_version_push(L, m->version);
    return 2;
}

static void read_migrate(lua_State *L, int count, void *arg) {
    const twl_job *job = arg;
    const migration *m = job->input;
    if (count < 1 || !lua_istable(L, 1)) {
        luaL_error(L, "migrate must return the new conn.state, a table, not %s",
                   count < 1 ? "nothing" : luaL_typename(L, 1));
    }
    lua_pushvalue(L, 1);
    int ref = twl_ref(L);
    twl_unref(job->gen->vm, m->state->ref);
    m->state->ref = ref;
}

/* A state that could not be brought to the app's version must not reach a
 * hook: the connection is closed, or goes on without one. */
static void finish_migrate(twl_job *job, twl_status status) {
    const migration *m = job->input;
    if (status != TWL_FAILED) {
        return;
    }
    if (!job->app->ignores_errors) {
        static const char reason[] = "internal error";
        tw_conn_close(job->conn, 1011, (tw_str){reason, sizeof reason - 1});
    }
    free_state(m->state);
}

static const twl_kind migrate_kind = {
    .spec = {.name = "migrate",
             .push = push_migrate,
             .read = read_migrate,
             .no_wait = "in migrate"},
    .row = TWL_ROW_MIGRATE,
    .finish = finish_migrate,
};

/* False when it failed and that has closed the connection. */
static bool migrate(conn_state *state, const twl_version *version) {
    twl_app *app = state->app;
    tw_conn *conn = state->conn;
    twl_job *job = twl_job_take(app->gen, &migrate_kind);
    if (!job) {
        free_state(state);
        return true;
    }
    migration m = {state, version};
    job->conn = state->conn;
    job->handle = tw_conn_handle(state->conn);
    job->app = app;
    job->input = &m;
    twl_job_start(job, app->hooks[TWL_MIGRATE]);
    return tw_conn_data(conn) || app->ignores_errors;
}

/* ---- carrying over ------------------------------------------------------ */

static void on_dropped(const char *path, const char *why, void *arg) {
    conn_state *state = arg;
    twl_gen *gen = state->app->gen;
    if (gen->lua->dropped_logged++ >= MAX_DROPPED_LOGGED) {
        return;
    }
    char id[TW_ID_TEXT];
    tw_conn_id(state->conn, id);
    tw_log_field fields[] = {{"path", path}, {"is", why}, {"conn", id}};
    twl_log_write(gen->vm, TW_LOG_WARN,
                  "dropped from conn.state: only plain data goes over a reload",
                  fields, 3);
}

static bool carry(conn_state *state, twl_app *app) {
    twl_app *from = state->app;
    tw_lua *lua = app->gen->lua;
    twl_plain_options options = {
        .root = "state", .dropped = on_dropped, .arg = state};
    int ref;
    int code =
        twl_plain_copy(from->gen->vm, state->ref, &options, app->gen->vm, &ref);
    if (code) {
        char id[TW_ID_TEXT];
        tw_conn_id(state->conn, id);
        tw_log_field fields[] = {{"error", tw_strerror(code)}, {"conn", id}};
        twl_log_write(app->gen->vm, TW_LOG_ERROR,
                      "conn.state could not be carried over and is dropped",
                      fields, 2);
        free_state(state);
        return true;
    }
    twl_unref(from->gen->vm, state->ref);
    twl_link_remove(&state->node);
    state->app = app;
    state->ref = ref;
    twl_link_append(&app->gen->states, &state->node);
    tw_server_count(lua->server, TW_COUNTER_STATES_CARRIED, 1);
    bool is_due = app->hooks[TWL_MIGRATE] != LUA_NOREF &&
                  !twl_version_equals(&from->version, &app->version);
    return !is_due || migrate(state, &from->version);
}

bool twl_state_settle(tw_conn *conn, twl_app *app) {
    conn_state *state = tw_conn_data(conn);
    return !state || state->app->gen == app->gen || carry(state, app);
}

static void mark_held(twl_gen *gen, bool is_held) {
    for (twl_link *at = gen->jobs.next; at != &gen->jobs; at = at->next) {
        twl_job *job = TWL_OF(at, twl_job, node);
        conn_state *state = job->kind->is_conn ? tw_conn_data(job->conn) : NULL;
        if (state) {
            state->is_held = is_held;
        }
    }
}

typedef struct checking {
    conn_state *state;
    twl_plain_options options;
} checking;

static void save_state(lua_State *L, void *arg) {
    const checking *c = arg;
    twl_bytes *bytes = twl_vm_scratch(c->state->app->gen->vm);
    twl_push_ref(L, c->state->ref);
    if (twl_plain_save(L, lua_gettop(L), &c->options, bytes) == TW_ELIMIT) {
        c->options.dropped("state", "over 64 KiB", c->options.arg);
    }
}

void twl_states_check(twl_gen *gen,
                      void (*dropped)(const char *path, const char *why,
                                      void *arg),
                      void *arg) {
    if (twl_link_is_empty(&gen->states)) {
        return;
    }
    mark_held(gen, true);
    for (twl_link *at = gen->states.next; at != &gen->states; at = at->next) {
        checking c = {TWL_OF(at, conn_state, node),
                      {.root = "state", .dropped = dropped, .arg = arg}};
        if (!c.state->is_held) {
            twl_vm_protect(gen->vm, save_state, &c);
        }
    }
    mark_held(gen, false);
}

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

bool twl_state_carry_slice(tw_lua *lua, unsigned budget_us) {
    twl_gen *old = lua->old;
    uint64_t end = now_us() + budget_us;
    bool is_over = false;
    mark_held(old, true);
    twl_link *next;
    for (twl_link *at = old->states.next; at != &old->states && !is_over;
         at = next) {
        next = at->next;
        conn_state *state = TWL_OF(at, conn_state, node);
        if (state->is_held) {
            continue;
        }
        twl_route *route = tw_route_data(tw_conn_route(state->conn));
        if (route && route->app) {
            carry(state, route->app);
        } else {
            free_state(state); /* the route is gone, and its hooks with it */
        }
        is_over = now_us() >= end;
    }
    mark_held(old, false);
    return is_over;
}
