/* route.c - the table of routes and its replacement.
 *
 * A route is known by kind, method and pattern. Replacing the table keeps the
 * tw_route of one that stays, so that open connections live by its new settings;
 * one that goes is retired and freed with its last connection.
 *
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "http/static.h"
#include "server/server.h"
#include "ws/origin.h"

/* ---- settings ---- */

static void free_config(tw_route_config *config) {
    for (size_t i = 0; i < config->origin_count; i++) {
        tw__free((void *)config->origins[i]);
    }
    tw__free((void *)config->origins);
    tw__free((void *)config->method);
    tw__free((void *)config->pattern);
    tw__free((void *)config->folder);
    tw__free((void *)config->wire);
    memset(config, 0, sizeof *config);
}

static int copy_text(const char **text) {
    if (*text != NULL) {
        *text = tw__strndup(*text, strlen(*text));
        return *text == NULL ? TW_ENOMEM : 0;
    }
    return 0;
}

static int copy_origins(tw_route_config *to, const tw_route_config *from) {
    const char **origins = tw__calloc(from->origin_count, sizeof *origins);
    if (origins == NULL) {
        return TW_ENOMEM;
    }
    to->origins = origins;
    for (size_t i = 0; i < from->origin_count; i++) {
        const char *origin = from->origins[i];
        if (!tw__ws_origin_is_pattern(origin, strlen(origin))) {
            return TW_EINVALID;
        }
        origins[i] = tw__strndup(origin, strlen(origin));
        if (origins[i] == NULL) {
            return TW_ENOMEM;
        }
        to->origin_count = i + 1;
    }
    return 0;
}

static void fill_defaults(tw_route_config *config) {
    if (config->max_body_bytes == 0) {
        config->max_body_bytes = 1 << 20;
    }
    if (config->max_message_bytes == 0) {
        config->max_message_bytes = 65536;
    }
    config->ping_ms = config->ping_ms ? config->ping_ms : 30000;
    config->idle_ms = config->idle_ms ? config->idle_ms : 60000;
    if (config->drain_spread_ms == 0) {
        config->drain_spread_ms = 5000;
    }
    if (config->drain_code == 0) {
        config->drain_code = 1012;
    }
}

/* A copy that owns its texts; on failure nothing is left of it. */
static int copy_config(tw_route_config *to, const tw_route_config *from) {
    *to = *from;
    to->method = to->pattern = to->folder = to->wire = NULL;
    to->origins = NULL;
    to->origin_count = 0;
    const char **texts[] = {&to->method, &to->pattern, &to->folder, &to->wire};
    const char *sources[] = {from->method, from->pattern, from->folder,
                             from->wire};
    int err = 0;
    for (size_t i = 0; err == 0 && i < 4; i++) {
        *texts[i] = sources[i];
        err = copy_text(texts[i]);
    }
    if (err == 0) {
        err = copy_origins(to, from);
    }
    fill_defaults(to);
    if (err != 0) {
        free_config(to);
    }
    return err;
}

/* ---- routes ---- */

static void destroy(tw_route *route) {
    tw__list_remove(&route->node);
    tw__http_static_destroy(route->folder);
    free_config(&route->config);
    tw__free(route);
}

void tw__route_unref(tw_route *route) {
    if (--route->refs == 0) {
        destroy(route);
    }
}

