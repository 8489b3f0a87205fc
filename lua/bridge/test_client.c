/* Clients of a world in Lua. SPDX-License-Identifier: MIT */
#include "test_native_parts.h"
#include "vm_alloc.h"

/* ---- clients ------------------------------------------------------------ */

/* connect(world, slot, ip, request[, user, info]) -> id, or nil and a code */
static int connect_to(lua_State *L) {
    twl_world *world = twl_test_world(L);
    uint32_t slot = twl_test_slot(L, world, 2);
    const char *ip = luaL_checkstring(L, 3);
    tw_str request = twl_test_text(L, 4), user, info;
    int code;
    twl_peer *peer = twl_world_connect(world, slot, ip, &code);
    if (!peer) {
        lua_pushnil(L);
        lua_pushstring(L, tw_strerror(code));
        return 2;
    }
    bool has_user = !lua_isnoneornil(L, 5), has_info = !lua_isnoneornil(L, 6);
    if (has_user) {
        user = twl_test_text(L, 5);
    }
    if (has_info) {
        info = twl_test_text(L, 6);
    }
    twl_world_set_guest(world, has_user ? &user : NULL,
                        has_info ? &info : NULL);
    twl_peer_write(peer, request.data, request.len);
    lua_pushnumber(L, peer->id);
    return 1;
}

/* status(world, id) -> state, close code, close reason */
static int status(lua_State *L) {
    static const char *const names[] = {[TWL_PEER_HEAD] = "head",
                                        [TWL_PEER_BODY] = "body",
                                        [TWL_PEER_OPEN] = "open",
                                        [TWL_PEER_OVER] = "over"};
    const twl_peer *peer = twl_test_peer(L);
    lua_pushstring(L, names[peer->state]);
    if (peer->close_code == 0) {
        return 1;
    }
    lua_pushinteger(L, peer->close_code);
    lua_pushstring(L, peer->close_reason ? peer->close_reason : "");
    return 3;
}

static int has_answer(lua_State *L) {
    const twl_peer *peer =
        twl_world_peer(twl_test_world(L), (uint32_t)luaL_checknumber(L, 2));
    lua_pushboolean(L, !peer || twl_peer_has_answer(peer));
    return 1;
}

/* answer(world, id) -> head, body */
static int answer_of(lua_State *L) {
    const twl_peer *peer = twl_test_peer(L);
    lua_pushlstring(L, peer->head.data ? peer->head.data : "", peer->head.len);
    lua_pushlstring(L, peer->in.data ? peer->in.data : "", peer->in.len);
    return 2;
}

/* next(world, id) -> data, is_binary; nil: none has come */
static int next_frame(lua_State *L) {
    twl_peer *peer = twl_test_peer(L);
    if (twl_link_is_empty(&peer->frames)) {
        return 0;
    }
    twl_peer_frame *frame = TWL_OF(peer->frames.next, twl_peer_frame, node);
    lua_pushlstring(L, frame->data, frame->len);
    lua_pushboolean(L, frame->is_binary);
    twl_link_remove(&frame->node);
    twl_free(frame);
    return 2;
}

/* send(world, id, opcode, data) */
static int send_frame(lua_State *L) {
    twl_peer *peer = twl_test_peer(L);
    tw_str data = twl_test_text(L, 4);
    if (twl_peer_send(peer, (unsigned)luaL_checknumber(L, 3), data.data,
                      data.len)) {
        return luaL_error(L, "out of memory");
    }
    return 0;
}

/* close(world, id, code, reason) */
static int send_close(lua_State *L) {
    twl_peer *peer = twl_test_peer(L);
    tw_str reason = twl_test_text(L, 4);
    if (twl_peer_send_close(peer, (int)luaL_checknumber(L, 3), reason.data,
                            reason.len)) {
        return luaL_error(L, "out of memory");
    }
    return 0;
}

static int drop(lua_State *L) {
    twl_peer *peer = twl_test_peer(L);
    peer->close_code = peer->close_code ? peer->close_code : 1006;
    twl_peer_drop(peer);
    return 0;
}

static int pause_reading(lua_State *L) {
    twl_peer *peer = twl_test_peer(L);
    peer->is_paused = lua_toboolean(L, 3);
    return 0;
}

/* forget(world, id): what it was is not needed any more */
static int forget(lua_State *L) {
    twl_peer_destroy(twl_test_peer(L));
    return 0;
}

static const luaL_Reg functions[] = {
    {"connect", connect_to},    {"status", status},   {"answer", answer_of},
    {"has_answer", has_answer}, {"next", next_frame}, {"send", send_frame},
    {"close", send_close},      {"drop", drop},       {"pause", pause_reading},
    {"forget", forget},         {NULL, NULL},
};

void twl_test_open_clients(lua_State *L) {
    luaL_register(L, NULL, functions);
}
