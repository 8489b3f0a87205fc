/* SPDX-License-Identifier: MIT */
#include "limit.h"

#include "app_settings.h"
#include "bridge.h"
#include "call_options.h"
#include "conn.h"
#include "dict.h"
#include "err.h"
#include "job.h"
#include "names.h"
#include "opts.h"

static const twl_name limit_options[] = {
    {"rate", false}, {"burst", false}, {NULL, false}};

const twl_call_options twl_call_limit = {"limit", 2, "tw.limit", limit_options};

static const twl_name conn_options[] = {{"rate", false},
                                        {"bytes", false},
                                        {"burst", false},
                                        {"over", false},
                                        {NULL, false}};

static int push_later(lua_State *L, double retry_after) {
    lua_pushnil(L);
    twl_push_error(L, TW_ELIMIT, "rate limit exceeded");
    lua_pushnumber(L, retry_after);
    lua_setfield(L, -2, "retry_after");
    return 2;
}

int twl_limit(lua_State *L) {
    static const char what[] = "tw.limit";
    twl_gen_check_live(L, what);
    tw_str key = twl_arg_string(L, 1, what, "key");
    if (key.len == 0 || key.len > TW_DICT_KEY_MAX) {
        return twl_raise(L, "%s: key has 1 to %d bytes", what, TW_DICT_KEY_MAX);
    }
    double rate, burst = 1, retry_after;
    if (!twl_arg_options(L, 2, what, limit_options) ||
        !twl_opt_number(L, 2, what, "rate", 1e-6, 1e6, &rate)) {
        return twl_raise(L, "%s: needs rate, how many a second", what);
    }
    burst = rate > 1 ? rate : 1;
    twl_opt_number(L, 2, what, "burst", 1, 1e9, &burst);
    int code =
        tw_limit(twl_gen_of(L)->lua->server, key, rate, burst, &retry_after);
    return code == TW_ELIMIT ? push_later(L, retry_after)
                             : twl_dict_done(L, code);
}

/* A script says the burst as a number of messages (of bytes, where only bytes
 * are limited); the core as seconds of the rate. */
static void read_rate(lua_State *L, const char *what, tw_rate *rate) {
    double burst;
    twl_opt_number(L, 2, what, "rate", 0.001, 1e9, &rate->messages);
    twl_opt_number(L, 2, what, "bytes", 1, 1e12, &rate->bytes);
    double unit = rate->messages > 0 ? rate->messages : rate->bytes;
    if (unit <= 0) {
        twl_raise(L, "%s: needs rate or bytes", what);
    }
    if (twl_opt_number(L, 2, what, "burst", 1, 1e12, &burst)) {
        rate->burst = burst / unit;
    }
    rate->over = twl_rate_over(L, 2, what);
}

int twl_conn_limit(lua_State *L) {
    static const char what[] = "conn:limit";
    tw_conn *conn = twl_conn_self(L, what);
    twl_gen_check_live(L, what);
    tw_rate rate = {0};
    bool has_rate = twl_arg_options(L, 2, what, conn_options);
    if (has_rate) {
        read_rate(L, what, &rate);
    }
    return twl_push_done(L, conn ? tw_conn_limit(conn, has_rate ? &rate : NULL)
                                 : TW_ECLOSED);
}
