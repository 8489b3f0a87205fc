/* SPDX-License-Identifier: MIT */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge.h"
#include "err.h"
#include "opts.h"

enum { READ_BYTES = 16384 };

/* The real path, with relative ones below the script's folder: links lead
 * nowhere that was not granted. False when there is none. */
static bool real_path(const tw_lua *lua, const char *path, char *out) {
    char whole[PATH_MAX];
    int n = path[0] == '/'
                ? snprintf(whole, sizeof whole, "%s", path)
                : snprintf(whole, sizeof whole, "%s/%s", lua->script_dir, path);
    return n > 0 && (size_t)n < sizeof whole && realpath(whole, out) != NULL;
}

static bool is_granted(const tw_lua *lua, const char *real) {
    char grant[PATH_MAX];
    for (size_t i = 0; i < lua->file_count; i++) {
        const char *file = lua->files[i];
        size_t given = strlen(file);
        if (!given || !real_path(lua, file, grant)) {
            continue;
        }
        size_t len = strlen(grant);
        bool is_folder = file[given - 1] == '/';
        if (strcmp(grant, real) == 0 ||
            (is_folder && strncmp(grant, real, len) == 0 &&
             (real[len] == '/' || len == 1))) {
            return true;
        }
    }
    return false;
}

/* Whether the path as written is one of the grants: then the script may learn
 * that there is no such file. */
static bool is_named(const tw_lua *lua, const char *path) {
    for (size_t i = 0; i < lua->file_count; i++) {
        if (strcmp(lua->files[i], path) == 0) {
            return true;
        }
    }
    return false;
}

/* Reads to the end, or past the limit: files in /proc say that their size is
 * 0. 0, or -1 and errno. */
static int read_all(int fd, twl_bytes *out) {
    while (out->len <= TWL_FILE_MAX_BYTES) {
        if (twl_bytes_reserve(out, READ_BYTES)) {
            errno = ENOMEM;
            return -1;
        }
        ssize_t n = read(fd, out->data + out->len, READ_BYTES);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -1 : 0;
        }
        out->len += (size_t)n;
    }
    return 0;
}

static int fail(lua_State *L, const char *path, int error) {
    int code = error == ENOENT || error == ENOTDIR ? TW_ENOT_FOUND
               : error == EACCES || error == EPERM ? TW_EDENIED
                                                   : TW_EUNAVAILABLE;
    lua_pushnil(L);
    twl_push_errorf(L, code, "%s: %s", path, strerror(error));
    return 2;
}

static int deny(lua_State *L, const char *path) {
    lua_pushnil(L);
    twl_push_errorf(L, TW_EDENIED, "%s is not granted to scripts", path);
    return 2;
}

int twl_file_read(lua_State *L) {
    const tw_lua *lua = twl_gen_of(L)->lua;
    tw_str path = twl_arg_string(L, 1, "tw.file.read", "path");
    char real[PATH_MAX];
    if (strlen(path.data) != path.len) {
        return deny(L, path.data);
    }
    if (!real_path(lua, path.data, real)) {
        int error = errno;
        return is_named(lua, path.data) ? fail(L, path.data, error)
                                        : deny(L, path.data);
    }
    if (!is_granted(lua, real)) {
        return deny(L, path.data);
    }
    /* Not blocking: a pipe without a writer would hold the loop. */
    int fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return fail(L, path.data, errno);
    }
    struct stat status;
    if (fstat(fd, &status) || !S_ISREG(status.st_mode)) {
        close(fd);
        return fail(L, path.data, EINVAL);
    }
    twl_bytes *bytes = twl_vm_scratch(twl_vm_of(L));
    int result = read_all(fd, bytes);
    int error = errno;
    close(fd);
    if (result) {
        return fail(L, path.data, error);
    }
    if (bytes->len > TWL_FILE_MAX_BYTES) {
        return twl_nil_error(L, TW_ELIMIT, "the file is over 1 MiB");
    }
    lua_pushlstring(L, bytes->data ? bytes->data : "", bytes->len);
    return 1;
}
