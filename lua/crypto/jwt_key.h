/* jwt_key.h - a key that verifies tokens, and what it is made of.
 *
 * A key has one algorithm, which follows from what it is: bytes that both sides
 * know are HS256, an RSA key is RS256, one of the curve P-256 is ES256. So no
 * token can have the text of a public key taken for a secret.
 *
 * A key is the caller's memory; all of its functions belong to the loop's
 * thread. Those that make one fail with TW_EINVALID and in *why what is wrong,
 * a static text for people that follows "the key ", or with TW_ENOMEM: then
 * there is nothing to deinit. OpenSSL's queue of errors is empty again
 * afterwards.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_JWT_KEY_H
#define TWL_JWT_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "digest.h"

typedef enum twl_jwt_alg {
    TWL_JWT_HS256,
    TWL_JWT_RS256,
    TWL_JWT_ES256,
    TWL_JWT_ALGS
} twl_jwt_alg;

enum {
    TWL_JWT_SECRET_MIN = 32, /* bytes; RFC 7518, section 3.2 */
    TWL_JWT_RSA_MIN = 2048,  /* bits; section 3.3 */
    TWL_JWT_RSA_MAX = 8192,
    TWL_JWT_SIGNATURE_MAX = TWL_JWT_RSA_MAX / 8
};

/* "HS256"; and the algorithm of that name, TWL_JWT_ALGS when it is none that
 * is known here. */
const char *twl_jwt_alg_name(twl_jwt_alg alg);
twl_jwt_alg twl_jwt_alg_find(const char *name, size_t len);

/* The first field is a pointer, as in every userdata of the bridge. */
typedef struct twl_jwt_key {
    struct evp_pkey_ctx_st *_pkey; /* of RS256 and ES256, ready to verify */
    struct evp_mac_ctx_st *_mac;   /* of HS256 */
    size_t signature_bytes;        /* how long each of its signatures is */
    twl_jwt_alg alg;
} twl_jwt_key;

/* From the bytes of a secret. Text that looks like PEM is refused: a public
 * key is no secret. */
int twl_jwt_key_init_secret(twl_jwt_key *key, const void *secret, size_t len,
                            const char **why);

/* From PEM: a public key or a certificate; of several the first. Certificates
 * are taken for their key alone, whatever else they say. */
int twl_jwt_key_init_pem(twl_jwt_key *key, const char *text, size_t len,
                         const char **why);

/* From the numbers of a JWK, big end first (RFC 7518, section 6). */
int twl_jwt_key_init_rsa(twl_jwt_key *key, const uint8_t *n, size_t n_len,
                         const uint8_t *e, size_t e_len, const char **why);
int twl_jwt_key_init_p256(twl_jwt_key *key, const uint8_t *x, size_t x_len,
                          const uint8_t *y, size_t y_len, const char **why);

/* Also for one that is all zero; may be called twice. */
void twl_jwt_key_deinit(twl_jwt_key *key);

/* Whether `signature` is this key's over `data`. 0; TW_EDENIED when it is not,
 * whatever the reason; TW_ENOMEM. `digest` is used. */
int twl_jwt_key_verify(twl_jwt_key *key, twl_digest *digest, const void *data,
                       size_t len, const uint8_t *signature,
                       size_t signature_len);

#endif
