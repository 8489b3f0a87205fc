/* Keys from bytes, PEM and numbers. SPDX-License-Identifier: MIT */
#include "jwt_key.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <tidewire/errors.h>

static const char *const ALGS[TWL_JWT_ALGS] = {"HS256", "RS256", "ES256"};

const char *twl_jwt_alg_name(twl_jwt_alg alg) {
    return ALGS[alg];
}

twl_jwt_alg twl_jwt_alg_find(const char *name, size_t len) {
    int alg = 0;
    while (alg < TWL_JWT_ALGS &&
           (strlen(ALGS[alg]) != len || memcmp(ALGS[alg], name, len) != 0)) {
        alg++;
    }
    return (twl_jwt_alg)alg;
}

static int no_memory(const char **why) {
    ERR_clear_error();
    *why = "could not be made: no memory";
    return TW_ENOMEM;
}

/* What OpenSSL refuses may be good, and memory short. */
static int refuse(const char **why, const char *text) {
    if (ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE) {
        return no_memory(why);
    }
    ERR_clear_error();
    *why = text;
    return TW_EINVALID;
}

void twl_jwt_key_deinit(twl_jwt_key *key) {
    EVP_PKEY_CTX_free(key->_pkey);
    EVP_MAC_CTX_free(key->_mac);
    *key = (twl_jwt_key){0};
}

/* ---- secrets ------------------------------------------------------------ */

static bool looks_like_pem(const char *text, size_t len) {
    static const char mark[] = "-----BEGIN ";
    size_t size = sizeof mark - 1;
    for (size_t i = 0; i + size <= len; i++) {
        if (text[i] == '-' && memcmp(text + i, mark, size) == 0) {
            return true;
        }
    }
    return false;
}

int twl_jwt_key_init_secret(twl_jwt_key *key, const void *secret, size_t len,
                            const char **why) {
    ERR_clear_error();
    if (len < TWL_JWT_SECRET_MIN) {
        return refuse(why, "is a secret of less than 32 bytes");
    }
    if (looks_like_pem(secret, len)) {
        return refuse(why, "is PEM, not a secret");
    }
    char name[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end()};
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac);
    if (mac == NULL || !EVP_MAC_init(mac, secret, len, params)) {
        EVP_MAC_CTX_free(mac);
        return no_memory(why);
    }
    *key = (twl_jwt_key){._mac = mac,
                         .signature_bytes = TWL_DIGEST_SHA256,
                         .alg = TWL_JWT_HS256};
    return 0;
}

/* ---- public keys -------------------------------------------------------- */

static bool is_good_exponent(EVP_PKEY *pkey) {
    BIGNUM *e = NULL;
    bool is_good = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) &&
                   BN_is_odd(e) && !BN_is_one(e);
    BN_free(e);
    return is_good;
}

static bool is_p256(EVP_PKEY *pkey) {
    char group[32];
    return EVP_PKEY_is_a(pkey, "EC") &&
           EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) &&
           strcmp(group, "prime256v1") == 0;
}

/* 0 and the algorithm, or TW_EINVALID. */
static int find_alg(EVP_PKEY *pkey, twl_jwt_alg *alg, const char **why) {
    if (is_p256(pkey)) {
        *alg = TWL_JWT_ES256;
        return 0;
    }
    if (!EVP_PKEY_is_a(pkey, "RSA")) {
        return refuse(why, "is neither RSA nor of the curve P-256");
    }
    int bits = EVP_PKEY_get_bits(pkey);
    if (bits < TWL_JWT_RSA_MIN || bits > TWL_JWT_RSA_MAX) {
        return refuse(why, "is RSA of less than 2048 bits, or more than 8192");
    }
    if (!is_good_exponent(pkey)) {
        return refuse(why, "has an exponent that protects nothing");
    }
    *alg = TWL_JWT_RS256;
    return 0;
}

static bool prepare(EVP_PKEY_CTX *ctx, twl_jwt_alg alg) {
    if (ctx == NULL || EVP_PKEY_verify_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) != 1) {
        return false;
    }
    return alg != TWL_JWT_RS256 ||
           EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
}

/* Takes `pkey`. */
static int init_public(twl_jwt_key *key, EVP_PKEY *pkey, const char **why) {
    twl_jwt_alg alg = TWL_JWT_RS256;
    int err = find_alg(pkey, &alg, why);
    if (err == 0) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
        if (prepare(ctx, alg)) {
            size_t size =
                alg == TWL_JWT_ES256 ? 64 : (size_t)EVP_PKEY_get_size(pkey);
            *key = (twl_jwt_key){
                ._pkey = ctx, .signature_bytes = size, .alg = alg};
        } else {
            EVP_PKEY_CTX_free(ctx);
            err = no_memory(why);
        }
    }
    EVP_PKEY_free(pkey);
    ERR_clear_error(); /* it tries several ways, and complains of some */
    return err;
}

