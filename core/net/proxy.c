/* SPDX-License-Identifier: MIT */
#include "net/proxy.h"

#include <string.h>

/* The signature, then version and command, family and transport, length. */
static const uint8_t signature[12] = {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D,
                                      0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};
enum { COMMAND_AT = 12, FAMILY_AT = 13, LENGTH_AT = 14 };
enum { LOCAL = 0x20, PROXY = 0x21 };
enum { UNKNOWN, INET, INET6, LOCAL_PATH, FAMILIES };

/* Source and destination, and two ports where there are any. */
static const uint8_t address_bytes[FAMILIES] = {
    [INET] = 12, [INET6] = 36, [LOCAL_PATH] = 216};

static size_t length_of(const tw__proxy *proxy) {
    return (size_t)proxy->_bytes[LENGTH_AT] << 8 | proxy->_bytes[LENGTH_AT + 1];
}

static unsigned family_of(const tw__proxy *proxy) {
    return proxy->_bytes[FAMILY_AT] >> 4;
}

/* The first byte that cannot be right ends it: whoever speaks something else
 * is not waited for. */
static bool is_right_so_far(const tw__proxy *proxy) {
    const uint8_t *bytes = proxy->_bytes;
    size_t have = proxy->_have;
    size_t signed_bytes = have < sizeof signature ? have : sizeof signature;
    if (memcmp(bytes, signature, signed_bytes) != 0) {
        return false;
    }
    if (have > COMMAND_AT && bytes[COMMAND_AT] != LOCAL &&
        bytes[COMMAND_AT] != PROXY) {
        return false;
    }
    if (have <= FAMILY_AT || bytes[COMMAND_AT] == LOCAL) {
        return true; /* what a LOCAL one says besides has no meaning */
    }
    unsigned family = family_of(proxy), transport = bytes[FAMILY_AT] & 15;
    return family < FAMILIES && transport <= 1 &&
           (have < TW__PROXY_FIXED ||
            length_of(proxy) >= address_bytes[family]);
}

size_t tw__proxy_want(const tw__proxy *proxy) {
    size_t whole = TW__PROXY_FIXED;
    if (proxy->_have >= TW__PROXY_FIXED) {
        whole += length_of(proxy);
    }
    return whole - proxy->_have;
}

tw__proxy_status tw__proxy_feed(tw__proxy *proxy, const void *data,
                                size_t len) {
    size_t room = sizeof proxy->_bytes;
    if (proxy->_have < room && len > 0) {
        size_t kept = room - proxy->_have < len ? room - proxy->_have : len;
        memcpy(proxy->_bytes + proxy->_have, data, kept);
    }
    proxy->_have += (uint32_t)len;
    if (!is_right_so_far(proxy)) {
        return TW__PROXY_BAD;
    }
    return tw__proxy_want(proxy) > 0 ? TW__PROXY_MORE : TW__PROXY_DONE;
}

bool tw__proxy_client(const tw__proxy *proxy, tw__ip *client) {
    const uint8_t *source = proxy->_bytes + TW__PROXY_FIXED;
    unsigned family =
        proxy->_bytes[COMMAND_AT] == PROXY ? family_of(proxy) : UNKNOWN;
    bool is_stream = (proxy->_bytes[FAMILY_AT] & 15) == 1;
    if (family == UNKNOWN || !is_stream) {
        return false;
    }
    if (family == LOCAL_PATH) {
        *client = (tw__ip){.family = AF_UNIX};
    } else {
        tw__ip_of_bytes(client, family == INET ? AF_INET : AF_INET6, source);
    }
    return true;
}
