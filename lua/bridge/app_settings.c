/* SPDX-License-Identifier: MIT */
#include "app_settings.h"

#include <lauxlib.h>
#include <string.h>

#include "err.h"
#include "names.h"
#include "opts.h"
#include "vm_alloc.h"

static const char what[] = "tw.app";

static const twl_name rate_options[] = {
    {"messages", false}, {"bytes", false}, {"burst", false},
    {"over", false},     {NULL, false},
};

static const twl_name drain_options[] = {
    {"spread", false},
    {"code", false},
    {NULL, false},
};

static const twl_name user_options[] = {
    {"max", false},
    {"over", false},
    {NULL, false},
};

static void read_wire(lua_State *L, tw_route_config *settings) {
    tw_str wire;
    if (!twl_opt_string(L, 1, what, "wire", &wire)) {
        return;
    }
    if (strcmp(wire.data, "centrifuge") == 0) {
        twl_raise(L, "%s: wire 'centrifuge' is not available in this version",
                  what);
    } else if (strcmp(wire.data, "raw") != 0) {
        twl_raise(L, "%s: unknown wire '%s' (there is 'raw')", what, wire.data);
    }
    settings->wire = "raw";
}

static void read_times(lua_State *L, tw_route_config *settings) {
    double seconds;
    if (twl_opt_number(L, 1, what, "ping", 0.1, 86400, &seconds)) {
        settings->ping_ms = (uint32_t)twl_seconds_to_ms(seconds);
    }
    if (twl_opt_number(L, 1, what, "idle", 0.1, 86400, &seconds)) {
        settings->idle_ms = (uint32_t)twl_seconds_to_ms(seconds);
    }
    double bytes;
    if (twl_opt_number(L, 1, what, "max_message", 1, 1 << 30, &bytes)) {
        settings->max_message_bytes = (size_t)bytes;
    }
}

tw_rate_over twl_rate_over(lua_State *L, int index, const char *where) {
    tw_str over = {"close", 5};
    twl_opt_string(L, index, where, "over", &over);
    if (strcmp(over.data, "close") == 0) {
        return TW_RATE_CLOSE;
    }
    if (strcmp(over.data, "drop") == 0) {
        return TW_RATE_DROP;
    }
    if (strcmp(over.data, "wait") != 0) {
        twl_raise(L, "%s: over must be 'close', 'drop' or 'wait'", where);
    }
    return TW_RATE_WAIT;
}

/* A script says the burst as a number of messages (of bytes, where only bytes
 * are limited); the core as seconds of the rate. */
static void read_rate(lua_State *L, tw_route_config *settings) {
    static const char where[] = "tw.app: rate";
    lua_getfield(L, 1, "rate");
    int index = lua_gettop(L);
    if (twl_arg_options(L, index, where, rate_options)) {
        tw_rate *rate = &settings->rate;
        double burst;
        twl_opt_number(L, index, where, "messages", 0.001, 1e9,
                       &rate->messages);
        twl_opt_number(L, index, where, "bytes", 1, 1e12, &rate->bytes);
        double unit = rate->messages > 0 ? rate->messages : rate->bytes;
        if (unit <= 0) {
            twl_raise(L, "%s: needs messages or bytes", where);
        }
        if (twl_opt_number(L, index, where, "burst", 1, 1e12, &burst)) {
            rate->burst = burst / unit;
        }
        rate->over = twl_rate_over(L, index, where);
    }
    lua_pop(L, 1);
}

static void read_drain(lua_State *L, tw_route_config *settings) {
    static const char where[] = "tw.app: drain";
    lua_getfield(L, 1, "drain");
    int index = lua_gettop(L);
    if (twl_arg_options(L, index, where, drain_options)) {
        double value;
        if (twl_opt_number(L, index, where, "spread", 0, 3600, &value)) {
            /* 0 would take the core's default. */
            uint64_t ms = twl_seconds_to_ms(value);
            settings->drain_spread_ms = ms ? (uint32_t)ms : 1;
        }
        if (twl_opt_number(L, index, where, "code", 1000, 4999, &value)) {
            settings->drain_code = (uint16_t)value;
        }
    }
    lua_pop(L, 1);
}

