/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "listen.h"
#include "nearest.h"
#include "redis.h"
#include "secret.h"
#include "tidewire/lua_config.h"
#include "tidewire/master.h"
#include "trust.h"

enum { PATH_SIZE = 128 };

typedef struct taking {
    twp_settings *settings;
    const char *file;
    twp_text *problems;
} taking;

static void complain(const taking *t, const char *path, const char *why) {
    twp_text_printf(t->problems, "%s: %s: %s\n", t->file, path, why);
}

/* ---- unknown keys ------------------------------------------------------- */

/* "limits" of "limits.max_head"; options at the top have none. */
static size_t group_len(const char *path) {
    const char *dot = strchr(path, '.');
    return dot != NULL ? (size_t)(dot - path) : 0;
}

static bool is_group(const char *name) {
    size_t len = strlen(name);
    for (int i = 0; i < TWP_OPTION_COUNT; i++) {
        const char *path = twp_options[i].path;
        if (path != NULL && group_len(path) == len && len > 0 &&
            strncmp(path, name, len) == 0) {
            return true;
        }
    }
    return false;
}

/* The same word elsewhere in the file: "max_head" for "limits.max_head". */
static const char *find_elsewhere(const char *key) {
    for (int i = 0; i < TWP_OPTION_COUNT; i++) {
        const char *path = twp_options[i].path;
        size_t group = path != NULL ? group_len(path) : 0;
        if (group > 0 && strcmp(path + group + 1, key) == 0) {
            return path;
        }
    }
    return NULL;
}

/* Looks among the keys that may stand beside it: those of its group, or at the
 * top the plain options and the names of groups. */
static const char *find_nearest(const char *group, const char *key,
                                char out[PATH_SIZE]) {
    size_t len = strlen(group);
    twp_nearest nearest;
    twp_nearest_init(&nearest, key);
    bool is_found = false;
    for (int i = 0; i < TWP_OPTION_COUNT; i++) {
        char name[PATH_SIZE];
        const char *path = twp_options[i].path;
        size_t own = path != NULL ? group_len(path) : 0;
        if (path == NULL ||
            (len > 0 && (own != len || strncmp(path, group, len) != 0))) {
            continue;
        }
        snprintf(name, sizeof name, "%.*s",
                 len == 0 && own > 0 ? (int)own : 127,
                 len > 0 ? path + len + 1 : path);
        if (twp_nearest_offer(&nearest, name)) {
            snprintf(out, PATH_SIZE, "%s", name);
            is_found = true;
        }
    }
    return is_found ? out : len == 0 ? find_elsewhere(key) : NULL;
}

static void complain_unknown(const taking *t, const char *path,
                             const char *group, const char *key) {
    char near[PATH_SIZE];
    const char *name = find_nearest(group, key, near);
    if (name != NULL) {
        twp_text_printf(t->problems, "%s: %s: unknown; did you mean '%s'?\n",
                        t->file, path, name);
    } else {
        complain(t, path, "unknown");
    }
}

/* ---- values ------------------------------------------------------------- */

/* Paths in the file are relative to its folder, so that it means the same
 * wherever the program is started. */
char *twp_config_resolve(const char *file, const char *path) {
    const char *slash = strrchr(file, '/');
    if (path[0] == '/' || path[0] == '\0' || slash == NULL) {
        return twp_copy(path);
    }
    return twp_print("%.*s%s", (int)(slash - file) + 1, file, path);
}

static const char *set_string(const taking *t, twp_option_id id,
                              const char *text, twp_why *why) {
    bool is_path = twp_options[id].kind == TWP_PATH ||
                   id == TWP_TLS_CERT_OPTION || id == TWP_TLS_KEY_OPTION ||
                   id == TWP_TLS_OCSP_OPTION;
    if (!is_path) {
        return twp_settings_set(t->settings, id, TWP_FROM_FILE, text, why);
    }
    char *path = twp_config_resolve(t->file, text);
    const char *wrong =
        twp_settings_set(t->settings, id, TWP_FROM_FILE, path, why);
    free(path);
    return wrong;
}

/* What is behind a zero byte would be lost without a word. */
static const char *set_text_of(const taking *t, twp_option_id id,
                               const json_t *json, twp_why *why) {
    const char *text = json_string_value(json);
    return strlen(text) == json_string_length(json)
               ? set_string(t, id, text, why)
               : "must not hold a zero byte";
}

/* Of the public addresses an entry may be a table. */
static const char *set_entry(const taking *t, twp_option_id id,
                             const json_t *json, twp_why *why) {
    if (json_is_string(json)) {
        return set_text_of(t, id, json, why);
    }
    if (id != TWP_LISTEN_OPTION || !json_is_object(json)) {
        return "must be text, or an array of texts";
    }
    char *text = twp_listen_entry(json, t->file);
    const char *wrong =
        text != NULL ? set_string(t, id, text, why) : tw_strerror(TW_ENOMEM);
    free(text);
    return wrong;
}

