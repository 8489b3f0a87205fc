/* origin.h - which web pages may open a connection.
 *
 * A browser names the page's origin in every upgrade, and a page cannot forge
 * it: this is what keeps a foreign page from using a visitor's cookies. Pure,
 * any thread, no allocation.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_WS_ORIGIN_H
#define TW_WS_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

#include "ws/request.h"

/* A pattern is one of
 *   *      every origin, but not null
 *   null   pages without an origin: sandboxed ones, local files
 *   SCHEME://HOST or SCHEME://HOST:PORT
 *          this origin; without a port, the scheme's own
 * where HOST may begin with "*." for any name below the rest, not the rest
 * itself, and PORT may be "*" for any. Scheme and host compare without case;
 * there is no path. */

/* Whether `pattern` is one of these: for checking a configuration. */
bool tw__ws_origin_is_pattern(const char *pattern, size_t len);

/* Whether the origin of `req` is allowed:
 *   - no Origin header: yes, it is no browser;
 *   - http or https with the host and port of the Host header, where no port
 *     means the port of the origin's scheme: yes, the page is ours. The
 *     scheme itself is not compared, since TLS may end before us;
 *   - it matches one of the zero-terminated `patterns`: yes;
 *   - else no; also when Origin is blank, malformed or repeated. */
bool tw__ws_origin_is_allowed(const tw__ws_request *req,
                              const char *const *patterns, size_t count);

#endif
