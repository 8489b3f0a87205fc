/* SPDX-License-Identifier: MIT */
#include "listen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "nearest.h"

/* Everything that an entry's config points to. */
typedef struct twp_listen_owned {
    struct twp_listen_owned *next;
    json_t *json; /* holds the texts; NULL: the settings do */
    tw_tls_config config;
    tw_tls_pair pairs[];
} owned;

typedef struct listing {
    twp_listen *listen;
    const twp_settings *settings;
    twp_text *problems;
    const tw_tls_config *common; /* of the tls options; NULL: none */
} listing;

static void remark(const listing *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void remark(const listing *t, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    twp_text_printf(t->problems, "%s\n", text);
}

static owned *own(const listing *t, size_t pairs, json_t *json) {
    owned *made = twp_alloc(sizeof *made + pairs * sizeof *made->pairs);
    memset(made, 0, sizeof *made);
    made->json = json_incref(json);
    made->config.pairs = made->pairs;
    made->config.pair_count = pairs;
    made->next = t->listen->_owned;
    t->listen->_owned = made;
    return made;
}

/* ---- the tls options ---------------------------------------------------- */

static int client_of(const char *word) {
    static const char *const words[] = {"none", "request", "require"};
    for (int i = 0; word != NULL && i < 3; i++) {
        if (strcmp(words[i], word) == 0) {
            return i;
        }
    }
    return word == NULL ? 0 : -1;
}

static void check_pairs(const listing *t, const char *where,
                        const tw_tls_config *config, size_t keys) {
    if (keys > 0 && keys != config->pair_count) {
        remark(t, "%s: %zu certificates and %zu keys", where,
               config->pair_count, keys);
    }
    if (config->client != TW_TLS_CLIENT_NONE && config->client_ca == NULL) {
        remark(t, "%s: client certificates need a client_ca", where);
    }
}

static const tw_tls_config *take_common(const listing *t) {
    const twp_settings *settings = t->settings;
    const twp_value *certs = &settings->values[TWP_TLS_CERT_OPTION];
    const twp_value *keys = &settings->values[TWP_TLS_KEY_OPTION];
    if (certs->count == 0) {
        if (keys->count > 0) {
            remark(t, "tls: a key and no certificate");
        }
        return NULL;
    }
    owned *made = own(t, certs->count, NULL);
    for (size_t i = 0; i < certs->count; i++) {
        made->pairs[i].cert = certs->list[i];
        made->pairs[i].key = i < keys->count ? keys->list[i] : NULL;
    }
    made->config.client = (tw_tls_client)client_of(
        twp_settings_text(settings, TWP_TLS_CLIENT_OPTION));
    made->config.client_ca =
        twp_settings_text(settings, TWP_TLS_CLIENT_CA_OPTION);
    check_pairs(t, "tls", &made->config, keys->count);
    return &made->config;
}

/* ---- an entry that is a table ------------------------------------------- */

static bool is_known(const listing *t, const char *where, const json_t *table,
                     const char *const *names) {
    const char *key;
    json_t *value;
    bool is_fine = true;
    json_object_foreach((json_t *)table, key, value) {
        twp_nearest nearest;
        size_t i = 0;
        twp_nearest_init(&nearest, key);
        while (names[i] != NULL && strcmp(names[i], key) != 0) {
            twp_nearest_offer(&nearest, names[i++]);
        }
        if (names[i] == NULL && nearest.name != NULL) {
            remark(t, "%s: %s: unknown; did you mean '%s'?", where, key,
                   nearest.name);
        } else if (names[i] == NULL) {
            remark(t, "%s: %s: unknown", where, key);
        }
        is_fine = is_fine && names[i] != NULL;
    }
    return is_fine;
}

/* One text or an array of them: how many, -1 when it is neither. */
static int count_texts(const json_t *json) {
    if (json == NULL || json_is_string(json)) {
        return json != NULL;
    }
    for (size_t i = 0; i < json_array_size(json); i++) {
        if (!json_is_string(json_array_get(json, i))) {
            return -1;
        }
    }
    return json_is_array(json) ? (int)json_array_size(json) : -1;
}

static const char *text_at(const json_t *json, size_t i) {
    return json_string_value(json_is_array(json) ? json_array_get(json, i)
                                                 : json);
}

static const tw_tls_config *take_own(const listing *t, const char *where,
                                     json_t *root, const json_t *tls) {
    static const char *const names[] = {"cert", "key", "client", "client_ca",
                                        NULL};
    const json_t *cert = json_object_get(tls, "cert");
    const json_t *key = json_object_get(tls, "key");
    const json_t *client = json_object_get(tls, "client");
    const json_t *client_ca = json_object_get(tls, "client_ca");
    int certs = count_texts(cert), keys = count_texts(key);
    int mode = client_of(json_string_value(client));
    if (!is_known(t, where, tls, names)) {
        return NULL;
    }
    if (certs <= 0 || keys < 0 || mode < 0 ||
        (client != NULL && !json_is_string(client)) ||
        (client_ca != NULL && !json_is_string(client_ca))) {
        remark(t,
               "%s: tls: cert and key are paths or arrays of them, client is "
               "none|request|require, client_ca a path",
               where);
        return NULL;
    }
    owned *made = own(t, (size_t)certs, root);
    for (size_t i = 0; i < (size_t)certs; i++) {
        made->pairs[i].cert = text_at(cert, i);
        made->pairs[i].key = i < (size_t)keys ? text_at(key, i) : NULL;
    }
    made->config.client = (tw_tls_client)mode;
    made->config.client_ca = json_string_value(client_ca);
    check_pairs(t, where, &made->config, (size_t)keys);
    return &made->config;
}

static const tw_tls_config *common_of(const listing *t, const char *where) {
    if (t->common == NULL) {
        remark(t, "%s: speaks TLS, but there is no tls.cert", where);
    }
    return t->common;
}

static const char *after(const char *text, const char *prefix) {
    size_t len = strlen(prefix);
    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

/* What the address alone says. */
static void take_address(const listing *t, size_t i, const char *text) {
    const char *secure = after(text, "https://"),
               *plain = after(text, "http://");
    t->listen->addresses[i] = secure != NULL  ? secure
                              : plain != NULL ? plain
                                              : text;
    if (secure != NULL) {
        t->listen->options[i].tls = common_of(t, text);
    } else if (plain == NULL && after(text, "unix:") == NULL) {
        t->listen->options[i].tls = t->common;
    }
}

static void take_table(const listing *t, size_t i, json_t *root) {
    static const char *const names[] = {"address", "tls", "proxy", NULL};
    const char *address = json_string_value(json_object_get(root, "address"));
    const json_t *tls = json_object_get(root, "tls");
    const json_t *proxy = json_object_get(root, "proxy");
    if (address == NULL) {
        remark(t, "listen: an entry that is a table needs an address");
        return;
    }
    if (!is_known(t, address, root, names)) {
        return;
    }
    own(t, 0, root); /* the address is a text of it */
    take_address(t, i, address);
    tw_listen_options *options = &t->listen->options[i];
    options->proxy = json_is_true(proxy);
    if (proxy != NULL && !json_is_boolean(proxy)) {
        remark(t, "%s: proxy: must be true or false", address);
    }
    if (json_is_object(tls)) {
        options->tls = take_own(t, address, root, tls);
    } else if (json_is_true(tls)) {
        options->tls = common_of(t, address);
    } else if (json_is_false(tls)) {
        options->tls = NULL;
    } else if (tls != NULL) {
        remark(t, "%s: tls: must be a table, true or false", address);
    }
}

/* ---- all ---------------------------------------------------------------- */

static void take_entry(const listing *t, size_t i, const char *text) {
    if (*text != '{') {
        take_address(t, i, text);
        return;
    }
    json_t *root = json_loads(text, 0, NULL);
    if (json_is_object(root)) {
        take_table(t, i, root);
    } else {
        remark(t, "listen: '%s' is not an address", text);
    }
    json_decref(root);
}

void twp_listen_init(twp_listen *listen, const twp_settings *settings,
                     twp_text *problems) {
    const twp_value *value = &settings->values[TWP_LISTEN_OPTION];
    size_t count = value->count > 0 ? value->count : 1;
    *listen =
        (twp_listen){.addresses = twp_alloc(count * sizeof *listen->addresses),
                     .options = twp_alloc(count * sizeof *listen->options),
                     .count = count};
    memset(listen->options, 0, count * sizeof *listen->options);
    listing t = {listen, settings, problems, NULL};
    t.common = take_common(&t);
    for (size_t i = 0; i < count; i++) {
        listen->addresses[i] = "";
        take_entry(&t, i,
                   value->count > 0 ? value->list[i]
                                    : twp_options[TWP_LISTEN_OPTION].standard);
    }
}

void twp_listen_deinit(twp_listen *listen) {
    while (listen->_owned != NULL) {
        owned *gone = listen->_owned;
        listen->_owned = gone->next;
        json_decref(gone->json);
        free(gone);
    }
    free(listen->addresses);
    free(listen->options);
}

/* ---- on the way into the settings --------------------------------------- */

static json_t *moved(const json_t *path, const char *file) {
    char *text = twp_config_resolve(file, json_string_value(path));
    json_t *made = json_string(text);
    free(text);
    return made;
}

static void resolve_key(json_t *tls, const char *name, const char *file) {
    json_t *value = json_object_get(tls, name);
    if (json_is_string(value)) {
        json_object_set_new(tls, name, moved(value, file));
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *path = json_array_get(value, i);
        if (json_is_string(path)) {
            json_array_set_new(value, i, moved(path, file));
        }
    }
}

char *twp_listen_entry(const json_t *table, const char *file) {
    json_t *copy = json_deep_copy(table);
    json_t *tls = json_object_get(copy, "tls");
    resolve_key(tls, "cert", file);
    resolve_key(tls, "key", file);
    resolve_key(tls, "client_ca", file);
    char *text = json_dumps(copy, JSON_COMPACT);
    json_decref(copy);
    return text;
}
