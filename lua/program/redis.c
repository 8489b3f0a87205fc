/* SPDX-License-Identifier: MIT */
#include "redis.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nearest.h"
#include "secret.h"
#include "tidewire/master.h"

struct twp_redis_entry {
    tw_redis_config config;
    char *texts[6]; /* what the config points to, by `key` */
};

typedef struct taking {
    twp_redis_entry *entry;
    const char *name;
    twp_text *problems;
} taking;

static void complain(const taking *t, const char *key, const char *why) {
    twp_text_printf(t->problems, "redis.%s%s%s: %s\n", t->name,
                    *key != '\0' ? "." : "", key, why);
}

/* ---- keys ---------------------------------------------------------------- */

typedef enum key_kind { TEXT, COUNT, SECONDS, BYTES } key_kind;

typedef struct redis_key {
    const char *name;
    key_kind kind;
    size_t place; /* in tw_redis_config, or of the texts */
    double least, most;
} redis_key;

#define PLACE(field) offsetof(tw_redis_config, field)
enum { URL, USER, PASSWORD, PASSWORD_FILE, CA, NAME };

static const redis_key keys[] = {
    {"url", TEXT, URL, 0, 0},
    {"user", TEXT, USER, 0, 0},
    {"password", TEXT, PASSWORD, 0, 0},
    {"password_file", TEXT, PASSWORD_FILE, 0, 0},
    {"ca", TEXT, CA, 0, 0},
    {"db", COUNT, PLACE(db), 0, 1 << 20},
    {"pool", COUNT, PLACE(pool), 1, 64},
    {"connect", SECONDS, PLACE(connect_ms), 0.001, 3600},
    {"timeout", SECONDS, PLACE(timeout_ms), 0.001, 3600},
    {"ping", SECONDS, PLACE(ping_ms), 0.001, 3600},
    {"dead", SECONDS, PLACE(dead_ms), 0.001, 3600},
    {"max_pending", COUNT, PLACE(max_pending), 1, 1e7},
    {"max_queued", BYTES, PLACE(max_queued_bytes), 1024, 1e12},
    {"max_reply", BYTES, PLACE(max_reply_bytes), 1024, 1e12},
};

enum { KEYS = sizeof keys / sizeof *keys };

