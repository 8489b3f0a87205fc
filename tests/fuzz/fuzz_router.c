/* The router, http/router.h. Small: a quarter of the time. The input is
 * patterns, one a line, then behind an empty line requests as "METHOD path".
 *
 * What is found must be what a walk over all patterns finds that knows nothing
 * of trees, with the same parameters.
 *
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "http/router.h"
#include "tidewire/errors.h"

enum { MAX_ROUTES = 24, MAX_DEPTH = TW__HTTP_MAX_SEGMENTS + 2 };

typedef struct route {
    fuzz_span method, path; /* in `text`; no method: any */
    char *text;
} route;

static route routes[MAX_ROUTES];
static size_t route_count;

static route route_of(fuzz_span line) {
    route r = {.text = malloc(line.len + 1)};
    FUZZ_CHECK(r.text != NULL);
    memcpy(r.text, line.data, line.len);
    r.text[line.len] = '\0';
    fuzz_span rest = {(const uint8_t *)r.text, line.len};
    if (line.len != 0 && line.data[0] != '/') {
        r.method = fuzz_cut(&rest, ' ');
    }
    r.path = rest;
    return r;
}

/* ---- the model -------------------------------------------------------------
 */

/* How a pattern fits a path: a letter for each segment, the more specific the
 * smaller, so that the better of two is the smaller text. */
typedef struct fit {
    char rank[MAX_DEPTH];
    fuzz_span names[TW__HTTP_MAX_PARAMS], values[TW__HTTP_MAX_PARAMS];
    size_t count;
} fit;

/* Takes "/segment" off the front. */
static fuzz_span next_segment(fuzz_span *path) {
    path->data++;
    path->len--;
    fuzz_span segment = *path;
    const uint8_t *slash =
        path->len != 0 ? memchr(path->data, '/', path->len) : NULL;
    segment.len = slash != NULL ? (size_t)(slash - path->data) : path->len;
    path->data += segment.len;
    path->len -= segment.len;
    return segment;
}

static void bind(fit *f, fuzz_span name, fuzz_span value) {
    f->names[f->count] = name;
    f->values[f->count++] = value;
}

static bool fits(fuzz_span pattern, fuzz_span path, fit *f) {
    size_t depth = 0;
    *f = (fit){.count = 0};
    while (pattern.len != 0) {
        fuzz_span want = next_segment(&pattern);
        if (fuzz_same(want.data, want.len, "*", 1)) {
            f->rank[depth] = 'c';
            size_t slash = path.len != 0;
            bind(f, want, (fuzz_span){path.data + slash, path.len - slash});
            return true;
        }
        if (path.len == 0) {
            return false;
        }
        fuzz_span have = next_segment(&path);
        if (want.len != 0 && want.data[0] == ':') {
            if (have.len == 0) {
                return false;
            }
            f->rank[depth++] = 'b';
            bind(f, (fuzz_span){want.data + 1, want.len - 1}, have);
        } else if (fuzz_same(want.data, want.len, have.data, have.len)) {
            f->rank[depth++] = 'a';
        } else {
            return false;
        }
    }
    return path.len == 0;
}

/* How well a route's method serves: 3 exactly, 2 GET for HEAD, 1 any, 0 not. */
static int method_fit(fuzz_span own, fuzz_span method) {
    if (own.len == 0) {
        return 1;
    }
    if (fuzz_same(own.data, own.len, method.data, method.len)) {
        return 3;
    }
    return fuzz_same(own.data, own.len, "GET", 3) &&
                   fuzz_same(method.data, method.len, "HEAD", 4)
               ? 2
               : 0;
}

/* NULL with *is_path false: 404; with it true: 405. */
static const route *find(fuzz_span method, fuzz_span path, fit *best,
                         bool *is_path) {
    const route *found = NULL;
    int how = 0;
    *is_path = false;
    if (path.len == 0 || path.data[0] != '/' || method.len == 0) {
        return NULL;
    }
    for (size_t i = 0; i < route_count; i++) {
        fit f;
        if (!fits(routes[i].path, path, &f)) {
            continue;
        }
        int order = *is_path ? strcmp(f.rank, best->rank) : -1;
        int method_how = method_fit(routes[i].method, method);
        if (order > 0 || (order == 0 && method_how <= how)) {
            continue;
        }
        *is_path = true;
        *best = f;
        how = method_how;
        found = how != 0 ? &routes[i] : NULL;
    }
    return found;
}

/* ---- the router ------------------------------------------------------------
 */

static void check_found(const tw__http_match *match, const route *wanted,
                        const fit *best) {
    FUZZ_CHECK(wanted != NULL && match->value == wanted->text);
    FUZZ_CHECK(strcmp(match->pattern, wanted->text) == 0);
    FUZZ_CHECK(match->param_count == best->count);
    for (size_t i = 0; i < best->count; i++) {
        const tw__http_field *p = &match->params[i];
        FUZZ_CHECK(fuzz_same(p->name, p->name_len, best->names[i].data,
                             best->names[i].len));
        FUZZ_CHECK(fuzz_same(p->value, p->value_len, best->values[i].data,
                             best->values[i].len));
    }
}

static void look_up(const tw__http_router *router, fuzz_span line) {
    fuzz_span method = fuzz_cut(&line, ' ');
    tw__http_match match;
    fit best;
    bool is_path;
    const route *wanted = find(method, line, &best, &is_path);
    switch (tw__http_router_match(router, (const char *)method.data, method.len,
                                  (const char *)line.data, line.len, &match)) {
    case TW__HTTP_FOUND:
        check_found(&match, wanted, &best);
        break;
    case TW__HTTP_BAD_METHOD:
        FUZZ_CHECK(wanted == NULL && is_path);
        FUZZ_CHECK(match.allow != NULL && *match.allow != '\0');
        break;
    default:
        FUZZ_CHECK(wanted == NULL && !is_path);
    }
}

static void add(tw__http_router *router, fuzz_span line) {
    route r = route_of(line);
    const char *why = NULL;
    int err = tw__http_router_add(router, r.text, line.len, r.text, &why);
    if (err == 0) {
        routes[route_count++] = r;
        /* A second one of the shape is refused, and changes nothing. */
        FUZZ_CHECK(tw__http_router_add(router, r.text, line.len, r.text,
                                       NULL) == TW_EEXISTS);
    } else {
        FUZZ_CHECK(err == TW_EINVALID || err == TW_EEXISTS);
        FUZZ_CHECK(why != NULL);
        free(r.text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_span rest = {data, size};
    size_t live = tw__alloc_live();
    tw__http_router *router = tw__http_router_create();
    FUZZ_CHECK(router != NULL);
    route_count = 0;
    while (rest.len != 0 && route_count < MAX_ROUTES) {
        fuzz_span line = fuzz_line(&rest);
        if (line.len == 0) {
            break;
        }
        add(router, line);
    }
    while (rest.len != 0) {
        look_up(router, fuzz_line(&rest));
    }
    tw__http_router_destroy(router, free);
    FUZZ_CHECK(tw__alloc_live() == live);
    return 0;
}
