/* socket.h - addresses and plain non-blocking descriptors.
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_SOCKET_H
#define TW_NET_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

typedef struct tw__address {
    struct sockaddr_storage _storage;
    socklen_t _len;
} tw__address;

enum { TW__ADDRESS_TEXT = 128 };

/* Reads "127.0.0.1:8080", "[::1]:8080", ":8080" (all IPv4 addresses), "8080"
 * (127.0.0.1) or "unix:/path". Port 0 lets the kernel choose. Names are not
 * resolved. 0 or TW_EINVALID. */
int tw__address_parse(tw__address *address, const char *text);

/* The other way, with brackets for IPv6 and "unix:" for paths. */
void tw__address_format(const tw__address *address, char out[TW__ADDRESS_TEXT]);

/* The address without port, as logs and limits want it ("::ffff:" stripped). */
void tw__address_format_ip(const tw__address *address,
                           char out[TW__ADDRESS_TEXT]);

enum { TW__LISTEN_REUSEPORT = 1 };

/* A listening, non-blocking, close-on-exec socket in *fd. TCP: SO_REUSEADDR,
 * with the flag SO_REUSEPORT; "[::]" takes IPv4 too. Unix: mode 0600; a socket
 * file that nobody listens on is replaced, any other file is "in use". 0,
 * TW_EEXISTS (address in use), TW_EDENIED or TW_EIO; errno tells more. */
int tw__socket_listen(const tw__address *address, int backlog, unsigned flags,
                      int *fd);

/* Who may connect to the Unix socket that was bound to this path, which so far
 * is its owner: the file gets this group, unless it is (gid_t)-1, and then this
 * mode. 0; TW_EDENIED (a group that is not ours to give, or the file is not
 * ours any more) or TW_EIO; errno tells more. */
int tw__socket_share(const tw__address *address, mode_t mode, gid_t gid);

/* Begins connecting with a non-blocking, close-on-exec socket, which becomes
 * writable when it is done. 0 or TW_EIO (errno; EAGAIN: the queue of a Unix
 * listener is full, try later). */
int tw__socket_connect(const tw__address *address, int *fd);

/* The result of a connect that became writable: 0 or TW_EIO (errno set). */
int tw__socket_connect_result(int fd);

/* The bound address (the real port after binding port 0). 0 or TW_EIO. */
int tw__socket_local(int fd, tw__address *address);

/* Accepts one: descriptor (non-blocking, close-on-exec) or -1 with errno.
 * `peer` may be NULL. */
int tw__socket_accept(int fd, tw__address *peer);

/* TCP_NODELAY; does nothing on Unix sockets. */
void tw__socket_no_delay(int fd);

#endif
