/* SPDX-License-Identifier: MIT */
#include "digest.h"

#include <limits.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <tidewire/errors.h>

static const char *const NAMES[TWL_HASHES] = {"SHA1", "SHA256", "SHA384",
                                              "SHA512"};

/* Whoever looks into the queue next, TLS say, must not find our failure. */
static int fail(int code) {
    ERR_clear_error();
    return code;
}

int twl_digest_init(twl_digest *digest) {
    *digest = (twl_digest){._plain = EVP_MD_CTX_new()};
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    digest->_mac = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac);
    if (digest->_plain == NULL || digest->_mac == NULL) {
        twl_digest_deinit(digest);
        return fail(TW_ENOMEM);
    }
    return 0;
}

void twl_digest_deinit(twl_digest *digest) {
    for (int i = 0; i < TWL_HASHES; i++) {
        EVP_MD_free(digest->_hashes[i]);
    }
    EVP_MAC_CTX_free(digest->_mac);
    EVP_MD_CTX_free(digest->_plain);
    *digest = (twl_digest){0};
}

/* Fetched once: looking a hash up costs more than hashing a short text. */
static const EVP_MD *hash_of(twl_digest *digest, twl_hash hash) {
    EVP_MD **md = &digest->_hashes[hash];
    if (*md == NULL) {
        *md = EVP_MD_fetch(NULL, NAMES[hash], NULL);
    }
    return *md;
}

int twl_digest_begin(twl_digest *digest, twl_hash hash) {
    const EVP_MD *md = hash_of(digest, hash);
    digest->_is_mac = false;
    if (md == NULL || !EVP_DigestInit_ex2(digest->_plain, md, NULL)) {
        return fail(TW_ENOMEM);
    }
    return 0;
}

int twl_digest_begin_hmac(twl_digest *digest, twl_hash hash, const void *key,
                          size_t len) {
    char name[8];
    strcpy(name, NAMES[hash]);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end()};
    digest->_is_mac = true;
    /* An empty key is one; NULL would mean the key before. */
    const void *given = len > 0 ? key : "";
    return EVP_MAC_init(digest->_mac, given, len, params) ? 0 : fail(TW_ENOMEM);
}

int twl_digest_add(twl_digest *digest, const void *data, size_t len) {
    int ok = digest->_is_mac ? EVP_MAC_update(digest->_mac, data, len)
                             : EVP_DigestUpdate(digest->_plain, data, len);
    return ok ? 0 : fail(TW_ENOMEM);
}

int twl_digest_end(twl_digest *digest, uint8_t out[TWL_DIGEST_MAX],
                   size_t *len) {
    if (digest->_is_mac) {
        int ok = EVP_MAC_final(digest->_mac, out, len, TWL_DIGEST_MAX);
        return ok ? 0 : fail(TW_ENOMEM);
    }
    unsigned size = 0;
    if (!EVP_DigestFinal_ex(digest->_plain, out, &size)) {
        return fail(TW_ENOMEM);
    }
    *len = size;
    return 0;
}

int twl_digest_sha256(twl_digest *digest, const void *data, size_t len,
                      uint8_t out[TWL_DIGEST_SHA256]) {
    uint8_t whole[TWL_DIGEST_MAX];
    size_t size;
    int err = twl_digest_begin(digest, TWL_SHA256);
    err = err ? err : twl_digest_add(digest, data, len);
    err = err ? err : twl_digest_end(digest, whole, &size);
    if (err == 0) {
        memcpy(out, whole, TWL_DIGEST_SHA256);
    }
    return err;
}

int twl_random_bytes(void *out, size_t len) {
    bool ok = len <= INT_MAX && RAND_bytes(out, (int)len) == 1;
    return ok ? 0 : fail(TW_EUNAVAILABLE);
}

bool twl_is_equal(const void *a, size_t a_len, const void *b, size_t b_len) {
    return a_len == b_len && (a_len == 0 || CRYPTO_memcmp(a, b, a_len) == 0);
}
