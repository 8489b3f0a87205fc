/* session_tls.h - the session of server_session.h over TLS.
 *
 * Each client has its OpenSSL state between two memory BIOs. It works where the
 * server does not, so what fails fails in the server only.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_SESSION_TLS_H
#define TW_TESTS_SESSION_TLS_H

#include "server_session.h"
#include "tls_probe.h"

typedef struct session_cipher {
    const client *of; /* NULL: nobody */
    SSL *ssl;
} session_cipher;

static struct {
    papers p; /* made once: keys take a while */
    char cert[128], key[128];
    tw_tls_pair pair;
    tw_tls_config config;
    tw_listen_options options[1];
    SSL_CTX *context; /* of the clients */
    session_cipher ciphers[WORLD_CLIENTS];
} session_tls;

static inline session_cipher *session_cipher_of(const client *c) {
    for (int i = 0; i < WORLD_CLIENTS; i++) {
        if (session_tls.ciphers[i].of == c) {
            return &session_tls.ciphers[i];
        }
    }
    return NULL;
}

static inline void session_tls_fill_in(world *w) {
    w->config.listen_options = session_tls.options;
}

static inline void session_take_out(SSL *ssl, wire *out) {
    char *data = NULL;
    long len = BIO_get_mem_data(SSL_get_wbio(ssl), &data);
    if (len > 0) {
        wire_add(out, data, (size_t)len);
        (void)BIO_reset(SSL_get_wbio(ssl));
    }
}

/* An old client may have stood at the same place. */
static inline void session_tls_meet(client *c, wire *out) {
    session_cipher *cipher = session_cipher_of(c);
    if (cipher == NULL) {
        cipher = session_cipher_of(NULL);
    }
    assert_non_null(cipher);
    SSL_free(cipher->ssl);
    cipher->of = c;
    cipher->ssl = SSL_new(session_tls.context);
    assert_non_null(cipher->ssl);
    SSL_set_bio(cipher->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_tlsext_host_name(cipher->ssl, "a.test");
    SSL_set_connect_state(cipher->ssl);
    ERR_clear_error();
    SSL_do_handshake(cipher->ssl);
    ERR_clear_error();
    session_take_out(cipher->ssl, out);
}

static inline bool session_tls_has_met(const client *c) {
    return SSL_is_init_finished(session_cipher_of(c)->ssl) == 1;
}

static inline void session_tls_seal(client *c, const void *data, size_t len,
                                    wire *out) {
    SSL *ssl = session_cipher_of(c)->ssl;
    size_t written;
    ERR_clear_error();
    if (len > 0 && SSL_write_ex(ssl, data, len, &written) != 1) {
        c->is_ended = true; /* as the server has told in TLS */
        ERR_clear_error();
    }
    session_take_out(ssl, out);
}

/* What is no TLS, or a word of the server that it is over, is an end. */
static inline void session_tls_unseal(client *c, size_t from, wire *out) {
    SSL *ssl = session_cipher_of(c)->ssl;
    uint8_t block[16384];
    int got;
    BIO_write(SSL_get_rbio(ssl), c->in + from, (int)(c->len - from));
    c->len = from;
    ERR_clear_error();
    while ((got = SSL_read(ssl, block, sizeof block)) > 0) {
        client_append(c, block, (size_t)got);
    }
    int error = SSL_get_error(ssl, got);
    c->is_ended = c->is_ended || (error != SSL_ERROR_WANT_READ &&
                                  error != SSL_ERROR_WANT_WRITE);
    ERR_clear_error();
    session_take_out(ssl, out);
}

static inline void session_tls_leave(void) {
    for (int i = 0; i < WORLD_CLIENTS; i++) {
        SSL_free(session_tls.ciphers[i].ssl);
        session_tls.ciphers[i] = (session_cipher){0};
    }
}

static const session_way session_by_tls = {
    session_tls_fill_in, session_tls_meet,   session_tls_has_met,
    session_tls_seal,    session_tls_unseal, session_tls_leave};

static inline void session_tls_open(void) {
    papers_open(&session_tls.p);
    snprintf(session_tls.cert, sizeof session_tls.cert, "%s",
             paper(&session_tls.p, "a.pem"));
    snprintf(session_tls.key, sizeof session_tls.key, "%s",
             paper(&session_tls.p, "a.key"));
    session_tls.pair = (tw_tls_pair){session_tls.cert, session_tls.key};
    session_tls.config =
        (tw_tls_config){.pairs = &session_tls.pair, .pair_count = 1};
    session_tls.options[0].tls = &session_tls.config;
    session_tls.context = SSL_CTX_new(TLS_client_method());
    assert_non_null(session_tls.context);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(session_tls.context),
                        session_tls.p.ca.certificate);
    SSL_CTX_set_verify(session_tls.context, SSL_VERIFY_PEER, NULL);
}

static inline void session_tls_close(void) {
    SSL_CTX_free(session_tls.context);
    papers_close(&session_tls.p);
}

#endif
