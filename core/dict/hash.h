/* hash.h - the keyed hash of dictionaries, the same in all processes that know
 * the secret.
 *
 * SipHash-1-3: keys come from strangers (addresses, names), and who does not
 * know the secret cannot choose keys that meet in one shard or one bucket.
 * Pure; any thread.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_DICT_HASH_H
#define TW_DICT_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct tw__dict_secret {
    uint64_t a, b;
} tw__dict_secret;

uint64_t tw__dict_hash(const tw__dict_secret *secret, const char *key,
                       size_t len);

#endif
