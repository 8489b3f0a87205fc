/* tls_probe.h - for tests of TLS: certificates made on the spot and a client
 * that speaks TLS through the raw clients of server_probe.h.
 *
 * A secure client has its OpenSSL state between two memory BIOs; secure_pump
 * carries bytes between those and the raw client, whole or one at a time.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_TLS_PROBE_H
#define TW_TESTS_TLS_PROBE_H

#include "server_probe.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

/* ---- certificates -------------------------------------------------------- */

typedef struct authority {
    EVP_PKEY *key;
    X509 *certificate;
} authority;

typedef struct papers {
    char dir[64];
    authority ca, other;
} papers;

static inline void add_extension(X509 *certificate, int nid,
                                 const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *made = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(made);
    assert_int_equal(X509_add_ext(certificate, made, -1), 1);
    X509_EXTENSION_free(made);
}

/* Without an issuer it signs itself. `names` as in "DNS:a,DNS:b"; NULL: none.
 */
static inline X509 *make_certificate(EVP_PKEY *key, const char *name,
                                     const char *names,
                                     const authority *issuer) {
    static long serial = 0x1000;
    X509 *made = X509_new();
    X509_NAME *subject = X509_NAME_new();
    assert_non_null(made);
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made), 86400);
    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC,
                               (const unsigned char *)"Test, Ltd", -1, -1, 0);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_subject_name(made, subject);
    X509_set_issuer_name(
        made, issuer ? X509_get_subject_name(issuer->certificate) : subject);
    X509_set_pubkey(made, key);
    if (issuer == NULL) {
        add_extension(made, NID_basic_constraints, "critical,CA:TRUE");
    }
    if (names != NULL) {
        add_extension(made, NID_subject_alt_name, names);
    }
    assert_true(X509_sign(made, issuer ? issuer->key : key, EVP_sha256()) > 0);
    X509_NAME_free(subject);
    return made;
}

static inline authority make_authority(const char *name) {
    authority made = {.key = EVP_EC_gen("P-256")};
    made.certificate = make_certificate(made.key, name, NULL, NULL);
    return made;
}

static inline const char *paper(papers *p, const char *name) {
    static char path[8][128];
    static int next;
    char *out = path[next++ % 8];
    snprintf(out, sizeof path[0], "%s/%s", p->dir, name);
    return out;
}

static inline FILE *paper_file(papers *p, const char *name, mode_t mode) {
    const char *path = paper(p, name);
    unlink(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(chmod(path, mode), 0);
    return file;
}

/* NAME.pem and NAME.key. */
static inline void paper_write(papers *p, const char *file, X509 *certificate,
                               EVP_PKEY *key) {
    char text[64];
    snprintf(text, sizeof text, "%s.pem", file);
    FILE *out = paper_file(p, text, 0644);
    PEM_write_X509(out, certificate);
    fclose(out);
    snprintf(text, sizeof text, "%s.key", file);
    out = paper_file(p, text, 0600);
    PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
    fclose(out);
}

/* The same of one whom `issuer` signed, with this key. */
static inline void paper_pair_of(papers *p, EVP_PKEY *key, const char *file,
                                 const char *name, const char *names,
                                 const authority *issuer) {
    X509 *certificate = make_certificate(key, name, names, issuer);
    paper_write(p, file, certificate, key);
    X509_free(certificate);
}

static inline void paper_pair(papers *p, const char *file, const char *name,
                              const char *names, const authority *issuer) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    paper_pair_of(p, key, file, name, names, issuer);
    EVP_PKEY_free(key);
}

