/* SPDX-License-Identifier: MIT */
#include "call_options.h"

#include <string.h>

static const twl_call_options *const all[] = {
    &twl_call_publish,  &twl_call_user_send, &twl_call_every,
    &twl_call_http_get, &twl_call_http_post, &twl_call_http_request,
    &twl_call_limit,    &twl_call_dict,      &twl_call_jwt_verify,
    &twl_call_sha256,   &twl_call_hmac,      &twl_call_random,
    &twl_call_counter,  &twl_call_gauge,     &twl_call_histogram,
    &twl_call_history,  &twl_call_presence,  &twl_call_remote_send,
};

void twl_call_options_check(lua_State *L, const char *function, int place,
                            const char *word) {
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const twl_call_options *call = all[i];
        if (call->place != place || strcmp(call->function, function) != 0) {
            continue;
        }
        const twl_name *found = twl_names_find(call->names, word);
        if (!found || found->is_reserved) {
            twl_names_raise(L, call->what, "option", call->names, word);
        }
    }
}
