/* dict.c - which dictionaries are open, and how a shard is used.
 * SPDX-License-Identifier: MIT */
#include "dict/dict.h"

#include <string.h>

#include "base/alloc.h"
#include "dict/lock.h"

void tw__dicts_init(tw__dicts *dicts, tw__dict_region *region, size_t bytes,
                    const tw__dict_events *events) {
    *dicts = (tw__dicts){.region = region,
                         .bytes = bytes,
                         .is_own = region == NULL,
                         .events = *events};
}

void tw__dicts_deinit(tw__dicts *dicts) {
    while (dicts->first != NULL) {
        tw_dict *dict = dicts->first;
        dicts->first = dict->next;
        tw__free(dict);
    }
    tw__free(dicts->buffer);
    dicts->buffer = NULL;
    if (dicts->is_own) {
        tw__dict_region_destroy(dicts->region);
        dicts->region = NULL;
    }
}

void tw__dicts_share(tw__dicts *dicts, tw__dict_region **place) {
    dicts->shared = place;
    dicts->is_own = false;
}

static int need_region(tw__dicts *dicts) {
    if (dicts->region == NULL && dicts->shared != NULL) {
        dicts->region = *dicts->shared;
    }
    if (dicts->region == NULL) {
        dicts->region = tw__dict_region_create(dicts->bytes, false);
        if (dicts->shared != NULL) {
            *dicts->shared = dicts->region;
        }
    }
    return dicts->region != NULL ? 0 : TW_ENOMEM;
}

int tw__dicts_reserve(tw__dicts *dicts, size_t size) {
    if (size <= dicts->buffer_size) {
        return 0;
    }
    size += size / 2;
    char *buffer = tw__realloc(dicts->buffer, size);
    if (buffer == NULL) {
        return TW_ENOMEM;
    }
    dicts->buffer = buffer;
    dicts->buffer_size = size;
    return 0;
}

/* ---- opening ------------------------------------------------------------ */

static tw_dict *find_open(const tw__dicts *dicts, const tw__dict_part *part) {
    tw_dict *dict = dicts->first;
    while (dict != NULL && dict->part != part) {
        dict = dict->next;
    }
    return dict;
}

static int open_part(tw__dicts *dicts, const tw__dict_part *part,
                     tw_dict **out) {
    tw_dict *dict = find_open(dicts, part);
    if (dict == NULL) {
        dict = tw__malloc(sizeof *dict);
        if (dict == NULL) {
            return TW_ENOMEM;
        }
        *dict = (tw_dict){dicts->first, dicts, part};
        dicts->first = dict;
    }
    *out = dict;
    return 0;
}

static bool is_name(tw_str name) {
    return name.len >= 1 && name.len <= TW_DICT_NAME_MAX &&
           name.data[0] != '.' && memchr(name.data, '\0', name.len) == NULL;
}

static size_t whole_bytes(size_t bytes) {
    bytes = bytes != 0 ? bytes : TW__DICT_DEFAULT_BYTES;
    return bytes > TW__DICT_MIN_BYTES ? bytes : TW__DICT_MIN_BYTES;
}

int tw__dicts_open(tw__dicts *dicts, tw_str name, size_t bytes,
                   tw_dict **dict) {
    const tw__dict_part *part;
    int error = is_name(name) ? need_region(dicts) : TW_EINVALID;
    if (error == 0) {
        error = tw__dict_region_open(dicts->region, name.data, name.len,
                                     whole_bytes(bytes), &part);
    }
    return error == 0 ? open_part(dicts, part, dict) : error;
}

int tw__dicts_check(tw__dicts *dicts, tw_str name, size_t bytes,
                    size_t *promised, size_t *left) {
    int error = is_name(name) ? need_region(dicts) : TW_EINVALID;
    if (error != 0) {
        return error;
    }
    size_t room = tw__dict_region_left(dicts->region);
    *left = room > *promised ? room - *promised : 0;
    if (tw__dict_region_find(dicts->region, name.data, name.len) != NULL) {
        return 0;
    }
    /* The first says that the second, which rounds up, does not overflow. */
    bytes = whole_bytes(bytes);
    if (bytes > *left || tw__dict_part_bytes(bytes) > *left) {
        return TW_ELIMIT;
    }
    *promised += tw__dict_part_bytes(bytes);
    return 0;
}

