/* What scripts ask of others, and what they say, in Lua.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "facts.h"
#include "test_native_parts.h"

/* ---- what scripts ask of others ----------------------------------------- */

static int push_request(lua_State *L, twl_asked *asked) {
    const char *at = asked->texts;
    lua_pushliteral(L, "http");
    lua_pushnumber(L, asked->slot);
    lua_pushnumber(L, (lua_Number)asked->number);
    for (int i = 0; i < 2; i++) {
        lua_pushstring(L, at);
        at += strlen(at) + 1;
    }
    lua_createtable(L, 0, (int)asked->count);
    for (size_t i = 0; i < asked->count; i++) {
        const char *value = at + strlen(at) + 1;
        lua_pushstring(L, at);
        lua_pushstring(L, value);
        lua_rawset(L, -3);
        at = value + strlen(value) + 1;
    }
    lua_pushlstring(L, at, asked->len);
    twl_asked_free(asked);
    return 7;
}

/* Its first whole command. */
static int push_command(lua_State *L, twl_peer *peer) {
    twl_resp_arg args[TWL_RESP_ARGS];
    size_t count = 0;
    long len = twl_peer_command(peer, args, TWL_RESP_ARGS, &count);
    if (len < 0) {
        return luaL_error(L, "a Redis was sent what is no command");
    }
    if (len == 0) {
        return 0;
    }
    lua_pushliteral(L, "redis");
    lua_pushnumber(L, peer->id);
    lua_pushstring(L, peer->name ? peer->name : "");
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushlstring(L, args[i].data, args[i].len);
        lua_rawseti(L, -2, (int)i + 1);
    }
    twl_peer_take(peer, (size_t)len);
    return 4;
}

/* asked(world) -> "http", slot, number, method, url, headers, body; or
 * "redis", id, name, command; nothing: nobody asks */
static int next_asked(lua_State *L) {
    twl_world *world = twl_test_world(L);
    twl_link *asked = twl_world_asked(world), *peers = twl_world_peers(world);
    if (!twl_link_is_empty(asked)) {
        return push_request(L, TWL_OF(asked->next, twl_asked, node));
    }
    for (twl_link *at = peers->next; at != peers; at = at->next) {
        twl_peer *peer = TWL_OF(at, twl_peer, node);
        int count = peer->is_redis && peer->fd >= 0 ? push_command(L, peer) : 0;
        if (count > 0) {
            return count;
        }
    }
    return 0;
}

static int code_of(lua_State *L, int index) {
    static const int codes[] = {TW_EUNAVAILABLE, TW_ETIMEOUT, TW_EDENIED,
                                TW_ELIMIT,       TW_EINVALID, TW_EOVERLOADED};
    const char *name = luaL_checkstring(L, index);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (strcmp(tw_err_name(codes[i]), name) == 0) {
            return codes[i];
        }
    }
    return luaL_error(L, "'%s' is no error of a request", name);
}

static size_t read_headers(lua_State *L, int index, tw_header *headers) {
    size_t count = 0;
    lua_pushnil(L);
    while (lua_next(L, index) && count < TW_HTTP_HEADERS_MAX) {
        headers[count].name = twl_test_text(L, -2);
        headers[count++].value = twl_test_text(L, -1);
        lua_pushvalue(L, -2); /* the texts stay on the stack */
    }
    return count;
}

/* reply(world, slot, number, code, status, headers, body) */
static int reply(lua_State *L) {
    twl_world *world = twl_test_world(L);
    uint32_t slot = twl_test_slot(L, world, 2);
    uint64_t number = (uint64_t)luaL_checknumber(L, 3);
    if (!lua_isnil(L, 4)) {
        tw_lab_reply(twl_world_lab(world), slot, number, code_of(L, 4), NULL);
        return 0;
    }
    tw_header headers[TW_HTTP_HEADERS_MAX];
    luaL_checktype(L, 6, LUA_TTABLE);
    tw_http_response response = {.status = (int)luaL_checknumber(L, 5),
                                 .headers = headers,
                                 .body = twl_test_text(L, 7)};
    luaL_checkstack(L, 2 * TW_HTTP_HEADERS_MAX + 4, "headers");
    response.header_count = read_headers(L, 6, headers);
    tw_lab_reply(twl_world_lab(world), slot, number, 0, &response);
    return 0;
}

