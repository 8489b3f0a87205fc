/* request.h - HTTP requests: the `req` of scripts, on_upgrade and handlers.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_REQUEST_H
#define TWL_REQUEST_H

#include "job.h"

/* Pushes the handle of the job's request, valid until the job ends. */
void twl_req_push(lua_State *L, twl_job *job);

void twl_req_define(lua_State *L);

/* Hooks of the server; `user` is the tw_lua. */
void twl_req_on_upgrade(tw_req *req, void *user);
void twl_req_on_request(tw_req *req, void *user);

#endif
