/* call_options.h - which options the functions of the API take, for those who
 * look at a call without making it.
 *
 * Each list stands where the function is that reads it; here they are found by
 * the function's name. SPDX-License-Identifier: MIT */
#ifndef TWL_CALL_OPTIONS_H
#define TWL_CALL_OPTIONS_H

#include "names.h"

typedef struct twl_call_options {
    const char *function; /* as a script calls it, without "tw.": "publish", or
                             "channel():history" */
    int place;            /* of the options among the arguments, from 1 */
    const char *what;     /* as the function itself is called in messages */
    const twl_name *names;
} twl_call_options;

/* Raises as the function would for an option of that name. Nothing is said of
 * functions and places without options. */
void twl_call_options_check(lua_State *L, const char *function, int place,
                            const char *word);

extern const twl_call_options twl_call_publish, twl_call_user_send,
    twl_call_every, twl_call_http_get, twl_call_http_post,
    twl_call_http_request, twl_call_limit, twl_call_dict, twl_call_jwt_verify,
    twl_call_sha256, twl_call_hmac, twl_call_random, twl_call_counter,
    twl_call_gauge, twl_call_histogram, twl_call_history, twl_call_presence,
    twl_call_remote_send;

#endif
