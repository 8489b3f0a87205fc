/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "http/static.h"
#include "server/codec.h"
#include "server/routes.h"
#include "server/server.h"

/* ---- one route ---- */

static void destroy(tw_route *route) {
    tw__http_static_destroy(route->folder);
    tw__route_config_deinit(&route->config);
    tw__free(route);
}

void tw__route_unref(tw_route *route) {
    if (--route->refs == 0) {
        destroy(route);
    }
}

void *tw_route_data(const tw_route *route) {
    return route->config.data;
}

static int open_folder(tw_route *route, tw__detail detail) {
    const char *folder = route->config.folder;
    int err = folder == NULL ? TW_EINVALID
                             : tw__http_static_create(folder, &route->folder);
    if (err != 0 && err != TW_ENOMEM) {
        snprintf(detail.text, detail.size, "cannot serve the folder '%s': %s",
                 folder ? folder : "", tw_strerror(err));
        return TW_EINVALID;
    }
    return err;
}

static int create(tw_route **out, const tw_route_config *config,
                  tw__detail detail) {
    if (config->pattern == NULL) {
        snprintf(detail.text, detail.size, "a route needs a pattern");
        return TW_EINVALID;
    }
    tw_route *route = tw__calloc(1, sizeof *route);
    if (route == NULL) {
        return TW_ENOMEM;
    }
    route->refs = 1;
    int err = tw__route_config_copy(&route->config, config, detail);
    if (err == 0 && config->kind == TW_ROUTE_STATIC) {
        err = open_folder(route, detail);
    }
    if (err == 0 && tw__codec_find(config->wire, false) == NULL) {
        snprintf(detail.text, detail.size, "there is no wire '%s'",
                 config->wire);
        err = TW_EINVALID;
    }
    if (err != 0) {
        destroy(route);
        return err;
    }
    *out = route;
    return 0;
}

/* ---- a table ---- */

static int add(tw_routes *routes, tw_route **place, tw__detail detail) {
    const tw_route_config *config = &(*place)->config;
    bool is_socket = config->kind == TW_ROUTE_SOCKET;
    const char *why = "too long";
    char text[1200];
    int err = TW_EINVALID;
    int len = snprintf(text, sizeof text, "%s%s%s",
                       config->method ? config->method : "",
                       config->method ? " " : "", config->pattern);
    if (len >= 0 && (size_t)len < sizeof text) {
        err = tw__http_router_add(is_socket ? routes->sockets : routes->pages,
                                  text, (size_t)len, place, &why);
    }
    if (err != 0 && err != TW_ENOMEM) {
        snprintf(detail.text, detail.size, "%s", why);
        return TW_EINVALID;
    }
    return err;
}

void tw_routes_destroy(tw_routes *routes) {
    if (routes == NULL) {
        return;
    }
    tw__http_router_destroy(routes->sockets, NULL);
    tw__http_router_destroy(routes->pages, NULL);
    for (size_t i = 0; i < routes->count; i++) {
        tw__route_unref(routes->list[i]);
    }
    tw__free(routes);
}

int tw_routes_create(tw_routes **out, const tw_route_config *configs,
                     size_t count, size_t *bad, char *text, size_t size) {
    tw__detail detail = {text, text != NULL ? size : 0};
    size_t ignored;
    bad = bad != NULL ? bad : &ignored;
    snprintf(detail.text, detail.size, "%s", tw_strerror(TW_ENOMEM));
    tw_routes *routes =
        tw__calloc(1, sizeof *routes + count * sizeof routes->list[0]);
    if (routes == NULL) {
        return TW_ENOMEM;
    }
    routes->sockets = tw__http_router_create();
    routes->pages = tw__http_router_create();
    int err = routes->sockets && routes->pages ? 0 : TW_ENOMEM;
    for (size_t i = 0; err == 0 && i < count; i++) {
        *bad = i;
        err = create(&routes->list[i], &configs[i], detail);
        if (err == 0) {
            routes->count++;
            err = add(routes, &routes->list[i], detail);
        }
    }
    if (err != 0) {
        tw_routes_destroy(routes);
        return err;
    }
    *out = routes;
    return 0;
}

/* ---- replacement ---- */

static bool is_same_text(const char *a, const char *b) {
    return (a == NULL && b == NULL) ||
           (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_same(const tw_route_config *a, const tw_route_config *b) {
    return a->kind == b->kind && is_same_text(a->method, b->method) &&
           strcmp(a->pattern, b->pattern) == 0;
}

/* The place of the same route in the old table, or NULL. */
static tw_route **find(tw_routes *routes, const tw_route_config *config) {
    for (size_t i = 0; routes != NULL && i < routes->count; i++) {
        if (is_same(&routes->list[i]->config, config)) {
            return &routes->list[i];
        }
    }
    return NULL;
}

/* Settings and data move into the route that was there, which changes places
 * with the fresh one. */
static void adopt(tw_route **old, tw_route **fresh) {
    tw_route *kept = *old, *spare = *fresh;
    tw_route_config config = kept->config;
    struct tw__http_static *folder = kept->folder;
    kept->config = spare->config;
    kept->folder = spare->folder;
    spare->config = config;
    spare->folder = folder;
    *fresh = kept;
    *old = spare;
}

/* What is left in the old table: routes that are no more, and the shells of
 * those that were adopted. Who still refers to one keeps it, beyond the
 * server's end if need be. */
static void retire(tw_routes *old) {
    for (size_t i = 0; old != NULL && i < old->count; i++) {
        tw_route *route = old->list[i];
        route->is_retired = true;
        route->config.data = NULL;
        route->config.hooks = 0;
    }
    tw_routes_destroy(old);
}

void tw_server_use_routes(tw_server *server, tw_routes *routes) {
    tw_routes *old = server->routes;
    for (size_t i = 0; i < routes->count; i++) {
        tw_route **place = find(old, &routes->list[i]->config);
        if (place != NULL) {
            adopt(place, &routes->list[i]);
        }
    }
    server->routes = routes;
    retire(old);
}

int tw_server_set_routes(tw_server *server, const tw_route_config *configs,
                         size_t count, size_t *bad) {
    tw_routes *routes;
    int err = tw_routes_create(&routes, configs, count, bad, NULL, 0);
    if (err == 0) {
        tw_server_use_routes(server, routes);
    }
    return err;
}

void tw__server_drop_routes(tw_server *server) {
    tw_routes *old = server->routes;
    server->routes = NULL;
    retire(old);
}
