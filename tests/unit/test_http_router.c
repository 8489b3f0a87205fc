/* The router: patterns, precedence, methods, parameters, memory.
 * SPDX-License-Identifier: MIT */
#include "test_http_support.h"

#include <stdio.h>

#include "http/router.h"

static tw__http_router *router_of(const char *const *patterns, size_t count) {
    tw__http_router *router = tw__http_router_create();
    assert_non_null(router);
    for (size_t i = 0; i < count; i++) {
        const char *why = NULL;
        int err = tw__http_router_add(router, patterns[i], strlen(patterns[i]),
                                      (void *)(uintptr_t)patterns[i], &why);
        if (err != 0) {
            fail_msg("%s: %s", patterns[i], why);
        }
    }
    return router;
}

/* What serves the request: "PATTERN name=value ...", "404", "405 allow". */
static const char *serves(const tw__http_router *router, const char *method,
                          const char *path) {
    static char text[512];
    char *copy = malloc(strlen(path) + 1); /* reads beyond it are seen */
    memcpy(copy, path, strlen(path));
    tw__http_match match;
    tw__http_found found = tw__http_router_match(router, method, strlen(method),
                                                 copy, strlen(path), &match);
    char *at = text;
    if (found == TW__HTTP_FOUND) {
        assert_string_equal(match.pattern, match.value);
        at += sprintf(at, "%s", (char *)match.value);
        for (size_t i = 0; i < match.param_count; i++) {
            tw__http_field *p = &match.params[i];
            at += sprintf(at, " %.*s=%.*s", (int)p->name_len, p->name,
                          (int)p->value_len, p->value);
        }
    } else if (found == TW__HTTP_BAD_METHOD) {
        sprintf(at, "405 %s", match.allow);
    } else {
        strcpy(text, "404");
    }
    free(copy);
    return text;
}

#define ROUTER(...)                                                            \
    router_of((const char *const[]){__VA_ARGS__},                              \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void literal_paths_match_exactly(void **state) {
    (void)state;
    tw__http_router *r = ROUTER("/", "/chat", "/a/b", "/dir/");
    assert_string_equal(serves(r, "GET", "/"), "/");
    assert_string_equal(serves(r, "GET", "/chat"), "/chat");
    assert_string_equal(serves(r, "GET", "/a/b"), "/a/b");
    assert_string_equal(serves(r, "GET", "/dir/"), "/dir/");
    const char *missing[] = {"/Chat", "/chat/", "/cha",  "/chatx", "/a",
                             "/a/",   "/a/b/",  "/a//b", "//",     "//chat",
                             "/dir",  "",       "*",     "chat"};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        assert_string_equal(serves(r, "GET", missing[i]), "404");
    }
    tw__http_router_destroy(r, NULL);
}

static void named_segments_are_captured(void **state) {
    (void)state;
    tw__http_router *r = ROUTER("/doc/:id", "/u/:user/posts/:post");
    assert_string_equal(serves(r, "GET", "/doc/42"), "/doc/:id id=42");
    assert_string_equal(serves(r, "GET", "/doc/a b"), "/doc/:id id=a b");
    assert_string_equal(serves(r, "GET", "/u/ann/posts/7"),
                        "/u/:user/posts/:post user=ann post=7");
    assert_string_equal(serves(r, "GET", "/doc/"), "404");
    assert_string_equal(serves(r, "GET", "/doc"), "404");
    assert_string_equal(serves(r, "GET", "/doc/4/2"), "404");
    assert_string_equal(serves(r, "GET", "/u//posts/7"), "404");
    tw__http_router_destroy(r, NULL);
}

static void the_rest_is_captured(void **state) {
    (void)state;
    tw__http_router *r = ROUTER("/files/*", "/:a/x/*");
    assert_string_equal(serves(r, "GET", "/files/a/b.c"), "/files/* *=a/b.c");
    assert_string_equal(serves(r, "GET", "/files/"), "/files/* *=");
    assert_string_equal(serves(r, "GET", "/files"), "/files/* *=");
    assert_string_equal(serves(r, "GET", "/files//a/"), "/files/* *=/a/");
    assert_string_equal(serves(r, "GET", "/q/x/y"), "/:a/x/* a=q *=y");
    assert_string_equal(serves(r, "GET", "/filesx"), "404");
    tw__http_router_destroy(r, NULL);
    r = ROUTER("/*");
    assert_string_equal(serves(r, "GET", "/"), "/* *=");
    assert_string_equal(serves(r, "GET", "/a/b/"), "/* *=a/b/");
    assert_string_equal(serves(r, "GET", "*"), "404");
    tw__http_router_destroy(r, NULL);
}

