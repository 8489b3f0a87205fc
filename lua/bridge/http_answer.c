/* What a script gets: a table with status, headers and body, whose metatable
 * has the methods.
 *
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <string.h>

#include "data.h"
#include "err.h"
#include "http.h"
#include "opts.h"
#include "vm.h"
#include "vm_alloc.h"

/* The texts come behind the headers. */
struct twl_http_answer {
    int status, error;
    size_t count;
    tw_str body; /* or what went wrong */
    tw_header headers[];
};

static const char metatable_key;

static tw_str keep(char **place, tw_str text) {
    tw_str kept = {*place, text.len};
    if (text.len > 0) {
        memcpy(*place, text.data, text.len);
    }
    *place += text.len;
    return kept;
}

twl_http_answer *twl_http_copy(int status, const tw_http_response *response,
                               const char *why) {
    static const tw_http_response none;
    const tw_http_response *from = response ? response : &none;
    tw_str body = response ? response->body : (tw_str){why, strlen(why)};
    size_t size =
        sizeof(twl_http_answer) + from->header_count * sizeof(tw_header);
    size_t bytes = body.len;
    for (size_t i = 0; i < from->header_count; i++) {
        bytes += from->headers[i].name.len + from->headers[i].value.len;
    }
    twl_http_answer *answer = twl_malloc(size + bytes);
    if (!answer) {
        return NULL;
    }
    char *place = (char *)answer + size;
    answer->status = from->status;
    answer->error = status;
    answer->count = from->header_count;
    answer->body = keep(&place, body);
    for (size_t i = 0; i < from->header_count; i++) {
        answer->headers[i].name = keep(&place, from->headers[i].name);
        answer->headers[i].value = keep(&place, from->headers[i].value);
    }
    return answer;
}

/* res:json() */
static int json(lua_State *L) {
    if (!lua_istable(L, 1)) {
        return twl_raise(L, "res:json: call it with a colon");
    }
    lua_settop(L, 1);
    lua_getfield(L, 1, "body");
    tw_str body = twl_arg_string(L, 2, "res:json", "body");
    return twl_data_parse(L, body.data, body.len);
}

static void push_metatable(lua_State *L) {
    twl_reg_get(L, &metatable_key);
    if (!lua_isnil(L, -1)) {
        return;
    }
    lua_pop(L, 1);
    lua_createtable(L, 0, 2);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, json);
    lua_setfield(L, -2, "json");
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "tw.http");
    lua_setfield(L, -2, "__metatable");
    lua_pushvalue(L, -1);
    twl_reg_set(L, &metatable_key);
}

static void push_headers(lua_State *L, const twl_http_answer *answer) {
    lua_createtable(L, 0, (int)answer->count);
    for (size_t i = 0; i < answer->count; i++) {
        const tw_header *header = &answer->headers[i];
        lua_pushlstring(L, header->name.data, header->name.len);
        lua_pushlstring(L, header->value.data, header->value.len);
        lua_rawset(L, -3);
    }
}

int twl_http_push(lua_State *L, const twl_http_answer *answer) {
    if (answer->error) {
        lua_pushlstring(L, answer->body.data, answer->body.len);
        return twl_nil_error(L, answer->error, lua_tostring(L, -1));
    }
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, answer->status);
    lua_setfield(L, -2, "status");
    push_headers(L, answer);
    lua_setfield(L, -2, "headers");
    lua_pushlstring(L, answer->body.data, answer->body.len);
    lua_setfield(L, -2, "body");
    push_metatable(L);
    lua_setmetatable(L, -2);
    return 1;
}
