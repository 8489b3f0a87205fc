/* Keys of tokens that are fetched: who waits, for how long what came is good,
 * and what happens when nothing comes.
 * SPDX-License-Identifier: MIT */
#include "bridge_hooks_fake.h"

#include "jwt_fetch.h"
#include "jwt_signer.h"

#define SECRET "01234567890123456789012345678901"
/* A token that the secret signed. */
static void sign(char *out, const char *header, const char *claims) {
    signer_hmac(out, SECRET, strlen(SECRET), header, claims, strlen(claims));
}

#define SET(kid)                                                               \
    "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"" kid                               \
    "\",\"k\":\"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE\"}]}"

/* A message is the id of a key: a token made with it is verified, and what came
 * of it sent. */
static tw_server *start_with(const char *options) {
    static char script[8192];
    char a[1024], b[1024];
    sign(a, "{\"alg\":\"HS256\",\"kid\":\"a\"}", "{\"sub\":\"ann\"}");
    sign(b, "{\"alg\":\"HS256\",\"kid\":\"b\"}", "{\"sub\":\"bob\"}");
    snprintf(script, sizeof script,
             "local tokens = { a = '%s', b = '%s' }\n"
             "return tw.app { on_message = function(conn, msg)\n"
             "  local claims, err = tw.jwt.verify(tokens[msg.data], %s)\n"
             "  conn:send(claims and claims.sub or err.code .. ' ' ..\n"
             "            tostring(err.reason) .. ': ' .. err.message) end }",
             a, b, options);
    return fake_start(script);
}

static tw_server *start(void) {
    return start_with("{ jwks = { url = 'https://keys.example/set' } }");
}

static const char *said(tw_conn *conn) {
    return fake_last_sent(conn);
}

static void all_wait_for_one_request(void **state) {
    (void)state;
    tw_server *server = start();
    tw_conn *a = fake_connect(server, "/*"), *b = fake_connect(server, "/*");
    assert_int_equal(fake_message(a, "a"), TW_LATER);
    assert_int_equal(fake_message(b, "a"), TW_LATER);
    assert_int_equal(server->requested_count, 1);
    assert_string_equal(server->requests->url, "https://keys.example/set");
    assert_int_equal(server->requests->redirects, 0);
    assert_int_equal(server->requests->max_body_bytes, TWL_JWT_FETCH_BYTES);
    fake_respond(server, 200, SET("a"), NULL);
    assert_string_equal(said(a), "ann");
    assert_string_equal(said(b), "ann");
    assert_int_equal(fake_message(a, "a"), TW_DONE);
    assert_int_equal(server->requested_count, 1);
    fake_free(server);
}

static void it_is_good_for_as_long_as_the_answer_says(void **state) {
    (void)state;
    static const struct {
        const char *control;
        unsigned seconds;
    } cases[] = {
        {"public, max-age=600, must-revalidate", 600},
        {"max-age=1", 60}, /* the least */
        {"no-store", 60},
        {"max-age=999999999999", 86400}, /* the most */
        {NULL, 300},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tw_server *server = start();
        tw_conn *conn = fake_connect(server, "/*");
        fake_message(conn, "a");
        fake_respond(server, 200, SET("a"), cases[i].control);
        fake_advance(server, cases[i].seconds * 750 - 10);
        assert_int_equal(fake_message(conn, "a"), TW_DONE);
        assert_int_equal(server->requested_count, 1);
        /* In the last quarter it is asked for, and nobody waits. */
        fake_advance(server, 20);
        assert_int_equal(fake_message(conn, "a"), TW_DONE);
        assert_int_equal(fake_message(conn, "a"), TW_DONE);
        assert_int_equal(server->requested_count, 2);
        /* Over, it is waited for. */
        fake_advance(server, cases[i].seconds * 250);
        assert_int_equal(fake_message(conn, "a"), TW_LATER);
        assert_int_equal(server->requested_count, 2);
        fake_respond(server, 200, SET("b"), NULL);
        assert_has(said(conn), "denied key: none of the keys is the token's");
        fake_free(server);
    }
}

static void a_cache_on_the_way_has_kept_it_for_a_while(void **state) {
    (void)state;
    tw_server *server = start();
    tw_conn *conn = fake_connect(server, "/*");
    tw_header headers[] = {{fake_str("cache-control"), fake_str("max-age=600")},
                           {fake_str("age"), fake_str("500")}};
    tw_http_response response = {200, headers, 2, fake_str(SET("a"))};
    fake_message(conn, "a");
    fake_answer(server, 0, &response, NULL);
    fake_advance(server, 101000);
    assert_int_equal(fake_message(conn, "a"), TW_LATER);
    fake_free(server);
}

