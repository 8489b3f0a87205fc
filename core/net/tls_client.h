/* tls_client.h - TLS for connections that we open. What they do afterwards is
 * tls.h's. Belongs to one thread. SPDX-License-Identifier: MIT */
#ifndef TW_NET_TLS_CLIENT_H
#define TW_NET_TLS_CLIENT_H

#include "net/tls.h"

/* Trusts those whose certificates are in the PEM file `ca`; NULL: those whom
 * the system trusts. 0, TW_EINVALID (`detail` gets a sentence) or TW_ENOMEM.
 * The set is given, with one reference. */
int tw__tls_create_client(tw__tls **set, const char *ca, char *detail,
                          size_t size);

/* The client's end of a connection to `host`, a name or an IP address, which
 * the certificate has to be for. NULL without memory. Takes a reference to the
 * set, which tw__tls_create_client made. */
tw__tls_conn *tw__tls_connect(tw__tls *set, int fd, const char *host);

#endif
