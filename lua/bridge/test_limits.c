/* SPDX-License-Identifier: MIT */
#include "test_limits.h"

#include <lauxlib.h>
#include <stddef.h>
#include <string.h>

#include "err.h"
#include "names.h"
#include "opts.h"

typedef enum unit { BYTES, COUNT, SECONDS } unit; /* size_t, uint32_t, ms */

static const struct {
    const char *name;
    unit unit;
    size_t at;
} limits[] = {
#define AT(field) offsetof(tw_config, field)
    {"max_connections", BYTES, AT(max_connections)},
    {"max_connections_per_address", BYTES, AT(max_connections_per_address)},
    {"max_subscriptions", BYTES, AT(max_subscriptions)},
    {"max_head", BYTES, AT(max_head_bytes)},
    {"max_headers", BYTES, AT(max_headers)},
    {"max_requests", COUNT, AT(max_requests)},
    {"handshakes_per_second", COUNT, AT(handshakes_per_second)},
    {"handshake_burst", COUNT, AT(handshake_burst)},
    {"handshake", SECONDS, AT(handshake_ms)},
    {"http_idle", SECONDS, AT(http_idle_ms)},
    {"http_handler", SECONDS, AT(http_handler_ms)},
    {"frame", SECONDS, AT(frame_ms)},
    {"close", SECONDS, AT(close_ms)},
    {"stall", SECONDS, AT(stall_ms)},
    {"reply_budget", BYTES, AT(reply_budget_bytes)},
    {"publication_budget", BYTES, AT(publication_budget_bytes)},
    {"pinned", BYTES, AT(pinned_limit_bytes)},
    {"publish_budget", BYTES, AT(publish_budget_bytes)},
    {"delivery_budget", BYTES, AT(delivery_budget_bytes)},
    {"history_memory", BYTES, AT(history_budget_bytes)},
    {"recover", BYTES, AT(recover_limit_bytes)},
    {"dict_memory", BYTES, AT(dict_memory_bytes)},
    {"presence_grace", SECONDS, AT(presence_grace_ms)},
    {"presence_told", COUNT, AT(presence_told_max)},
    {"http_concurrent", COUNT, AT(http.concurrent)},
    {"http_per_host", COUNT, AT(http.per_host)},
    {"http_queue", COUNT, AT(http.queue)},
    {"http_failures", COUNT, AT(http.failures)},
    {"http_pause", SECONDS, AT(http.pause_ms)},
    {"http_answer", BYTES, AT(http.max_body_bytes)},
    {"http_memory", BYTES, AT(http.memory_bytes)},
    {"read_turn", BYTES, AT(read_turn_bytes)},
    {"read_turn_frames", COUNT, AT(read_turn_frames)},
#undef AT
};

enum { LIMITS = sizeof limits / sizeof *limits };

static void raise_unknown(lua_State *L, const char *word) {
    twl_name names[LIMITS + 1] = {{NULL, false}};
    for (size_t i = 0; i < LIMITS; i++) {
        names[i].name = limits[i].name;
    }
    twl_names_raise(L, "t.server: limits", "limit", names, word);
}

static void set(tw_config *config, size_t which, double value) {
    char *place = (char *)config + limits[which].at;
    if (limits[which].unit == BYTES) {
        size_t bytes = (size_t)value;
        memcpy(place, &bytes, sizeof bytes);
        return;
    }
    uint32_t number = limits[which].unit == SECONDS
                          ? (uint32_t)twl_seconds_to_ms(value)
                          : (uint32_t)value;
    memcpy(place, &number, sizeof number);
}

void twl_test_limits(lua_State *L, int index, tw_config *config) {
    luaL_checktype(L, index, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        const char *word =
            lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        size_t i = 0;
        while (i < LIMITS && strcmp(limits[i].name, word) != 0) {
            i++;
        }
        if (i == LIMITS) {
            raise_unknown(L, word);
            return;
        }
        set(config, i,
            twl_arg_number(L, lua_gettop(L), "t.server", word, 0,
                           limits[i].unit == BYTES ? 1e12 : 1e6));
        lua_pop(L, 1);
    }
}
