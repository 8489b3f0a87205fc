/* Reading a file, whole. SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tidewire/errors.h>

#include "loader_sources_state.h"
#include "vm_alloc.h"

static int error_of_open(void) {
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return TW_ENOT_FOUND;
    case ENOMEM:
        return TW_ENOMEM;
    default:
        return TW_EIO;
    }
}

/* Reads up to `size` bytes; a file that has shrunk meanwhile gives fewer. */
static int read_all(int fd, char *data, size_t size, size_t *len) {
    *len = 0;
    while (*len < size) {
        ssize_t n = read(fd, data + *len, size - *len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return TW_EIO;
        }
        if (n == 0) {
            break;
        }
        *len += (size_t)n;
    }
    return 0;
}

/* About the open file: what its name means may change at any moment. */
static bool is_allowed(twl_sources *sources, int fd, const char *path) {
    return sources == NULL || sources->may_read == NULL ||
           sources->may_read(fd, path, sources->why, sizeof sources->why,
                             sources->may_read_arg);
}

static int read_open(int fd, size_t limit, char **data, size_t *len) {
    struct stat facts;
    if (fstat(fd, &facts) != 0) {
        return TW_EIO;
    }
    if (!S_ISREG(facts.st_mode)) {
        return TW_EINVALID;
    }
    if ((uintmax_t)facts.st_size > limit) {
        return TW_ELIMIT;
    }
    size_t size = (size_t)facts.st_size;
    char *bytes = twl_malloc(size + 1);
    if (bytes == NULL) {
        return TW_ENOMEM;
    }
    int err = read_all(fd, bytes, size, len);
    if (err != 0) {
        twl_free(bytes);
        return err;
    }
    bytes[*len] = '\0';
    *data = bytes;
    return 0;
}

int twl_read_file(twl_sources *sources, const char *path, size_t limit,
                  char **data, size_t *len) {
    /* Not blocking: a FIFO in the way must not hang the loop. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return error_of_open();
    }
    int err = is_allowed(sources, fd, path) ? read_open(fd, limit, data, len)
                                            : TW_EDENIED;
    close(fd);
    return err;
}
