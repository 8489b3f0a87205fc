/* listen_tls.c - certificates of public addresses.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "listen_parts.h"

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

static void check_pairs(const twp_listing *t, const char *where,
                        const tw_tls_config *config, size_t keys) {
    if (keys > 0 && keys != config->pair_count) {
        twp_listen_remark(t, "%s: %zu certificates and %zu keys", where,
                          config->pair_count, keys);
    }
    if (config->client != TW_TLS_CLIENT_NONE && config->client_ca == NULL) {
        twp_listen_remark(t, "%s: client certificates need a client_ca", where);
    }
}

const tw_tls_config *twp_listen_common_tls(const twp_listing *t) {
    const twp_settings *settings = t->settings;
    const twp_value *certs = &settings->values[TWP_TLS_CERT_OPTION];
    const twp_value *keys = &settings->values[TWP_TLS_KEY_OPTION];
    const twp_value *ocsp = &settings->values[TWP_TLS_OCSP_OPTION];
    if (certs->count == 0) {
        if (keys->count + ocsp->count > 0) {
            twp_listen_remark(t, "tls: %s and no certificate",
                              keys->count > 0 ? "a key" : "an OCSP response");
        }
        return NULL;
    }
    twp_listen_owned *made = twp_listen_own(t, certs->count, ocsp->count, NULL);
    for (size_t i = 0; i < ocsp->count; i++) {
        made->ocsp[i] = ocsp->list[i];
    }
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

/* ---- those of one address ----------------------------------------------- */

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

const tw_tls_config *twp_listen_own_tls(const twp_listing *t, const char *where,
                                        json_t *root, const json_t *tls) {
    static const char *const names[] = {"cert",      "key",  "client",
                                        "client_ca", "ocsp", NULL};
    const json_t *cert = json_object_get(tls, "cert");
    const json_t *key = json_object_get(tls, "key");
    const json_t *client = json_object_get(tls, "client");
    const json_t *client_ca = json_object_get(tls, "client_ca");
    const json_t *ocsp = json_object_get(tls, "ocsp");
    int certs = count_texts(cert), keys = count_texts(key);
    int responses = count_texts(ocsp);
    int mode = client_of(json_string_value(client));
    if (!twp_listen_is_known(t, where, tls, names)) {
        return NULL;
    }
    if (certs <= 0 || keys < 0 || responses < 0 || mode < 0 ||
        (client != NULL && !json_is_string(client)) ||
        (client_ca != NULL && !json_is_string(client_ca))) {
        twp_listen_remark(
            t,
            "%s: tls: cert, key and ocsp are paths or arrays of them, "
            "client is none|request|require, client_ca a path",
            where);
        return NULL;
    }
    twp_listen_owned *made =
        twp_listen_own(t, (size_t)certs, (size_t)responses, root);
    for (size_t i = 0; i < (size_t)responses; i++) {
        made->ocsp[i] = text_at(ocsp, i);
    }
    for (size_t i = 0; i < (size_t)certs; i++) {
        made->pairs[i].cert = text_at(cert, i);
        made->pairs[i].key = i < (size_t)keys ? text_at(key, i) : NULL;
    }
    made->config.client = (tw_tls_client)mode;
    made->config.client_ca = json_string_value(client_ca);
    check_pairs(t, where, &made->config, (size_t)keys);
    return &made->config;
}