static inline void papers_open(papers *p) {
    snprintf(p->dir, sizeof p->dir, "/tmp/tw-tls-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    p->ca = make_authority("Test CA");
    p->other = make_authority("Other CA");
    FILE *out = paper_file(p, "ca.pem", 0644);
    PEM_write_X509(out, p->ca.certificate);
    fclose(out);
    paper_pair(p, "a", "a.test", "DNS:a.test,DNS:*.a.test", &p->ca);
    paper_pair(p, "b", "b.test", "DNS:b.test", &p->ca);
    paper_pair(p, "ann", "Ann Öl", NULL, &p->ca);
    paper_pair(p, "eve", "Eve", NULL, &p->other);
}

static inline void authority_free(authority *a) {
    X509_free(a->certificate);
    EVP_PKEY_free(a->key);
}

static inline void papers_close(papers *p) {
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", p->dir);
    assert_int_equal(system(command), 0);
    authority_free(&p->ca);
    authority_free(&p->other);
}

/* ---- a world behind TLS ---------------------------------------------------
 */

enum { SECURE_PAIRS = 4 };

typedef struct secure_world {
    world *w;
    papers p;
    char cert[SECURE_PAIRS][128], key[SECURE_PAIRS][128], ca[128];
    tw_tls_pair pairs[SECURE_PAIRS];
    tw_tls_config tls;
    tw_listen_options options[1];
} secure_world;

/* One pair more, of the files of that name. */
static inline void secure_add(secure_world *s, const char *file) {
    size_t i = s->tls.pair_count++;
    assert_true(i < SECURE_PAIRS);
    snprintf(s->cert[i], sizeof s->cert[i], "%s/%s.pem", s->p.dir, file);
    snprintf(s->key[i], sizeof s->key[i], "%s/%s.key", s->p.dir, file);
    s->pairs[i] = (tw_tls_pair){s->cert[i], s->key[i]};
}

static inline void secure_init(secure_world *s, world *w) {
    memset(s, 0, sizeof *s);
    world_init(w);
    s->w = w;
    papers_open(&s->p);
    s->tls = (tw_tls_config){.pairs = s->pairs};
    secure_add(s, "a");
    secure_add(s, "b");
    snprintf(s->ca, sizeof s->ca, "%s/ca.pem", s->p.dir);
    s->options[0].tls = &s->tls;
    w->config.listen_options = s->options;
}

static inline void secure_start(secure_world *s) {
    world_start(s->w);
}

static inline void secure_open(secure_world *s, world *w) {
    secure_init(s, w);
    secure_start(s);
}

static inline void secure_close(secure_world *s) {
    world_close(s->w);
    papers_close(&s->p);
}

/* ---- clients --------------------------------------------------------------
 */

typedef struct secure {
    world *w;
    client *raw;
    SSL_CTX *context;
    SSL *ssl;
    size_t step; /* bytes that are carried at once; 0: all */
    uint8_t *in; /* decrypted and not taken */
    size_t len, cap;
    bool is_shut; /* the server said that nothing follows */
    bool is_broken;
} secure;

static inline SSL_CTX *secure_context(secure_world *s, int version) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    assert_non_null(context);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), s->p.ca.certificate);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (version != 0) {
        SSL_CTX_set_security_level(context, 0);
        SSL_CTX_set_min_proto_version(context, version);
        SSL_CTX_set_max_proto_version(context, version);
    }
    return context;
}

static inline void secure_show(secure_world *s, SSL_CTX *context,
                               const char *who) {
    char text[64];
    snprintf(text, sizeof text, "%s.pem", who);
    assert_int_equal(SSL_CTX_use_certificate_file(context, paper(&s->p, text),
                                                  SSL_FILETYPE_PEM),
                     1);
    snprintf(text, sizeof text, "%s.key", who);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(context, paper(&s->p, text),
                                                 SSL_FILETYPE_PEM),
                     1);
}

