/* SPDX-License-Identifier: MIT */
#include "presence.h"

#include <string.h>

#include "call_options.h"
#include "channel.h"
#include "err.h"
#include "job.h"
#include "json.h"
#include "names.h"
#include "opts.h"
#include "vm_alloc.h"

enum { MAX_LIMIT = 1000 };

static const twl_name options[] = {{"limit", false}, {NULL, false}};

const twl_call_options twl_call_presence = {"channel():presence", 1,
                                            "channel:presence", options};

/* ---- members ------------------------------------------------------------- */

/* A table went in as JSON and comes out as a table; what else was said stays
 * the text that it is, also where that looks like a number. */
static void push_info(lua_State *L, tw_str info) {
    bool is_table =
        info.len > 0 && (info.data[0] == '{' || info.data[0] == '[');
    if (is_table && twl_json_decode(L, info.data, info.len, false) == 0) {
        return;
    }
    lua_pop(L, is_table ? 1 : 0);
    lua_pushlstring(L, info.data, info.len);
}

void twl_member_push(lua_State *L, const tw_presence_member *member) {
    lua_createtable(L, 0, 4);
    lua_pushstring(L, member->id);
    lua_setfield(L, -2, "id");
    if (member->user.data) {
        lua_pushlstring(L, member->user.data, member->user.len);
        lua_setfield(L, -2, "user");
    }
    if (member->info.data) {
        push_info(L, member->info);
        lua_setfield(L, -2, "info");
    }
    lua_pushnumber(L, (lua_Number)member->connections);
    lua_setfield(L, -2, "connections");
}

/* ---- the copy ------------------------------------------------------------ */

/* The texts of the members come behind them. */
typedef struct present {
    uint64_t members, connections;
    bool is_unknown; /* the class keeps no presence */
    size_t count;
    tw_presence_member items[];
} present;

static tw_str copy_text(char **place, tw_str text) {
    if (!text.data) {
        return text;
    }
    tw_str copy = {*place, text.len};
    memcpy(*place, text.data, text.len);
    *place += text.len;
    return copy;
}

static present *copy_list(const tw_presence_list *list) {
    size_t size = sizeof(present) + list->count * sizeof(tw_presence_member);
    size_t bytes = 0;
    for (size_t i = 0; i < list->count; i++) {
        bytes += list->items[i].user.len + list->items[i].info.len;
    }
    present *copy = twl_zalloc(size + bytes);
    if (!copy) {
        return NULL;
    }
    char *place = (char *)copy + size;
    copy->members = list->members;
    copy->connections = list->connections;
    copy->count = list->count;
    for (size_t i = 0; i < list->count; i++) {
        copy->items[i] = list->items[i];
        copy->items[i].user = copy_text(&place, list->items[i].user);
        copy->items[i].info = copy_text(&place, list->items[i].info);
    }
    return copy;
}

/* That a class keeps none deserves words of its own. */
static present *no_presence(void) {
    present *answer = twl_zalloc(sizeof *answer);
    if (answer) {
        answer->is_unknown = true;
    }
    return answer;
}

static void on_presence(int status, const tw_presence_list *list, void *arg) {
    present *answer = NULL;
    if (status == 0 || status == TW_EINVALID) {
        answer = status ? no_presence() : copy_list(list);
        status = answer ? 0 : TW_ENOMEM;
    }
    twl_op_end_answer(arg, status, answer);
}

/* ---- for scripts --------------------------------------------------------- */

static int say_no_presence(lua_State *L) {
    return twl_nil_error(L, TW_EINVALID,
                         "the channel's class keeps no presence");
}

static int push_presence(lua_State *L, twl_job *job) {
    const present *answer = job->answer;
    if (answer->is_unknown) {
        return say_no_presence(L);
    }
    lua_createtable(L, 0, 3);
    lua_pushnumber(L, (lua_Number)answer->members);
    lua_setfield(L, -2, "count");
    lua_pushnumber(L, (lua_Number)answer->connections);
    lua_setfield(L, -2, "connections");
    lua_createtable(L, (int)answer->count, 0);
    twl_json_mark_array(L);
    for (size_t i = 0; i < answer->count; i++) {
        twl_member_push(L, &answer->items[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "members");
    return 1;
}

int twl_channel_presence(lua_State *L) {
    static const char what[] = "channel:presence";
    uint64_t limit = 0;
    tw_str name = twl_channel_self(L, what);
    twl_gen_check_live(L, what);
    if (twl_arg_options(L, 2, what, options)) {
        twl_opt_whole(L, 2, what, "limit", 1, MAX_LIMIT, &limit);
    }
    int results;
    twl_job *job = twl_op_begin(L, what, name, &results);
    if (!job) {
        return results;
    }
    int code = tw_channel_presence(job->gen->lua->server, name, (uint32_t)limit,
                                   on_presence, job->op);
    if (code == TW_EINVALID) {
        twl_op_refuse(L, job, code);
        return say_no_presence(L);
    }
    return twl_op_go(L, job, what, code, push_presence);
}
