/* SPDX-License-Identifier: MIT */
#include "user.h"

#include <lauxlib.h>
#include <string.h>

#include "err.h"
#include "handle.h"
#include "job.h"
#include "names.h"
#include "opts.h"
#include "publish.h"
#include "remote.h"
#include "vm_alloc.h"

typedef struct user_handle {
    twl_handle head;
    size_t len;
    char id[]; /* and a NUL */
} user_handle;

static const twl_name fields[] = {
    {"id", false},        {"send", false},        {"connections", false},
    {"subscribe", false}, {"unsubscribe", false}, {"disconnect", false},
    {NULL, false},
};

/* The id may be a number, as on_upgrade's may. */
int twl_user_new(lua_State *L) {
    static const char what[] = "tw.user";
    if (lua_type(L, 1) == LUA_TNUMBER) {
        lua_tostring(L, 1);
    }
    tw_str id = twl_arg_string(L, 1, what, "id");
    if (id.len == 0 || id.len > 255) {
        return twl_raise(L, "%s: id has 1 to 255 bytes", what);
    }
    user_handle *handle =
        twl_handle_new(L, TWL_HANDLE_USER, sizeof *handle + id.len + 1);
    handle->len = id.len;
    memcpy(handle->id, id.data, id.len + 1);
    return 1;
}

static tw_str id_of(const twl_handle *head) {
    const user_handle *handle = (const user_handle *)(const void *)head;
    return (tw_str){handle->id, handle->len};
}

static tw_str self(lua_State *L, const char *what) {
    return id_of(twl_handle_self(L, TWL_HANDLE_USER, what));
}

/* ---- doing --------------------------------------------------------------- */

static int send(lua_State *L) {
    static const twl_target target = {
        .what = "user:send",
        .except = "user:send: except",
        .publish = tw_user_send,
        .publish_wait = tw_user_send_wait,
        .no_wait = "wait needs a class for \"user:*\" in tw.channels",
    };
    return twl_publish_to(L, &target, self(L, target.what));
}

static int subscribe(lua_State *L) {
    static const char what[] = "user:subscribe";
    tw_str user = self(L, what);
    tw_str channel = twl_arg_channel(L, 2, what);
    twl_gen_check_live(L, what);
    return twl_push_done(
        L, tw_user_subscribe(twl_gen_of(L)->lua->server, user, channel));
}

static int unsubscribe(lua_State *L) {
    static const char what[] = "user:unsubscribe";
    tw_str user = self(L, what);
    tw_str channel = twl_arg_channel(L, 2, what);
    twl_gen_check_live(L, what);
    return twl_push_done(
        L, tw_user_unsubscribe(twl_gen_of(L)->lua->server, user, channel));
}

static int disconnect(lua_State *L) {
    static const char what[] = "user:disconnect";
    tw_str user = self(L, what);
    tw_str reason;
    twl_gen_check_live(L, what);
    int code = twl_arg_close(L, 2, what, &reason);
    int status =
        tw_user_disconnect(twl_gen_of(L)->lua->server, user, code, reason);
    return status == TW_EINVALID ? twl_raise_close(L, what, code)
                                 : twl_push_done(L, status);
}

/* ---- asking -------------------------------------------------------------- */

/* The addresses come behind the items. */
typedef struct found {
    size_t count;
    tw_user_conn items[];
} found;

static found *copy_conns(const tw_user_conn *conns, size_t count) {
    size_t size = sizeof(found) + count * sizeof *conns;
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += conns[i].ip.len;
    }
    found *copy = twl_malloc(size + bytes);
    if (!copy) {
        return NULL;
    }
    char *place = (char *)copy + size;
    copy->count = count;
    for (size_t i = 0; i < count; i++) {
        copy->items[i] = conns[i];
        copy->items[i].ip.data = place;
        if (conns[i].ip.len > 0) {
            memcpy(place, conns[i].ip.data, conns[i].ip.len);
        }
        place += conns[i].ip.len;
    }
    return copy;
}

static void on_connections(int status, const tw_user_conn *conns, size_t count,
                           void *arg) {
    found *copy = status ? NULL : copy_conns(conns, count);
    twl_op_end_answer(arg, status || copy ? status : TW_ENOMEM, copy);
}

static int push_connections(lua_State *L, twl_job *job) {
    const found *answer = job->answer;
    lua_createtable(L, (int)answer->count, 0);
    for (size_t i = 0; i < answer->count; i++) {
        twl_remote_push(L, &answer->items[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

static int connections(lua_State *L) {
    static const char what[] = "user:connections";
    tw_str user = self(L, what);
    twl_gen_check_live(L, what);
    int results;
    tw_str none = {"", 0};
    twl_job *job = twl_op_begin(L, what, none, &results);
    if (!job) {
        return results;
    }
    int code = tw_user_connections(job->gen->lua->server, user, on_connections,
                                   job->op);
    return twl_op_go(L, job, what, code, push_connections);
}

/* ---- the handle ---------------------------------------------------------- */

static const luaL_Reg methods[] = {
    {"send", send},
    {"connections", connections},
    {"subscribe", subscribe},
    {"unsubscribe", unsubscribe},
    {"disconnect", disconnect},
    {NULL, NULL},
};

static int get_field(lua_State *L) {
    twl_handle *head = twl_handle_self(L, TWL_HANDLE_USER, "user");
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    if (twl_handle_method(L)) {
        return 1;
    }
    if (strcmp(name, "id") != 0) {
        return twl_names_raise(L, "user", "field", fields, name);
    }
    lua_pushlstring(L, id_of(head).data, id_of(head).len);
    return 1;
}

void twl_user_define(lua_State *L) {
    twl_handle_define_methods(L, TWL_HANDLE_USER, methods, get_field, NULL);
}
