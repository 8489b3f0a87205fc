/* request.h - HTTP requests: the `req` of scripts, on_upgrade and handlers.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_REQUEST_H
#define TWL_REQUEST_H

#include <string.h>

#include "job.h"

/* Pushes the handle of the job's request, valid until the job ends. */
void twl_req_push(lua_State *L, twl_job *job);

/* The same as a push callback (call.h): `arg` is the job. */
int twl_req_push_argument(lua_State *L, void *arg);

void twl_req_define(lua_State *L);

/* The script's route that the request is for, NULL when it is retired or the
 * scripts have been stopped. */
struct twl_route *twl_req_script_route(const tw_lua *lua, tw_req *req);

static inline tw_str twl_text(const char *text) {
    return (tw_str){text, strlen(text)};
}

/* Hooks of the server; `user` is the tw_lua. */
void twl_req_on_upgrade(tw_req *req, void *user);
void twl_req_on_request(tw_req *req, void *user);

#endif