/* ---- PEM ---------------------------------------------------------------- */

static EVP_PKEY *read_certificate(const uint8_t **at, long len) {
    X509 *certificate = d2i_X509(NULL, at, len);
    EVP_PKEY *pkey = certificate ? X509_get_pubkey(certificate) : NULL;
    X509_free(certificate);
    return pkey;
}

/* One block of PEM. 0 and a key that is given, or an error. */
static int read_block(const char *name, const uint8_t *data, long len,
                      EVP_PKEY **pkey, const char **why) {
    const uint8_t *at = data;
    if (strcmp(name, PEM_STRING_PUBLIC) == 0) {
        *pkey = d2i_PUBKEY(NULL, &at, len);
    } else if (strcmp(name, PEM_STRING_RSA_PUBLIC) == 0) {
        *pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, len);
    } else if (strcmp(name, PEM_STRING_X509) == 0) {
        *pkey = read_certificate(&at, len);
    } else {
        return refuse(why, strstr(name, "PRIVATE")
                               ? "is a private one: give the public one"
                               : "is neither a public key nor a certificate");
    }
    if (*pkey == NULL || at != data + len) {
        EVP_PKEY_free(*pkey);
        return refuse(why, "cannot be read");
    }
    return 0;
}

int twl_jwt_key_init_pem(twl_jwt_key *key, const char *text, size_t len,
                         const char **why) {
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long size = 0;
    EVP_PKEY *pkey = NULL;
    int err;
    ERR_clear_error();
    if (len > INT32_MAX) {
        return refuse(why, "is no PEM");
    }
    BIO *bio = BIO_new_mem_buf(text, (int)len);
    if (bio == NULL) {
        return no_memory(why);
    }
    /* The plain reader: the others would ask a terminal for a password. */
    if (PEM_read_bio(bio, &name, &header, &data, &size) != 1) {
        err = refuse(why, "is no PEM");
    } else {
        err = read_block(name, data, size, &pkey, why);
    }
    BIO_free(bio);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    return err ? err : init_public(key, pkey, why);
}

/* ---- numbers ------------------------------------------------------------ */

/* Makes a public key of what was built so far. NULL when it is none. */
static EVP_PKEY *build(OSSL_PARAM_BLD *parts, const char *kind) {
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(parts);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    EVP_PKEY *pkey = NULL;
    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return pkey;
}

int twl_jwt_key_init_rsa(twl_jwt_key *key, const uint8_t *n, size_t n_len,
                         const uint8_t *e, size_t e_len, const char **why) {
    ERR_clear_error();
    if (n_len > TWL_JWT_SIGNATURE_MAX + 1 || e_len > 8 || e_len == 0) {
        return refuse(why, "has numbers that are too long");
    }
    BIGNUM *modulus = BN_bin2bn(n, (int)n_len, NULL);
    BIGNUM *exponent = BN_bin2bn(e, (int)e_len, NULL);
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;
    if (modulus && exponent && parts &&
        OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_E, exponent)) {
        pkey = build(parts, "RSA");
    }
    OSSL_PARAM_BLD_free(parts);
    BN_free(exponent);
    BN_free(modulus);
    return pkey ? init_public(key, pkey, why)
                : refuse(why, "has numbers that make no key");
}

int twl_jwt_key_init_p256(twl_jwt_key *key, const uint8_t *x, size_t x_len,
                          const uint8_t *y, size_t y_len, const char **why) {
    uint8_t point[65] = {POINT_CONVERSION_UNCOMPRESSED};
    ERR_clear_error();
    if (x_len != 32 || y_len != 32) {
        return refuse(why, "has coordinates that are not of 32 bytes");
    }
    memcpy(point + 1, x, 32);
    memcpy(point + 33, y, 32);
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;
    if (parts &&
        OSSL_PARAM_BLD_push_utf8_string(parts, OSSL_PKEY_PARAM_GROUP_NAME,
                                        "prime256v1", 0) &&
        OSSL_PARAM_BLD_push_octet_string(parts, OSSL_PKEY_PARAM_PUB_KEY, point,
                                         sizeof point)) {
        pkey = build(parts, "EC");
    }
    OSSL_PARAM_BLD_free(parts);
    return pkey ? init_public(key, pkey, why)
                : refuse(why, "is no point of the curve P-256");
}
