/* http.h - tw.http: requests to other servers.
 *
 *   http.c          the functions, and the wait
 *   http_request.c  what a script asks for
 *   http_answer.c   what it gets
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_HTTP_H
#define TWL_HTTP_H

#include <lua.h>
#include <tidewire/tidewire.h>

/* Sets `http` in the table on top. */
void twl_http_open(lua_State *L);

/* ---- between its files ---- */

enum { TWL_HTTP_HEADERS = TW_HTTP_HEADERS_MAX + 2 };

typedef struct twl_http_request {
    tw_http_options options;
    tw_header headers[TWL_HTTP_HEADERS];
} twl_http_request;

/* Reads the table of options at `index` (0: none), the URL at `url` and the
 * body at `body` (0: both are options). Raises when something is of a wrong
 * type. The bytes are borrowed from the stack, which it may leave longer, and
 * from the VM's scratch bytes: use them before anything else runs in the VM. */
void twl_http_read(lua_State *L, const char *what, int index, int url, int body,
                   twl_http_request *out);

/* One block with the answer, or the error; NULL without memory. */
typedef struct twl_http_answer twl_http_answer;
twl_http_answer *twl_http_copy(int status, const tw_http_response *response,
                               const char *why);
/* Pushes what the script gets and returns how much. */
int twl_http_push(lua_State *L, const twl_http_answer *answer);

#endif
