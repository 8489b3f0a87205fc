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

static const uint8_t protocols[] = "\x08http/1.1";

enum { SESSION_S = 12 * 3600 };

tw__tls *tw__tls_set_of(const SSL *ssl) {
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* ---- what the client asks for ------------------------------------------- */

static bool is_for(SSL_CTX *context, const char *name) {
    X509 *certificate = SSL_CTX_get0_certificate(context);
    return X509_check_host(certificate, name, 0,
                           X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

/* The first certificate that is good for the name; the first of all when none
 * is, as for clients that name nobody. */
static int on_server_name(SSL *ssl, int *alert, void *arg) {
    const tw__tls *set = tw__tls_set_of(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    (void)arg;
    for (size_t i = 0; name != NULL && i < set->count; i++) {
        if (is_for(set->contexts[i], name)) {
            SSL_set_SSL_CTX(ssl, set->contexts[i]);
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return name != NULL ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* A client that wants another protocol than HTTP/1.1 is told so, RFC 7301. */
static int on_protocols(SSL *ssl, const unsigned char **out,
                        unsigned char *out_len, const unsigned char *in,
                        unsigned in_len, void *arg) {
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, protocols, sizeof protocols - 1,
                              in, in_len) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

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
    SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
    SSL_CTX_set_alpn_select_cb(context, on_protocols, NULL);
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
    set->contexts[set->count++] = context;
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

int tw__tls_create(tw__tls **out, const tw__tls_config *config, char *detail,
                   size_t size) {
    if (config->count == 0) {
        return complain(detail, size, "TLS", "there is no certificate");
    }
    tw__tls *set =
        tw__calloc(1, sizeof *set + config->count * sizeof *set->contexts);
    int err = set != NULL ? 0 : TW_ENOMEM;
    if (set != NULL) {
        set->refs = 1;
        set->tickets = config->tickets;
    }
    ERR_clear_error();
    for (size_t i = 0; err == 0 && i < config->count; i++) {
        err = add_context(set, config, i, detail, size);
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
        SSL_CTX_free(set->contexts[i]);
    }
    tw__free(set);
}

int64_t tw__tls_expires(const tw__tls *set) {
    return set->expires;
}
