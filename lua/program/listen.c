/* SPDX-License-Identifier: MIT */
#include "listen_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "nearest.h"

/* ---- for all of listen* -------------------------------------------------- */

void twp_listen_remark(const twp_listing *t, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    twp_text_printf(t->problems, "%s\n", text);
}

twp_listen_owned *twp_listen_own(const twp_listing *t, size_t pairs,
                                 size_t ocsp, json_t *json) {
    twp_listen_owned *made =
        twp_alloc(sizeof *made + pairs * sizeof *made->pairs);
    memset(made, 0, sizeof *made);
    made->json = json_incref(json);
    made->ocsp = twp_alloc((ocsp + 1) * sizeof *made->ocsp);
    made->config.pairs = made->pairs;
    made->config.pair_count = pairs;
    made->config.ocsp = made->ocsp;
    made->config.ocsp_count = ocsp;
    made->next = t->listen->_owned;
    t->listen->_owned = made;
    return made;
}

bool twp_listen_is_known(const twp_listing *t, const char *where,
                         const json_t *table, const char *const *names) {
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
            twp_listen_remark(t, "%s: %s: unknown; did you mean '%s'?", where,
                              key, nearest.name);
        } else if (names[i] == NULL) {
            twp_listen_remark(t, "%s: %s: unknown", where, key);
        }
        is_fine = is_fine && names[i] != NULL;
    }
    return is_fine;
}

const char *twp_after(const char *text, const char *prefix) {
    size_t len = strlen(prefix);
    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

/* ---- an entry that is a table ------------------------------------------- */

static const tw_tls_config *common_of(const twp_listing *t, const char *where) {
    if (t->common == NULL) {
        twp_listen_remark(t, "%s: speaks TLS, but there is no tls.cert", where);
    }
    return t->common;
}

/* ---- an address --------------------------------------------------------- */

/* What the address alone says. */
static void take_address(const twp_listing *t, size_t i, const char *text) {
    const char *secure = twp_after(text, "https://"),
               *plain = twp_after(text, "http://");
    t->listen->addresses[i] = secure != NULL  ? secure
                              : plain != NULL ? plain
                              : twp_after(text, "unix:") != NULL
                                  ? twp_listen_take_unix(t, i, text)
                                  : text;
    if (secure != NULL) {
        t->listen->options[i].tls = common_of(t, text);
    } else if (plain == NULL && twp_after(text, "unix:") == NULL) {
        t->listen->options[i].tls = t->common;
    }
}

static void take_table(const twp_listing *t, size_t i, json_t *root) {
    static const char *const names[] = {"address", "tls",   "proxy",
                                        "mode",    "group", NULL};
    const char *address = json_string_value(json_object_get(root, "address"));
    const json_t *tls = json_object_get(root, "tls");
    const json_t *proxy = json_object_get(root, "proxy");
    const json_t *mode = json_object_get(root, "mode");
    const json_t *group = json_object_get(root, "group");
    if (address == NULL) {
        twp_listen_remark(t,
                          "listen: an entry that is a table needs an address");
        return;
    }
    if (!twp_listen_is_known(t, address, root, names)) {
        return;
    }
    twp_listen_own(t, 0, 0, root); /* the address is a text of it */
    take_address(t, i, address);
    if (mode != NULL) {
        twp_listen_take_mode(t, i, address, json_string_value(mode));
    }
    if (group != NULL) {
        twp_listen_take_group(t, i, address, json_string_value(group));
    }
    tw_listen_options *options = &t->listen->options[i];
    options->proxy = json_is_true(proxy);
    if (proxy != NULL && !json_is_boolean(proxy)) {
        twp_listen_remark(t, "%s: proxy: must be true or false", address);
    }
    if (json_is_object(tls)) {
        options->tls = twp_listen_own_tls(t, address, root, tls);
    } else if (json_is_true(tls)) {
        options->tls = common_of(t, address);
    } else if (json_is_false(tls)) {
        options->tls = NULL;
    } else if (tls != NULL) {
        twp_listen_remark(t, "%s: tls: must be a table, true or false",
                          address);
    }
}

/* ---- all ---------------------------------------------------------------- */

static void take_entry(const twp_listing *t, size_t i, const char *text) {
    if (*text != '{') {
        take_address(t, i, text);
        return;
    }
    json_t *root = json_loads(text, 0, NULL);
    if (json_is_object(root)) {
        take_table(t, i, root);
    } else {
        twp_listen_remark(t, "listen: '%s' is not an address", text);
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
    twp_listing t = {listen, settings, problems, NULL};
    t.common = twp_listen_common_tls(&t);
    for (size_t i = 0; i < count; i++) {
        listen->addresses[i] = "";
        take_entry(&t, i,
                   value->count > 0 ? value->list[i]
                                    : twp_options[TWP_LISTEN_OPTION].standard);
        twp_listen_check_sharing(&t, i);
    }
}

void twp_listen_deinit(twp_listen *listen) {
    while (listen->_owned != NULL) {
        twp_listen_owned *gone = listen->_owned;
        listen->_owned = gone->next;
        json_decref(gone->json);
        free(gone->text);
        free(gone->ocsp);
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
    resolve_key(tls, "ocsp", file);
    char *text = json_dumps(copy, JSON_COMPACT);
    json_decref(copy);
    return text;
}
