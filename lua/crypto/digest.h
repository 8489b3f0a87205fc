/* digest.h - hashes, HMAC (RFC 2104), random bytes, and a comparison that takes
 * no longer for a guess that is nearly right.
 *
 * A twl_digest is the caller's memory: one for each VM, used by the loop's
 * thread for one thing at a time. What was begun and not ended is dropped by
 * the next begin, so an error may jump out in between. OpenSSL's queue of
 * errors is empty again when a function has returned.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_DIGEST_H
#define TWL_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum twl_hash {
    TWL_SHA1, /* for HMACs that others make: no longer good for signatures */
    TWL_SHA256,
    TWL_SHA384,
    TWL_SHA512,
    TWL_HASHES
} twl_hash;

enum { TWL_DIGEST_MAX = 64, TWL_DIGEST_SHA256 = 32 };

/* The first field is a pointer, as in every userdata of the bridge. */
typedef struct twl_digest {
    struct evp_md_ctx_st *_plain;
    struct evp_mac_ctx_st *_mac;
    struct evp_md_st *_hashes[TWL_HASHES]; /* fetched when first used */
    bool _is_mac;                          /* what was begun */
} twl_digest;

/* 0, or TW_ENOMEM: then there is nothing to deinit. */
int twl_digest_init(twl_digest *digest);

/* Also for one that is all zero; may be called twice. */
void twl_digest_deinit(twl_digest *digest);

/* Begins a hash, or an HMAC with that key (which is copied). 0, or TW_ENOMEM
 * also when OpenSSL was built or set up without that hash. */
int twl_digest_begin(twl_digest *digest, twl_hash hash);
int twl_digest_begin_hmac(twl_digest *digest, twl_hash hash, const void *key,
                          size_t len);

/* What has begun goes on, and ends with *len bytes. 0 or TW_ENOMEM. */
int twl_digest_add(twl_digest *digest, const void *data, size_t len);
int twl_digest_end(twl_digest *digest, uint8_t out[TWL_DIGEST_MAX],
                   size_t *len);

/* SHA-256 of one run of bytes: all three. */
int twl_digest_sha256(twl_digest *digest, const void *data, size_t len,
                      uint8_t out[TWL_DIGEST_SHA256]);

/* Bytes that nobody can foresee. 0 or TW_EUNAVAILABLE. */
int twl_random_bytes(void *out, size_t len);

/* The time it takes tells the length and nothing else. */
bool twl_is_equal(const void *a, size_t a_len, const void *b, size_t b_len);

#endif
