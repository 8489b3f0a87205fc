/* tls_peer.c - who is at the other end, as text.
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "net/tls_parts.h"

/* Texts are gathered first and pointed to when nothing moves any more. */
typedef struct gathered {
    tw__bytes bytes;
    tw__bytes names; /* of type `named` */
    int err;
} gathered;

typedef struct span {
    size_t at, len;
    bool is_there;
} span;

static span add(gathered *g, const char *text, size_t len) {
    span made = {tw__bytes_len(&g->bytes), len, true};
    if (g->err == 0) {
        g->err = tw__bytes_append(&g->bytes, text, len);
    }
    if (g->err == 0) {
        g->err = tw__bytes_append(&g->bytes, "", 1);
    }
    return made;
}

/* As in RFC 2253, "CN=Ann,O=Example"; UTF-8. What OpenSSL cannot write so is
 * escaped byte by byte. */
static span add_name(gathered *g, const X509_NAME *name) {
    static const unsigned long styles[] = {
        XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB,
        (XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_UTF8_CONVERT) |
            ASN1_STRFLGS_DUMP_ALL};
    span made = {0};
    BIO *bio = BIO_new(BIO_s_mem());
    for (int i = 0; bio != NULL && i < 2 && !made.is_there; i++) {
        char *text;
        (void)BIO_reset(bio);
        if (X509_NAME_print_ex(bio, name, 0, styles[i]) >= 0) {
            long len = BIO_get_mem_data(bio, &text);
            made = add(g, len > 0 ? text : "", len > 0 ? (size_t)len : 0);
        }
    }
    g->err = bio == NULL ? TW_ENOMEM : g->err;
    BIO_free(bio);
    return made;
}

/* Only one that is whole: "admin\0.example" is nobody's name. */
static span add_common_name(gathered *g, const X509_NAME *name) {
    span made = {0};
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0) {
        return made;
    }
    unsigned char *text = NULL;
    int len = ASN1_STRING_to_UTF8(
        &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (len >= 0 && memchr(text, 0, (size_t)len) == NULL) {
        made = add(g, (const char *)text, (size_t)len);
    }
    OPENSSL_free(text);
    return made;
}

static span add_serial(gathered *g, const X509 *certificate) {
    span made = {0};
    BIGNUM *number =
        ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *text = number != NULL ? BN_bn2hex(number) : NULL;
    for (char *c = text; c != NULL && *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    if (text != NULL) {
        made = add(g, text, strlen(text));
    }
    OPENSSL_free(text);
    BN_free(number);
    return made;
}

static span add_fingerprint(gathered *g, const X509 *certificate) {
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[EVP_MAX_MD_SIZE];
    char text[2 * EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (X509_digest(certificate, EVP_sha256(), digest, &len) != 1) {
        g->err = TW_ENOMEM;
        return (span){0};
    }
    for (unsigned i = 0; i < len; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    return add(g, text, 2 * (size_t)len);
}

/* ---- alternative names --------------------------------------------------- */

typedef struct named {
    tw_tls_name_kind kind;
    span at;
} named;

static void note_name(gathered *g, tw_tls_name_kind kind, const char *text,
                      size_t len) {
    named made = {kind, add(g, text, len)};
    if (g->err == 0) {
        g->err = tw__bytes_append(&g->names, &made, sizeof made);
    }
}

/* Anything but printable ASCII, a zero above all, is nobody's name. */
static void add_text(gathered *g, tw_tls_name_kind kind,
                     const ASN1_STRING *value) {
    const unsigned char *data = ASN1_STRING_get0_data(value);
    size_t len = (size_t)ASN1_STRING_length(value);
    for (size_t i = 0; i < len; i++) {
        if (data[i] <= ' ' || data[i] > '~') {
            return;
        }
    }
    if (len > 0) {
        note_name(g, kind, (const char *)data, len);
    }
}

static void add_ip(gathered *g, const ASN1_STRING *value) {
    char text[INET6_ADDRSTRLEN];
    int len = ASN1_STRING_length(value);
    if ((len == 4 || len == 16) &&
        inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value),
                  text, sizeof text) != NULL) {
        note_name(g, TW_TLS_NAME_IP, text, strlen(text));
    }
}

static void add_alternative(gathered *g, const GENERAL_NAME *name) {
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    switch (type) {
    case GEN_DNS:
        add_text(g, TW_TLS_NAME_DNS, value);
        break;
    case GEN_EMAIL:
        add_text(g, TW_TLS_NAME_EMAIL, value);
        break;
    case GEN_URI:
        add_text(g, TW_TLS_NAME_URI, value);
        break;
    case GEN_IPADD:
        add_ip(g, value);
        break;
    default: /* of directories and other kinds: nothing that scripts read */
        break;
    }
}

static void add_alternatives(gathered *g, const X509 *certificate) {
    int there = -1;
    GENERAL_NAMES *names =
        X509_get_ext_d2i(certificate, NID_subject_alt_name, &there, NULL);
    if (names == NULL && there >= 0) {
        g->err = TW_ENOMEM; /* damaged ones were not let in */
    }
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        add_alternative(g, sk_GENERAL_NAME_value(names, i));
    }
    GENERAL_NAMES_free(names);
}