static void read_user_connections(lua_State *L, tw_route_config *settings) {
    static const char where[] = "tw.app: user_connections";
    lua_getfield(L, 1, "user_connections");
    int index = lua_gettop(L);
    if (twl_arg_options(L, index, where, user_options)) {
        uint64_t max = 0;
        tw_str over = {"oldest", 6};
        if (!twl_opt_whole(L, index, where, "max", 1, 1e6, &max)) {
            twl_raise(L, "%s: needs max", where);
        }
        twl_opt_string(L, index, where, "over", &over);
        settings->user_connections = (uint32_t)max;
        settings->closes_newest = strcmp(over.data, "newest") == 0;
        if (!settings->closes_newest && strcmp(over.data, "oldest") != 0) {
            twl_raise(L, "%s: over must be 'oldest' or 'newest'", where);
        }
    }
    lua_pop(L, 1);
}

static void read_errors(lua_State *L, twl_app *app) {
    tw_str errors = {"close", 5};
    twl_opt_string(L, 1, what, "errors", &errors);
    app->ignores_errors = strcmp(errors.data, "ignore") == 0;
    if (!app->ignores_errors && strcmp(errors.data, "close") != 0) {
        twl_raise(L, "%s: errors must be 'close' or 'ignore'", what);
    }
}

static bool is_word(lua_State *L, const char *word) {
    return lua_type(L, -1) == LUA_TSTRING &&
           strcmp(lua_tostring(L, -1), word) == 0;
}

static void read_deflate(lua_State *L, tw_route_config *settings) {
    lua_getfield(L, 1, "deflate");
    bool is_false = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
    if (is_false || is_word(L, "off")) {
        settings->deflate = TW_DEFLATE_OFF;
    } else if (lua_isnil(L, -1) || is_word(L, "shared")) {
        settings->deflate = TW_DEFLATE_SHARED;
    } else {
        twl_raise(L, "%s: deflate must be 'shared' or 'off'", what);
    }
    lua_pop(L, 1);
}

static void read_version(lua_State *L, twl_app *app) {
    lua_getfield(L, 1, "version");
    int type = lua_type(L, -1);
    if (type == LUA_TNUMBER) {
        app->version.kind = TWL_VERSION_NUMBER;
        app->version.number = lua_tonumber(L, -1);
    } else if (type == LUA_TSTRING) {
        app->version.kind = TWL_VERSION_TEXT;
        app->version.text = twl_strdup(lua_tostring(L, -1));
        if (!app->version.text) {
            luaL_error(L, "out of memory");
        }
    } else if (type != LUA_TNIL) {
        twl_raise(L, "%s: version must be a number or a string, not %s", what,
                  lua_typename(L, type));
    }
    lua_pop(L, 1);
}

static void read_origins(lua_State *L, twl_app *app) {
    lua_getfield(L, 1, "origins");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    if (!lua_istable(L, -1) || lua_objlen(L, -1) == 0) {
        twl_raise(L, "%s: origins must be a list of patterns", what);
    }
    size_t count = lua_objlen(L, -1);
    app->origins = twl_zalloc((count + 1) * sizeof *app->origins);
    for (size_t i = 0; app->origins && i < count; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        if (lua_type(L, -1) != LUA_TSTRING) {
            twl_raise(L, "%s: origins must be a list of patterns", what);
        }
        app->origins[i] = twl_strdup(lua_tostring(L, -1));
        if (!app->origins[i]) {
            luaL_error(L, "out of memory");
        }
        lua_pop(L, 1);
    }
    if (!app->origins) {
        luaL_error(L, "out of memory");
    }
    app->settings.origins = (const char *const *)app->origins;
    app->settings.origin_count = count;
    lua_pop(L, 1);
}

void twl_app_read_settings(lua_State *L, twl_app *app) {
    read_wire(L, &app->settings);
    read_times(L, &app->settings);
    read_rate(L, &app->settings);
    read_drain(L, &app->settings);
    read_user_connections(L, &app->settings);
    read_errors(L, app);
    read_deflate(L, &app->settings);
    read_version(L, app);
    read_origins(L, app);
}