/* An empty table in Lua is an object in JSON. */
static const char *set_list(const taking *t, twp_option_id id,
                            const json_t *json, twp_why *why) {
    const char *wrong = NULL;
    size_t count = json_array_size(json);
    if (!json_is_array(json) && json_object_size(json) > 0) {
        return "must be text, or an array of texts";
    }
    twp_settings_clear(t->settings, id, TWP_FROM_FILE);
    for (size_t i = 0; wrong == NULL && i < count; i++) {
        wrong = set_entry(t, id, json_array_get(json, i), why);
    }
    return wrong;
}

static const char *set_table(const taking *t, twp_option_id id,
                             const json_t *json) {
    if (!json_is_object(json)) {
        return "must be a table with names as keys";
    }
    json_t *resolved =
        id == TWP_REDIS_OPTION ? twp_redis_resolve(json, t->file) : NULL;
    char *text = json_dumps(resolved != NULL ? resolved : json,
                            JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(resolved);
    if (text == NULL) {
        return tw_strerror(TW_ENOMEM);
    }
    twp_settings_set_table(t->settings, id, TWP_FROM_FILE, text);
    return NULL;
}

static bool takes_number(twp_kind kind) {
    return kind == TWP_COUNT || kind == TWP_BYTES || kind == TWP_SECONDS;
}

static bool takes_string(twp_kind kind) {
    return kind != TWP_TABLE && kind != TWP_SWITCH && kind != TWP_COUNT;
}

static const char *set_value(const taking *t, twp_option_id id,
                             const json_t *json, twp_why *why) {
    twp_kind kind = twp_options[id].kind;
    if (json_is_number(json) && takes_number(kind)) {
        return twp_settings_set_number(t->settings, id, TWP_FROM_FILE,
                                       json_number_value(json), why);
    }
    if (json_is_boolean(json) && kind == TWP_SWITCH) {
        return twp_settings_set_number(t->settings, id, TWP_FROM_FILE,
                                       json_is_true(json), why);
    }
    /* `admin = false` reads well in a file; the flag says "off". */
    if (json_is_false(json) && id == TWP_ADMIN_OPTION) {
        return set_string(t, id, "off", why);
    }
    if (json_is_string(json) && takes_string(kind)) {
        return set_text_of(t, id, json, why);
    }
    if (kind == TWP_LIST && (json_is_array(json) || json_is_object(json))) {
        return set_list(t, id, json, why);
    }
    if (kind == TWP_TABLE) {
        return set_table(t, id, json);
    }
    snprintf(why->text, sizeof why->text, "must be %s", twp_kind_text(kind));
    return why->text;
}

/* ---- the table ---------------------------------------------------------- */

static void take_group(const taking *t, const char *group, json_t *json);

static void take_key(const taking *t, const char *group, const char *key,
                     json_t *json) {
    char *path =
        *group != '\0' ? twp_print("%s.%s", group, key) : twp_copy(key);
    int id = twp_option_by_path(path);
    twp_why why;
    if (id >= 0) {
        const char *wrong = set_value(t, (twp_option_id)id, json, &why);
        if (wrong != NULL) {
            complain(t, path, wrong);
        }
    } else if (*group == '\0' && is_group(key)) {
        take_group(t, key, json);
    } else {
        complain_unknown(t, path, group, key);
    }
    free(path);
}

static void take_group(const taking *t, const char *group, json_t *json) {
    if (!json_is_object(json)) {
        complain(t, *group != '\0' ? group : "the table",
                 "must be a table with names as keys");
        return;
    }
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value) {
        take_key(t, group, key, value);
    }
}

void twp_config_take(twp_settings *settings, const char *path, const char *json,
                     twp_text *problems) {
    taking t = {settings, path, problems};
    json_error_t error;
    json_t *root = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (root == NULL) {
        twp_text_printf(problems, "%s: %s\n", path, error.text);
        return;
    }
    take_group(&t, "", root);
    json_decref(root);
}

void twp_config_read(twp_settings *settings, const char *path,
                     twp_text *problems) {
    char report[TW_REPORT_MAX];
    char *json;
    if (access(path, R_OK) != 0) {
        twp_text_printf(problems, "%s: %s\n", path, strerror(errno));
        return;
    }
    twp_trust trust;
    twp_trust_init(&trust, settings);
    if (tw_lua_read_checked_config(path, twp_may_read, &trust, &json, report) !=
        0) {
        twp_secret_hide(report);
        twp_text_printf(problems, "%s\n", report);
        return;
    }
    twp_config_take(settings, path, json, problems);
    tw_lua_config_free(json);
}
