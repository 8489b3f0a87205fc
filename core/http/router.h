/* router.h - finds what serves a path.
 *
 * Patterns:
 *   "/chat"              that path
 *   "/doc/:id"           one segment that is not empty, named
 *   "/files/" "*"        (one pattern) the rest, captured under the name "*"
 *                        without its leading slash; may be empty. Also matches
 *                        "/files" itself, with an empty rest
 *   "/" "*"              everything
 *   "POST /hooks/order"  with a method; without one, any method
 * Paths are compared after decoding, case-sensitive, segment by segment;
 * "/chat" and "/chat/" are two paths.
 *
 * The most specific pattern wins, whatever the order of adding: from the left,
 * a literal segment before a named one before the rest. The path decides
 * first, then the method: where the best pattern has only other methods, the
 * answer is BAD_METHOD (405), even if a wider pattern would take it. Of one
 * pattern, the exact method wins over the pattern without one; HEAD falls back
 * to GET.
 *
 * The router stores an opaque pointer per route. Belongs to one thread;
 * matching neither allocates nor changes anything.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_ROUTER_H
#define TW_HTTP_ROUTER_H

#include <stddef.h>

#include "http/field.h"

/* Most parameters of one pattern, the rest included. */
#define TW__HTTP_MAX_PARAMS 16

/* Most segments of one pattern. A path may have any number of them. */
#define TW__HTTP_MAX_SEGMENTS 32

typedef struct tw__http_router tw__http_router;

typedef enum tw__http_found {
    TW__HTTP_FOUND,
    TW__HTTP_NOT_FOUND, /* 404 */
    TW__HTTP_BAD_METHOD /* 405, with `allow` */
} tw__http_found;

/* Filled by a match. Names point into the router, values into the path that
 * was given (these do NOT end in a zero byte). */
typedef struct tw__http_match {
    void *value;         /* FOUND */
    const char *pattern; /* FOUND: as it was added, for logs and metrics */
    tw__http_field params[TW__HTTP_MAX_PARAMS];
    size_t param_count;
    const char *allow; /* BAD_METHOD: "GET, HEAD, POST"; the router's */
} tw__http_match;

/* An empty router, or NULL when there is no memory. */
tw__http_router *tw__http_router_create(void);

/* Frees it; calls `release` (may be NULL) with every value. NULL is allowed. */
void tw__http_router_destroy(tw__http_router *router,
                             void (*release)(void *value));

/* Adds a route; the pattern is copied, `value` (not NULL) stays the caller's
 * until tw__http_router_destroy. 0; TW_EINVALID for a malformed pattern;
 * TW_EEXISTS when the same method and shape is there (parameter names make no
 * difference); TW_ENOMEM. On failure nothing changed, and *why (may be NULL)
 * is static text saying what is wrong. */
int tw__http_router_add(tw__http_router *router, const char *pattern,
                        size_t len, void *value, const char **why);

/* Finds the route of a decoded path. */
tw__http_found tw__http_router_match(const tw__http_router *router,
                                     const char *method, size_t method_len,
                                     const char *path, size_t path_len,
                                     tw__http_match *match);

#endif
