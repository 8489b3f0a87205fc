/* SPDX-License-Identifier: MIT */
#include "publish.h"

#include <lauxlib.h>

#include "call_options.h"
#include "conn.h"
#include "data.h"
#include "err.h"
#include "job.h"
#include "names.h"
#include "opts.h"
#include "position.h"
#include "utf8.h"

/* The places of those that are there. */
enum { BINARY, EXCEPT, KEY, TTL, ID, WAIT, HISTORY };

static const twl_name options[] = {
    {"binary", false},  {"except", false},  {"key", false},
    {"ttl", false},     {"id", false},      {"wait", false},
    {"history", false}, {"priority", true}, {"at", true},
    {"after", true},    {NULL, false},
};

const twl_call_options twl_call_publish = {"publish", 3, "tw.publish", options};
const twl_call_options twl_call_user_send = {"user():send", 2, "user:send",
                                             options};

typedef struct publishing {
    tw_publish_options to;
    tw_msg data;
    bool waits;
} publishing;

/* ---- options ------------------------------------------------------------- */

/* The text is borrowed from the table. */
static tw_str read_word(lua_State *L, int value, const char *what,
                        const char *name, size_t least) {
    tw_str word = twl_arg_string(L, value, what, name);
    if (word.len < least || word.len > 255) {
        twl_raise(L, "%s: %s has %s255 bytes", what, name,
                  least ? "1 to " : "at most ");
    }
    return word;
}

static uint64_t read_ttl(lua_State *L, int value, const char *what) {
    uint64_t ms = twl_seconds_to_ms(
        twl_arg_number(L, value, what, "ttl", 0, TWL_MAX_SECONDS));
    return ms ? ms : 1; /* 0 would be for ever */
}

static void read_option(lua_State *L, int option, const twl_target *target,
                        publishing *out) {
    int value = lua_gettop(L);
    const char *what = target->what;
    switch (option) {
    case BINARY:
        out->to.binary = twl_arg_bool(L, value, what, "binary");
        break;
    case EXCEPT:
        out->to.except = twl_conn_at(L, value, target->except);
        break;
    case KEY:
        out->to.key = read_word(L, value, what, "key", 0);
        break;
    case TTL:
        out->to.ttl_ms = read_ttl(L, value, what);
        break;
    case ID:
        out->to.id = read_word(L, value, what, "id", 1);
        break;
    case WAIT:
        out->waits = twl_arg_bool(L, value, what, "wait");
        break;
    case HISTORY:
        out->to.no_history = !twl_arg_bool(L, value, what, "history");
        break;
    }
}

/* In one walk: "except" is in most publications of a chat. */
static void read_options(lua_State *L, const twl_target *target,
                         publishing *out) {
    int option;
    lua_pushnil(L);
    while ((option = twl_names_next(L, 3, target->what, "option", options)) >=
           0) {
        read_option(L, option, target, out);
        lua_pop(L, 1);
    }
}

/* ---- publishing ---------------------------------------------------------- */

static int push_position(lua_State *L, twl_job *job) {
    twl_position_push(L, &job->subscribed.position);
    return 1;
}

static void on_published(int status, const tw_position *position, void *arg) {
    tw_subscribed result = {0};
    if (!status) {
        result.position = *position;
    }
    twl_op_end_subscribed(arg, status, &result);
}

static int raise_invalid(lua_State *L, const twl_target *target,
                         const publishing *p) {
    bool is_good = p->to.is_utf8 || p->to.binary ||
                   twl_utf8_is_valid(p->data.data, p->data.len);
    if (is_good && target->no_wait) {
        return twl_raise(L, "%s: %s", target->what, target->no_wait);
    }
    return twl_raise(L,
                     "%s: the text is not valid UTF-8 "
                     "({ binary = true } sends bytes)",
                     target->what);
}

static int wait_for_it(lua_State *L, const twl_target *target, tw_str to,
                       const publishing *p) {
    int results;
    tw_str none = {"", 0};
    twl_job *job = twl_op_begin(L, target->what, none, &results);
    if (!job) {
        return results;
    }
    int code = target->publish_wait(job->gen->lua->server, to, p->data.data,
                                    p->data.len, &p->to, on_published, job->op);
    if (code == TW_EINVALID) {
        twl_op_refuse(L, job, code);
        return raise_invalid(L, target, p);
    }
    return twl_op_go(L, job, target->what, code, push_position);
}

int twl_publish_to(lua_State *L, const twl_target *target, tw_str to) {
    publishing p = {0};
    const twl_gen *gen = twl_gen_of(L);
    const tw_lua *lua = gen->lua;
    if (!twl_gen_is_live(gen)) {
        twl_gen_check_live(L, target->what);
    }
    if (lua_gettop(L) > 2 && twl_arg_table(L, 3, target->what)) {
        read_options(L, target, &p);
    }
    p.to.is_utf8 = twl_data_read(L, lua, 2, target->what, &p.data);
    p.to.binary = p.to.binary || p.data.binary;
    /* What a hook publishes inherits the colour of what it answers. */
    if (lua->running && lua->running->conn) {
        p.to.colour = tw_conn_colour(lua->running->conn);
    }
    if (p.waits) {
        return wait_for_it(L, target, to, &p);
    }
    int code = target->publish(lua->server, to, p.data.data, p.data.len, &p.to);
    return code == TW_EINVALID ? raise_invalid(L, target, &p)
                               : twl_push_done(L, code);
}

int twl_publish(lua_State *L) {
    static const twl_target target = {
        .what = "tw.publish",
        .except = "tw.publish: except",
        .publish = tw_publish,
        .publish_wait = tw_publish_wait,
    };
    return twl_publish_to(L, &target, twl_arg_channel(L, 1, target.what));
}