/* ---- together ------------------------------------------------------------ */

static int64_t seconds_of(const ASN1_TIME *time) {
    struct tm tm;
    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static span add_server_name(gathered *g, const SSL *ssl) {
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    return name != NULL ? add(g, name, strlen(name)) : (span){0};
}

static tw_str text_of(const char *block, span from) {
    return from.is_there ? (tw_str){block + from.at, from.len}
                         : (tw_str){NULL, 0};
}

static size_t count_names(const gathered *g) {
    return tw__bytes_len(&g->names) / sizeof(named);
}

/* One block for both: the names, which are aligned there, and then the texts.
 * NULL without memory. */
static char *join(const gathered *g) {
    size_t head = count_names(g) * sizeof(tw_tls_name);
    size_t len = tw__bytes_len(&g->bytes);
    char *block = g->err == 0 ? tw__malloc(head + len) : NULL;
    if (block == NULL) {
        return NULL;
    }
    if (len > 0) {
        memcpy(block + head, tw__bytes_data(&g->bytes), len);
    }
    for (size_t i = 0; i < count_names(g); i++) {
        named from;
        memcpy(&from, tw__bytes_data(&g->names) + i * sizeof from, sizeof from);
        tw_tls_name name = {from.kind, text_of(block + head, from.at)};
        memcpy(block + i * sizeof name, &name, sizeof name);
    }
    return block;
}

static tw_str constant(const char *text) {
    return (tw_str){text, strlen(text)};
}

int tw__tls_describe(const tw__tls_conn *conn, tw_tls_info *info,
                     char **block) {
    gathered g = {0};
    span subject = {0}, issuer = {0}, common = {0}, serial = {0}, print = {0};
    const X509 *peer = SSL_get0_peer_certificate(conn->ssl);
    span name = add_server_name(&g, conn->ssl);
    if (peer != NULL) {
        subject = add_name(&g, X509_get_subject_name(peer));
        issuer = add_name(&g, X509_get_issuer_name(peer));
        common = add_common_name(&g, X509_get_subject_name(peer));
        serial = add_serial(&g, peer);
        print = add_fingerprint(&g, peer);
        add_alternatives(&g, peer);
    }
    size_t names = count_names(&g);
    char *joined = join(&g);
    tw__bytes_deinit(&g.bytes);
    tw__bytes_deinit(&g.names);
    ERR_clear_error();
    if (joined == NULL) {
        return TW_ENOMEM;
    }
    const char *made = joined + names * sizeof(tw_tls_name);
    *info = (tw_tls_info){
        .version = constant(SSL_get_version(conn->ssl)),
        .cipher = constant(SSL_get_cipher_name(conn->ssl)),
        .server_name = text_of(made, name),
        .is_resumed = tw__tls_is_resumed(conn),
        .has_client = peer != NULL,
    };
    if (peer != NULL) {
        info->client = (tw_tls_peer){
            .subject = text_of(made, subject),
            .issuer = text_of(made, issuer),
            .common_name = text_of(made, common),
            .serial = text_of(made, serial),
            .fingerprint = text_of(made, print),
            .not_before = seconds_of(X509_get0_notBefore(peer)),
            .not_after = seconds_of(X509_get0_notAfter(peer)),
            .names = (const tw_tls_name *)(const void *)joined,
            .name_count = names,
        };
    }
    *block = joined;
    return 0;
}
