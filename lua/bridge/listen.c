/* tw.subscribe as scripts see it. SPDX-License-Identifier: MIT */
#include "listen.h"

#include <lauxlib.h>
#include <string.h>

#include "err.h"
#include "handle.h"
#include "names.h"
#include "opts.h"
#include "vm_alloc.h"

static const twl_name fields[] = {{"cancel", false}, {NULL, false}};

/* Pushes the handle; the channel is argument 1, the function 2. */
static twl_listener *create(lua_State *L, tw_str channel) {
    twl_gen *gen = twl_gen_of(L);
    twl_handle *handle =
        twl_handle_new(L, TWL_HANDLE_SUBSCRIPTION, sizeof *handle);
    lua_pushvalue(L, 2);
    int fn = twl_ref(L);
    lua_pushvalue(L, 1);
    int name = twl_ref(L);
    twl_listener *listener = twl_zalloc(sizeof *listener);
    if (!listener) {
        twl_unref(gen->vm, fn);
        twl_unref(gen->vm, name);
        luaL_error(L, "out of memory");
        return NULL;
    }
    listener->gen = gen;
    listener->fn = fn;
    listener->name = name;
    listener->refs = 2;
    listener->len = channel.len;
    memcpy(listener->channel, channel.data, channel.len);
    twl_link_init(&listener->fed);
    twl_link_init(&listener->eager);
    twl_link_init(&listener->queue);
    twl_link_append(&gen->listeners, &listener->node);
    gen->listener_count++;
    handle->pointer = listener;
    return listener;
}

int twl_listen(lua_State *L) {
    static const char what[] = "tw.subscribe";
    twl_gen *gen = twl_gen_of(L);
    tw_str channel = twl_arg_channel(L, 1, what);
    twl_arg_function(L, 2, what, "the callback");
    /* Those made before the switch begin with it, as timers do. */
    bool is_live = gen->phase >= TWL_LIVE;
    if (is_live) {
        twl_gen_check_live(L, what);
    }
    if (gen->listener_count >= TWL_LISTENERS_MAX) {
        return twl_raise(L, "%s: more than %d at a time", what,
                         (int)TWL_LISTENERS_MAX);
    }
    twl_listener *listener = create(L, channel);
    if (is_live && twl_listener_begin(listener)) {
        twl_listener_stop(listener);
        return twl_push_done(L, TW_ENOMEM);
    }
    return 1;
}

static int cancel(lua_State *L) {
    twl_listener_stop(
        twl_handle_self(L, TWL_HANDLE_SUBSCRIPTION, "sub:cancel")->pointer);
    return 0;
}

static int collect(lua_State *L) {
    twl_listener *listener = twl_handle_at(L, 1, TWL_HANDLE_SUBSCRIPTION);
    if (listener) {
        twl_listener_unref(listener);
    }
    return 0;
}

static const luaL_Reg methods[] = {{"cancel", cancel}, {NULL, NULL}};

static int get_field(lua_State *L) {
    twl_handle_self(L, TWL_HANDLE_SUBSCRIPTION, "sub");
    if (twl_handle_method(L)) {
        return 1;
    }
    return twl_names_raise(L, "sub", "method", fields,
                           lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2)
                                                         : "?");
}

static void add_collect(lua_State *L) {
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
}

void twl_listener_define(lua_State *L) {
    twl_handle_define_methods(L, TWL_HANDLE_SUBSCRIPTION, methods, get_field,
                              add_collect);
}