/* ---- using -------------------------------------------------------------- */

int tw__dict_begin_shard(tw__dict_use *use, tw_dict *dict, uint32_t shard) {
    tw__dicts *dicts = dict->dicts;
    use->dict = dict;
    use->shard = tw__dict_part_at(dicts->region, dict->part, shard);
    use->now_ms = dicts->events.now_ms(dicts->events.arg);
    use->tally = (tw__dict_tally){0};
    use->found = 0;
    switch (tw__dict_lock(&use->shard->lock)) {
    case TW__DICT_LOCKED:
        return 0;
    case TW__DICT_ORPHANED:
        /* First emptied, then mended: who dies in between leaves an orphan
         * again. */
        tw__dict_shard_reset(use->shard);
        tw__dict_lock_mend(&use->shard->lock);
        use->tally.emptied++;
        return 0;
    default:
        use->tally.busy++;
        dicts->events.noted(dict->part->name, &use->tally, dicts->events.arg);
        return TW_EOVERLOADED;
    }
}

int tw__dict_begin(tw__dict_use *use, tw_dict *dict, tw_str key) {
    if (key.len == 0 || key.len > TW_DICT_KEY_MAX) {
        return TW_EINVALID;
    }
    /* The upper half chooses the shard, the lower one the bucket in it. */
    uint64_t hash =
        tw__dict_hash(&dict->dicts->region->secret, key.data, key.len);
    use->key = (tw__dict_key){key.data, key.len, (uint32_t)hash};
    uint32_t shard = (uint32_t)(hash >> 32) & (dict->part->shards - 1);
    int error = tw__dict_begin_shard(use, dict, shard);
    if (error == 0) {
        use->found = tw__dict_shard_find(use->shard, &use->key, use->now_ms,
                                         &use->tally);
    }
    return error;
}

int tw__dict_end(tw__dict_use *use, int result) {
    tw__dict_unlock(&use->shard->lock);
    const tw__dict_tally *tally = &use->tally;
    if ((tally->evicted | tally->expired | tally->emptied) != 0) {
        const tw__dict_events *events = &use->dict->dicts->events;
        events->noted(use->dict->part->name, tally, events->arg);
    }
    return result;
}

uint64_t tw__dict_expiry(const tw__dict_use *use, uint64_t ttl_ms) {
    return ttl_ms != 0 ? use->now_ms + ttl_ms : 0;
}

/* ---- limits ------------------------------------------------------------- */

/* A bucket is one number: when it will be full again (the "theoretical arrival
 * time" of the generic cell rate algorithm). One that is full is as good as
 * none, so its entry is over then. */
static int take_token(tw__dict_use *use, double interval_ms, double burst,
                      double *retry_after) {
    double now = (double)use->now_ms, full = now;
    if (use->found != 0) {
        full = tw__dict_shard_number(use->shard, use->found);
        full = full > now ? full : now;
    }
    /* It was made by another rate, or a thousandth of a token is missing only
     * because numbers are rounded. */
    double most = now + interval_ms * burst, slack = interval_ms / 1000;
    if (full + interval_ms > most + slack) {
        *retry_after = (full + interval_ms - most) / 1000;
        return TW_ELIMIT;
    }
    tw_dict_value value = {.kind = TW_DICT_NUMBER,
                           .number = full + interval_ms};
    return tw__dict_put(use, &value, (uint64_t)value.number + 1);
}

int tw__dicts_limit(tw__dicts *dicts, tw_str key, double per_second,
                    double burst, double *retry_after) {
    if (!(per_second > 0)) {
        return TW_EINVALID;
    }
    tw_dict *dict;
    int error = need_region(dicts);
    if (error == 0) {
        error = open_part(dicts, &dicts->region->parts[0], &dict);
    }
    tw__dict_use use;
    if (error == 0) {
        error = tw__dict_begin(&use, dict, key);
    }
    if (error != 0) {
        return error;
    }
    error =
        take_token(&use, 1000 / per_second, burst > 1 ? burst : 1, retry_after);
    return tw__dict_end(&use, error);
}
