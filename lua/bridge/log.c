/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "err.h"
#include "json.h"
#include "vm_state.h"

enum { MAX_MESSAGE = 1024, MAX_TEXT = 16 << 10 };

/* --- from C ----------------------------------------------------------- */

void twl_log_set_context(twl_vm *vm, twl_log_context_cb context, void *arg) {
    vm->log_context = context;
    vm->log_context_arg = arg;
}

void twl_log_write(twl_vm *vm, tw_log_level level, const char *message,
                   const tw_log_field *fields, size_t count) {
    if (vm->config.log == NULL) {
        return;
    }
    tw_log_field all[TWL_LOG_MAX_FIELDS + TWL_LOG_MAX_CONTEXT];
    count = count < TWL_LOG_MAX_FIELDS ? count : TWL_LOG_MAX_FIELDS;
    if (count > 0) {
        memcpy(all, fields, count * sizeof *all);
    }
    if (vm->log_context != NULL) {
        size_t added = vm->log_context(vm, all + count, TWL_LOG_MAX_CONTEXT,
                                       vm->log_context_arg);
        count += added < TWL_LOG_MAX_CONTEXT ? added : TWL_LOG_MAX_CONTEXT;
    }
    vm->config.log(level, message, all, count, vm->config.log_arg);
}

void twl_log_printf(twl_vm *vm, tw_log_level level, const char *format, ...) {
    char message[MAX_MESSAGE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    twl_log_write(vm, level, message, NULL, 0);
}

static const char *fault_name(twl_fault kind) {
    static const char *const NAMES[] = {
        [TWL_RAISED] = "error",
        [TWL_BUDGET] = "budget",
        [TWL_MEMORY] = "memory",
        [TWL_CANCELLED] = "cancelled",
    };
    return NAMES[kind];
}

void twl_log_failure(twl_vm *vm, tw_log_level level, const char *message) {
    const twl_failure *failure = twl_vm_failure(vm);
    tw_log_field fields[] = {
        {"call", failure->call},
        {"kind", fault_name(failure->kind)},
        {"error", failure->message},
        {"traceback", failure->traceback},
    };
    size_t count = sizeof fields / sizeof *fields;
    if (failure->traceback[0] == '\0') {
        count--;
    }
    twl_log_write(vm, level, message, fields, count);
}

/* --- from Lua --------------------------------------------------------- */

/* Pushes a text for the value: as it is for strings, numbers and booleans, as
 * JSON for tables that have one, by its type for anything else. No script code
 * runs. */
static const char *push_text(lua_State *L, int index) {
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        lua_pushliteral(L, "nil");
        break;
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
        break;
    case LUA_TNUMBER:
    case LUA_TSTRING:
        lua_pushvalue(L, index);
        break;
    case LUA_TTABLE: {
        if (twl_is_error(L, index)) {
            return twl_push_error_text(L, index);
        }
        twl_bytes *out = twl_vm_scratch(twl_vm_of(L));
        if (twl_json_encode(L, index, out) == 0) {
            lua_pushlstring(L, out->data, out->len);
        } else {
            lua_pop(L, 1);
            lua_pushliteral(L, "(table)");
        }
        break;
    }
    default:
        if (twl_json_is_null(L, index)) {
            lua_pushliteral(L, "null");
        } else {
            lua_pushfstring(L, "(%s)", luaL_typename(L, index));
        }
    }
    return lua_tostring(L, -1);
}

/* Fills fields from the table at `index`; the texts stay on the stack. */
static size_t read_fields(lua_State *L, int index, tw_log_field *fields) {
    size_t count = 0;
    luaL_checkstack(L, 2 * TWL_LOG_MAX_FIELDS + 4, "too many fields");
    lua_pushnil(L);
    while (count < TWL_LOG_MAX_FIELDS && lua_next(L, index) != 0) {
        int key = lua_gettop(L) - 1;
        if (lua_type(L, key) != LUA_TSTRING) {
            luaL_error(L, "a log field's name is a %s, not a string",
                       luaL_typename(L, key));
        }
        fields[count].key = lua_tostring(L, key);
        fields[count++].value = push_text(L, key + 1);
        /* Key and text stay below, so that the texts are not collected. */
        lua_replace(L, key + 1);
        lua_pushvalue(L, key);
    }
    return count;
}

static int log_at(lua_State *L, tw_log_level level) {
    luaL_checkany(L, 1);
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
    }
    lua_settop(L, 2);
    const char *message = push_text(L, 1);
    tw_log_field fields[TWL_LOG_MAX_FIELDS];
    size_t count = lua_istable(L, 2) ? read_fields(L, 2, fields) : 0;
    twl_log_write(twl_vm_of(L), level, message, fields, count);
    return 0;
}

static int log_debug(lua_State *L) {
    return log_at(L, TW_LOG_DEBUG);
}

static int log_info(lua_State *L) {
    return log_at(L, TW_LOG_INFO);
}

static int log_warn(lua_State *L) {
    return log_at(L, TW_LOG_WARN);
}

static int log_error(lua_State *L) {
    return log_at(L, TW_LOG_ERROR);
}

int twl_log_print(lua_State *L) {
    int count = lua_gettop(L);
    luaL_Buffer buffer;
    size_t total = 0;
    for (int i = 1; i <= count; i++) {
        if (!luaL_callmeta(L, i, "__tostring")) {
            push_text(L, i);
        }
        size_t len;
        if (lua_tolstring(L, -1, &len) == NULL) {
            return luaL_error(L, "'__tostring' must return a string");
        }
        total += len;
        lua_replace(L, i);
    }
    luaL_argcheck(L, total <= MAX_TEXT, 1, "text too long to print");
    luaL_buffinit(L, &buffer);
    for (int i = 1; i <= count; i++) {
        if (i > 1) {
            luaL_addchar(&buffer, '\t');
        }
        lua_pushvalue(L, i);
        luaL_addvalue(&buffer);
    }
    luaL_pushresult(&buffer);
    twl_log_write(twl_vm_of(L), TW_LOG_INFO, lua_tostring(L, -1), NULL, 0);
    return 0;
}

void twl_log_open(lua_State *L) {
    static const luaL_Reg FUNCTIONS[] = {{"debug", log_debug},
                                         {"info", log_info},
                                         {"warn", log_warn},
                                         {"error", log_error},
                                         {NULL, NULL}};
    lua_createtable(L, 0, 4);
    luaL_setfuncs(L, FUNCTIONS, 0);
    lua_setfield(L, -2, "log");
}