static bool is_same_text(const char *a, const char *b) {
    return (a == NULL && b == NULL) ||
           (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_same(const tw_route_config *a, const tw_route_config *b) {
    return a->kind == b->kind && is_same_text(a->method, b->method) &&
           strcmp(a->pattern, b->pattern) == 0;
}

static tw_route *find(tw__list *list, const tw_route_config *config) {
    for (tw__list *node = list->next; node != list; node = node->next) {
        tw_route *route = TW__CONTAINER(node, tw_route, node);
        if (is_same(&route->config, config)) {
            return route;
        }
    }
    return NULL;
}

static int create(tw_route **out, const tw_route_config *config) {
    if (config->pattern == NULL ||
        (config->kind == TW_ROUTE_STATIC && config->folder == NULL)) {
        return TW_EINVALID;
    }
    tw_route *route = tw__calloc(1, sizeof *route);
    if (route == NULL) {
        return TW_ENOMEM;
    }
    route->refs = 1;
    tw__list_init(&route->node);
    int err = copy_config(&route->config, config);
    if (err == 0 && config->kind == TW_ROUTE_STATIC) {
        err = tw__http_static_create(config->folder, &route->folder);
    }
    if (err == 0 && tw__codec_find(config->wire) == NULL) {
        err = TW_EINVALID;
    }
    if (err != 0) {
        destroy(route);
        return err == TW_ENOMEM ? err : TW_EINVALID;
    }
    *out = route;
    return 0;
}

static int add(tw__http_router *router, const tw_route_config *config,
               tw_route *route) {
    char text[1200];
    int len = snprintf(text, sizeof text, "%s%s%s",
                       config->method ? config->method : "",
                       config->method ? " " : "", config->pattern);
    if (len < 0 || (size_t)len >= sizeof text) {
        return TW_EINVALID;
    }
    int err = tw__http_router_add(router, text, (size_t)len, route, NULL);
    return err == TW_ENOMEM ? err : err == 0 ? 0 : TW_EINVALID;
}

static void drop_list(tw__list *list) {
    while (!tw__list_is_empty(list)) {
        tw_route *route = TW__CONTAINER(list->next, tw_route, node);
        tw__list_remove(&route->node);
        tw__route_unref(route);
    }
}

/* Settings and data move into the route that was there; what it had goes. */
static void adopt(tw_route *kept, tw_route *fresh) {
    tw_route_config config = kept->config;
    struct tw__http_static *folder = kept->folder;
    kept->config = fresh->config;
    kept->folder = fresh->folder;
    fresh->config = config;
    fresh->folder = folder;
}

/* Who still refers to it keeps it, beyond the server's end if need be. */
static void retire(tw_route *route) {
    tw__list_remove(&route->node);
    route->is_retired = true;
    route->config.data = NULL;
    route->config.hooks = 0;
    tw__route_unref(route);
}

/* The fresh ones become the table; where one was there before, that one goes on
 * with the fresh settings. */
static void merge(tw_server *server, tw__list *fresh) {
    tw__list merged, *node;
    tw__list_init(&merged);
    while ((node = tw__list_shift(fresh)) != NULL) {
        tw_route *route = TW__CONTAINER(node, tw_route, node);
        tw_route *kept = find(&server->routes, &route->config);
        if (kept != NULL) {
            adopt(kept, route);
            tw__route_unref(route);
            route = kept;
            tw__list_remove(&route->node);
        }
        tw__list_push(&merged, &route->node);
    }
    while (!tw__list_is_empty(&server->routes)) {
        retire(TW__CONTAINER(server->routes.next, tw_route, node));
    }
    tw__list_move_all(&server->routes, &merged);
}

static int create_all(tw__list *fresh, const tw_route_config *routes,
                      size_t count, size_t *bad) {
    for (size_t i = 0; i < count; i++) {
        tw_route *route;
        int err = create(&route, &routes[i]);
        if (err != 0) {
            *bad = i;
            return err;
        }
        tw__list_push(fresh, &route->node);
    }
    return 0;
}

/* The routers get the routes that will be in the table after the merge, so that
 * nothing can fail behind it. */
static int build(tw_server *server, tw__list *fresh, tw__http_router *sockets,
                 tw__http_router *pages, size_t *bad) {
    size_t i = 0;
    for (tw__list *node = fresh->next; node != fresh; node = node->next) {
        tw_route *route = TW__CONTAINER(node, tw_route, node);
        tw_route *kept = find(&server->routes, &route->config);
        bool is_socket = route->config.kind == TW_ROUTE_SOCKET;
        int err = add(is_socket ? sockets : pages, &route->config,
                      kept != NULL ? kept : route);
        if (err != 0) {
            *bad = i;
            return err;
        }
        i++;
    }
    return 0;
}

int tw_server_set_routes(tw_server *server, const tw_route_config *routes,
                         size_t count, size_t *bad) {
    size_t ignored;
    tw__list fresh;
    tw__list_init(&fresh);
    bad = bad != NULL ? bad : &ignored;
    tw__http_router *sockets = tw__http_router_create();
    tw__http_router *pages = tw__http_router_create();
    int err = sockets != NULL && pages != NULL ? 0 : TW_ENOMEM;
    if (err == 0) {
        err = create_all(&fresh, routes, count, bad);
    }
    if (err == 0) {
        err = build(server, &fresh, sockets, pages, bad);
    }
    if (err != 0) {
        tw__http_router_destroy(sockets, NULL);
        tw__http_router_destroy(pages, NULL);
        drop_list(&fresh);
        return err;
    }
    merge(server, &fresh);
    tw__http_router_destroy(server->sockets, NULL);
    tw__http_router_destroy(server->pages_router, NULL);
    server->sockets = sockets;
    server->pages_router = pages;
    return 0;
}

void tw__server_drop_routes(tw_server *server) {
    tw__http_router_destroy(server->sockets, NULL);
    tw__http_router_destroy(server->pages_router, NULL);
    server->sockets = server->pages_router = NULL;
    while (!tw__list_is_empty(&server->routes)) {
        retire(TW__CONTAINER(server->routes.next, tw_route, node));
    }
}

void *tw_route_data(const tw_route *route) {
    return route->config.data;
}
