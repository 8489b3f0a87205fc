/* SPDX-License-Identifier: MIT */
#include "http/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* O_NONBLOCK: a FIFO in the folder must not stop the loop. */
#define READ_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

static int open_resolved(int root, const char *name, unsigned flags) {
    struct open_how how = {
        .flags = flags,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    /* EAGAIN: something was renamed while the kernel was looking for a way
     * out, and it cannot tell. */
    int fd = -1;
    for (int tries = 0; tries < 8; tries++) {
        fd = (int)syscall(SYS_openat2, root, name, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) {
            break;
        }
    }
    return fd >= 0 ? fd : -errno;
}

bool tw__http_has_openat2(int root) {
    int fd = open_resolved(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static int open_walking(int root, const char *name) {
    int dir = root, fd;
    for (;;) {
        const char *slash = strchr(name, '/');
        size_t len = slash != NULL ? (size_t)(slash - name) : strlen(name);
        char segment[NAME_MAX + 1];
        if (len > NAME_MAX) {
            fd = -1;
            errno = ENAMETOOLONG;
        } else {
            memcpy(segment, name, len);
            segment[len] = '\0';
            int flags =
                slash != NULL ? O_PATH | O_DIRECTORY | O_CLOEXEC : READ_FLAGS;
            fd = openat(dir, segment, flags | O_NOFOLLOW);
        }
        int err = fd < 0 ? errno : 0;
        if (dir != root) {
            close(dir);
        }
        if (err != 0) {
            return -err;
        }
        if (slash == NULL) {
            return fd;
        }
        dir = fd;
        name = slash + 1;
    }
}

int tw__http_open_beneath(int root, const char *name, bool walk) {
    return walk ? open_walking(root, name)
                : open_resolved(root, name, READ_FLAGS);
}
