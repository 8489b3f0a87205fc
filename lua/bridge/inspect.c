/* tidewire check: what is wrong with a script, without a server.
 *
 * The script is loaded as for a server, which finds one mistake at most. All
 * files that it read meanwhile are looked through as well, for what would only
 * fail when a hook runs: there the VM itself is asked what it would say.
 *
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "bridge.h"
#include "call_options.h"
#include "err.h"
#include "loader.h"
#include "member.h"
#include "names.h"
#include "route.h"
#include "sandbox.h"
#include "scan.h"
#include "vm_alloc.h"

enum { MAX_MESSAGE = 1024, MAX_FINDINGS = 1000 };

typedef struct finding {
    size_t file; /* place among the sources: they are told in this order */
    unsigned line;
    size_t order; /* within a line: as they were found */
    char *message;
} finding;

typedef struct inspection {
    twl_gen *gen;
    bool has_loaded;
    size_t file; /* that is looked through */
    finding *list;
    size_t count, cap;
    int code; /* TW_ENOMEM, or 0 */
} inspection;

/* ---- the list ----------------------------------------------------------- */

static void add(inspection *in, size_t file, unsigned line,
                const char *message) {
    if (in->count == MAX_FINDINGS) {
        return;
    }
    if (in->count == in->cap) {
        size_t cap = in->cap ? 2 * in->cap : 16;
        finding *grown = twl_realloc(in->list, cap * sizeof *grown);
        if (!grown) {
            in->code = TW_ENOMEM;
            return;
        }
        in->list = grown;
        in->cap = cap;
    }
    char *copy = twl_strdup(message);
    if (!copy) {
        in->code = TW_ENOMEM;
        return;
    }
    in->list[in->count] = (finding){file, line, in->count, copy};
    in->count++;
}

static int compare(const void *a, const void *b) {
    const finding *left = a, *right = b;
    if (left->file != right->file) {
        return left->file < right->file ? -1 : 1;
    }
    if (left->line != right->line) {
        return left->line < right->line ? -1 : 1;
    }
    return left->order < right->order ? -1 : left->order > right->order;
}

static bool begins_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

/* What loading failed of may have been found in the text, too; there it is
 * told at least as well. */
static bool is_known(const inspection *in, size_t file, unsigned line,
                     const char *message) {
    for (size_t i = 0; i < in->count; i++) {
        const finding *f = &in->list[i];
        if (f->file == file && begins_with(f->message, message) &&
            (f->line == line || strcmp(f->message, message) == 0)) {
            return true;
        }
    }
    return false;
}

/* "file:line: message" of a file that was read; anything else is about the main
 * script as a whole. */
static void add_failure(inspection *in, const char *report) {
    const twl_sources *sources = in->gen->sources;
    size_t count = sources ? twl_sources_count(sources) : 0;
    for (size_t i = 0; i < count; i++) {
        const char *path = twl_sources_path(sources, i);
        const char *rest = report + strlen(path);
        char *end;
        if (!begins_with(report, path) || *rest != ':') {
            continue;
        }
        unsigned long line = strtoul(rest + 1, &end, 10);
        if (end > rest + 1 && begins_with(end, ": ")) {
            if (!is_known(in, i, (unsigned)line, end + 2)) {
                add(in, i, (unsigned)line, end + 2);
            }
            return;
        }
    }
    const char *script = in->gen->lua->script;
    bool is_named = begins_with(report, script) &&
                    begins_with(report + strlen(script), ": ");
    add(in, 0, 0, report + (is_named ? strlen(script) + 2 : 0));
}

/* ---- what the VM says to a use ------------------------------------------ */

typedef struct question {
    const twl_use *use;
    char text[MAX_MESSAGE]; /* the answer; "": it is fine */
} question;