static void check_precedence(tw__http_router *r) {
    assert_string_equal(serves(r, "GET", "/a/b"), "/a/b");
    assert_string_equal(serves(r, "GET", "/a/c"), "/a/:x x=c");
    assert_string_equal(serves(r, "GET", "/a/c/d"), "/a/* *=c/d");
    assert_string_equal(serves(r, "GET", "/a/b/d"), "/a/* *=b/d");
    assert_string_equal(serves(r, "GET", "/b/c"), "/* *=b/c");
    assert_string_equal(serves(r, "GET", "/b/c/e"), "/:x/c/e x=b");
    assert_string_equal(serves(r, "GET", "/a/c/e"), "/a/* *=c/e");
    assert_string_equal(serves(r, "GET", "/a"), "/a");
    assert_string_equal(serves(r, "GET", "/a/"), "/a/* *=");
    tw__http_router_destroy(r, NULL);
}

static void the_most_specific_wins_in_any_order(void **state) {
    (void)state;
    const char *p[] = {"/a", "/a/b", "/a/:x", "/a/*", "/:x/c/e", "/*"};
    check_precedence(router_of(p, 6));
    for (size_t i = 0; i < 3; i++) {
        const char *swap = p[i];
        p[i] = p[5 - i];
        p[5 - i] = swap;
    }
    check_precedence(router_of(p, 6));
}

static void a_branch_that_leads_nowhere_is_left_again(void **state) {
    (void)state;
    tw__http_router *r = ROUTER("/a/b/c", "/a/:x/d", "/:x/:y/:z", "/a/b/:k/l");
    assert_string_equal(serves(r, "GET", "/a/b/c"), "/a/b/c");
    assert_string_equal(serves(r, "GET", "/a/b/d"), "/a/:x/d x=b");
    assert_string_equal(serves(r, "GET", "/a/b/e"), "/:x/:y/:z x=a y=b z=e");
    assert_string_equal(serves(r, "GET", "/a/b/e/f"), "404");
    tw__http_router_destroy(r, NULL);
}

static void methods_are_told_apart(void **state) {
    (void)state;
    tw__http_router *r =
        ROUTER("POST /hooks/order", "GET /doc/:id", "PUT /doc/:name", "/any",
               "GET /any", "M-SEARCH /s", "/*");
    assert_string_equal(serves(r, "POST", "/hooks/order"), "POST /hooks/order");
    assert_string_equal(serves(r, "GET", "/hooks/order"), "405 POST");
    assert_string_equal(serves(r, "GET", "/doc/1"), "GET /doc/:id id=1");
    assert_string_equal(serves(r, "PUT", "/doc/1"), "PUT /doc/:name name=1");
    assert_string_equal(serves(r, "POST", "/doc/1"), "405 PUT, GET, HEAD");
    assert_string_equal(serves(r, "GET", "/any"), "GET /any");
    assert_string_equal(serves(r, "POST", "/any"), "/any");
    assert_string_equal(serves(r, "M-SEARCH", "/s"), "M-SEARCH /s");
    assert_string_equal(serves(r, "PATCH", "/other"), "/* *=other");
    assert_string_equal(serves(r, "", "/other"), "404");
    tw__http_router_destroy(r, NULL);
}

static void head_falls_back_to_get(void **state) {
    (void)state;
    tw__http_router *r = ROUTER("GET /a", "HEAD /b", "GET /b", "POST /c",
                                "/a/any", "GET /d/*", "/d/*");
    assert_string_equal(serves(r, "HEAD", "/a"), "GET /a");
    assert_string_equal(serves(r, "HEAD", "/b"), "HEAD /b");
    assert_string_equal(serves(r, "HEAD", "/c"), "405 POST");
    assert_string_equal(serves(r, "HEAD", "/a/any"), "/a/any");
    assert_string_equal(serves(r, "HEAD", "/d/x"), "GET /d/* *=x");
    assert_string_equal(serves(r, "POST", "/a"), "405 GET, HEAD");
    tw__http_router_destroy(r, NULL);
}

static void doubles_are_refused(void **state) {
    (void)state;
    tw__http_router *r = ROUTER("/a/:x", "GET /b", "/c/*", "/");
    const char *doubles[] = {"/a/:x", "/a/:y", "GET /b", "/c/*", "/"};
    for (size_t i = 0; i < 5; i++) {
        const char *why = NULL;
        assert_int_equal(
            tw__http_router_add(r, doubles[i], strlen(doubles[i]), r, &why),
            TW_EEXISTS);
        assert_string_equal(why, "there is such a route already");
    }
    assert_string_equal(serves(r, "GET", "/a/1"), "/a/:x x=1");
    tw__http_router_destroy(r, NULL);
}

static void malformed_patterns_are_refused(void **state) {
    (void)state;
    const char *bad[] = {"",       "a",      "GET",      "GET ",    "GET a",
                         " /a",    "get /a", "G\tT /a",  "GET  /a", "//",
                         "/a//b",  "//a",    "/:",       "/:1a",    "/:a-b",
                         "/:a/:a", "/a*",    "/*/a",     "/**",     "/a/*b",
                         "/a?b",   "/a#b",   "/a\\b",    "/a/../b", "/.",
                         "/a\x01", "*",      "/:a/:b/:a"};
    tw__http_router *r = tw__http_router_create();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *why = NULL;
        int err = tw__http_router_add(r, bad[i], strlen(bad[i]), r, &why);
        if (err != TW_EINVALID) {
            fail_msg("%s was taken", bad[i]);
        }
        assert_non_null(why);
    }
    assert_int_equal(tw__http_router_add(r, "/a\0b", 4, r, NULL), TW_EINVALID);
    assert_string_equal(serves(r, "GET", "/a"), "404");
    tw__http_router_destroy(r, NULL);
}

