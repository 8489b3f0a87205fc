/* tls_choose.c - what a client asks for: a name, a kind of key, a protocol, the
 * state of a certificate.
 *
 * Each certificate is in a context of its own. A connection moves to that of
 * the first one which is good for the name, and takes along the first of every
 * other kind of key; which of them is shown OpenSSL decides, by the signatures
 * and ciphers that the client knows.
 *
 * SPDX-License-Identifier: MIT */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "net/tls_parts.h"

static const uint8_t protocols[] = "\x08http/1.1";

tw__tls *tw__tls_set_of(const SSL *ssl) {
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* ---- certificates -------------------------------------------------------- */

static X509 *certificate_of(const tw__tls_paper *paper) {
    return SSL_CTX_get0_certificate(paper->context);
}

static bool is_for(const tw__tls_paper *paper, const char *name) {
    return X509_check_host(certificate_of(paper), name, 0,
                           X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

/* The place of the first that is good for the name, or how many there are. */
static size_t find(const tw__tls *set, const char *name) {
    size_t i = 0;
    while (i < set->count && !is_for(&set->papers[i], name)) {
        i++;
    }
    return i;
}

/* OpenSSL has room for one of each kind of key. */
static unsigned kind_of(const tw__tls_paper *paper) {
    switch (EVP_PKEY_get_base_id(X509_get0_pubkey(certificate_of(paper)))) {
    case EVP_PKEY_RSA:
        return 1 << 0;
    case EVP_PKEY_RSA_PSS:
        return 1 << 1;
    case EVP_PKEY_EC:
        return 1 << 2;
    case EVP_PKEY_ED25519:
        return 1 << 3;
    case EVP_PKEY_ED448:
        return 1 << 4;
    default:
        return 1 << 5;
    }
}

static bool take_along(SSL *ssl, const tw__tls_paper *paper) {
    STACK_OF(X509) *chain = NULL;
    SSL_CTX_get0_chain_certs(paper->context, &chain);
    return SSL_use_cert_and_key(ssl, certificate_of(paper),
                                SSL_CTX_get0_privatekey(paper->context), chain,
                                0) == 1;
}

static bool use(SSL *ssl, const tw__tls *set, size_t first, const char *name) {
    unsigned kinds = kind_of(&set->papers[first]);
    if (SSL_set_SSL_CTX(ssl, set->papers[first].context) == NULL) {
        return false;
    }
    for (size_t i = first + 1; name != NULL && i < set->count; i++) {
        const tw__tls_paper *paper = &set->papers[i];
        if ((kinds & kind_of(paper)) == 0 && is_for(paper, name)) {
            kinds |= kind_of(paper);
            if (!take_along(ssl, paper)) {
                return false;
            }
        }
    }
    return true;
}

/* Clients that name nobody, or somebody unknown, get what the first certificate
 * is for. */
static int on_server_name(SSL *ssl, int *alert, void *arg) {
    const tw__tls *set = tw__tls_set_of(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    size_t first = name != NULL ? find(set, name) : set->count;
    bool is_known = first < set->count;
    (void)arg;
    if (!use(ssl, set, is_known ? first : 0, is_known ? name : set->name)) {
        ERR_clear_error();
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return name != NULL ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* ---- protocols ----------------------------------------------------------- */

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

/* ---- the state of the certificate ---------------------------------------- */

static const tw__tls_paper *shown_by(SSL *ssl) {
    const tw__tls *set = tw__tls_set_of(ssl);
    const X509 *shown = SSL_get_certificate(ssl);
    for (size_t i = 0; i < set->count; i++) {
        if (certificate_of(&set->papers[i]) == shown) {
            return &set->papers[i];
        }
    }
    return NULL;
}

int64_t tw__tls_now_s(const tw__tls *set) {
    return set->loop != NULL ? tw__loop_wall(set->loop) / 1000
                             : (int64_t)time(NULL);
}

/* Called when it is known which certificate is shown. One that is out of date
 * is worse than none: clients break off then. */
static int on_status(SSL *ssl, void *arg) {
    const tw__tls_paper *paper = shown_by(ssl);
    (void)arg;
    if (paper == NULL || paper->staple == NULL) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    int64_t now = tw__tls_now_s(tw__tls_set_of(ssl));
    if (now < paper->staple_from || now >= paper->staple_until) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    uint8_t *copy = OPENSSL_memdup(paper->staple, paper->staple_len);
    if (copy == NULL) {
        ERR_clear_error();
        return SSL_TLSEXT_ERR_NOACK;
    }
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)paper->staple_len);
    return SSL_TLSEXT_ERR_OK;
}

void tw__tls_let_choose(SSL_CTX *context) {
    SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
    SSL_CTX_set_alpn_select_cb(context, on_protocols, NULL);
    SSL_CTX_set_tlsext_status_cb(context, on_status);
}
