/* route.h - tw.routes{...}, tw.static: which path leads to what.
 *
 * A table of routes belongs to its generation; the one that the script returns
 * is given to the server when the generation is switched to. The host's data of
 * a tw_route is its twl_route.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_ROUTE_H
#define TWL_ROUTE_H

#include "bridge.h"

typedef struct twl_route {
    twl_gen *gen;
    tw_route_kind kind;
    twl_app *app; /* SOCKET */
    int handler;  /* HTTP */
    char *folder; /* STATIC, below the script's folder unless absolute */
    char *method; /* NULL: any */
    char *pattern;
} twl_route;

struct twl_routes {
    twl_link node; /* gen->tables */
    twl_route *list;
    size_t count;
};

int twl_routes_new(lua_State *L); /* tw.routes{...} */
int twl_static_new(lua_State *L); /* tw.static "folder" */

/* Makes what the script returned, at `index`, the generation's routes; raises
 * when it is neither an app nor routes. */
void twl_routes_take(lua_State *L, twl_gen *gen, int index);

void twl_routes_free(twl_gen *gen, twl_routes *routes);

/* The routes as the server wants them, `count` of them; given (twl_free), NULL
 * without memory. Texts are borrowed from the generation. */
tw_route_config *twl_routes_config(const twl_routes *routes);

#endif
