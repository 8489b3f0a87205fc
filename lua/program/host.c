/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the library -------------------------------------------------------- */

static bool has_library(const char *dir) {
    char *path = twp_print("%s/tidewire", dir);
    bool is_there = *dir != '\0' && access(path, R_OK | X_OK) == 0;
    free(path);
    return is_there;
}

/* "/usr/local/bin/tidewire" has "/usr/local/share/tidewire/lua", wherever the
 * installation was moved to; a program in a build folder has no such thing. */
static char *installed_dir(void) {
    char path[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    for (int up = 0; up < 2 && len > 0; up++) {
        path[len] = '\0';
        char *slash = strrchr(path, '/');
        len = slash != NULL ? slash - path : 0;
    }
    return twp_print("%.*s/share/tidewire/lua", len > 0 ? (int)len : 0, path);
}

char *twp_library_dir(void) {
    char *dir = installed_dir();
    if (has_library(dir)) {
        return dir;
    }
    free(dir);
    return twp_copy(has_library(TW_LUA_DIR) ? TW_LUA_DIR
                                            : TW_INSTALLED_LUA_DIR);
}

/* ---- scripts ------------------------------------------------------------ */

/* Each key of the free table becomes a value of its own. */
static void add_values(twp_lua *lua, const char *json) {
    json_t *table =
        json != NULL ? json_loads(json, JSON_ALLOW_NUL, NULL) : NULL;
    if (table == NULL) {
        return;
    }
    lua->_table = table;
    lua->values = twp_alloc(json_object_size(table) * sizeof *lua->values);
    const char *key;
    json_t *value;
    json_object_foreach(table, key, value) {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        if (text != NULL) {
            lua->values[lua->config.value_count++] = (tw_lua_value){key, text};
        }
    }
    lua->config.values = lua->values;
}

void twp_lua_init(twp_lua *lua, const twp_settings *settings,
                  const char *script, twp_log *log) {
    const twp_value *files = &settings->values[TWP_FILES_OPTION];
    const char *dir = twp_settings_text(settings, TWP_LUA_DIR_OPTION);
    *lua = (twp_lua){0};
    lua->library_dir = dir != NULL ? twp_copy(dir) : twp_library_dir();
    lua->config = (tw_lua_config){
        .script = script,
        .library_dir = lua->library_dir,
        .files = (const char *const *)files->list,
        .file_count = files->count,
        .node_id = twp_settings_text(settings, TWP_NODE_OPTION),
        .memory_limit_bytes =
            (size_t)twp_settings_number(settings, TWP_LUA_MEMORY_OPTION, 0),
        .budget_ms = twp_settings_ms(settings, TWP_LUA_BUDGET_OPTION),
        .hook_wait_ms = twp_settings_ms(settings, TWP_LUA_WAIT_OPTION),
        .retire_ms = twp_settings_ms(settings, TWP_LUA_RETIRE_OPTION),
        .no_jit = !twp_settings_is_on(settings, TWP_LUA_JIT_OPTION, true),
        .may_read = twp_may_read,
        .may_read_arg = &lua->_trust,
        .log = twp_log_write,
        .log_arg = log,
    };
    twp_trust_init(&lua->_trust, settings);
    add_values(lua, twp_settings_text(settings, TWP_CONFIG_OPTION));
}

void twp_lua_deinit(twp_lua *lua) {
    for (size_t i = 0; i < lua->config.value_count; i++) {
        free((char *)lua->values[i].json);
    }
    free(lua->values);
    free(lua->library_dir);
    json_decref(lua->_table);
}

const char *twp_script(const twp_settings *settings, const char *operand,
                       int *status) {
    const char *script = operand != NULL
                             ? operand
                             : twp_settings_text(settings, TWP_SCRIPT_OPTION);
    if (script == NULL) {
        fprintf(stderr, "tidewire: which script? (tidewire [run] [options] "
                        "SCRIPT.lua, see tidewire --help)\n");
        *status = 2;
        return NULL;
    }
    if (access(script, R_OK) != 0) {
        fprintf(stderr, "tidewire: %s: %s\n", script, strerror(errno));
        *status = 1;
        return NULL;
    }
    return script;
}

/* ---- the server --------------------------------------------------------- */

static void fill_limits(tw_config *config, const twp_settings *settings) {
#define SIZE(field, option)                                                    \
    config->field = (size_t)twp_settings_number(settings, option##_OPTION, 0)
#define COUNT(field, option)                                                   \
    config->field = (uint32_t)twp_settings_number(settings, option##_OPTION, 0)
#define TIME(field, option)                                                    \
    config->field = twp_settings_ms(settings, option##_OPTION)
    SIZE(max_connections, TWP_MAX_CONNECTIONS);
    SIZE(max_connections_per_address, TWP_MAX_CONNECTIONS_PER_ADDRESS);
    SIZE(max_subscriptions, TWP_MAX_SUBSCRIPTIONS);
    SIZE(max_head_bytes, TWP_MAX_HEAD);
    SIZE(max_headers, TWP_MAX_HEADERS);
    COUNT(max_requests, TWP_MAX_REQUESTS);
    COUNT(handshakes_per_second, TWP_HANDSHAKES_PER_SECOND);
    COUNT(handshake_burst, TWP_HANDSHAKE_BURST);
    TIME(handshake_ms, TWP_HANDSHAKE);
    TIME(http_idle_ms, TWP_HTTP_IDLE);
    TIME(http_handler_ms, TWP_HTTP_HANDLER);
    TIME(frame_ms, TWP_FRAME);
    TIME(close_ms, TWP_CLOSE);
    TIME(stall_ms, TWP_STALL);
    SIZE(reply_budget_bytes, TWP_REPLY_BUDGET);
    SIZE(publication_budget_bytes, TWP_PUBLICATION_BUDGET);
    SIZE(pinned_limit_bytes, TWP_PINNED);
    SIZE(publish_budget_bytes, TWP_PUBLISH_BUDGET);
    SIZE(delivery_budget_bytes, TWP_DELIVERY_BUDGET);
    SIZE(history_budget_bytes, TWP_HISTORY_MEMORY);
    SIZE(recover_limit_bytes, TWP_RECOVER);
    SIZE(dict_memory_bytes, TWP_DICT_MEMORY);
    SIZE(metric_memory_bytes, TWP_METRIC_MEMORY);
    TIME(presence_grace_ms, TWP_PRESENCE_GRACE);
    COUNT(presence_told_max, TWP_PRESENCE_TOLD);
    COUNT(http.concurrent, TWP_HTTP_CONCURRENT);
    COUNT(http.per_host, TWP_HTTP_PER_HOST);
    COUNT(http.queue, TWP_HTTP_QUEUE);
    COUNT(http.failures, TWP_HTTP_FAILURES);
    TIME(http.pause_ms, TWP_HTTP_PAUSE);
    SIZE(http.max_body_bytes, TWP_HTTP_ANSWER);
    SIZE(http.memory_bytes, TWP_HTTP_MEMORY);
    config->http.ca_file = twp_settings_text(settings, TWP_HTTP_CA_OPTION);
    config->http.proxy = twp_settings_text(settings, TWP_HTTP_PROXY_OPTION);
    SIZE(read_turn_bytes, TWP_READ_TURN);
    COUNT(read_turn_frames, TWP_READ_TURN_FRAMES);
#undef SIZE
#undef COUNT
#undef TIME
}

/* An explicit 0 means never; to the master it would mean the default. */
static uint32_t hang_ms(const twp_settings *settings, twp_option_id id) {
    uint32_t ms = twp_settings_ms(settings, id);
    return ms == 0 && twp_settings_has(settings, id) ? INT32_MAX : ms;
}

static const char *admin_of(const twp_settings *settings) {
    const char *admin = twp_settings_text(settings, TWP_ADMIN_OPTION);
    if (admin == NULL) {
        return twp_options[TWP_ADMIN_OPTION].standard;
    }
    return strcmp(admin, "off") != 0 ? admin : NULL;
}

void twp_master_fill(tw_master_config *config, const twp_settings *settings,
                     const twp_listen *listen, twp_log *log) {
    const twp_value *trusted = &settings->values[TWP_TRUSTED_PROXIES_OPTION];
    *config = (tw_master_config){
        .server = {.listen = listen->addresses,
                   .listen_count = listen->count,
                   .listen_options = listen->options,
                   .trusted_proxies = (const char *const *)trusted->list,
                   .trusted_proxy_count = trusted->count,
                   .log = twp_log_write,
                   .log_arg = log,
                   .log_level = log->level},
        .workers =
            (uint32_t)twp_settings_number(settings, TWP_WORKERS_OPTION, 0),
        .admin = admin_of(settings),
        .runtime_dir = twp_settings_text(settings, TWP_RUNTIME_DIR_OPTION),
        .user = twp_settings_text(settings, TWP_USER_OPTION),
        .group = twp_settings_text(settings, TWP_GROUP_OPTION),
        .version = TW_VERSION,
        .hang_cpu_ms = hang_ms(settings, TWP_HANG_CPU_OPTION),
        .hang_wall_ms = hang_ms(settings, TWP_HANG_WALL_OPTION),
        .hang_off = twp_settings_is_on(settings, TWP_HANG_OFF_OPTION, false),
        .drain_ms = twp_settings_ms(settings, TWP_DRAIN_OPTION),
        .stop_ms = twp_settings_ms(settings, TWP_STOP_OPTION),
        .freeze_ms = twp_settings_ms(settings, TWP_FREEZE_OPTION),
        .no_console = !twp_settings_is_on(settings, TWP_CONSOLE_OPTION, true),
    };
    fill_limits(&config->server, settings);
}
