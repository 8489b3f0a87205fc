/* What went wrong, kept in the VM. SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "vm_state.h"

enum { TOSTRING_BUDGET_MS = 20 };

static void copy_text(char *to, size_t room, const char *text) {
    size_t len = text != NULL ? strlen(text) : 0;
    if (len >= room) {
        len = room - 1;
        /* Not in the middle of a character. */
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80) {
            len--;
        }
    }
    if (len > 0) {
        memcpy(to, text, len);
    }
    to[len] = '\0';
}

void twl_failure_set(twl_vm *vm, twl_fault kind, const char *call,
                     const char *message, const char *traceback) {
    copy_text(vm->failure_message, sizeof vm->failure_message, message);
    copy_text(vm->failure_traceback, sizeof vm->failure_traceback, traceback);
    vm->failure_code[0] = '\0';
    vm->failure = (twl_failure){
        .kind = kind,
        .call = call,
        .message = vm->failure_message,
        .traceback = vm->failure_traceback,
        .code = vm->failure_code,
    };
}

/* Pushes a place. A hook that ended in a tail call into C has left no frame of
 * its own: then where it was defined has to do. */
static const char *push_place(lua_State *L, lua_State *from, int fn_ref) {
    const char *where = twl_push_where(L, from);
    if (*where != '\0' || fn_ref == LUA_NOREF) {
        return where;
    }
    lua_pop(L, 1);
    twl_push_ref(L, fn_ref);
    return twl_push_definition(L);
}

void twl_failure_locate(lua_State *L, lua_State *from, int fn_ref) {
    twl_vm *vm = twl_vm_of(L);
    if (vm->failure.traceback[0] != '\0') {
        return;
    }
    char located[MAX_FAILURE_MESSAGE];
    snprintf(located, sizeof located, "%s%s", push_place(L, from, fn_ref),
             vm->failure_message);
    luaL_traceback(L, from, NULL, 0);
    twl_failure_set(vm, vm->failure.kind, vm->failure.call, located,
                    lua_tostring(L, -1));
    lua_pop(L, 2);
}

typedef struct taking {
    twl_vm *vm;
    const char *call;
    twl_fault kind;
    lua_State *co;
    int value_ref;
    char *text;
} taking;

/* --- an error value with a __tostring of the script's ------------------ */

static int push_tostring(lua_State *L, void *arg) {
    taking *t = arg;
    twl_push_ref(L, t->value_ref);
    luaL_getmetafield(L, -1, "__tostring");
    lua_insert(L, -2);
    return 2;
}

static void read_tostring(lua_State *L, int count, void *arg) {
    taking *t = arg;
    if (count > 0 && lua_type(L, 1) == LUA_TSTRING) {
        copy_text(t->text, MAX_FAILURE_MESSAGE, lua_tostring(L, 1));
    }
}

/* The script's own __tostring is script: it goes through the doorway, with a
 * small budget, and whatever it does, a report comes out. */
static void ask_script(taking *t) {
    static const twl_spec spec = {.name = "tostring",
                                  .push = push_tostring,
                                  .read = read_tostring,
                                  .no_wait = "in __tostring",
                                  .budget_ms = TOSTRING_BUDGET_MS};
    char text[MAX_FAILURE_MESSAGE] = "(an error object whose tostring fails)";
    char traceback[MAX_FAILURE_TRACEBACK];
    copy_text(traceback, sizeof traceback, t->vm->failure_traceback);
    t->text = text;
    twl_run(t->vm, &spec, LUA_NOREF, t, NULL);
    twl_failure_set(t->vm, t->kind, t->call, text, traceback);
}

/* --- any other -------------------------------------------------------- */

static void read_code(lua_State *L, twl_vm *vm) {
    lua_getfield(L, 1, "code");
    if (lua_type(L, -1) == LUA_TSTRING) {
        copy_text(vm->failure_code, sizeof vm->failure_code,
                  lua_tostring(L, -1));
    }
}

static bool has_tostring(lua_State *L) {
    int type = lua_type(L, 1);
    return (type == LUA_TTABLE || type == LUA_TUSERDATA) &&
           luaL_getmetafield(L, 1, "__tostring") != 0;
}

static void take(lua_State *L, twl_stage *stage) {
    taking *t = stage->arg;
    const char *text = twl_push_error_text(L, 1);
    const char *traceback = NULL;
    if (t->co != NULL) {
        luaL_traceback(L, t->co, NULL, 0);
        traceback = lua_tostring(L, -1);
    }
    twl_failure_set(t->vm, t->kind, t->call, text, traceback);
    if (twl_is_error(L, 1)) {
        read_code(L, t->vm);
    } else if (has_tostring(L)) {
        lua_pushvalue(L, 1);
        t->value_ref = twl_ref(L);
    }
}

void twl_failure_take(twl_vm *vm, const char *call, int status, lua_State *co) {
    taking t = {.vm = vm,
                .call = call,
                .kind = status == LUA_ERRMEM ? TWL_MEMORY : TWL_RAISED,
                .co = co,
                .value_ref = LUA_NOREF};
    twl_failure_set(vm, t.kind, call,
                    status == LUA_ERRMEM ? "not enough memory" : "error", NULL);
    bool outer_grace = vm->has_grace;
    vm->has_grace = true;
    twl_stage stage = {.run = take, .arg = &t, .values = 1};
    if (twl_vm_run_stage(vm, &stage) != 0) {
        lua_pop(vm->L, 1);
    } else if (t.value_ref != LUA_NOREF) {
        ask_script(&t);
    }
    twl_unref(vm, t.value_ref);
    vm->has_grace = outer_grace;
}
