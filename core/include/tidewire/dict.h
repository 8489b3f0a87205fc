/* tidewire/dict.h - what all workers of a server share: dictionaries and rates.
 * Comes with tidewire/tidewire.h.
 *
 * Dictionaries lie in one region of config.dict_memory_bytes, which the master
 * maps before it forks: they outlive workers and reloads and go with the
 * master. A server without a master has its own. A dictionary is parted into
 * shards (64, small ones fewer), each with its lock; when a shard is full, what
 * was unused for longest goes. Every function here returns at once but for a
 * lock that somebody holds: after 5 ms it is TW_EOVERLOADED, and nothing was
 * done. When a worker dies in the middle of a change the shard is emptied, and
 * that is logged and counted.
 *
 * SPDX-License-Identifier: MIT */
#include "tidewire/tidewire.h" /* outside: it includes this one */

#ifndef TIDEWIRE_DICT_H
#define TIDEWIRE_DICT_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tw_dict tw_dict;

enum { TW_DICT_NAME_MAX = 63, TW_DICT_KEY_MAX = 1024 };

#define TW_DICT_KEEP_TTL UINT64_MAX /* for tw_dict_swap */
#define TW_DICT_END UINT64_MAX      /* of the cursor of tw_dict_keys */

typedef enum tw_dict_kind { TW_DICT_NUMBER, TW_DICT_BYTES } tw_dict_kind;

typedef struct tw_dict_value {
    tw_dict_kind kind;
    uint8_t tag; /* the host's: what the bytes are */
    double number;
    tw_str bytes;
    uint32_t version; /* of what was read; every write gives another one */
} tw_dict_value;

/* Finds the dictionary of that name, or makes it with `bytes` (0: 4 MiB); one
 * that is there keeps its size. *dict is valid as long as the server. 0,
 * TW_EINVALID (a name of 0 or over TW_DICT_NAME_MAX bytes, with a NUL, or that
 * begins with a dot), TW_ELIMIT (the region has no room for it, or there are 63
 * others), TW_EOVERLOADED, TW_ENOMEM. */
TW_API int tw_dict_open(tw_server *server, tw_str name, size_t bytes,
                        tw_dict **dict);

/* What tw_dict_open would answer, without making one. *promised are bytes of
 * the region that others are to get; what this one would take is added to them.
 * *left is how much there is for it. TW_EINVALID, TW_ELIMIT, TW_ENOMEM. */
TW_API int tw_dict_check(tw_server *server, tw_str name, size_t bytes,
                         size_t *promised, size_t *left);

/* The longest value that fits beside a key: half of a shard. */
TW_API size_t tw_dict_max_bytes(const tw_dict *dict, size_t key_len);
TW_API size_t tw_dict_bytes(const tw_dict *dict); /* its size */

/* Keys are 1 to TW_DICT_KEY_MAX bytes, TW_EINVALID otherwise. Times to live
 * are in ms, 0 is for ever. Besides what is said all may answer TW_EOVERLOADED;
 * those that write also TW_ELIMIT (an entry of that length does not fit). */

/* The bytes are borrowed until the next call for any dictionary of the server.
 * TW_ENOT_FOUND, TW_ENOMEM. */
TW_API int tw_dict_get(tw_dict *dict, tw_str key, tw_dict_value *value);
TW_API int tw_dict_set(tw_dict *dict, tw_str key, const tw_dict_value *value,
                       uint64_t ttl_ms);
/* TW_EEXISTS: there is one. */
TW_API int tw_dict_add(tw_dict *dict, tw_str key, const tw_dict_value *value,
                       uint64_t ttl_ms);
/* Writes when the entry's version still is that (0: there is none), NULL
 * removes it. TW_EEXISTS: somebody was faster. */
TW_API int tw_dict_swap(tw_dict *dict, tw_str key, const tw_dict_value *value,
                        uint64_t ttl_ms, uint32_t version);
/* Adds to a number, whose time to live stays; without one begins with `init`
 * and `ttl_ms`. *result is what it is then. TW_EINVALID: it is no number. */
TW_API int tw_dict_incr(tw_dict *dict, tw_str key, double n, double init,
                        uint64_t ttl_ms, double *result);
/* TW_ENOT_FOUND. */
TW_API int tw_dict_delete(tw_dict *dict, tw_str key);
/* Of all shards; when one is busy those before it are empty. */
TW_API int tw_dict_flush(tw_dict *dict);

/* Some keys, in no order: at most `max` (1 to 64), borrowed as the bytes of
 * tw_dict_get. Begins with *cursor 0 and goes on until it is TW_DICT_END; what
 * is there all the time comes once. */
TW_API int tw_dict_keys(tw_dict *dict, uint64_t *cursor, tw_str *keys,
                        size_t max, size_t *count);

/* One of `per_second`, of which `burst` (at least 1) may come at once, for that
 * key in the whole server. Of keys that have not been used for longest the
 * bucket is forgotten, which fills it. 0; TW_ELIMIT: not now, but in
 * *retry_after seconds; TW_EINVALID (the key, or a rate that is not above 0),
 * TW_EOVERLOADED, TW_ENOMEM. */
TW_API int tw_limit(tw_server *server, tw_str key, double per_second,
                    double burst, double *retry_after);

#ifdef __cplusplus
}
#endif
#endif
