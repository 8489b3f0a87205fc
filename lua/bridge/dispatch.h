/* dispatch.h - the server's hooks, answered by the scripts'.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_DISPATCH_H
#define TWL_DISPATCH_H

#include "app.h"
#include "job.h"

extern const tw_hooks twl_hooks;

/* A job for a hook of the connection, whose state is settled; NULL when its
 * app has no such hook (any more), or without memory. */
twl_job *twl_dispatch_job(tw_lua *lua, tw_conn *conn, twl_hook hook,
                          const twl_kind *kind);

/* Runs it: what the server's hook answers. */
int twl_dispatch_start(twl_job *job, twl_hook hook);

/* The end of such a job: what a raising hook costs its connection. */
void twl_dispatch_finish(twl_job *job, twl_status status);

/* In dispatch_channel.c: what happened to a subscription. */
int twl_dispatch_on_slow(tw_conn *conn, const tw_slow *slow, void *user);
int twl_dispatch_on_recover_fail(tw_conn *conn, tw_str channel,
                                 const tw_position *since, void *user);
int twl_dispatch_on_unsubscribe(tw_conn *conn, tw_str channel, tw_str reason,
                                void *user);

#endif
