/* An app is known again by its route: of the apps that served a path before
 * and serve it now, the first in the order of paths.
 *
 * SPDX-License-Identifier: MIT */
#include "save.h"

#include <lauxlib.h>
#include <string.h>

#include "app.h"
#include "job.h"
#include "log.h"
#include "plain.h"
#include "route.h"

/* What save() may return; a limit against a save that grows for ever. */
#define MAX_SAVED_BYTES ((size_t)16 << 20)

typedef struct transfer {
    const twl_app *from;
    int ref; /* the value, in the VM at hand */
    bool is_nil;
    bool has_failed;
} transfer;

static void read_saved(lua_State *L, int count, void *arg) {
    const twl_job *job = arg;
    transfer *t = job->owner;
    lua_settop(L, 1);
    (void)count;
    t->is_nil = lua_isnil(L, 1);
    t->ref = twl_ref(L);
}

static int push_saved(lua_State *L, void *arg) {
    const twl_job *job = arg;
    const transfer *t = job->owner;
    twl_push_ref(L, t->ref);
    twl_version_push(L, &t->from->version);
    return 2;
}

static void finish(twl_job *job, twl_status status) {
    transfer *t = job->owner;
    t->has_failed = status == TWL_FAILED;
}

static const twl_kind save_kind = {
    .spec = {.name = "save", .read = read_saved, .no_wait = "in save"},
    .row = TWL_ROW_SAVE,
    .finish = finish};
static const twl_kind restore_kind = {
    .spec = {.name = "restore", .push = push_saved, .no_wait = "in restore"},
    .row = TWL_ROW_RESTORE,
    .finish = finish};

static int run(twl_app *app, twl_hook hook, const twl_kind *kind, transfer *t,
               char *report) {
    twl_job *job = twl_job_take(app->gen, kind);
    if (!job) {
        return TW_ENOMEM;
    }
    job->owner = t;
    job->app = app;
    twl_job_start(job, app->hooks[hook]);
    if (t->has_failed) {
        twl_report(report, "%s: %s", kind->spec.name,
                   twl_vm_failure(app->gen->vm)->message);
        return TW_EINVALID;
    }
    return 0;
}

static void on_dropped(const char *path, const char *why, void *arg) {
    twl_gen *gen = arg;
    tw_log_field fields[] = {{"path", path}, {"is", why}};
    twl_log_write(gen->vm, TW_LOG_WARN,
                  "dropped from save(): only plain data goes over a reload",
                  fields, 2);
}

static int hand_over(twl_app *from, twl_app *to, char *report) {
    transfer t = {.from = from, .ref = LUA_NOREF};
    int code = run(from, TWL_SAVE, &save_kind, &t, report);
    if (code || t.is_nil) {
        twl_unref(from->gen->vm, t.ref);
        return code;
    }
    twl_plain_options options = {.root = "saved",
                                 .max_bytes = MAX_SAVED_BYTES,
                                 .dropped = on_dropped,
                                 .arg = to->gen};
    int saved = t.ref;
    code = twl_plain_copy(from->gen->vm, saved, &options, to->gen->vm, &t.ref);
    twl_unref(from->gen->vm, saved);
    if (code) {
        twl_report(report, "what save() returned cannot be handed over: %s",
                   tw_strerror(code));
        return code;
    }
    code = run(to, TWL_RESTORE, &restore_kind, &t, report);
    twl_unref(to->gen->vm, t.ref);
    return code;
}

static twl_app *app_at(const twl_routes *routes, const char *pattern) {
    for (size_t i = 0; i < routes->count; i++) {
        if (routes->list[i].app &&
            strcmp(routes->list[i].pattern, pattern) == 0) {
            return routes->list[i].app;
        }
    }
    return NULL;
}

int twl_save_restore(twl_gen *from, twl_gen *to, char *report) {
    for (size_t i = 0; i < to->routes->count; i++) {
        twl_route *route = &to->routes->list[i];
        twl_app *app = route->app;
        if (!app || app->hooks[TWL_RESTORE] == LUA_NOREF || app->is_restored) {
            continue;
        }
        twl_app *before = app_at(from->routes, route->pattern);
        if (!before || before->hooks[TWL_SAVE] == LUA_NOREF) {
            continue;
        }
        app->is_restored = true;
        int code = hand_over(before, app, report);
        if (code) {
            return code;
        }
    }
    return 0;
}
