/* Entries are found by their text, whole: a hash only says where to look.
 * SPDX-License-Identifier: MIT */
#include "loader_cache.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "vm_alloc.h"
#include "vm_bytes.h"

enum { BUCKETS = 256, MOST_BYTES = 64 << 20 };

typedef struct entry {
    struct entry *next;
    char *name, *text;
    size_t len;
    twl_bytes code;
} entry;

static entry *buckets[BUCKETS];
static size_t bytes_held;
static unsigned opened;

static size_t bucket_of(const char *text, size_t len) {
    uint32_t hash = 2166136261u ^ (uint32_t)len;
    size_t step = len / 64 + 1; /* a few bytes will do */
    for (size_t i = 0; i < len; i += step) {
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    }
    return hash % BUCKETS;
}

static const entry *find(const char *text, size_t len, const char *name) {
    for (const entry *e = buckets[bucket_of(text, len)]; e; e = e->next) {
        if (e->len == len && strcmp(e->name, name) == 0 &&
            memcmp(e->text, text, len) == 0) {
            return e;
        }
    }
    return NULL;
}

static void free_entry(entry *e) {
    twl_free(e->name);
    twl_free(e->text);
    twl_bytes_deinit(&e->code);
    twl_free(e);
}

static int add_code(lua_State *L, const void *data, size_t len, void *arg) {
    (void)L;
    return twl_bytes_add(arg, data, len);
}

/* The function on top of the stack. Without memory nothing is kept. */
static void keep(lua_State *L, const char *text, size_t len, const char *name) {
    entry *e = len < MOST_BYTES - bytes_held ? twl_zalloc(sizeof *e) : NULL;
    if (!e) {
        return;
    }
    e->name = twl_strdup(name);
    e->text = twl_memdup(text, len);
    e->len = len;
    if (!e->name || !e->text || lua_dump(L, add_code, &e->code) != 0) {
        free_entry(e);
        return;
    }
    entry **bucket = &buckets[bucket_of(text, len)];
    e->next = *bucket;
    *bucket = e;
    bytes_held += len;
}

int twl_cache_load(lua_State *L, const char *text, size_t len,
                   const char *name) {
    const entry *e = opened > 0 ? find(text, len, name) : NULL;
    if (e) {
        return luaL_loadbufferx(L, e->code.data, e->code.len, name, "b");
    }
    int status = luaL_loadbufferx(L, text, len, name, "t");
    if (status == 0 && opened > 0) {
        keep(L, text, len, name);
    }
    return status;
}

void twl_cache_open(void) {
    opened++;
}

void twl_cache_close(void) {
    if (--opened > 0) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while (buckets[i]) {
            entry *e = buckets[i];
            buckets[i] = e->next;
            free_entry(e);
        }
    }
    bytes_held = 0;
}
