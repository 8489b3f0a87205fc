/* SPDX-License-Identifier: MIT */
#include "console.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "job.h"
#include "log.h"
#include "sandbox.h"
#include "show.h"
#include "vm_alloc.h"

enum { SESSIONS = 16, OUTPUT_BYTES = 64 << 10 };

#define CHUNK_NAME "=console"

static const char sessions_key;

typedef struct console {
    tw_question *question; /* NULL: nobody waits for the answer any more */
    twl_job *job;
    twl_bytes out;
    bool is_cut, is_incomplete, is_logged;
    uint64_t began_ms;
    /* Of the question, kept: its end is logged although it may be gone. */
    char by[96];
} console;

/* ---- output ------------------------------------------------------------- */

static void put(console *c, const char *text, size_t len) {
    if (!c->is_cut && twl_bytes_add(&c->out, text, len) != 0) {
        c->is_cut = true;
    }
}

static void answer(console *c, const char *outcome) {
    static const char note[] = "\n... (cut: more than 64 KiB)";
    tw_question *question = c->question;
    c->question = NULL;
    if (!question) {
        return;
    }
    if (c->is_cut) {
        c->out.limit = 0;
        twl_bytes_add(&c->out, note, sizeof note - 1);
    }
    tw_question_answer(question, outcome, c->out.len > 0 ? c->out.data : "",
                       c->out.len);
}

/* ---- the environment ---------------------------------------------------- */

static twl_job *running_console(lua_State *L);

/* print(...) of a session: to the console while a line runs, tabs between. */
static int print(lua_State *L) {
    twl_job *job = running_console(L);
    if (!job) {
        return twl_log_print(L);
    }
    console *c = job->owner;
    for (int i = 1; i <= lua_gettop(L); i++) {
        put(c, "\t", i > 1);
        if (lua_type(L, i) == LUA_TSTRING) {
            size_t len;
            const char *text = lua_tolstring(L, i, &len);
            put(c, text, len);
        } else if (!twl_show(L, i, &c->out)) {
            c->is_cut = true;
        }
    }
    put(c, "\n", 1);
    return 0;
}

static void push_environment(lua_State *L) {
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    twl_sandbox_push_env(L);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "_G");
    lua_pushcfunction(L, print);
    lua_setfield(L, -2, "print");
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tidewire");
    lua_call(L, 1, 1);
    lua_setfield(L, -2, "tw");
}

static void push_sessions(lua_State *L) {
    twl_reg_get(L, &sessions_key);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        twl_reg_set(L, &sessions_key);
    }
}

/* Pushes the session's environment. Sessions are a list of names and
 * environments, the one used last at its end; the longest unused goes. */
static void push_session(lua_State *L, tw_str name) {
    push_sessions(L);
    int list = lua_gettop(L);
    int count = (int)lua_objlen(L, list) / 2;
    int at = 1;
    lua_pushlstring(L, name.data, name.len);
    for (; at <= count; at++) {
        lua_rawgeti(L, list, 2 * at - 1);
        bool is_it = lua_rawequal(L, -1, list + 1);
        lua_pop(L, 1);
        if (is_it) {
            break;
        }
    }
    if (at > count) {
        push_environment(L);
        at = count < SESSIONS ? ++count : 1;
    } else {
        lua_rawgeti(L, list, 2 * at);
    }
    for (; at < count; at++) {
        lua_rawgeti(L, list, 2 * at + 1);
        lua_rawseti(L, list, 2 * at - 1);
        lua_rawgeti(L, list, 2 * at + 2);
        lua_rawseti(L, list, 2 * at);
    }
    lua_pushvalue(L, list + 1);
    lua_rawseti(L, list, 2 * count - 1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, list, 2 * count);
}

/* ---- the line ----------------------------------------------------------- */

static void log_line(console *c, tw_str line) {
    tw_log_field fields[] = {{"by", c->by}, {"line", line.data}};
    c->is_logged = true;
    twl_log_write(c->job->gen->vm, TW_LOG_WARN, "console line", fields, 2);
}

static bool load(lua_State *L, const char *text, size_t len) {
    return luaL_loadbufferx(L, text, len, CHUNK_NAME, "t") == 0;
}

/* "console:1: '=' expected near '<eof>'": the parser ran out of text. */
static bool wants_more(lua_State *L) {
    static const char end[] = "'<eof>'";
    size_t len;
    const char *message = lua_tolstring(L, -1, &len);
    return message && len >= sizeof end - 1 &&
           strcmp(message + len - (sizeof end - 1), end) == 0;
}

static bool load_between(lua_State *L, const char *before, tw_str line,
                         const char *after) {
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    luaL_addstring(&buffer, before);
    luaL_addlstring(&buffer, line.data, line.len);
    luaL_addstring(&buffer, after);
    luaL_pushresult(&buffer);
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    return load(L, text, len);
}

/* Pushes what the line compiles to, as an expression, else as statements; or
 * why not. An expression is an argument, not a tail call, for which reports
 * would know no place. */