/* The context is taken. `name` is asked for; NULL: none. */
static inline secure *secure_new(world *w, SSL_CTX *context, const char *name,
                                 int rcvbuf) {
    secure *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->w = w;
    c->raw = client_connect(w, rcvbuf);
    c->context = context;
    c->ssl = SSL_new(context);
    SSL_set_bio(c->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(c->ssl);
    if (name != NULL) {
        SSL_set_tlsext_host_name(c->ssl, name);
    }
    return c;
}

static inline void secure_free(secure *c) {
    client_free(c->w, c->raw);
    SSL_free(c->ssl);
    SSL_CTX_free(c->context);
    free(c->in);
    free(c);
}

static inline size_t secure_part(const secure *c, size_t len) {
    return c->step != 0 && c->step < len ? c->step : len;
}

/* What OpenSSL has to say goes out. */
static inline void secure_carry_out(secure *c) {
    uint8_t block[16384];
    int got;
    while (c->raw->fd >= 0 &&
           (got = BIO_read(SSL_get_wbio(c->ssl), block,
                           (int)secure_part(c, sizeof block))) > 0) {
        client_send(c->w, c->raw, block, (size_t)got);
        if (c->step != 0) {
            world_turn(c->w);
        }
    }
}

static inline void secure_read(secure *c) {
    uint8_t block[16384];
    int got;
    while ((got = SSL_read(c->ssl, block, sizeof block)) > 0) {
        if (c->len + (size_t)got > c->cap) {
            c->cap = (c->len + (size_t)got) * 2;
            c->in = realloc(c->in, c->cap);
            assert_non_null(c->in);
        }
        memcpy(c->in + c->len, block, (size_t)got);
        c->len += (size_t)got;
    }
    int error = SSL_get_error(c->ssl, got);
    c->is_shut = c->is_shut || error == SSL_ERROR_ZERO_RETURN;
    c->is_broken = c->is_broken || error == SSL_ERROR_SSL;
    ERR_clear_error();
}

/* Carries what there is both ways, and handshakes or reads. */
static inline void secure_pump(secure *c) {
    size_t done = 0;
    while (done < c->raw->len) {
        size_t part = secure_part(c, c->raw->len - done);
        BIO_write(SSL_get_rbio(c->ssl), c->raw->in + done, (int)part);
        done += part;
        if (!c->is_broken) {
            secure_read(c);
        }
    }
    if (done > 0) {
        client_take(c->raw, done);
    }
    if (!c->is_broken && !c->is_shut) {
        secure_read(c);
    }
    secure_carry_out(c);
}

#define secure_until(c, condition)                                             \
    world_until((c)->w, (secure_pump(c), (condition)))

static inline void secure_shake(secure *c) {
    SSL_do_handshake(c->ssl);
    secure_until(c, SSL_is_init_finished(c->ssl) || c->is_broken ||
                        c->raw->is_ended);
    ERR_clear_error();
}

static inline void secure_send(secure *c, const void *data, size_t len) {
    const uint8_t *at = data;
    while (len > 0) {
        size_t part = len < 65536 ? len : 65536;
        assert_int_equal(SSL_write(c->ssl, at, (int)part), (int)part);
        secure_carry_out(c);
        at += part;
        len -= part;
    }
}

static inline void secure_take(secure *c, size_t len) {
    assert_true(len <= c->len);
    memmove(c->in, c->in + len, c->len - len);
    c->len -= len;
}

/* The size of the response head that has come, 0 when it is not whole. */
static inline size_t secure_head(const secure *c) {
    for (size_t i = 4; i <= c->len; i++) {
        if (memcmp(c->in + i - 4, "\r\n\r\n", 4) == 0) {
            return i;
        }
    }
    return 0;
}

static inline int secure_status(secure *c) {
    secure_until(c, secure_head(c) > 0 || c->is_shut || c->is_broken ||
                        c->raw->is_ended);
    size_t len = secure_head(c);
    if (len == 0) {
        return 0;
    }
    int status = atoi((char *)c->in + 9);
    secure_take(c, len);
    return status;
}

static inline void secure_upgrade(secure *c) {
    int before = c->w->opened;
    secure_send(c, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    assert_int_equal(secure_status(c), 101);
    secure_until(c, c->w->opened > before);
}

/* Shaken hands and upgraded; by default, asking for a.test. */
static inline secure *secure_client_with(secure_world *s, SSL_CTX *context,
                                         int rcvbuf) {
    secure *c = secure_new(s->w, context, "a.test", rcvbuf);
    secure_shake(c);
    assert_true(SSL_is_init_finished(c->ssl));
    secure_upgrade(c);
    return c;
}

static inline secure *secure_client(secure_world *s) {
    return secure_client_with(s, secure_context(s, 0), 0);
}

static inline void secure_say(secure *c, const char *text) {
    wire out = {0};
    wire_frame(&out, FIN | TW__WS_TEXT, text, strlen(text));
    secure_send(c, out.data, out.len);
    wire_free(&out);
}

/* The first frame that has come, through the parser of the raw clients. */
static inline size_t secure_peek(const secure *c, int *opcode,
                                 const uint8_t **payload, size_t *len) {
    client view = {.in = c->in, .len = c->len};
    return client_peek(&view, opcode, payload, len);
}

static inline bool secure_has_frame(const secure *c) {
    int opcode;
    const uint8_t *payload;
    size_t len;
    return secure_peek(c, &opcode, &payload, &len) > 0;
}

static inline void secure_expect(secure *c, int opcode, const void *data,
                                 size_t len) {
    int got = 0;
    const uint8_t *payload = NULL;
    size_t got_len = 0;
    secure_until(c, secure_has_frame(c) || c->is_shut || c->is_broken ||
                        c->raw->is_ended);
    size_t size = secure_peek(c, &got, &payload, &got_len);
    if (size == 0) {
        fail_msg("no frame, but the end; log: %s", c->w->log);
    }
    assert_int_equal(got, opcode);
    assert_int_equal(got_len, len);
    assert_memory_equal(payload, data, len);
    secure_take(c, size);
}

static inline void secure_expect_text(secure *c, const char *text) {
    secure_expect(c, TW__WS_TEXT, text, strlen(text));
}

/* The common name of the server's certificate. */
static inline const char *secure_peer(const secure *c) {
    static char name[64];
    const X509 *peer = SSL_get0_peer_certificate(c->ssl);
    assert_non_null(peer);
    X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, name,
                              sizeof name);
    return name;
}

#endif
