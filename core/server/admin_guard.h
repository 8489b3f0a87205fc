/* admin_guard.h - who may ask the admin member for what.
 *
 * Pure. The Unix socket belongs to its user: the peer's uid counts and nothing
 * else. On TCP anybody on the machine may look, but a web page must not:
 *   - Host must name this machine's loopback, the address the connection came
 *     to or the configured one; a name that somebody pointed here (DNS
 *     rebinding) is answered with 421
 *   - an Origin other than the Host's own is answered with 403
 *   - what changes something, or shows what not all may see, needs the bearer
 *     token; without a configured one it is answered with 403
 * A request with the right token proved more than its Host could.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_ADMIN_GUARD_H
#define TW_SERVER_ADMIN_GUARD_H

#include "http/request.h"

typedef struct tw__admin_caller {
    bool is_unix;           /* came through the folder's socket */
    bool is_owner;          /* ... from a process of our user, or root's */
    const char *local_ip;   /* TCP: the address that it came to, "127.0.0.1" */
    const char *configured; /* "127.0.0.1:8090", or NULL */
    const char *token;      /* or NULL */
} tw__admin_caller;

/* 0 when the request may be answered, else the status of the refusal, with
 * static text in *why. */
int tw__admin_guard(const tw__admin_caller *caller,
                    const tw__http_request *request, bool needs_right,
                    const char **why);

#endif