/* The key of the table on top that is most like the word, or "". */
static void nearest_key(lua_State *L, const char *word, char *out,
                        size_t size) {
    int least = twl_names_limit(word);
    out[0] = '\0';
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        int likeness = lua_type(L, -1) == LUA_TSTRING
                           ? twl_names_likeness(word, lua_tostring(L, -1))
                           : least + 1;
        if (likeness <= least) {
            least = likeness - 1;
            snprintf(out, size, "%s", lua_tostring(L, -1));
        }
    }
}

static void add_nearest(question *q, const char *name) {
    size_t len = strlen(q->text);
    if (*name != '\0') {
        snprintf(q->text + len, sizeof q->text - len, " (did you mean '%s'?)",
                 name);
    }
}

/* Where steps end that lead through plain tables: those have no metatable that
 * would say something. */
static void read_field(lua_State *L, question *q) {
    char path[MAX_MESSAGE], *step, *rest = path;
    snprintf(path, sizeof path, "%s", q->use->name);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tidewire");
    lua_call(L, 1, 1);
    while ((step = strsep(&rest, ".")) != NULL && lua_istable(L, -1)) {
        bool is_plain = luaL_getmetafield(L, -1, "__metatable") == 0;
        lua_settop(L, is_plain ? lua_gettop(L) : lua_gettop(L) - 1);
        lua_getfield(L, -1, step);
        if (lua_isnil(L, -1) && is_plain) {
            int len = (int)(step - path) - 1;
            char near[MAX_MESSAGE / 4];
            snprintf(q->text, sizeof q->text, "tw.%.*s: unknown name '%s'", len,
                     q->use->name, step);
            lua_pop(L, 1);
            nearest_key(L, step, near, sizeof near);
            add_nearest(q, near);
            return;
        }
    }
}

/* Raises what it would raise in a hook. */
static void ask(lua_State *L, void *arg) {
    question *q = arg;
    const twl_use *use = q->use;
    luaL_checkstack(L, 64, NULL);
    twl_sandbox_push_env(L);
    switch (use->kind) {
    case TWL_USE_READ:
        lua_getfield(L, -1, use->name);
        break;
    case TWL_USE_WRITE:
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, use->name);
        break;
    case TWL_USE_FIELD:
        read_field(L, q);
        break;
    case TWL_USE_KEY:
        if (strcmp(use->owner, "app") == 0 && use->place == 1) {
            twl_app_check_name(L, use->name);
        } else {
            twl_call_options_check(L, use->owner, use->place, use->name);
        }
        break;
    case TWL_USE_REQUIRE:
        if (!twl_loader_has(L, use->name)) {
            snprintf(q->text, sizeof q->text,
                     "module '%s' is not loaded: require it where the script "
                     "loads, not in a function that runs later",
                     use->name);
        }
        break;
    }
}

/* A global that is meant: behind the front table, where scripts do not see
 * them as keys. */
static void ask_for_global(lua_State *L, void *arg) {
    question *q = arg;
    char near[MAX_MESSAGE / 4];
    twl_sandbox_push_env(L);
    if (lua_getmetatable(L, -1)) {
        lua_getfield(L, -1, "__index");
        nearest_key(L, q->use->name, near, sizeof near);
        add_nearest(q, near);
    }
}

/* A local is likelier to be meant. */
static void suggest(inspection *in, question *q) {
    if (!begins_with(q->text, "undefined") || strlen(q->use->name) < 3) {
        return;
    }
    if (*q->use->near != '\0') {
        add_nearest(q, q->use->near);
    } else {
        twl_vm_protect(in->gen->vm, ask_for_global, q);
    }
}

static void on_use(const twl_use *use, void *arg) {
    inspection *in = arg;
    question q = {.use = use};
    if (use->kind == TWL_USE_REQUIRE && !in->has_loaded) {
        return; /* it might have been loaded further down */
    }
    if (twl_vm_protect(in->gen->vm, ask, &q)) {
        snprintf(q.text, sizeof q.text, "%s",
                 twl_vm_failure(in->gen->vm)->message);
    }
    if (*q.text != '\0') {
        suggest(in, &q);
        add(in, in->file, (unsigned)use->line, q.text);
    }
}

