/* SPDX-License-Identifier: MIT */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "net/tls_parts.h"

/* Forward secrecy and authenticated encryption only; of TLS 1.3 all are. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

enum { SESSION_S = 12 * 3600 };

/* ---- one context -------------------------------------------------------- */

static void set_manners(SSL_CTX *context) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION |
                                     SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_max_early_data(context, 0);
    SSL_CTX_set_recv_max_early_data(context, 0);
    /* One call of ours handles one record, so that a flood of such as carry no
     * data is bounded, too. */
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS |
                                  SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1); /* one recv a record, not two */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(context, SESSION_S);
    tw__tls_let_choose(context);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, tw__tls_on_ticket);
}

/* A session is only resumed where the same is asked of clients: else a ticket
 * from a listener that asks nothing would pass at one that does. */
static bool bind_sessions(SSL_CTX *context, const tw__tls_config *config) {
    uint8_t digest[32] = {0};
    if (config->client_ca.data != NULL &&
        EVP_Digest(config->client_ca.data, config->client_ca.len, digest, NULL,
                   EVP_sha256(), NULL) != 1) {
        return false;
    }
    digest[0] ^= (uint8_t)config->client;
    return SSL_CTX_set_session_id_context(context, digest, sizeof digest) == 1;
}

static int complain(char *detail, size_t size, const char *name,
                    const char *why) {
    snprintf(detail, size, "%s: %s", name, why);
    return TW_EINVALID;
}

static int ask_clients(SSL_CTX *context, const tw__tls_config *config,
                       char *detail, size_t size) {
    if (config->client == TW_TLS_CLIENT_NONE) {
        return 0;
    }
    if (config->client_ca.data == NULL) {
        return complain(detail, size, "client certificates",
                        "there is no CA to check them by");
    }
    const char *why = NULL;
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    if (names == NULL) {
        return TW_ENOMEM;
    }
    int err = tw__tls_load_trusted(SSL_CTX_get_cert_store(context), names,
                                   config->client_ca, &why);
    SSL_CTX_set_client_CA_list(context, names); /* taken */
    int mode = SSL_VERIFY_PEER;
    if (config->client == TW_TLS_CLIENT_REQUIRE) {
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    SSL_CTX_set_verify(context, mode, NULL);
    return err == TW_EINVALID
               ? complain(detail, size, config->client_ca_name, why)
               : err;
}

static void note_end(tw__tls *set, const SSL_CTX *context) {
    struct tm tm;
    const ASN1_TIME *end =
        X509_get0_notAfter(SSL_CTX_get0_certificate(context));
    if (ASN1_TIME_to_tm(end, &tm) == 1) {
        int64_t at = (int64_t)timegm(&tm);
        set->expires =
            set->expires == 0 || at < set->expires ? at : set->expires;
    }
}

static int add_context(tw__tls *set, const tw__tls_config *config, size_t i,
                       char *detail, size_t size) {
    const char *why = NULL;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        return TW_ENOMEM;
    }
    set->papers[set->count++].context = context;
    set_manners(context);
    if (SSL_CTX_set_app_data(context, set) != 1 ||
        SSL_CTX_set_cipher_list(context, ciphers) != 1 ||
        !bind_sessions(context, config)) {
        return TW_ENOMEM;
    }
    int err = tw__tls_load_pair(context, &config->materials[i], &why);
    if (err == TW_EINVALID) {
        return complain(detail, size, config->materials[i].name, why);
    }
    if (err == 0) {
        note_end(set, context);
        err = ask_clients(context, config, detail, size);
    }
    return err;
}

/* ---- the set ------------------------------------------------------------ */

static char *copy_text(const ASN1_STRING *text) {
    return tw__strndup((const char *)ASN1_STRING_get0_data(text),
                       (size_t)ASN1_STRING_length(text));
}

/* A name of a certificate as a client would ask for it: the first one, of the
 * subject when there are no others. */
static int note_name(tw__tls *set) {
    const X509 *certificate = SSL_CTX_get0_certificate(set->papers[0].context);
    const X509_NAME *subject = X509_get_subject_name(certificate);
    GENERAL_NAMES *names =
        X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    const ASN1_STRING *found = NULL;
    for (int i = 0; found == NULL && i < sk_GENERAL_NAME_num(names); i++) {
        int type;
        const ASN1_STRING *value =
            GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
        found = type == GEN_DNS ? value : NULL;
    }
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (found == NULL && at >= 0) {
        found = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    }
    set->name = found != NULL ? copy_text(found) : NULL;
    bool is_short = found != NULL && set->name == NULL;
    GENERAL_NAMES_free(names);
    return is_short ? TW_ENOMEM : 0;
}

static int add_contexts(tw__tls *set, const tw__tls_config *config,
                        char *detail, size_t size) {
    int err = 0;
    for (size_t i = 0; err == 0 && i < config->count; i++) {
        err = add_context(set, config, i, detail, size);
    }
    return err == 0 ? note_name(set) : err;
}

static int add_staples(tw__tls *set, const tw__tls_config *config, char *detail,
                       size_t size) {
    int err = 0;
    for (size_t i = 0; err == 0 && i < config->ocsp_count; i++) {
        const char *remark = NULL;
        err = tw__tls_add_staple(set, config->ocsp[i], &remark);
        if (err == TW_EINVALID) {
            return complain(detail, size, config->ocsp_names[i], remark);
        }
        if (remark != NULL) {
            set->remark = remark;
            set->remark_at = i;
        }
    }
    return err;
}

int tw__tls_create(tw__tls **out, const tw__tls_config *config, char *detail,
                   size_t size) {
    if (config->count == 0) {
        return complain(detail, size, "TLS", "there is no certificate");
    }
    tw__tls *set =
        tw__calloc(1, sizeof *set + config->count * sizeof *set->papers);
    if (set == NULL) {
        return TW_ENOMEM;
    }
    set->refs = 1;
    set->tickets = config->tickets;
    set->loop = config->loop;
    ERR_clear_error();
    int err = add_contexts(set, config, detail, size);
    if (err == 0) {
        err = add_staples(set, config, detail, size);
    }
    ERR_clear_error();
    if (err != 0) {
        tw__tls_unref(set);
        return err;
    }
    *out = set;
    return 0;
}

tw__tls *tw__tls_ref(tw__tls *set) {
    set->refs++;
    return set;
}

void tw__tls_unref(tw__tls *set) {
    if (set == NULL || --set->refs > 0) {
        return;
    }
    for (size_t i = 0; i < set->count; i++) {
        SSL_CTX_free(set->papers[i].context);
        tw__free(set->papers[i].staple);
    }
    tw__free(set->name);
    tw__free(set);
}

int64_t tw__tls_expires(const tw__tls *set) {
    return set->expires;
}

int64_t tw__tls_ocsp_expires(const tw__tls *set) {
    int64_t first = 0;
    for (size_t i = 0; i < set->count; i++) {
        int64_t end = set->papers[i].staple_until;
        first = end != 0 && (first == 0 || end < first) ? end : first;
    }
    return first;
}

const char *tw__tls_remark(const tw__tls *set, size_t *which) {
    *which = set->remark_at;
    return set->remark;
}
