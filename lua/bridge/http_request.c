/* What a script asks for: a URL with its query, headers, a body.
 *
 * Types are looked at here, and a mistake in them raises. What they hold may
 * come from anybody: the library looks at that, and the answer is an error.
 *
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "call_options.h"
#include "data.h"
#include "err.h"
#include "http.h"
#include "job.h"
#include "msg.h"
#include "names.h"
#include "opts.h"

enum { MAX_BODY = 1 << 30 };

static const twl_name get_options[] = {
    {"headers", false}, {"query", false},     {"timeout", false},
    {"connect", false}, {"redirects", false}, {"max_body", false},
    {NULL, false}};

static const twl_name request_options[] = {
    {"headers", false}, {"query", false},     {"timeout", false},
    {"connect", false}, {"redirects", false}, {"max_body", false},
    {"method", false},  {"url", false},       {"body", false},
    {NULL, false}};

const twl_call_options twl_call_http_get = {"http.get", 2, "tw.http.get",
                                            get_options};
const twl_call_options twl_call_http_post = {"http.post", 3, "tw.http.post",
                                             get_options};
const twl_call_options twl_call_http_request = {
    "http.request", 1, "tw.http.request", request_options};

/* ---- the query ---- */

/* A value as text, which is pushed. */
static void push_text(lua_State *L, int index, const char *what,
                      const char *name) {
    double number = lua_tonumber(L, index);
    char text[32];
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        lua_pushvalue(L, index);
        break;
    case LUA_TNUMBER:
        if (number == floor(number) && fabs(number) <= 9007199254740992.0) {
            snprintf(text, sizeof text, "%.0f", number);
        } else {
            snprintf(text, sizeof text, "%.17g", number);
        }
        lua_pushstring(L, text);
        break;
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
        break;
    default:
        twl_raise(L, "%s: '%s' must be a string, a number or a boolean, not %s",
                  what, name, luaL_typename(L, index));
    }
}

static void add_escaped(luaL_Buffer *to, const char *text, size_t len) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz0123456789-._~";
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c != 0 && strchr(plain, c) != NULL) {
            luaL_addchar(to, (char)c);
        } else {
            luaL_addchar(to, '%');
            luaL_addchar(to, digits[c >> 4]);
            luaL_addchar(to, digits[c & 15]);
        }
    }
}

/* Appends "name=value" to the text on top of the stack. */
static void add_pair(lua_State *L, const char *name, size_t name_len, int value,
                     const char *what) {
    int text = lua_gettop(L);
    push_text(L, value, what, name);
    size_t len;
    const char *data = lua_tolstring(L, -1, &len);
    luaL_Buffer to;
    luaL_buffinit(L, &to);
    if (lua_objlen(L, text) > 0) {
        luaL_addchar(&to, '&');
    }
    add_escaped(&to, name, name_len);
    luaL_addchar(&to, '=');
    add_escaped(&to, data, len);
    luaL_pushresult(&to);
    lua_remove(L, -2);
    lua_concat(L, 2);
}

/* Pushes "a=1&b=2" of the table at `query`; a list is a key several times. */
static void push_query(lua_State *L, int query, const char *what) {
    lua_pushliteral(L, "");
    lua_pushnil(L);
    while (lua_next(L, query)) {
        int value = lua_gettop(L), key = value - 1;
        if (lua_type(L, key) != LUA_TSTRING) {
            twl_raise(L, "%s: a key of query must be a string, not %s", what,
                      luaL_typename(L, key));
        }
        size_t len;
        const char *name = lua_tolstring(L, key, &len);
        bool is_list = lua_istable(L, value);
        int count = is_list ? (int)lua_objlen(L, value) : 1;
        for (int i = 1; i <= count; i++) {
            if (is_list) {
                lua_rawgeti(L, value, i);
            } else {
                lua_pushvalue(L, value);
            }
            lua_pushvalue(L, key - 1);
            add_pair(L, name, len, value + 1, what);
            lua_replace(L, key - 1);
            lua_settop(L, value);
        }
        lua_settop(L, key);
    }
}

/* Behind what the URL has already, and before its fragment. */
static tw_str add_query(lua_State *L, int index, const char *what, tw_str url) {
    lua_getfield(L, index, "query");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return url;
    }
    if (!lua_istable(L, -1)) {
        twl_raise(L, "%s: query must be a table, not %s", what,
                  luaL_typename(L, -1));
    }
    push_query(L, lua_gettop(L), what);
    if (lua_objlen(L, -1) == 0) {
        return url;
    }
    const char *hash = memchr(url.data, '#', url.len);
    size_t len = hash != NULL ? (size_t)(hash - url.data) : url.len;
    lua_pushlstring(L, url.data, len);
    lua_pushstring(L, memchr(url.data, '?', len) != NULL ? "&" : "?");
    lua_pushvalue(L, -3);
    lua_concat(L, 3);
    tw_str all;
    all.data = lua_tolstring(L, -1, &all.len);
    return all;
}

/* ---- headers ---- */

