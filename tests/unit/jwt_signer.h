/* jwt_signer.h - makes keys and signs tokens, for the tests that verify them;
 * and the tokens of RFC 7515, appendix A.
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_JWT_SIGNER_H
#define TW_TESTS_JWT_SIGNER_H

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../crypto/base64.h"

/* ---- RFC 7515, appendix A ----------------------------------------------- */

#define RFC_CLAIMS                                                             \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv" \
    "bS9pc19yb290Ijp0cnVlfQ"
#define RFC_HS256                                                              \
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC_CLAIMS                     \
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define RFC_RS256_SIGNATURE                                                    \
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4B" \
    "h-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZ" \
    "LgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d" \
    "O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6" \
    "LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
#define RFC_RS256 "eyJhbGciOiJSUzI1NiJ9." RFC_CLAIMS "." RFC_RS256_SIGNATURE
#define RFC_ES256_SIGNATURE                                                    \
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKT" \
    "UJqPP3-Kg6NU1Q"
#define RFC_ES256 "eyJhbGciOiJFUzI1NiJ9." RFC_CLAIMS "." RFC_ES256_SIGNATURE
#define RFC_NONE "eyJhbGciOiJub25lIn0." RFC_CLAIMS "."

#define RFC_K                                                                  \
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUu" \
    "TwjAzZr1Z9CAow"
#define RFC_N                                                                  \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qP" \
    "CJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47s" \
    "oMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2" \
    "R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoud" \
    "F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define RFC_E "AQAB"
#define RFC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define RFC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"

#define RFC_JWKS                                                               \
    "{\"keys\":[{\"kty\":\"oct\",\"k\":\"" RFC_K "\"},"                        \
    "{\"kty\":\"RSA\",\"n\":\"" RFC_N "\",\"e\":\"" RFC_E "\"},"               \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC_X "\",\"y\":\"" RFC_Y     \
    "\"}]}"

/* ---- keys --------------------------------------------------------------- */

static inline EVP_PKEY *signer_rsa(unsigned bits) {
    return EVP_RSA_gen(bits);
}

static inline EVP_PKEY *signer_ec(const char *curve) {
    return EVP_EC_gen(curve);
}

/* The key as PEM; free() frees it. */
static inline char *signer_pem(EVP_PKEY *key, bool is_private) {
    char *data, *pem;
    BIO *bio = BIO_new(BIO_s_mem());
    if (is_private) {
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    } else {
        PEM_write_bio_PUBKEY(bio, key);
    }
    long len = BIO_get_mem_data(bio, &data);
    pem = strndup(data, (size_t)len);
    BIO_free(bio);
    return pem;
}

/* ---- tokens ------------------------------------------------------------- */

enum { SIGNER_MAX = 16384 };

static inline size_t signer_add(char *out, size_t at, const void *data,
                                size_t len) {
    return at + twl_base64_encode(TWL_BASE64URL, data, len, out + at);
}

/* Writes "header.claims". */
static inline size_t signer_begin(char *out, const char *header,
                                  const void *claims, size_t claims_len) {
    size_t len = signer_add(out, 0, header, strlen(header));
    out[len++] = '.';
    return signer_add(out, len, claims, claims_len);
}

/* Adds the signature and a NUL. */
static inline void signer_end(char *out, size_t len, const void *signature,
                              size_t signature_len) {
    out[len++] = '.';
    len = signer_add(out, len, signature, signature_len);
    out[len] = '\0';
}

static inline void signer_hmac(char *out, const void *secret, size_t secret_len,
                               const char *header, const void *claims,
                               size_t claims_len) {
    unsigned char mac[32];
    unsigned size = 0;
    size_t len = signer_begin(out, header, claims, claims_len);
    HMAC(EVP_sha256(), secret, (int)secret_len, (unsigned char *)out, len, mac,
         &size);
    signer_end(out, len, mac, size);
}

/* What OpenSSL signs: of an elliptic curve's key that is DER. */
static inline size_t signer_raw(EVP_PKEY *key, const char *data, size_t len,
                                unsigned char *out, size_t room) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key);
    if (EVP_DigestSign(ctx, out, &room, (const unsigned char *)data, len) !=
        1) {
        room = 0;
    }
    EVP_MD_CTX_free(ctx);
    return room;
}

/* The two numbers of DER, bare; 64 bytes. */
static inline void signer_unpack(const unsigned char *der, size_t len,
                                 unsigned char out[64]) {
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32);
    ECDSA_SIG_free(pair);
}

static inline void signer_sign(char *out, EVP_PKEY *key, const char *header,
                               const char *claims) {
    unsigned char signature[2048];
    size_t len = signer_begin(out, header, claims, strlen(claims));
    size_t size = signer_raw(key, out, len, signature, sizeof signature);
    if (EVP_PKEY_is_a(key, "EC")) {
        unsigned char bare[64];
        signer_unpack(signature, size, bare);
        signer_end(out, len, bare, sizeof bare);
    } else {
        signer_end(out, len, signature, size);
    }
}

#endif
