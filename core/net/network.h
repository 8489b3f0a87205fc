/* network.h - IP addresses as bytes, and the networks that hold them.
 *
 * Pure. An IPv4 address has one form, also when it came mapped into IPv6: so
 * two addresses are one when their bytes are.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_NETWORK_H
#define TW_NET_NETWORK_H

#include "net/socket.h"

/* AF_INET (4 bytes, then zeros), AF_INET6 (16, never a mapped one) or AF_UNIX
 * (none: the peers of Unix sockets have no address). */
typedef struct tw__ip {
    uint8_t family;
    uint8_t bytes[16];
} tw__ip;

/* "192.0.2.1" or "2001:db8::1", of `len` bytes. 0 or TW_EINVALID. */
int tw__ip_parse(tw__ip *ip, const char *text, size_t len);
/* Of a socket's address; what is no IP address is AF_UNIX. */
void tw__ip_of(tw__ip *ip, const tw__address *address);
/* From the bytes of the wire: AF_INET or AF_INET6. */
void tw__ip_of_bytes(tw__ip *ip, int family, const uint8_t *bytes);
/* The other way; "unix" for AF_UNIX. */
void tw__ip_format(const tw__ip *ip, char out[TW__ADDRESS_TEXT]);

/* Addresses with the same first `bits`; all of AF_UNIX is one network. */
typedef struct tw__network {
    tw__ip ip;
    uint8_t bits;
} tw__network;

/* "10.0.0.0/8", "2001:db8::/32", "192.0.2.1", "unix". Bits behind the prefix
 * are zero, or it is a mistake. 0 or TW_EINVALID. */
int tw__network_parse(tw__network *network, const char *text);
bool tw__network_has(const tw__network *network, const tw__ip *ip);
/* Whether one of them has it. */
bool tw__networks_have(const tw__network *networks, size_t count,
                       const tw__ip *ip);

#endif
