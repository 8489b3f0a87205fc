/* A generation as bytes:
 *
 *   "TWGEN1\n"  u32 files  { u32 path length, path, u32 length, bytes }*
 *
 * in little-endian. Whoever reads it trusts nothing in it.
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tidewire/errors.h>

#include "loader_sources_state.h"
#include "vm_alloc.h"

static const char MAGIC[] = "TWGEN1\n";
enum { MAGIC_LEN = sizeof MAGIC - 1, MAX_PATH_LEN = 4096 };

/* --- writing ---------------------------------------------------------- */

static int add_u32(twl_bytes *out, size_t value) {
    uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8),
                        (uint8_t)(value >> 16), (uint8_t)(value >> 24)};
    return twl_bytes_add(out, bytes, sizeof bytes);
}

static int add_block(twl_bytes *out, const char *data, size_t len) {
    int err = add_u32(out, len);
    return err != 0 ? err : twl_bytes_add(out, data, len);
}

int twl_sources_write(const twl_sources *sources, twl_bytes *out) {
    size_t start = out->len;
    int err = twl_bytes_add(out, MAGIC, MAGIC_LEN);
    if (err == 0) {
        err = add_u32(out, sources->count);
    }
    for (size_t i = 0; i < sources->count && err == 0; i++) {
        const source *s = &sources->list[i];
        err = add_block(out, s->path, strlen(s->path));
        if (err == 0) {
            err = add_block(out, s->data, s->len);
        }
    }
    if (err != 0) {
        out->len = start;
    }
    return err;
}

static int write_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return TW_EIO;
        }
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int replace_file(const char *path, const char *part, const char *data,
                        size_t len) {
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                  S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return TW_EIO;
    }
    int err = write_all(fd, data, len);
    if (close(fd) != 0 && err == 0) {
        err = TW_EIO;
    }
    if (err == 0 && rename(part, path) != 0) {
        err = TW_EIO;
    }
    if (err != 0) {
        unlink(part);
    }
    return err;
}

int twl_sources_save(const twl_sources *sources, const char *path) {
    twl_bytes out = {0};
    size_t room = strlen(path) + sizeof ".part";
    char *part = twl_malloc(room);
    int err = part != NULL ? twl_sources_write(sources, &out) : TW_ENOMEM;
    if (err == 0) {
        snprintf(part, room, "%s.part", path);
        err = replace_file(path, part, out.data, out.len);
    }
    twl_bytes_deinit(&out);
    twl_free(part);
    return err;
}

/* --- reading ---------------------------------------------------------- */

typedef struct reader {
    const uint8_t *at;
    size_t left;
} reader;

static bool read_u32(reader *r, size_t *value) {
    if (r->left < 4) {
        return false;
    }
    *value = (size_t)r->at[0] | (size_t)r->at[1] << 8 | (size_t)r->at[2] << 16 |
             (size_t)r->at[3] << 24;
    r->at += 4;
    r->left -= 4;
    return true;
}

static bool read_block(reader *r, size_t limit, const char **data,
                       size_t *len) {
    if (!read_u32(r, len) || *len > limit || *len > r->left) {
        return false;
    }
    *data = (const char *)r->at;
    r->at += *len;
    r->left -= *len;
    return true;
}

static int read_source(twl_sources *sources, reader *r) {
    const char *path, *data;
    size_t path_len, len;
    if (!read_block(r, MAX_PATH_LEN, &path, &path_len) || path_len == 0 ||
        memchr(path, '\0', path_len) != NULL ||
        !read_block(r, TWL_SOURCE_MAX_BYTES, &data, &len)) {
        return TW_EINVALID;
    }
    int err = twl_sources_add(sources, twl_memdup(path, path_len),
                              twl_memdup(data, len), len);
    return err == TW_ELIMIT ? TW_EINVALID : err;
}

int twl_sources_create_snapshot(twl_sources **out, const void *data,
                                size_t len) {
    if (len < MAGIC_LEN || memcmp(data, MAGIC, MAGIC_LEN) != 0) {
        return TW_EINVALID;
    }
    reader r = {.at = (const uint8_t *)data + MAGIC_LEN,
                .left = len - MAGIC_LEN};
    twl_sources *sources = twl_zalloc(sizeof *sources);
    if (sources == NULL) {
        return TW_ENOMEM;
    }
    size_t count;
    int err = read_u32(&r, &count) ? 0 : TW_EINVALID;
    for (size_t i = 0; err == 0 && i < count; i++) {
        err = read_source(sources, &r);
    }
    if (err == 0 && r.left != 0) {
        err = TW_EINVALID;
    }
    if (err != 0) {
        twl_sources_destroy(sources);
        return err;
    }
    *out = sources;
    return 0;
}

int twl_sources_open_snapshot(twl_sources **sources, const char *path) {
    char *data;
    size_t len;
    /* The record of the largest generation: contents, paths and lengths. */
    size_t limit = (size_t)TWL_SOURCES_MAX_BYTES +
                   (size_t)TWL_SOURCES_MAX_FILES * (MAX_PATH_LEN + 8);
    int err = twl_read_file(NULL, path, limit, &data, &len);
    if (err != 0) {
        return err == TW_ELIMIT ? TW_EINVALID : err;
    }
    err = twl_sources_create_snapshot(sources, data, len);
    twl_free(data);
    return err;
}
