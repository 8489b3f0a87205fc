/* jwt_address.c - where keys may come from.
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "err.h"
#include "jwt.h"
#include "jwt_fetch.h"

/* The host of "http://..." without its port; false where there is none, or
 * somebody's name before it. */
static bool read_host(const char *at, char *host, size_t size) {
    size_t len;
    if (*at == '[') {
        at++;
        len = strcspn(at, "]");
    } else {
        len = strcspn(at, ":/?#@");
    }
    if (len == 0 || len >= size || memchr(at, '@', strcspn(at, "/?#"))) {
        return false;
    }
    memcpy(host, at, len);
    host[len] = '\0';
    return true;
}

static bool is_loopback(const char *host) {
    static const struct in6_addr own = IN6ADDR_LOOPBACK_INIT;
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, host, &four) == 1) {
        return ntohl(four.s_addr) >> 24 == 127;
    }
    return strcasecmp(host, "localhost") == 0 ||
           (inet_pton(AF_INET6, host, &six) == 1 &&
            memcmp(&six, &own, sizeof six) == 0);
}

void twl_jwt_fetch_check(lua_State *L, const char *url, bool is_insecure) {
    static const char secure[] = "https://", plain[] = "http://";
    char host[256];
    if (strncasecmp(url, secure, sizeof secure - 1) == 0) {
        return;
    }
    if (strncasecmp(url, plain, sizeof plain - 1) != 0) {
        twl_raise(L, TWL_JWT_VERIFY ": url must begin with https://");
    }
    if (!is_insecure &&
        (!read_host(url + sizeof plain - 1, host, sizeof host) ||
         !is_loopback(host))) {
        twl_raise(L, TWL_JWT_VERIFY
                  ": keys come over https; over http, where anybody on the "
                  "way can change them, only with insecure = true");
    }
}