static bool compile(lua_State *L, tw_str line, bool *is_incomplete) {
    if (line.len > 0 && *line.data == '=') {
        line.data++;
        line.len--;
    }
    if (load_between(L, "return ", line, "")) {
        return load_between(L,
                            "local function values(...) return ... end "
                            "return values(",
                            line, "\n)") ||
               load_between(L, "return ", line, "");
    }
    *is_incomplete = wants_more(L);
    if (load(L, line.data, line.len)) {
        *is_incomplete = false;
        return true;
    }
    *is_incomplete = *is_incomplete || wants_more(L);
    return false;
}

static int nothing(lua_State *L) {
    (void)L;
    return 0;
}

static int push_line(lua_State *L, void *arg) {
    twl_job *job = arg;
    console *c = job->owner;
    tw_str line = job->text;
    if (!compile(L, line, &c->is_incomplete)) {
        if (!c->is_incomplete) {
            log_line(c, line);
            lua_error(L);
        }
        lua_pushcfunction(L, nothing);
        return 1;
    }
    log_line(c, line);
    push_session(L, tw_question_asked(c->question)->session);
    lua_setfenv(L, -4); /* the list and the name are in between */
    lua_settop(L, lua_gettop(L) - 2);
    return 1;
}

static void read_results(lua_State *L, int count, void *arg) {
    twl_job *job = arg;
    console *c = job->owner;
    for (int i = 1; i <= count; i++) {
        put(c, ", ", i > 1 ? 2 : 0);
        if (!twl_show(L, i, &c->out)) {
            c->is_cut = true;
        }
    }
    put(c, "\n", count > 0);
}

/* ---- the end ------------------------------------------------------------ */

/* A traceback of the line alone says nothing that its message does not. */
static bool has_scripts(const char *traceback) {
    const char *at = strchr(traceback, '\n');
    for (; at; at = strchr(at, '\n')) {
        at += 1 + strspn(at + 1, "\t ");
        if (*at && *at != '[' && strncmp(at, "console:", 8) != 0) {
            return true;
        }
    }
    return false;
}

static void put_failure(console *c, const twl_failure *failure) {
    put(c, failure->message, strlen(failure->message));
    put(c, "\n", 1);
    if (has_scripts(failure->traceback)) {
        put(c, failure->traceback, strlen(failure->traceback));
        put(c, "\n", 1);
    }
}

/* The loop's own time stands still while a line runs. */
static uint64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void log_end(console *c, const char *outcome, const char *error) {
    twl_gen *gen = c->job->gen;
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%.3f",
             (double)(now_ms() - c->began_ms) / 1e3);
    tw_log_field fields[] = {{"by", c->by},
                             {"outcome", outcome},
                             {"seconds", seconds},
                             {"error", error}};
    twl_log_write(gen->vm, TW_LOG_WARN, "console line ended", fields,
                  error ? 4 : 3);
}

static void finish(twl_job *job, twl_status status) {
    console *c = job->owner;
    const twl_failure *failure = twl_vm_failure(job->gen->vm);
    bool is_failed = status == TWL_FAILED;
    const char *outcome = is_failed          ? "failed"
                          : c->is_incomplete ? "incomplete"
                                             : "done";
    if (c->is_logged) {
        log_end(c, outcome, is_failed ? failure->message : NULL);
    }
    if (is_failed) {
        put_failure(c, failure);
    }
    answer(c, outcome);
    twl_bytes_deinit(&c->out);
    twl_free(c);
}

/* Its failures are told to who asked and are no hook's errors. */
static const twl_kind kind = {
    .spec = {.name = "console", .push = push_line, .read = read_results},
    .row = TWL_ROW_CONSOLE,
    .is_limited = true,
    .finish = finish,
};

static twl_job *running_console(lua_State *L) {
    twl_job *job = twl_gen_of(L)->lua->running;
    return job && job->kind == &kind ? job : NULL;
}

/* A line that waits for nobody need not go on. */
static void on_gone(void *arg) {
    console *c = arg;
    c->question = NULL;
    if (c->job->call) {
        twl_job_cancel(c->job, "whoever asked is gone");
    }
}

/* ---- the beginning ------------------------------------------------------ */

static void refuse(tw_question *question, const char *why) {
    tw_question_answer(question, "unavailable", why, strlen(why));
}

static console *new_console(tw_lua *lua, tw_question *question) {
    const tw_asked *asked = tw_question_asked(question);
    console *c = twl_zalloc(sizeof *c);
    twl_job *job = c ? twl_job_take(lua->current, &kind) : NULL;
    if (!job) {
        twl_free(c);
        return NULL;
    }
    c->question = question;
    c->job = job;
    c->out.limit = OUTPUT_BYTES;
    c->began_ms = now_ms();
    snprintf(c->by, sizeof c->by, "%.*s", (int)asked->by.len, asked->by.data);
    job->owner = c;
    job->text = asked->text;
    job->is_quiet = true;
    return c;
}

void twl_console_ask(tw_lua *lua, tw_question *question) {
    if (lua->is_frozen) {
        refuse(question, "a reload is under way: try again");
        return;
    }
    console *c =
        lua->current && !lua->is_stopped ? new_console(lua, question) : NULL;
    if (!c) {
        refuse(question, "no script runs in this worker");
        return;
    }
    tw_question_on_gone(question, on_gone, c);
    twl_job_start(c->job, LUA_NOREF);
}
