/* SPDX-License-Identifier: MIT */
#include "net/tls_client.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/alloc.h"
#include "net/tls_parts.h"

static void set_manners(SSL_CTX *context) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context,
                        SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    /* As in tls_set.c: one call handles one record. */
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS |
                                  SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
}

static int load_trusted(SSL_CTX *context, const char *ca, char *detail,
                        size_t size) {
    int done = ca != NULL ? SSL_CTX_load_verify_file(context, ca)
                          : SSL_CTX_set_default_verify_paths(context);
    ERR_clear_error();
    if (done != 1) {
        snprintf(detail, size, "%s: holds no certificate in PEM",
                 ca != NULL ? ca : "the system's certificates");
        return TW_EINVALID;
    }
    return 0;
}

int tw__tls_create_client(tw__tls **set, const char *ca, char *detail,
                          size_t size) {
    tw__tls *made = tw__calloc(1, sizeof *made + sizeof made->papers[0]);
    if (made == NULL) {
        return TW_ENOMEM;
    }
    made->refs = 1;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL) {
        ERR_clear_error();
        tw__tls_unref(made);
        return TW_ENOMEM;
    }
    made->papers[made->count++].context = context;
    set_manners(context);
    int err = load_trusted(context, ca, detail, size);
    if (err != 0) {
        tw__tls_unref(made);
        return err;
    }
    *set = made;
    return 0;
}

/* Only a name is told to the server: RFC 6066 has no addresses. */
static bool expect_host(SSL *ssl, const char *host) {
    uint8_t bytes[16];
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (inet_pton(AF_INET, host, bytes) == 1 ||
        inet_pton(AF_INET6, host, bytes) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    }
    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, host) == 1;
}

tw__tls_conn *tw__tls_connect(tw__tls *set, int fd, const char *host) {
    tw__tls_conn *conn = tw__calloc(1, sizeof *conn);
    if (conn == NULL) {
        return NULL;
    }
    conn->fd = fd;
    conn->ssl = SSL_new(set->papers[0].context);
    BIO *bio = conn->ssl != NULL && expect_host(conn->ssl, host)
                   ? tw__tls_bio(conn)
                   : NULL;
    if (bio == NULL) {
        ERR_clear_error();
        SSL_free(conn->ssl);
        tw__free(conn);
        return NULL;
    }
    SSL_set_bio(conn->ssl, bio, bio);
    SSL_set_connect_state(conn->ssl);
    conn->set = tw__tls_ref(set);
    return conn;
}
