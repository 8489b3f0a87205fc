/* tls_parts.h - what the files of net/tls* have between them.
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_TLS_PARTS_H
#define TW_NET_TLS_PARTS_H

#include <openssl/ssl.h>

#include "net/tls.h"

struct tw__tls {
    uint32_t refs;
    int64_t expires;
    tw__tls_tickets *tickets;
    size_t count;
    SSL_CTX *contexts[]; /* one per certificate; each knows its set */
};

struct tw__tls_conn {
    SSL *ssl;
    tw__tls *set;
    uint64_t sent;
    int fd;
    bool is_empty; /* the kernel had nothing more when it was asked last */
    bool is_eof;   /* ... but the end */
    bool is_over;  /* the end, or an error, was met behind what was read */
    uint8_t fault; /* tw__tls_reason */
};

/* tls_pem.c: fills a context with a certificate, its chain and its key, or a
 * store with certificates to trust. 0, TW_EINVALID (`why` is a static text) or
 * TW_ENOMEM. */
int tw__tls_load_pair(SSL_CTX *context, const tw__tls_material *material,
                      const char **why);
int tw__tls_load_trusted(X509_STORE *store, STACK_OF(X509_NAME) * names,
                         tw__pem pem, const char **why);

/* tls_bio.c: a BIO on the descriptor of a connection, which is its data. NULL
 * without memory. Never raises SIGPIPE. */
BIO *tw__tls_bio(tw__tls_conn *conn);

/* tls_tickets.c: for SSL_CTX_set_tlsext_ticket_key_evp_cb. */
int tw__tls_on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
                      EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_new);

/* tls_set.c: the set that a connection was accepted with. */
tw__tls *tw__tls_set_of(const SSL *ssl);

#endif
