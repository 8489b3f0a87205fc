/* tls_parts.h - what the files of net/tls* have between them.
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_TLS_PARTS_H
#define TW_NET_TLS_PARTS_H

#include <openssl/ssl.h>

#include "net/tls.h"

/* A certificate in a context of its own, which knows its set. */
typedef struct tw__tls_paper {
    SSL_CTX *context;
    uint8_t *staple; /* an OCSP response about it; NULL: none */
    size_t staple_len;
    int64_t staple_from, staple_until; /* seconds since 1970 */
} tw__tls_paper;

struct tw__tls {
    uint32_t refs;
    int64_t expires;
    tw__tls_tickets *tickets;
    const tw__loop *loop;
    char *name;         /* one that the first certificate is for, or NULL */
    const char *remark; /* static; NULL: none */
    size_t remark_at;
    size_t count;
    tw__tls_paper papers[];
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

/* tls_choose.c: the set that a connection was accepted with. */
tw__tls *tw__tls_set_of(const SSL *ssl);
/* tls_choose.c: the time, in seconds since 1970. */
int64_t tw__tls_now_s(const tw__tls *set);
/* tls_choose.c: connections of the context get what they ask for. */
void tw__tls_let_choose(SSL_CTX *context);

/* tls_staple.c: gives the certificates that an OCSP response is about a copy of
 * it. 0 (*remark: NULL, or a static text why it is of no use), TW_EINVALID (it
 * is none; *remark says so) or TW_ENOMEM. */
int tw__tls_add_staple(tw__tls *set, tw__pem der, const char **remark);

#endif
