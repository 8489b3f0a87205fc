/* share.h - who may connect to the public Unix sockets.
 *
 * Without a word it is the user that the server runs as and nobody else; a
 * proxy under another user needs the mode of the file, or its group.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_SHARE_H
#define TW_SERVER_SHARE_H

#include <stddef.h>

#include "net/socket.h"
#include "tidewire/tidewire.h"

/* `text` is the address as configured, and it listens already. 0, also when
 * nothing is asked for; TW_EINVALID (not a Unix socket, or no such mode),
 * TW_ENOT_FOUND (no such group), TW_EDENIED or TW_EIO: `detail` gets a
 * sentence. */
int tw__share_socket(const char *text, const tw__address *address,
                     const tw_listen_options *options, char *detail,
                     size_t size);

#endif