/* A pattern of `count` segments, each the same text. */
static char *repeated(const char *segment, int count) {
    static char text[2048];
    char *at = text;
    for (int i = 0; i < count; i++) {
        at += sprintf(at, "/%s%c%c", segment, 'a' + i / 26, 'a' + i % 26);
    }
    return text;
}

static void segments_and_parameters_are_limited(void **state) {
    (void)state;
    tw__http_router *r = tw__http_router_create();
    for (int count = 15; count <= 17; count++) {
        const char *p = repeated(":p", count);
        assert_int_equal(tw__http_router_add(r, p, strlen(p), r, NULL),
                         count <= 16 ? 0 : TW_EINVALID);
    }
    for (int count = 31; count <= 33; count++) {
        const char *p = repeated("s", count);
        assert_int_equal(tw__http_router_add(r, p, strlen(p), r, NULL),
                         count <= 32 ? 0 : TW_EINVALID);
    }
    tw__http_match match;
    const char *path = repeated("v", 16);
    assert_int_equal(
        tw__http_router_match(r, "GET", 3, path, strlen(path), &match),
        TW__HTTP_FOUND);
    assert_int_equal(match.param_count, 16);
    path = repeated("v", 40);
    assert_int_equal(
        tw__http_router_match(r, "GET", 3, path, strlen(path), &match),
        TW__HTTP_NOT_FOUND);
    tw__http_router_destroy(r, NULL);
}

static void many_literals_are_all_found(void **state) {
    (void)state;
    static char patterns[1000][16];
    tw__http_router *r = tw__http_router_create();
    for (int i = 0; i < 1000; i++) {
        sprintf(patterns[i], "/p%d", i);
        assert_int_equal(tw__http_router_add(r, patterns[i],
                                             strlen(patterns[i]), patterns[i],
                                             NULL),
                         0);
    }
    for (int i = 0; i < 1000; i++) {
        assert_string_equal(serves(r, "GET", patterns[i]), patterns[i]);
    }
    assert_string_equal(serves(r, "GET", "/p1000"), "404");
    tw__http_router_destroy(r, NULL);
}

static int released;

static void count_release(void *value) {
    assert_non_null(value);
    released++;
}

static void every_value_is_released_once(void **state) {
    (void)state;
    released = 0;
    tw__http_router *r = ROUTER("/", "/a/:b", "GET /a/:c", "/x/*", "POST /x/*");
    assert_int_equal(tw__http_router_add(r, "/", 1, r, NULL), TW_EEXISTS);
    tw__http_router_destroy(r, count_release);
    assert_int_equal(released, 5);
    tw__http_router_destroy(NULL, count_release);
}

static void adding_survives_every_failing_allocation(void **state) {
    (void)state;
    const char *patterns[] = {"/a/:b/c", "GET /a/:b/c", "/a/*", "/"};
    int failures = 0;
    for (size_t nth = 1;; nth++) {
        tw__alloc_fail_nth(nth);
        tw__http_router *r = tw__http_router_create();
        size_t added = 0;
        for (; r != NULL && added < 4; added++) {
            const char *p = patterns[added];
            int err = tw__http_router_add(r, p, strlen(p), (void *)(uintptr_t)p,
                                          NULL);
            if (err != 0) {
                assert_int_equal(err, TW_ENOMEM);
                break;
            }
        }
        tw__alloc_fail_nth(0);
        if (r != NULL && added < 4) { /* nothing changed; then it works */
            const char *missing = added == 0 ? "404" : NULL;
            if (missing != NULL) {
                assert_string_equal(serves(r, "GET", "/a/x/c"), missing);
            }
            const char *p = patterns[added];
            assert_int_equal(tw__http_router_add(r, p, strlen(p),
                                                 (void *)(uintptr_t)p, NULL),
                             0);
        }
        tw__http_router_destroy(r, NULL);
        if (r != NULL && added == 4) {
            break;
        }
        failures++;
    }
    assert_true(failures > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        balanced(literal_paths_match_exactly),
        balanced(named_segments_are_captured),
        balanced(the_rest_is_captured),
        balanced(the_most_specific_wins_in_any_order),
        balanced(a_branch_that_leads_nowhere_is_left_again),
        balanced(methods_are_told_apart),
        balanced(head_falls_back_to_get),
        balanced(doubles_are_refused),
        balanced(malformed_patterns_are_refused),
        balanced(segments_and_parameters_are_limited),
        balanced(many_literals_are_all_found),
        balanced(every_value_is_released_once),
        balanced(adding_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