/* The library's own files are none of the script's. */
static bool is_library(const tw_lua *lua, const char *path) {
    size_t len = lua->library_dir ? strlen(lua->library_dir) : 0;
    return len > 0 && strncmp(path, lua->library_dir, len) == 0 &&
           begins_with(path + len, "/tidewire/");
}

static void look_through(inspection *in) {
    twl_sources *sources = in->gen->sources;
    size_t count = sources && in->gen->vm ? twl_sources_count(sources) : 0;
    for (size_t i = 0; i < count && in->code == 0; i++) {
        const char *path = twl_sources_path(sources, i), *text;
        size_t len;
        if (!is_library(in->gen->lua, path) &&
            twl_sources_read(sources, path, &text, &len) == 0) {
            in->file = i;
            if (twl_scan(text, len, on_use, in) == TW_ENOMEM) {
                in->code = TW_ENOMEM;
            }
        }
    }
}

/* ---- the whole ---------------------------------------------------------- */

static void tell(inspection *in, tw_lua_finding_cb found, void *arg) {
    if (in->count > 0) {
        qsort(in->list, in->count, sizeof *in->list, compare);
    }
    for (size_t i = 0; i < in->count; i++) {
        const finding *f = &in->list[i];
        const twl_sources *sources = in->gen->sources;
        bool has_file = f->line > 0 && f->file < twl_sources_count(sources);
        tw_lua_finding told = {has_file ? twl_sources_path(sources, f->file)
                                        : in->gen->lua->script,
                               f->line, f->message};
        found(&told, arg);
    }
}

static void free_list(inspection *in) {
    for (size_t i = 0; i < in->count; i++) {
        twl_free(in->list[i].message);
    }
    twl_free(in->list);
}

static void report_counts(const twl_gen *gen, char *report) {
    size_t routes = gen->routes->count, classes = gen->class_count;
    twl_report(report, "%zu route%s, %zu channel class%s", routes,
               routes == 1 ? "" : "s", classes, classes == 1 ? "" : "es");
}

static int inspect(tw_lua *lua, tw_lua_finding_cb found, void *arg,
                   char *report) {
    inspection in = {0};
    char failure[TW_REPORT_MAX] = "";
    int code = twl_gen_attempt(&in.gen, lua, 1, NULL, failure);
    if (!in.gen) {
        return code;
    }
    in.has_loaded = code == 0;
    if (code == 0) {
        report_counts(in.gen, report);
    }
    look_through(&in);
    if (code) {
        add_failure(&in, *failure ? failure : tw_strerror(code));
    }
    if (!in.code) {
        tell(&in, found, arg);
    }
    code = in.code ? in.code : code ? code : in.count > 0 ? TW_EINVALID : 0;
    free_list(&in);
    twl_gen_destroy(in.gen);
    return code;
}

int tw_lua_inspect(const tw_lua_config *config, tw_lua_finding_cb found,
                   void *arg, char *report) {
    tw_lua *lua;
    int code = tw_lua_create(&lua, config);
    if (code) {
        return code;
    }
    twl_lua_start_budget(lua);
    code = inspect(lua, found, arg, report);
    tw_lua_destroy(lua);
    return code;
}

int tw_lua_check(const tw_lua_config *config, char *report) {
    tw_lua *lua;
    int code = tw_lua_create(&lua, config);
    if (code) {
        twl_report(report, "%s", tw_strerror(code));
        return code;
    }
    twl_lua_start_budget(lua);
    twl_gen *gen;
    code = twl_gen_create(&gen, lua, 1, NULL, report);
    if (!code) {
        report_counts(gen, report);
        twl_gen_destroy(gen);
    }
    tw_lua_destroy(lua);
    return code;
}
