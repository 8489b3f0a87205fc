/* SPDX-License-Identifier: MIT */
#include "http.h"

#include "err.h"
#include "job.h"
#include "vm_alloc.h"

static int push_answer(lua_State *L, twl_job *job) {
    return twl_http_push(L, job->answer);
}

/* An error is an answer, too: with what exactly went wrong. */
static void on_answer(int status, const tw_http_response *response,
                      const char *why, void *arg) {
    twl_http_answer *answer = twl_http_copy(status, response, why);
    twl_op_end_answer(arg, answer != NULL ? 0 : TW_ENOMEM, answer);
}

static void cancel(twl_job *job) {
    if (job->op) {
        tw_http_cancel(job->op->call);
        twl_free(job->op);
        job->op = NULL;
    }
}

static int ask(lua_State *L, const char *what,
               const twl_http_request *request) {
    int results;
    twl_job *job = twl_op_begin(L, what, (tw_str){"", 0}, &results);
    if (!job) {
        return results;
    }
    job->op->call = tw_http_request(job->gen->lua->server, &request->options,
                                    on_answer, job->op);
    if (!job->op->call) {
        return twl_op_refuse(L, job, TW_ENOMEM);
    }
    return twl_wait_go(L, job, what, cancel, push_answer);
}

/* tw.http.get(url, options) */
static int get(lua_State *L) {
    static const char what[] = "tw.http.get";
    twl_http_request request;
    lua_settop(L, 2);
    twl_gen_check_live(L, what);
    twl_http_read(L, what, 2, 1, 0, &request);
    return ask(L, what, &request);
}

/* tw.http.post(url, body, options) */
static int post(lua_State *L) {
    static const char what[] = "tw.http.post";
    twl_http_request request;
    lua_settop(L, 3);
    twl_gen_check_live(L, what);
    twl_http_read(L, what, 3, 1, 2, &request);
    request.options.method = (tw_str){"POST", 4};
    return ask(L, what, &request);
}

/* tw.http.request(options) */
static int request_any(lua_State *L) {
    static const char what[] = "tw.http.request";
    twl_http_request request;
    lua_settop(L, 1);
    twl_gen_check_live(L, what);
    twl_http_read(L, what, 1, 0, 0, &request);
    return ask(L, what, &request);
}

void twl_http_open(lua_State *L) {
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, get);
    lua_setfield(L, -2, "get");
    lua_pushcfunction(L, post);
    lua_setfield(L, -2, "post");
    lua_pushcfunction(L, request_any);
    lua_setfield(L, -2, "request");
    lua_setfield(L, -2, "http");
}