static void add_header(lua_State *L, twl_http_request *out, const char *what,
                       tw_str name, int index) {
    int type = lua_type(L, index);
    if (type != LUA_TSTRING && type != LUA_TNUMBER) {
        twl_raise(L, "%s: header '%s' must be a string, not %s", what,
                  name.data, lua_typename(L, type));
    }
    if (out->options.header_count == TW_HTTP_HEADERS_MAX) {
        twl_raise(L, "%s: more than %d headers", what,
                  (int)TW_HTTP_HEADERS_MAX);
    }
    tw_header *header = &out->headers[out->options.header_count++];
    header->name = name;
    header->value.data = lua_tolstring(L, index, &header->value.len);
}

/* A value may be a list: one line each. The texts stay on the stack. */
static void read_headers(lua_State *L, int index, const char *what,
                         twl_http_request *out) {
    lua_getfield(L, index, "headers");
    int table = lua_gettop(L);
    if (lua_isnil(L, table)) {
        return;
    }
    if (!lua_istable(L, table)) {
        twl_raise(L, "%s: headers must be a table, not %s", what,
                  luaL_typename(L, table));
    }
    lua_pushnil(L);
    while (lua_next(L, table)) {
        int value = lua_gettop(L);
        if (lua_type(L, value - 1) != LUA_TSTRING) {
            twl_raise(L, "%s: a header's name must be a string", what);
        }
        tw_str name;
        name.data = lua_tolstring(L, value - 1, &name.len);
        int n = lua_istable(L, value) ? (int)lua_objlen(L, value) : 0;
        if (n > TW_HTTP_HEADERS_MAX) {
            n = TW_HTTP_HEADERS_MAX + 1;
        }
        luaL_checkstack(L, n + 8, "headers");
        for (int i = 1; i <= n; i++) {
            lua_rawgeti(L, value, i);
            add_header(L, out, what, name, lua_gettop(L));
        }
        if (!lua_istable(L, value)) {
            add_header(L, out, what, name, value);
        }
        lua_pushvalue(L, value - 1); /* the key on top for lua_next */
    }
}

static bool has_type(const twl_http_request *out) {
    static const char want[] = "content-type";
    for (size_t i = 0; i < out->options.header_count; i++) {
        tw_str name = out->headers[i].name;
        size_t at = 0;
        while (at < name.len && at < sizeof want - 1 &&
               (name.data[at] | 32) == want[at]) {
            at++;
        }
        if (at == name.len && at == sizeof want - 1) {
            return true;
        }
    }
    return false;
}

/* ---- the body ---- */

static tw_str text_of(const char *text) {
    return (tw_str){text, strlen(text)};
}

/* Last of all: it may be in the scratch bytes. */
static void read_body(lua_State *L, int index, const char *what,
                      twl_http_request *out) {
    if (lua_isnil(L, index)) {
        return;
    }
    const tw_lua *lua = twl_gen_of(L)->lua;
    int kind = lua_type(L, index);
    bool is_as_it_is =
        kind == LUA_TSTRING || twl_msg_at(L, lua, index, kind, what) != NULL;
    tw_msg data;
    twl_data_read(L, lua, index, what, &data);
    const char *type = !is_as_it_is  ? "application/json"
                       : data.binary ? "application/octet-stream"
                                     : "text/plain; charset=utf-8";
    out->options.body = data.data != NULL ? data.data : "";
    out->options.len = data.len;
    if (!has_type(out)) {
        out->headers[out->options.header_count++] =
            (tw_header){text_of("Content-Type"), text_of(type)};
    }
}

/* ---- all of it ---- */

static void read_seconds(lua_State *L, int index, const char *what,
                         const char *name, uint32_t *ms) {
    double seconds;
    if (twl_opt_number(L, index, what, name, 0.001, 3600, &seconds)) {
        *ms = (uint32_t)twl_seconds_to_ms(seconds);
    }
}

static void read_numbers(lua_State *L, int index, const char *what,
                         tw_http_options *options) {
    uint64_t max_body = 0, redirects = 0;
    read_seconds(L, index, what, "timeout", &options->timeout_ms);
    read_seconds(L, index, what, "connect", &options->connect_ms);
    twl_opt_whole(L, index, what, "max_body", 1, MAX_BODY, &max_body);
    twl_opt_whole(L, index, what, "redirects", 0, TW_HTTP_REDIRECTS_MAX,
                  &redirects);
    options->max_body_bytes = (size_t)max_body;
    options->redirects = (uint32_t)redirects;
}

void twl_http_read(lua_State *L, const char *what, int index, int url, int body,
                   twl_http_request *out) {
    tw_http_options *options = &out->options;
    *options = (tw_http_options){.headers = out->headers};
    bool has_options =
        twl_arg_options(L, index, what, url ? get_options : request_options);
    if (url) {
        options->url = twl_arg_string(L, url, what, "url");
    } else if (!has_options) {
        twl_raise(L, "%s: options must be a table with a url", what);
    } else if (!twl_opt_string(L, index, what, "url", &options->url)) {
        twl_raise(L, "%s: url is missing", what);
    }
    if (has_options) {
        read_numbers(L, index, what, options);
        twl_opt_string(L, index, what, "method", &options->method);
        options->url = add_query(L, index, what, options->url);
        read_headers(L, index, what, out);
    }
    if (!body && has_options && !url) {
        lua_getfield(L, index, "body");
        body = lua_gettop(L);
    }
    if (body) {
        read_body(L, body, what, out);
    }
}
