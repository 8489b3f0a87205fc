/* proxy_header.h - builds headers of the PROXY protocol for tests.
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_PROXY_HEADER_H
#define TW_TESTS_PROXY_HEADER_H

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

typedef struct proxy_header {
    uint8_t data[1024];
    size_t len;
} proxy_header;

enum { PROXY_LOCAL = 0x20, PROXY_PROXY = 0x21 };
enum { PROXY_TCP4 = 0x11, PROXY_TCP6 = 0x21, PROXY_STREAM = 0x31 };

/* The fixed part, then `len` zeros to be filled in. */
static inline proxy_header proxy_blank(int command, int family, size_t len) {
    static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
    proxy_header made = {.len = 16 + len};
    memcpy(made.data, signature, 12);
    made.data[12] = (uint8_t)command;
    made.data[13] = (uint8_t)family;
    made.data[14] = (uint8_t)(len >> 8);
    made.data[15] = (uint8_t)len;
    return made;
}

/* Of a client with this address, and `tlvs` bytes of extensions. */
static inline proxy_header proxy_of(const char *ip, size_t tlvs) {
    int is_long = strchr(ip, ':') != NULL;
    proxy_header made =
        proxy_blank(PROXY_PROXY, is_long ? PROXY_TCP6 : PROXY_TCP4,
                    (is_long ? 36 : 12) + tlvs);
    inet_pton(is_long ? AF_INET6 : AF_INET, ip, made.data + 16);
    memset(made.data + made.len - tlvs, 0xEE, tlvs);
    return made;
}

#endif
