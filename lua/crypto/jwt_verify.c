/* Signatures. SPDX-License-Identifier: MIT */
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include <tidewire/errors.h>

#include "jwt_key.h"

enum { COORDINATE = 32, DER_MAX = 2 + 2 * (2 + 1 + COORDINATE) };

/* ASN.1's INTEGER has no needless zeros in front, but one where the top bit
 * would be a sign. */
static size_t write_integer(const uint8_t *number, uint8_t *out) {
    size_t skip = 0;
    while (skip < COORDINATE - 1 && number[skip] == 0) {
        skip++;
    }
    size_t sign = number[skip] >> 7;
    size_t len = COORDINATE - skip;
    out[0] = 0x02;
    out[1] = (uint8_t)(sign + len);
    out[2] = 0;
    memcpy(out + 2 + sign, number + skip, len);
    return 2 + sign + len;
}

/* A token has the two numbers bare, one after the other (RFC 7518, section
 * 3.4); OpenSSL wants them as a SEQUENCE. */
static size_t to_der(const uint8_t *signature, uint8_t der[DER_MAX]) {
    size_t len = write_integer(signature, der + 2);
    len += write_integer(signature + COORDINATE, der + 2 + len);
    der[0] = 0x30;
    der[1] = (uint8_t)len;
    return 2 + len;
}

static int check_mac(twl_jwt_key *key, const void *data, size_t len,
                     const uint8_t *signature, size_t signature_len) {
    uint8_t mac[TWL_DIGEST_SHA256];
    size_t size = 0;
    /* Without a key it begins anew with the one it has. */
    if (!EVP_MAC_init(key->_mac, NULL, 0, NULL) ||
        !EVP_MAC_update(key->_mac, data, len) ||
        !EVP_MAC_final(key->_mac, mac, &size, sizeof mac)) {
        return TW_ENOMEM;
    }
    return twl_is_equal(mac, size, signature, signature_len) ? 0 : TW_EDENIED;
}

static int check_public(twl_jwt_key *key, const uint8_t *hash,
                        const uint8_t *signature, size_t signature_len) {
    uint8_t der[DER_MAX];
    if (key->alg == TWL_JWT_ES256) {
        signature_len = to_der(signature, der);
        signature = der;
    }
    if (EVP_PKEY_verify(key->_pkey, signature, signature_len, hash,
                        TWL_DIGEST_SHA256) == 1) {
        return 0;
    }
    int reason = ERR_GET_REASON(ERR_peek_error());
    return reason == ERR_R_MALLOC_FAILURE ? TW_ENOMEM : TW_EDENIED;
}

int twl_jwt_key_verify(twl_jwt_key *key, twl_digest *digest, const void *data,
                       size_t len, const uint8_t *signature,
                       size_t signature_len) {
    uint8_t hash[TWL_DIGEST_SHA256];
    int err;
    if (signature_len != key->signature_bytes) {
        return TW_EDENIED;
    }
    ERR_clear_error(); /* what is found in it afterwards is ours */
    if (key->alg == TWL_JWT_HS256) {
        err = check_mac(key, data, len, signature, signature_len);
    } else {
        err = twl_digest_sha256(digest, data, len, hash);
        err = err ? err : check_public(key, hash, signature, signature_len);
    }
    ERR_clear_error();
    return err;
}