static void a_key_that_is_not_there_is_asked_for_now_and_then(void **state) {
    (void)state;
    tw_server *server = start();
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "a");
    fake_respond(server, 200, SET("a"), NULL);
    assert_int_equal(fake_message(conn, "b"), TW_DONE); /* too soon */
    assert_has(said(conn), "denied key");
    fake_advance(server, TWL_JWT_AGAIN_MS);
    assert_int_equal(fake_message(conn, "b"), TW_LATER);
    assert_int_equal(server->requested_count, 2);
    fake_respond(server, 200, SET("b"), NULL);
    assert_string_equal(said(conn), "bob");
    fake_advance(server, TWL_JWT_AGAIN_MS);
    assert_int_equal(fake_message(conn, "a"), TW_LATER);
    fake_respond(server, 200, SET("b"), NULL);
    assert_has(said(conn), "denied key");
    assert_int_equal(fake_message(conn, "a"), TW_DONE);
    assert_int_equal(server->requested_count, 3);
    fake_free(server);
}

static void without_an_answer_what_there_was_is_good_for_an_hour(void **state) {
    (void)state;
    tw_server *server = start();
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "a");
    fake_respond(server, 200, SET("a"), "max-age=60");
    fake_advance(server, 60000);
    assert_int_equal(fake_message(conn, "a"), TW_LATER);
    fake_respond(server, 503, "", NULL);
    assert_string_equal(said(conn), "ann");
    /* It is left alone for a while. */
    assert_int_equal(fake_message(conn, "a"), TW_DONE);
    assert_int_equal(server->requested_count, 2);
    fake_advance(server, TWL_JWT_RETRY_MS);
    assert_int_equal(fake_message(conn, "a"), TW_LATER);
    fake_answer(server, TW_EUNAVAILABLE, NULL, "no connection");
    assert_string_equal(said(conn), "ann");
    fake_advance(server, TWL_JWT_STALE_MS);
    assert_int_equal(fake_message(conn, "a"), TW_LATER);
    fake_answer(server, TW_EUNAVAILABLE, NULL, "no connection");
    assert_string_equal(
        said(conn), "unavailable key: https://keys.example/set: no connection");
    fake_advance(server, TWL_JWT_RETRY_MS);
    fake_message(conn, "a");
    fake_respond(server, 200, SET("a"), NULL);
    assert_string_equal(said(conn), "ann");
    fake_free(server);
}

static void what_cannot_be_had_refuses_the_token(void **state) {
    (void)state;
    static const struct {
        int status, http;
        const char *body, *said;
    } cases[] = {
        {TW_ETIMEOUT, 0, "took too long",
         "timeout key: https://keys.example/"
         "set: took too long"},
        {TW_ELIMIT, 0, "too long", "unavailable key: "},
        {0, 404, "",
         "unavailable key: https://keys.example/set: the answer is "
         "404"},
        {0, 301, "", "the answer is 301"},
        {0, 200, "<html>", "the answer is no set of keys"},
        {0, 200, "{}", "the answer is no set of keys"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tw_server *server = start();
        tw_conn *conn = fake_connect(server, "/*");
        fake_message(conn, "a");
        if (cases[i].status != 0) {
            fake_answer(server, cases[i].status, NULL, cases[i].body);
        } else {
            fake_respond(server, cases[i].http, cases[i].body, NULL);
        }
        assert_has(said(conn), cases[i].said);
        assert_int_equal(fake_message(conn, "a"), TW_DONE);
        assert_int_equal(server->requested_count, 1);
        fake_free(server);
    }
}

/* An error page with the status 200 does not take good keys away. */
static void keys_are_not_given_up_for_what_is_none(void **state) {
    (void)state;
    tw_server *server = start();
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "a");
    fake_respond(server, 200, SET("a"), NULL);
    fake_advance(server, TWL_JWT_FRESH_MS);
    fake_message(conn, "a");
    fake_respond(server, 200, "<html>sorry</html>", NULL);
    assert_string_equal(said(conn), "ann");
    fake_free(server);
}