static const redis_key *find_key(const char *name) {
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

static void complain_unknown(const taking *t, const char *name) {
    twp_nearest nearest;
    const char *best = NULL;
    char why[128];
    twp_nearest_init(&nearest, name);
    for (size_t i = 0; i < KEYS; i++) {
        if (twp_nearest_offer(&nearest, keys[i].name)) {
            best = keys[i].name;
        }
    }
    snprintf(why, sizeof why, "unknown; did you mean '%s'?",
             best != NULL ? best : "");
    complain(t, name, best != NULL ? why : "unknown");
}

/* ---- values -------------------------------------------------------------- */

static void take_text(const taking *t, const redis_key *key,
                      const json_t *json) {
    const char *text = json_string_value(json);
    if (text == NULL || *text == '\0' ||
        strlen(text) != json_string_length(json)) {
        complain(t, key->name, "must be text, and not empty");
        return;
    }
    twp_secret_free(t->entry->texts[key->place]);
    t->entry->texts[key->place] = twp_copy(text);
}

static void take_number(const taking *t, const redis_key *key,
                        const json_t *json) {
    char why[96];
    double number = json_number_value(json);
    bool is_whole = key->kind == SECONDS || floor(number) == number;
    void *place = (char *)&t->entry->config + key->place;
    if (!json_is_number(json) || number < key->least || number > key->most ||
        !is_whole) {
        snprintf(why, sizeof why, "must be a%s number, %.15g to %.15g%s",
                 key->kind == SECONDS ? "" : " whole", key->least, key->most,
                 key->kind == SECONDS ? " seconds"
                 : key->kind == BYTES ? " bytes"
                                      : "");
        complain(t, key->name, why);
    } else if (key->kind == BYTES) {
        *(size_t *)place = (size_t)number;
    } else {
        *(uint32_t *)place =
            (uint32_t)(key->kind == SECONDS ? number * 1000 + 0.5 : number);
    }
}

/* `main = "redis://..."` says only where it is. */
static void take_entry(const taking *t, json_t *json) {
    const char *name;
    json_t *value;
    if (json_is_string(json)) {
        take_text(t, find_key("url"), json);
        return;
    }
    if (!json_is_object(json)) {
        complain(t, "", "must be a URL, or a table with one");
        return;
    }
    json_object_foreach(json, name, value) {
        const redis_key *key = find_key(name);
        if (key == NULL) {
            complain_unknown(t, name);
        } else if (key->kind == TEXT) {
            take_text(t, key, value);
        } else {
            take_number(t, key, value);
        }
    }
}

/* ---- all of them --------------------------------------------------------- */

static taking add_entry(twp_redis *redis, const char *name,
                        twp_text *problems) {
    redis->entries =
        twp_grow(redis->entries, (redis->count + 1) * sizeof *redis->entries);
    twp_redis_entry *entry = &redis->entries[redis->count++];
    *entry = (twp_redis_entry){.texts = {[NAME] = twp_copy(name)}};
    return (taking){entry, entry->texts[NAME], problems};
}

static void take_table(twp_redis *redis, const char *text, twp_text *problems) {
    json_t *table = json_loads(text, JSON_ALLOW_NUL, NULL), *value;
    const char *name;
    json_object_foreach(table, name, value) {
        taking t = add_entry(redis, name, problems);
        take_entry(&t, value);
    }
    json_decref(table);
}

/* The flag and the variable say where "main" is, whatever else the file says of
 * it. */
static void take_url(twp_redis *redis, const char *url, twp_text *problems) {
    twp_redis_entry *entry = NULL;
    for (size_t i = 0; i < redis->count; i++) {
        if (strcmp(redis->entries[i].texts[NAME], "main") == 0) {
            entry = &redis->entries[i];
        }
    }
    if (entry == NULL) {
        entry = add_entry(redis, "main", problems).entry;
    }
    twp_secret_free(entry->texts[URL]);
    entry->texts[URL] = twp_copy(url);
}

static void read_password(const taking *t) {
    char **texts = t->entry->texts;
    const char *why;
    if (texts[PASSWORD_FILE] == NULL) {
        return;
    }
    if (texts[PASSWORD] != NULL) {
        complain(t, "password_file", "there is a password, too");
    } else if (!twp_secret_read(texts[PASSWORD_FILE], &texts[PASSWORD], &why)) {
        complain(t, "password_file", why);
    }
}

static void finish_entry(const taking *t) {
    tw_redis_config *config = &t->entry->config;
    char detail[TW_REPORT_MAX];
    read_password(t);
    config->name = t->entry->texts[NAME];
    config->url = t->entry->texts[URL];
    config->user = t->entry->texts[USER];
    config->password = t->entry->texts[PASSWORD];
    config->ca = t->entry->texts[CA];
    if (t->problems->len == 0 &&
        tw_redis_check(config, detail, sizeof detail) != 0) {
        complain(t, "", detail);
    }
}

void twp_redis_init(twp_redis *redis, const twp_settings *settings,
                    twp_text *problems) {
    const char *table = twp_settings_text(settings, TWP_REDIS_OPTION);
    const char *url = twp_settings_text(settings, TWP_REDIS_URL_OPTION);
    *redis = (twp_redis){0};
    if (table != NULL) {
        take_table(redis, table, problems);
    }
    if (url != NULL) {
        take_url(redis, url, problems);
    }
    for (size_t i = 0; i < redis->count; i++) {
        taking t = {&redis->entries[i], redis->entries[i].texts[NAME],
                    problems};
        finish_entry(&t);
    }
}

void twp_redis_deinit(twp_redis *redis) {
    for (size_t i = 0; i < redis->count; i++) {
        for (size_t k = 0; k <= NAME; k++) {
            twp_secret_free(redis->entries[i].texts[k]);
        }
    }
    free(redis->entries);
    *redis = (twp_redis){0};
}

int twp_redis_add(const twp_redis *redis, tw_server *server, char *report) {
    for (size_t i = 0; i < redis->count; i++) {
        char detail[TW_REPORT_MAX / 2];
        const tw_redis_config *config = &redis->entries[i].config;
        int code = tw_redis_add(server, config, detail, sizeof detail);
        if (code != 0) {
            snprintf(report, TW_REPORT_MAX, "redis.%s: %s", config->name,
                     detail);
            return code;
        }
    }
    return 0;
}
