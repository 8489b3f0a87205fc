/* SPDX-License-Identifier: MIT */
#include "net/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "tidewire/errors.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};

static bool is_mapped(const uint8_t bytes[16]) {
    return memcmp(bytes, mapped, sizeof mapped) == 0;
}

void tw__ip_of_bytes(tw__ip *ip, int family, const uint8_t *bytes) {
    tw__ip made = {.family = (uint8_t)family};
    if (family == AF_INET6 && is_mapped(bytes)) {
        made.family = AF_INET;
        memcpy(made.bytes, bytes + sizeof mapped, 4);
    } else {
        memcpy(made.bytes, bytes, family == AF_INET ? 4 : 16);
    }
    *ip = made;
}

void tw__ip_of(tw__ip *ip, const tw__address *address) {
    const struct sockaddr_storage *storage = &address->_storage;
    if (storage->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)storage;
        tw__ip_of_bytes(ip, AF_INET, (const uint8_t *)&in->sin_addr);
    } else if (storage->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)storage;
        tw__ip_of_bytes(ip, AF_INET6, in6->sin6_addr.s6_addr);
    } else {
        *ip = (tw__ip){.family = AF_UNIX};
    }
}

int tw__ip_parse(tw__ip *ip, const char *text, size_t len) {
    char copy[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (len == 0 || len >= sizeof copy || memchr(text, '\0', len) != NULL) {
        return TW_EINVALID;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    int family = memchr(copy, ':', len) != NULL ? AF_INET6 : AF_INET;
    if (inet_pton(family, copy, bytes) != 1) {
        return TW_EINVALID;
    }
    tw__ip_of_bytes(ip, family, bytes);
    return 0;
}

void tw__ip_format(const tw__ip *ip, char out[TW__ADDRESS_TEXT]) {
    if (ip->family != AF_INET && ip->family != AF_INET6) {
        strcpy(out, "unix");
    } else {
        inet_ntop(ip->family, ip->bytes, out, TW__ADDRESS_TEXT);
    }
}

/* The mask of the ith byte of a prefix. */
static uint8_t mask_at(unsigned bits, unsigned i) {
    unsigned in_byte = bits <= i * 8 ? 0 : bits - i * 8;
    return in_byte >= 8 ? 0xFF : (uint8_t)(0xFF00 >> in_byte);
}

static bool is_whole(const tw__network *network) {
    for (unsigned i = 0; i < 16; i++) {
        if (network->ip.bytes[i] & (uint8_t)~mask_at(network->bits, i)) {
            return false;
        }
    }
    return true;
}

static bool parse_bits(const char *text, unsigned most, unsigned *bits) {
    unsigned value = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 3 || (len > 1 && text[0] == '0')) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(*text - '0');
    }
    *bits = value;
    return value <= most;
}

/* A mapped network is one of IPv4: its prefix counts from the 96th bit on. */
int tw__network_parse(tw__network *network, const char *text) {
    tw__network made;
    if (strcmp(text, "unix") == 0) {
        *network = (tw__network){.ip = {.family = AF_UNIX}};
        return 0;
    }
    size_t len = strcspn(text, "/");
    if (tw__ip_parse(&made.ip, text, len) != 0) {
        return TW_EINVALID;
    }
    bool is_long = memchr(text, ':', len) != NULL;
    unsigned skip = is_long && made.ip.family == AF_INET ? 96 : 0;
    unsigned most = is_long ? 128 : 32, bits = most;
    if (text[len] == '/' &&
        (!parse_bits(text + len + 1, most, &bits) || bits < skip)) {
        return TW_EINVALID;
    }
    made.bits = (uint8_t)(bits - skip);
    if (!is_whole(&made)) {
        return TW_EINVALID;
    }
    *network = made;
    return 0;
}

bool tw__network_has(const tw__network *network, const tw__ip *ip) {
    if (network->ip.family != ip->family) {
        return false;
    }
    for (unsigned i = 0; i < 16; i++) {
        uint8_t differ = network->ip.bytes[i] ^ ip->bytes[i];
        if (differ & mask_at(network->bits, i)) {
            return false;
        }
    }
    return true;
}

bool tw__networks_have(const tw__network *networks, size_t count,
                       const tw__ip *ip) {
    for (size_t i = 0; i < count; i++) {
        if (tw__network_has(&networks[i], ip)) {
            return true;
        }
    }
    return false;
}
