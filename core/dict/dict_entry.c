/* dict_entry.c - one entry of a dictionary, read and written.
 * SPDX-License-Identifier: MIT */
#include "dict/dict.h"

/* ---- reading ------------------------------------------------------------ */

static void read_found(const tw__dict_use *use, tw_dict_value *value) {
    const tw__dict_entry *entry = tw__dict_found(use);
    *value = (tw_dict_value){.kind = (tw_dict_kind)entry->kind,
                             .tag = entry->tag,
                             .version = entry->version};
    if (value->kind == TW_DICT_NUMBER) {
        value->number = tw__dict_shard_number(use->shard, use->found);
    } else {
        char *buffer = use->dict->dicts->buffer;
        tw__dict_shard_copy(use->shard, use->found, buffer);
        value->bytes = (tw_str){buffer, entry->value_len};
    }
}

/* Whether the value fits into the buffer; how long it is. */
static bool fits(const tw__dict_use *use, size_t *len) {
    const tw__dict_entry *entry = tw__dict_found(use);
    *len = entry->kind == TW_DICT_NUMBER ? 0 : entry->value_len;
    return *len <= use->dict->dicts->buffer_size;
}

/* Memory is had before the lock, so a value that turns out to be longer is
 * looked for once more; by then it may be another one. */
int tw_dict_get(tw_dict *dict, tw_str key, tw_dict_value *value) {
    for (size_t len = 1;;) {
        tw__dict_use use;
        int error = tw__dicts_reserve(dict->dicts, len);
        if (error == 0) {
            error = tw__dict_begin(&use, dict, key);
        }
        if (error != 0) {
            return error;
        }
        if (use.found == 0) {
            return tw__dict_end(&use, TW_ENOT_FOUND);
        }
        if (fits(&use, &len)) {
            tw__dict_shard_touch(use.shard, use.found);
            read_found(&use, value);
            return tw__dict_end(&use, 0);
        }
        tw__dict_end(&use, 0);
    }
}

/* ---- writing ------------------------------------------------------------ */

int tw_dict_set(tw_dict *dict, tw_str key, const tw_dict_value *value,
                uint64_t ttl_ms) {
    tw__dict_use use;
    int error = tw__dict_begin(&use, dict, key);
    if (error != 0) {
        return error;
    }
    error = tw__dict_put(&use, value, tw__dict_expiry(&use, ttl_ms));
    return tw__dict_end(&use, error);
}

int tw_dict_add(tw_dict *dict, tw_str key, const tw_dict_value *value,
                uint64_t ttl_ms) {
    return tw_dict_swap(dict, key, value, ttl_ms, 0);
}

static int swap(tw__dict_use *use, const tw_dict_value *value,
                uint64_t ttl_ms) {
    uint64_t expires_ms = 0;
    if (ttl_ms != TW_DICT_KEEP_TTL) {
        expires_ms = tw__dict_expiry(use, ttl_ms);
    } else if (use->found != 0) {
        expires_ms = tw__dict_found(use)->expires_ms;
    }
    if (value != NULL) {
        return tw__dict_put(use, value, expires_ms);
    }
    if (use->found != 0) {
        tw__dict_shard_remove(use->shard, use->found);
    }
    return 0;
}

int tw_dict_swap(tw_dict *dict, tw_str key, const tw_dict_value *value,
                 uint64_t ttl_ms, uint32_t version) {
    tw__dict_use use;
    int error = tw__dict_begin(&use, dict, key);
    if (error != 0) {
        return error;
    }
    uint32_t now = use.found != 0 ? tw__dict_found(&use)->version : 0;
    error = now == version ? swap(&use, value, ttl_ms) : TW_EEXISTS;
    return tw__dict_end(&use, error);
}

static int increase(tw__dict_use *use, double n, double init, uint64_t ttl_ms,
                    double *result) {
    uint64_t expires_ms = tw__dict_expiry(use, ttl_ms);
    double before = init;
    if (use->found != 0) {
        const tw__dict_entry *entry = tw__dict_found(use);
        if (entry->kind != TW_DICT_NUMBER) {
            return TW_EINVALID;
        }
        before = tw__dict_shard_number(use->shard, use->found);
        expires_ms = entry->expires_ms;
    }
    tw_dict_value value = {.kind = TW_DICT_NUMBER, .number = before + n};
    int error = tw__dict_put(use, &value, expires_ms);
    if (error == 0) {
        *result = value.number;
    }
    return error;
}

int tw_dict_incr(tw_dict *dict, tw_str key, double n, double init,
                 uint64_t ttl_ms, double *result) {
    tw__dict_use use;
    int error = tw__dict_begin(&use, dict, key);
    if (error != 0) {
        return error;
    }
    return tw__dict_end(&use, increase(&use, n, init, ttl_ms, result));
}

int tw_dict_delete(tw_dict *dict, tw_str key) {
    tw__dict_use use;
    int error = tw__dict_begin(&use, dict, key);
    if (error != 0) {
        return error;
    }
    if (use.found == 0) {
        return tw__dict_end(&use, TW_ENOT_FOUND);
    }
    tw__dict_shard_remove(use.shard, use.found);
    return tw__dict_end(&use, 0);
}
