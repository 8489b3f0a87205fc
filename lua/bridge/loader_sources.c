/* SPDX-License-Identifier: MIT */
#include "loader_sources.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tidewire/errors.h>

#include "loader_sha256.h"
#include "loader_sources_state.h"
#include "vm_alloc.h"

/* --- the list --------------------------------------------------------- */

static source *find(const twl_sources *sources, const char *path) {
    for (size_t i = 0; i < sources->count; i++) {
        if (strcmp(sources->list[i].path, path) == 0) {
            return &sources->list[i];
        }
    }
    return NULL;
}

static int grow(twl_sources *sources) {
    if (sources->count < sources->cap) {
        return 0;
    }
    size_t cap = sources->cap != 0 ? sources->cap * 2 : 16;
    source *list = twl_realloc(sources->list, cap * sizeof *list);
    if (list == NULL) {
        return TW_ENOMEM;
    }
    sources->list = list;
    sources->cap = cap;
    return 0;
}

int twl_sources_add(twl_sources *sources, char *path, char *data, size_t len) {
    int err = 0;
    if (sources->count >= TWL_SOURCES_MAX_FILES ||
        sources->bytes + len > TWL_SOURCES_MAX_BYTES) {
        err = TW_ELIMIT;
    } else {
        err = grow(sources);
    }
    if (err != 0 || path == NULL || data == NULL) {
        twl_free(path);
        twl_free(data);
        return err != 0 ? err : TW_ENOMEM;
    }
    sources->list[sources->count++] =
        (source){.path = path, .data = data, .len = len};
    sources->bytes += len;
    return 0;
}

twl_sources *twl_sources_create_disk(void) {
    twl_sources *sources = twl_zalloc(sizeof *sources);
    if (sources != NULL) {
        sources->reads_disk = true;
    }
    return sources;
}

void twl_sources_set_check(twl_sources *sources, tw_lua_may_read_cb may_read,
                           void *arg) {
    sources->may_read = may_read;
    sources->may_read_arg = arg;
}

const char *twl_sources_why(const twl_sources *sources, int error) {
    return error == TW_EDENIED && *sources->why != '\0' ? sources->why
                                                        : tw_strerror(error);
}

twl_sources *twl_sources_ref(twl_sources *sources) {
    sources->refs++;
    return sources;
}

void twl_sources_destroy(twl_sources *sources) {
    if (sources == NULL || sources->refs-- > 0) {
        return;
    }
    for (size_t i = 0; i < sources->count; i++) {
        twl_free(sources->list[i].path);
        twl_free(sources->list[i].data);
    }
    twl_free(sources->list);
    twl_free(sources);
}

size_t twl_sources_count(const twl_sources *sources) {
    return sources->count;
}

const char *twl_sources_path(const twl_sources *sources, size_t index) {
    return sources->list[index].path;
}

/* --- reading ---------------------------------------------------------- */

int twl_sources_read(twl_sources *sources, const char *path, const char **data,
                     size_t *len) {
    source *found = find(sources, path);
    if (found == NULL) {
        if (!sources->reads_disk) {
            return TW_ENOT_FOUND;
        }
        char *bytes;
        size_t count;
        *sources->why = '\0';
        int err =
            twl_read_file(sources, path, TWL_SOURCE_MAX_BYTES, &bytes, &count);
        if (err == 0) {
            err = twl_sources_add(sources, twl_strdup(path), bytes, count);
        }
        if (err != 0) {
            return err;
        }
        found = &sources->list[sources->count - 1];
    }
    *data = found->data;
    *len = found->len;
    return 0;
}

/* --- the digest ------------------------------------------------------- */

static int compare_paths(const void *a, const void *b) {
    const source *const *left = a;
    const source *const *right = b;
    return strcmp((*left)->path, (*right)->path);
}

/* Lengths go in too, so that no two sets of files give the same bytes. */
static void add_length(twl_sha256 *sha, uint64_t value) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    twl_sha256_add(sha, bytes, sizeof bytes);
}

static void add_source(twl_sha256 *sha, const source *s) {
    size_t path_len = strlen(s->path);
    add_length(sha, path_len);
    twl_sha256_add(sha, s->path, path_len);
    add_length(sha, s->len);
    twl_sha256_add(sha, s->data, s->len);
}

int twl_sources_digest(const twl_sources *sources, char text[TWL_DIGEST_TEXT]) {
    const source **sorted =
        twl_malloc((sources->count + 1) * sizeof(const source *));
    if (sorted == NULL) {
        return TW_ENOMEM;
    }
    for (size_t i = 0; i < sources->count; i++) {
        sorted[i] = &sources->list[i];
    }
    qsort(sorted, sources->count, sizeof *sorted, compare_paths);
    twl_sha256 sha;
    twl_sha256_init(&sha);
    for (size_t i = 0; i < sources->count; i++) {
        add_source(&sha, sorted[i]);
    }
    twl_free(sorted);
    uint8_t digest[TWL_SHA256_BYTES];
    twl_sha256_finish(&sha, digest);
    static const char HEX[] = "0123456789abcdef";
    for (int i = 0; i < TWL_SHA256_BYTES; i++) {
        text[2 * i] = HEX[digest[i] >> 4];
        text[2 * i + 1] = HEX[digest[i] & 15];
    }
    text[2 * TWL_SHA256_BYTES] = '\0';
    return 0;
}
