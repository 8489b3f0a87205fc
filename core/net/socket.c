/* SPDX-License-Identifier: MIT */
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tidewire/errors.h"

static void close_keeping_errno(int fd) {
    int saved = errno;
    close(fd);
    errno = saved;
}

static int error_of_errno(void) {
    switch (errno) {
    case EADDRINUSE:
        return TW_EEXISTS;
    case EACCES:
    case EPERM:
        return TW_EDENIED;
    case ENOMEM:
        return TW_ENOMEM;
    default:
        return TW_EIO;
    }
}

static const struct sockaddr *sockaddr_of(const tw__address *address) {
    return (const struct sockaddr *)&address->_storage;
}

static int open_socket(const tw__address *address) {
    return socket(address->_storage.ss_family,
                  SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* The mode of the socket before bind, less the umask, becomes the mode of the
 * file: there is no moment at which others could connect. */
static int bind_unix(int fd, const tw__address *address) {
    if (fchmod(fd, S_IRUSR | S_IWUSR) != 0) {
        return -1;
    }
    return bind(fd, sockaddr_of(address), address->_len);
}

/* A file left behind by a dead process refuses connections; one that is not a
 * socket does so too, hence the look at its type. */
static bool is_stale(const tw__address *address) {
    const char *path =
        ((const struct sockaddr_un *)&address->_storage)->sun_path;
    struct stat info;
    if (lstat(path, &info) != 0 || !S_ISSOCK(info.st_mode)) {
        return false;
    }
    int fd = open_socket(address);
    if (fd < 0) {
        return false;
    }
    bool refused = connect(fd, sockaddr_of(address), address->_len) != 0 &&
                   errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int listen_unix(int fd, const tw__address *address) {
    const char *path =
        ((const struct sockaddr_un *)&address->_storage)->sun_path;
    if (bind_unix(fd, address) == 0) {
        return 0;
    }
    if (errno != EADDRINUSE) {
        return -1;
    }
    if (!is_stale(address) || unlink(path) != 0) {
        errno = EADDRINUSE;
        return -1;
    }
    return bind_unix(fd, address);
}

static int bind_tcp(int fd, const tw__address *address, unsigned flags) {
    int on = 1, off = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
        return -1;
    }
    if ((flags & TW__LISTEN_REUSEPORT) != 0 &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
        return -1;
    }
    if (address->_storage.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) {
        return -1;
    }
    return bind(fd, sockaddr_of(address), address->_len);
}

int tw__socket_listen(const tw__address *address, int backlog, unsigned flags,
                      int *fd) {
    int sock = open_socket(address);
    if (sock < 0) {
        return error_of_errno();
    }
    int bound = address->_storage.ss_family == AF_UNIX
                    ? listen_unix(sock, address)
                    : bind_tcp(sock, address, flags);
    if (bound != 0 || listen(sock, backlog) != 0) {
        close_keeping_errno(sock);
        return error_of_errno();
    }
    *fd = sock;
    return 0;
}

static int share_file(int fd, mode_t mode, gid_t gid) {
    char path[32];
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return -1;
    }
    if (!S_ISSOCK(info.st_mode) || info.st_uid != geteuid()) {
        errno = EPERM;
        return -1;
    }
    if (gid != (gid_t)-1 && gid != info.st_gid &&
        fchownat(fd, "", (uid_t)-1, gid, AT_EMPTY_PATH) != 0) {
        return -1;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return chmod(path, mode);
}

/* By a descriptor of the file: whoever may write to its folder could put
 * something else in its place meanwhile. The group comes first, so that no
 * other one is ever let in. */
int tw__socket_share(const tw__address *address, mode_t mode, gid_t gid) {
    const char *path =
        ((const struct sockaddr_un *)&address->_storage)->sun_path;
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return error_of_errno();
    }
    int result = share_file(fd, mode, gid);
    close_keeping_errno(fd);
    return result == 0 ? 0 : error_of_errno();
}

int tw__socket_connect(const tw__address *address, int *fd) {
    int sock = open_socket(address);
    if (sock < 0) {
        return TW_EIO;
    }
    if (connect(sock, sockaddr_of(address), address->_len) != 0 &&
        errno != EINPROGRESS) {
        close_keeping_errno(sock);
        return TW_EIO;
    }
    *fd = sock;
    return 0;
}

int tw__socket_connect_result(int fd) {
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        return TW_EIO;
    }
    if (error != 0) {
        errno = error;
        return TW_EIO;
    }
    return 0;
}

int tw__socket_local(int fd, tw__address *address) {
    tw__address local;
    memset(&local, 0, sizeof local);
    local._len = sizeof local._storage;
    if (getsockname(fd, (struct sockaddr *)&local._storage, &local._len) != 0) {
        return TW_EIO;
    }
    *address = local;
    return 0;
}

int tw__socket_accept(int fd, tw__address *peer) {
    tw__address unused;
    int sock;
    if (peer == NULL) {
        peer = &unused;
    }
    memset(peer, 0, sizeof *peer);
    do {
        peer->_len = sizeof peer->_storage;
        sock = accept4(fd, (struct sockaddr *)&peer->_storage, &peer->_len,
                       SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (sock < 0 && errno == EINTR);
    return sock;
}

void tw__socket_no_delay(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}
