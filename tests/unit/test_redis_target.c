/* Configurations taken apart, and which commands may share a connection.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "redis/pool.h"

static tw__redis_target target;
static char detail[256];

static int open_url(const char *url) {
    tw_redis_config config = {.url = url};
    detail[0] = '\0';
    return tw__redis_target_init(&target, &config, detail, sizeof detail);
}

static void expect(const char *url, const char *label, const char *user,
                   const char *password, uint32_t db) {
    assert_int_equal(open_url(url), 0);
    assert_string_equal(target.label, label);
    assert_int_equal(target.user != NULL, user != NULL);
    assert_int_equal(target.password != NULL, password != NULL);
    if (user != NULL) {
        assert_string_equal(target.user, user);
    }
    if (password != NULL) {
        assert_string_equal(target.password, password);
    }
    assert_int_equal(target.config.db, db);
    tw__redis_target_deinit(&target);
    assert_int_equal(tw__alloc_live(), 0);
}

static void a_url_says_where_it_is(void **state) {
    (void)state;
    expect("redis://localhost", "localhost:6379", NULL, NULL, 0);
    expect("redis://10.0.0.1:7000/12", "10.0.0.1:7000", NULL, NULL, 12);
    expect("redis://[::1]:7000", "[::1]:7000", NULL, NULL, 0);
    expect("redis://[::1]/3", "[::1]:6379", NULL, NULL, 3);
    expect("redis://:pw@h/", "h:6379", NULL, "pw", 0);
    expect("redis://me:a%40b%2Fc@h:1", "h:1", "me", "a@b/c", 0);
    expect("redis://me:a@b/c@h:1", "h:1", "me", "a@b/c", 0);
    expect("rediss://h", "h:6379", NULL, NULL, 0);
    expect("unix:/run/redis.sock", "unix:/run/redis.sock", NULL, NULL, 0);
    expect("unix:///run/redis.sock", "unix:/run/redis.sock", NULL, NULL, 0);
}

static void a_wrong_one_is_refused_without_its_password(void **state) {
    static const char *const urls[] = {"",
                                       "http://h",
                                       "redis://",
                                       "redis://:pw",
                                       "redis://h:0",
                                       "redis://h:65536",
                                       "redis://h:x",
                                       "redis://h/x",
                                       "redis://[::1",
                                       "redis://[::1]7",
                                       "unix:",
                                       "redis://me@h",
                                       "redis://:hush%zz@h",
                                       "redis://:hush%00@h",
                                       "redis://:hush%4@h"};
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        assert_int_equal(open_url(urls[i]), TW_EINVALID);
        assert_string_not_equal(detail, "");
        assert_null(strstr(detail, "hush"));
        assert_int_equal(tw__alloc_live(), 0);
    }
}

static void other_keys_stand_for_the_urls(void **state) {
    tw_redis_config config = {.url = "redis://a:b@h/1",
                              .user = "c%41",
                              .password = "d@",
                              .db = 2,
                              .pool = 1000};
    (void)state;
    assert_int_equal(
        tw__redis_target_init(&target, &config, detail, sizeof detail), 0);
    assert_string_equal(target.user, "c%41");
    assert_string_equal(target.password, "d@");
    assert_int_equal(target.config.db, 2);
    assert_int_equal(target.config.pool, 64);
    assert_int_equal(target.config.timeout_ms, 1000);
    assert_null(target.config.password);
    tw__redis_target_deinit(&target);
}

static void every_allocation_may_fail(void **state) {
    bool has_failed = true;
    (void)state;
    for (size_t nth = 1; has_failed; nth++) {
        tw__alloc_fail_nth(nth);
        int err = open_url("rediss://me:pw@h/1");
        has_failed = tw__alloc_fail_nth(0) == 0;
        assert_int_equal(err, has_failed ? TW_ENOMEM : 0);
        if (err == 0) {
            tw__redis_target_deinit(&target);
        }
        assert_int_equal(tw__alloc_live(), 0);
    }
}

static tw_str str_of(const char *text) {
    return (tw_str){text, strlen(text)};
}

/* One command, or two; the second has an argument or none. */
static bool is_shareable(const char *first, const char *second,
                         const char *more) {
    tw_str a[] = {str_of(first), {"x", 1}, {"y", 1}};
    tw_str b[] = {str_of(second != NULL ? second : ""),
                  str_of(more != NULL ? more : "")};
    tw_redis_command commands[] = {{a, 3}, {b, more != NULL ? 2 : 1}};
    return tw__redis_is_shareable(commands, second != NULL ? 2 : 1);
}

static void what_would_change_the_connection_is_refused(void **state) {
    (void)state;
    assert_true(is_shareable("GET", NULL, NULL));
    assert_false(is_shareable("subscribe", NULL, NULL));
    assert_false(is_shareable("BLPOP", NULL, NULL));
    assert_false(is_shareable("GET", "SELECT", "1"));
    assert_false(is_shareable("GET", "CLIENT", "reply"));
    assert_true(is_shareable("GET", "CLIENT", "LIST"));
    assert_false(is_shareable("GET", "XREAD", "block"));
    assert_true(is_shareable("GET", "XREAD", "STREAMS"));
    assert_false(is_shareable("MULTI", NULL, NULL));
    assert_true(is_shareable("MULTI", "EXEC", NULL));
    assert_false(is_shareable("EXEC", "MULTI", NULL));
    assert_true(is_shareable("MULTI", "DISCARD", NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_says_where_it_is),
        cmocka_unit_test(a_wrong_one_is_refused_without_its_password),
        cmocka_unit_test(other_keys_stand_for_the_urls),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(what_would_change_the_connection_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