static void pem_comes_from_an_address_too(void **state) {
    (void)state;
    EVP_PKEY *key = signer_ec("P-256");
    char *pem = signer_pem(key, false), token[1024], script[4096];
    signer_sign(token, key, "{\"alg\":\"ES256\"}", "{\"sub\":\"eve\"}");
    snprintf(script, sizeof script,
             "return tw.app { on_message = function(conn)\n"
             "  local claims, err = tw.jwt.verify('%s', { keys = {\n"
             "    x = { url = 'http://127.0.0.1:1/x' },\n"
             "    y = { url = 'http://[::1]/y' } } })\n"
             "  conn:send(claims and claims.sub or tostring(err)) end }",
             token);
    tw_server *server = fake_start(script);
    tw_conn *conn = fake_connect(server, "/*");
    EVP_PKEY *other = signer_rsa(2048);
    char *other_pem = signer_pem(other, false);
    fake_message(conn, "");
    /* The token has no id: all of them have to be there. */
    bool is_x = strstr(server->requests->url, "/x") != NULL;
    fake_respond(server, 200, is_x ? pem : other_pem, NULL);
    assert_int_equal(server->requested_count, 2);
    fake_respond(server, 200, is_x ? other_pem : pem, NULL);
    assert_string_equal(said(conn), "eve");
    free(pem);
    free(other_pem);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    fake_free(server);
}

static void a_reload_keeps_what_was_fetched(void **state) {
    (void)state;
    char token[1024], script[4096];
    sign(token, "{\"alg\":\"HS256\"}", "{}");
    snprintf(script, sizeof script,
             "local o = { jwks = { url = 'http://keys/', insecure = true } }\n"
             "local early = tw.generation > 1 and tw.jwt.verify('%s', o)\n"
             "return tw.app { on_message = function(conn)\n"
             "  conn:send(tostring(early and true)) \n"
             "  tw.jwt.verify('%s', o) end }",
             token, token);
    tw_server *server = fake_start(script);
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "");
    fake_respond(server, 200, SET("a"), NULL);
    fake_reload(server, script);
    assert_int_equal(fake_message(conn, ""), TW_DONE);
    assert_string_equal(said(conn), "true");
    assert_int_equal(server->requested_count, 1);
    fake_free(server);
}

static void where_nobody_can_wait_nothing_is_asked(void **state) {
    (void)state;
    assert_has(fake_refusal("tw.jwt.verify('" RFC_HS256 "', { jwks = { url = "
                            "'https://keys.example/' } })"),
               "tw.jwt.verify cannot wait");
}

static void a_hook_that_has_waited_enough_goes_on(void **state) {
    (void)state;
    tw_server *server = start();
    tw_conn *conn = fake_connect(server, "/*"), *b = fake_connect(server, "/*");
    fake_message(conn, "a");
    fake_advance(server, 31000);
    assert_has(said(conn), "timeout nil");
    /* The request goes on for the others. */
    fake_message(b, "a");
    fake_respond(server, 200, SET("a"), NULL);
    assert_string_equal(said(b), "ann");
    assert_int_equal(server->requested_count, 1);
    fake_free(server);
}

static void a_server_may_end_while_it_is_waited_for(void **state) {
    (void)state;
    tw_server *server = start();
    fake_message(fake_connect(server, "/*"), "a");
    fake_free(server);
}

static void old_addresses_make_room_for_new_ones(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn, msg)\n"
                   "  tw.jwt.verify('" RFC_HS256 "', { jwks = {\n"
                   "    url = 'https://keys.example/' .. msg.data } }) end }");
    tw_conn *conn = fake_connect(server, "/*");
    for (int i = 0; i < TWL_JWT_FETCHED_MAX + 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(fake_message(conn, name), TW_LATER);
        fake_respond(server, 200, SET("a"), NULL);
    }
    assert_int_equal(fake_message(conn, "10"), TW_DONE);
    assert_int_equal(fake_message(conn, "0"), TW_LATER);
    fake_free(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_wait_for_one_request),
        cmocka_unit_test(it_is_good_for_as_long_as_the_answer_says),
        cmocka_unit_test(a_cache_on_the_way_has_kept_it_for_a_while),
        cmocka_unit_test(a_key_that_is_not_there_is_asked_for_now_and_then),
        cmocka_unit_test(without_an_answer_what_there_was_is_good_for_an_hour),
        cmocka_unit_test(what_cannot_be_had_refuses_the_token),
        cmocka_unit_test(keys_are_not_given_up_for_what_is_none),
        cmocka_unit_test(pem_comes_from_an_address_too),
        cmocka_unit_test(a_reload_keeps_what_was_fetched),
        cmocka_unit_test(where_nobody_can_wait_nothing_is_asked),
        cmocka_unit_test(a_hook_that_has_waited_enough_goes_on),
        cmocka_unit_test(a_server_may_end_while_it_is_waited_for),
        cmocka_unit_test(old_addresses_make_room_for_new_ones),
    };
    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
