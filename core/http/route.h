/* route.h - one pattern of the router, taken apart and checked.
 *
 * Routes whose patterns have the same shape form a list at their place in the
 * router's tree, one for each method. SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_ROUTE_H
#define TW_HTTP_ROUTE_H

#include "http/field.h"
#include "http/router.h"

/* The parameters' names belong to the route and not to the tree, since
 * patterns of one shape may name them differently for different methods. */
typedef struct tw__http_route {
    struct tw__http_route *next;
    void *value;
    char *pattern;     /* as added; method, path and names point into it */
    size_t method_len; /* 0: any method */
    tw__http_text path;
    tw__http_text names[TW__HTTP_MAX_PARAMS];
    size_t name_count;
} tw__http_route;

/* A route of a pattern, given. 0, TW_EINVALID (*why says what is wrong) or
 * TW_ENOMEM. */
int tw__http_route_create(const char *pattern, size_t len, void *value,
                          tw__http_route **out, const char **why);

/* Frees a list of routes; calls `release` (may be NULL) with each value. */
void tw__http_routes_destroy(tw__http_route *list, void (*release)(void *));

/* Takes the next segment off `path`, which stands at a slash. */
tw__http_text tw__http_next_segment(tw__http_text *path);

/* The route for exactly this method ("" is any), or NULL. */
tw__http_route *tw__http_route_find(tw__http_route *list, const char *method,
                                    size_t len);

/* "POST, GET, HEAD": the methods of the list, and HEAD where there is GET.
 * Given; NULL when there is no memory. */
char *tw__http_route_allow(tw__http_route *list);

#endif
