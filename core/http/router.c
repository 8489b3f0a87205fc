/* SPDX-License-Identifier: MIT */
#include "http/router.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "http/route.h"
#include "tidewire/errors.h"

/* A place in the tree of segments. `rest` is not a node but the routes of
 * patterns that go on with "*" from here. */
typedef struct node {
    tw__map literals;
    struct node *param;
    tw__http_route *ends, *rest;
    char *ends_allow, *rest_allow; /* made when a route is added */
    size_t len;
    char segment[];
} node;

struct tw__http_router {
    node *root;
};

static node *node_create(const char *segment, size_t len) {
    node *n = tw__malloc(sizeof *n + len);
    if (n != NULL) {
        memset(n, 0, sizeof *n);
        n->len = len;
        memcpy(n->segment, segment, len);
    }
    return n;
}

/* As deep as a pattern is long: TW__HTTP_MAX_SEGMENTS bounds it. */
static void node_destroy(node *n, void (*release)(void *)) {
    if (n == NULL) {
        return;
    }
    size_t pos = 0;
    node *child;
    while ((child = tw__map_next(&n->literals, &pos)) != NULL) {
        node_destroy(child, release);
    }
    tw__map_deinit(&n->literals);
    node_destroy(n->param, release);
    tw__http_routes_destroy(n->ends, release);
    tw__http_routes_destroy(n->rest, release);
    tw__free(n->ends_allow);
    tw__free(n->rest_allow);
    tw__free(n);
}

tw__http_router *tw__http_router_create(void) {
    tw__http_router *router = tw__calloc(1, sizeof *router);
    if (router != NULL) {
        router->root = node_create("", 0);
        if (router->root == NULL) {
            tw__free(router);
            return NULL;
        }
    }
    return router;
}

void tw__http_router_destroy(tw__http_router *router,
                             void (*release)(void *value)) {
    if (router != NULL) {
        node_destroy(router->root, release);
        tw__free(router);
    }
}

static node *find_literal(const node *n, tw__http_text segment) {
    return tw__map_find(&n->literals, segment.data, segment.len);
}

/* The child for a segment of a pattern, made when it is not there. Children
 * that a failure leaves behind match nothing and go with the router. */
static node *descend(node *n, tw__http_text segment) {
    bool is_param = segment.len > 0 && segment.data[0] == ':';
    node *child = is_param ? n->param : find_literal(n, segment);
    if (child != NULL) {
        return child;
    }
    child = node_create(segment.data, is_param ? 0 : segment.len);
    if (child == NULL) {
        return NULL;
    }
    if (is_param) {
        n->param = child;
    } else if (tw__map_add(&n->literals, child->segment, child->len, child) !=
               0) {
        node_destroy(child, NULL);
        return NULL;
    }
    return child;
}

static int add_route(tw__http_route **list, char **allow, tw__http_route *r) {
    if (tw__http_route_find(*list, r->pattern, r->method_len) != NULL) {
        return TW_EEXISTS;
    }
    r->next = *list;
    char *text = tw__http_route_allow(r);
    if (text == NULL) {
        r->next = NULL;
        return TW_ENOMEM;
    }
    tw__free(*allow);
    *allow = text;
    *list = r;
    return 0;
}

static int insert(tw__http_router *router, tw__http_route *r) {
    tw__http_text path = r->path;
    node *n = router->root;
    while (path.len > 0) {
        tw__http_text segment = tw__http_next_segment(&path);
        if (segment.len == 1 && segment.data[0] == '*') {
            return add_route(&n->rest, &n->rest_allow, r);
        }
        n = descend(n, segment);
        if (n == NULL) {
            return TW_ENOMEM;
        }
    }
    return add_route(&n->ends, &n->ends_allow, r);
}

int tw__http_router_add(tw__http_router *router, const char *pattern,
                        size_t len, void *value, const char **why) {
    const char *reason = "out of memory";
    tw__http_route *route = NULL;
    int err = tw__http_route_create(pattern, len, value, &route, &reason);
    if (err == 0) {
        err = insert(router, route);
        if (err == 0) {
            return 0;
        }
        tw__http_routes_destroy(route, NULL);
    }
    if (why != NULL) {
        *why = err == TW_EEXISTS ? "there is such a route already" : reason;
    }
    return err;
}

/* What a walk through the tree has found: values in order of the segments. */
typedef struct walk {
    tw__http_match *match;
    tw__http_route *routes;
    const char *allow;
    size_t count;
} walk;

static void put_value(walk *w, size_t at, const char *data, size_t len) {
    w->match->params[at].value = data;
    w->match->params[at].value_len = len;
}

static bool found(walk *w, tw__http_route *routes, const char *allow,
                  size_t count) {
    w->routes = routes;
    w->allow = allow;
    w->count = count;
    return true;
}

/* Tries the literal, then the parameter, then the rest, and steps back when a
 * branch leads nowhere: each node of the tree is looked at once at the most.
 * `count` values are set on the way here; a pattern has no more of them than
 * the match has room for. */
static bool walk_from(walk *w, const node *n, tw__http_text path,
                      size_t count) {
    if (path.len == 0) {
        if (n->ends != NULL) {
            return found(w, n->ends, n->ends_allow, count);
        }
        if (n->rest == NULL) {
            return false;
        }
        put_value(w, count, path.data, 0);
        return found(w, n->rest, n->rest_allow, count + 1);
    }
    tw__http_text left = path;
    tw__http_text segment = tw__http_next_segment(&left);
    const node *literal = find_literal(n, segment);
    if (literal != NULL && walk_from(w, literal, left, count)) {
        return true;
    }
    if (n->param != NULL && segment.len > 0) {
        put_value(w, count, segment.data, segment.len);
        if (walk_from(w, n->param, left, count + 1)) {
            return true;
        }
    }
    if (n->rest == NULL) {
        return false;
    }
    put_value(w, count, path.data + 1, path.len - 1);
    return found(w, n->rest, n->rest_allow, count + 1);
}

static tw__http_route *choose(tw__http_route *routes, const char *method,
                              size_t len) {
    tw__http_route *r = tw__http_route_find(routes, method, len);
    if (r == NULL && len == 4 && memcmp(method, "HEAD", 4) == 0) {
        r = tw__http_route_find(routes, "GET", 3);
    }
    return r != NULL ? r : tw__http_route_find(routes, "", 0);
}

tw__http_found tw__http_router_match(const tw__http_router *router,
                                     const char *method, size_t method_len,
                                     const char *path, size_t path_len,
                                     tw__http_match *match) {
    walk w = {.match = match};
    if (path_len == 0 || path[0] != '/' || method_len == 0 ||
        !walk_from(&w, router->root, (tw__http_text){path, path_len}, 0)) {
        return TW__HTTP_NOT_FOUND;
    }
    const tw__http_route *r = choose(w.routes, method, method_len);
    if (r == NULL) {
        match->allow = w.allow;
        return TW__HTTP_BAD_METHOD;
    }
    match->value = r->value;
    match->pattern = r->pattern;
    match->param_count = w.count;
    for (size_t i = 0; i < w.count; i++) {
        match->params[i].name = r->names[i].data;
        match->params[i].name_len = r->names[i].len;
    }
    return TW__HTTP_FOUND;
}