/* write(world, id, bytes): what a Redis answers */
static int write_bytes(lua_State *L) {
    twl_peer *peer =
        twl_world_peer(twl_test_world(L), (uint32_t)luaL_checknumber(L, 2));
    tw_str bytes = twl_test_text(L, 3);
    if (peer && twl_peer_write(peer, bytes.data, bytes.len)) {
        return luaL_error(L, "out of memory");
    }
    return 0;
}

/* redis(world, name[, code]) */
static int set_redis(lua_State *L) {
    twl_world *world = twl_test_world(L);
    int code = lua_isnoneornil(L, 3) ? 0 : code_of(L, 3);
    if (twl_world_set_redis(world, luaL_checkstring(L, 2), code)) {
        return luaL_error(L, "out of memory");
    }
    return 0;
}

/* ---- looking ------------------------------------------------------------ */

static void push_fields(lua_State *L, const twl_note *note) {
    const char *at = note->texts + strlen(note->texts) + 1;
    lua_createtable(L, 0, (int)(note->count / 2));
    for (size_t i = 0; i + 1 < note->count; i += 2) {
        const char *value = at + strlen(at) + 1;
        lua_pushstring(L, value);
        lua_setfield(L, -2, at);
        at = value + strlen(value) + 1;
    }
}

/* note(world, is_failure) -> level, message, fields, slot; nothing: no more */
static int next_note(lua_State *L) {
    static const char *const names[] = {[TW_LOG_DEBUG] = "debug",
                                        [TW_LOG_INFO] = "info",
                                        [TW_LOG_WARN] = "warn",
                                        [TW_LOG_ERROR] = "error"};
    twl_world *world = twl_test_world(L);
    twl_link *list = lua_toboolean(L, 2) ? twl_world_failures(world)
                                         : twl_world_notes(world);
    if (twl_link_is_empty(list)) {
        return 0;
    }
    twl_note *note = TWL_OF(list->next, twl_note, node);
    lua_pushstring(L, names[note->level]);
    lua_pushstring(L, note->texts);
    push_fields(L, note);
    lua_pushnumber(L, note->slot);
    twl_note_free(note);
    return 4;
}

static tw_server *any_server(lua_State *L, const twl_world *world) {
    for (uint32_t i = 0; i < twl_world_workers(world); i++) {
        if (twl_world_server(world, i)) {
            return twl_world_server(world, i);
        }
    }
    luaL_error(L, "no worker runs");
    return NULL;
}

static tw_str opt_text(lua_State *L, int index) {
    tw_str none = {NULL, 0};
    return lua_isnoneornil(L, index) ? none : twl_test_text(L, index);
}

/* publish(world, channel, data, is_binary, key, ttl, id) -> nil or a code */
static int publish(lua_State *L) {
    twl_world *world = twl_test_world(L);
    tw_str data = twl_test_text(L, 3);
    tw_publish_options options = {
        .binary = lua_toboolean(L, 4),
        .key = opt_text(L, 5),
        .ttl_ms = (uint64_t)(luaL_optnumber(L, 6, 0) * 1000),
        .id = opt_text(L, 7),
    };
    int code = tw_publish(any_server(L, world), twl_test_text(L, 2), data.data,
                          data.len, &options);
    if (code) {
        lua_pushstring(L, tw_err_name(code));
    } else {
        lua_pushnil(L);
    }
    return 1;
}

static int stats(lua_State *L) {
    twl_push_stats(L, any_server(L, twl_test_world(L)));
    return 1;
}

static const luaL_Reg functions[] = {
    {"asked", next_asked}, {"reply", reply},    {"write", write_bytes},
    {"redis", set_redis},  {"note", next_note}, {"publish", publish},
    {"stats", stats},      {NULL, NULL},
};

void twl_test_open_asked(lua_State *L) {
    luaL_register(L, NULL, functions);
}
