/* SPDX-License-Identifier: MIT */
#include "notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool twp_notify(const char *state) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *name = getenv("NOTIFY_SOCKET");
    size_t len = name != NULL ? strlen(name) : 0;
    if (len < 2 || len >= sizeof address.sun_path ||
        (name[0] != '/' && name[0] != '@')) {
        return false;
    }
    memcpy(address.sun_path, name, len);
    if (name[0] == '@') { /* a name that is in no folder begins with a zero */
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    size_t size = offsetof(struct sockaddr_un, sun_path) + len;
    bool is_sent =
        fd >= 0 && sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                          (struct sockaddr *)&address, (socklen_t)size) >= 0;
    if (fd >= 0) {
        close(fd);
    }
    return is_sent;
}
