/* tw.jwt.verify. SPDX-License-Identifier: MIT */
#include "test_bridge_vm.h"

#include "jwt_signer.h"

static world w;
static EVP_PKEY *rsa, *ec;
static char *rsa_pem, *ec_pem, *private_pem;

#define SECRET "0123456789abcdef0123456789abcdef"

static int open_keys(void **state) {
    (void)state;
    rsa = signer_rsa(2048);
    ec = signer_ec("P-256");
    rsa_pem = signer_pem(rsa, false);
    ec_pem = signer_pem(ec, false);
    private_pem = signer_pem(ec, true);
    return 0;
}

static int close_keys(void **state) {
    (void)state;
    free(private_pem);
    free(ec_pem);
    free(rsa_pem);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    return 0;
}

static int open_world(void **state) {
    (void)state;
    world_open_with(&w, (twl_vm_config){.script_dir = ".", .budget_ms = 60000});
    return 0;
}

static int close_world(void **state) {
    (void)state;
    world_close(&w);
    return 0;
}

/* Verifies `token` with options in Lua, which may name the keys above. What it
 * says: the claims as JSON, or "code (reason): message". */
static const char *verify(const char *token, const char *options) {
    static char body[24000];
    snprintf(body, sizeof body,
             "local secret, rsa, ec, private = '" SECRET "', [[\n%s]], "
             "[[\n%s]], [[\n%s]] local claims, err = tw.jwt.verify([[%s]], %s) "
             "if claims then return tw.json.encode(claims) end "
             "return ('%%s (%%s): %%s'):format(err.code, "
             "err.reason, err.message)",
             rsa_pem, ec_pem, private_pem, token, options);
    return world_eval(&w, body);
}

#define assert_verified(token, options, json)                                  \
    assert_string_equal(verify(token, options), json)

#define assert_refused(token, options, part)                                   \
    do {                                                                       \
        const char *said_ = verify(token, options);                            \
        assert_contains(said_, part);                                          \
        assert_null(strchr(said_, '{'));                                       \
    } while (0)

#define assert_raises(options, part)                                           \
    do {                                                                       \
        assert_contains(verify("a.b.c", options), "failed: ");                 \
        assert_contains(w.result, part);                                       \
    } while (0)

static const char *by_secret(const char *header, const char *claims) {
    static char token[SIGNER_MAX];
    signer_hmac(token, SECRET, strlen(SECRET), header, claims, strlen(claims));
    return token;
}

#define HS "{\"alg\":\"HS256\"}"

static const char *by_key(EVP_PKEY *key, const char *header,
                          const char *claims) {
    static char token[SIGNER_MAX];
    signer_sign(token, key, header, claims);
    return token;
}

/* ---- what is good ------------------------------------------------------- */

static void the_tokens_of_rfc_7515_are_verified(void **state) {
    (void)state;
    static const char *const TOKENS[] = {RFC_HS256, RFC_RS256, RFC_ES256};
    for (int i = 0; i < 3; i++) {
        for (int as_table = 0; as_table < 2; as_table++) {
            const char *options =
                as_table ? "{ jwks = tw.json.decode('" RFC_JWKS
                           "'), now = 1300819000 }"
                         : "{ jwks = '" RFC_JWKS "', now = 1300819000 }";
            const char *said = verify(TOKENS[i], options);
            assert_contains(said, "\"iss\":\"joe\"");
            assert_contains(said, "\"exp\":1300819380");
            assert_contains(said, "\"http://example.com/is_root\":true");
        }
        assert_refused(TOKENS[i], "{ jwks = '" RFC_JWKS "' }",
                       "denied (expired): the token expired");
    }
}

static void each_kind_of_key_verifies_its_tokens(void **state) {
    (void)state;
    assert_verified(by_secret(HS, "{\"sub\":\"ann\"}"), "{ secret = secret }",
                    "{\"sub\":\"ann\"}");
    assert_verified(by_key(rsa, "{\"alg\":\"RS256\"}", "{\"sub\":\"bob\"}"),
                    "{ key = rsa }", "{\"sub\":\"bob\"}");
    assert_verified(by_key(ec, "{\"alg\":\"ES256\"}", "{\"sub\":\"eve\"}"),
                    "{ key = ec }", "{\"sub\":\"eve\"}");
}

static void keys_are_found_by_their_id(void **state) {
    (void)state;
    static const char keys[] =
        "{ keys = { a = rsa, b = ec, ['c d'] = { secret = secret } } }";
    assert_verified(by_key(rsa, "{\"alg\":\"RS256\",\"kid\":\"a\"}", "{}"),
                    keys, "{}");
    assert_verified(by_key(ec, "{\"alg\":\"ES256\",\"kid\":\"b\"}", "{}"), keys,
                    "{}");
    assert_verified(by_secret("{\"alg\":\"HS256\",\"kid\":\"c d\"}", "{}"),
                    keys, "{}");
    assert_refused(by_secret("{\"alg\":\"HS256\",\"kid\":\"x\"}", "{}"), keys,
                   "denied (key): none of the keys");
    assert_refused(by_secret("{\"alg\":\"HS256\",\"kid\":\"a\"}", "{}"), keys,
                   "denied (algorithm)");
    assert_refused(by_key(rsa, "{\"alg\":\"RS256\",\"kid\":\"b\"}", "{}"), keys,
                   "denied (algorithm)");
}

static void without_an_id_the_only_key_of_the_kind_is_meant(void **state) {
    (void)state;
    assert_verified(by_key(ec, "{\"alg\":\"ES256\"}", "{}"),
                    "{ keys = { a = rsa, b = ec } }", "{}");
    assert_refused(by_key(ec, "{\"alg\":\"ES256\"}", "{}"),
                   "{ keys = { a = ec, b = ec, c = rsa } }",
                   "denied (key): the token does not say which");
    assert_refused(by_secret(HS, "{}"), "{ keys = { a = rsa, b = ec } }",
                   "denied (key): none of the keys");
    assert_refused(by_secret(HS, "{}"), "{ keys = {} }",
                   "denied (key): none of the keys");
}

static void a_set_passes_over_what_is_not_meant(void **state) {
    (void)state;
    static const char set[] =
        "{ now = 1300819000, jwks = { keys = { 1, { kty = 'OKP' }, {}, "
        "{ kty = 'RSA', use = 'enc', n = 'x', e = 'y' }, "
        "{ kty = 'RSA', alg = 'RS512', n = 'x', e = 'y' }, "
        "{ kty = 'EC', crv = 'P-384' }, "
        "{ kty = 'RSA', use = 'sig', alg = 'RS256', n = '" RFC_N
        "', e = '" RFC_E "' } } } }";
    assert_contains(verify(RFC_RS256, set), "\"iss\":\"joe\"");
    assert_refused(RFC_ES256, set, "denied (key): none of the keys");
    assert_refused(RFC_RS256, "{ jwks = '{\"keys\":[]}' }",
                   "denied (key): none of the keys");
    assert_refused(RFC_RS256,
                   "{ jwks = { keys = { { kty = 'RSA', n = 'x', e = 'y' }, "
                   "{ kty = 'RSA', n = 'x', e = 'y' } } } }",
                   "denied (key): the token does not say which");
}

static void a_set_is_searched_by_id(void **state) {
    (void)state;
    char token[SIGNER_MAX], set[2048], k[64];
    size_t len = twl_base64_encode(TWL_BASE64URL, SECRET, strlen(SECRET), k);
    k[len] = '\0';
    snprintf(set, sizeof set,
             "{ jwks = { keys = { { kid = 'x', kty = 'oct', k = '%s' }, "
             "{ kid = 'y', kty = 'oct', k = '" RFC_K "' } } } }",
             k);
    snprintf(token, sizeof token, "%s",
             by_secret("{\"alg\":\"HS256\",\"kid\":\"x\"}", "{}"));
    assert_verified(token, set, "{}");
    assert_refused(by_secret("{\"alg\":\"HS256\",\"kid\":\"y\"}", "{}"), set,
                   "denied (signature)");
    assert_refused(by_secret("{\"alg\":\"HS256\",\"kid\":\"z\"}", "{}"), set,
                   "denied (key)");
}

static void a_changed_set_is_another_one(void **state) {
    (void)state;
    assert_string_equal(
        world_eval(&w,
                   "local set = tw.json.decode('" RFC_JWKS "') "
                   "local o = { jwks = set, now = 0 } "
                   "local a = tw.jwt.verify('" RFC_ES256 "', o) "
                   "set.keys[3].x = set.keys[3].y "
                   "local ok, b = pcall(tw.jwt.verify, '" RFC_ES256 "', o) "
                   "set.keys[3] = nil "
                   "local c, err = tw.jwt.verify('" RFC_ES256 "', o) "
                   "return a ~= nil, ok, (b:gsub('^.-: ', '')), c, err.reason"),
        "true false tw.jwt.verify: the key is no point of the curve P-256 nil "
        "key");
}

static void more_keys_than_are_remembered_work(void **state) {
    (void)state;
    assert_eval(&w,
                "local bad = 0 for i = 1, 600 do "
                "local o = { secret = ('%032d'):format(i) } "
                "local c, err = tw.jwt.verify('" RFC_HS256 "', o) "
                "if c or err.reason ~= 'signature' then bad = bad + 1 end end "
                "collectgarbage() return bad",
                "0");
    assert_verified(by_secret(HS, "{}"), "{ secret = secret }", "{}");
}

/* ---- hostile tokens ----------------------------------------------------- */

static void a_public_key_is_never_a_secret(void **state) {
    (void)state;
    char token[SIGNER_MAX];
    char line[4096];
    snprintf(line, sizeof line, "\n%s", rsa_pem);
    const char *const keys[] = {rsa_pem, line + 1, line};
    for (int i = 0; i < 3; i++) {
        signer_hmac(token, keys[i], strlen(keys[i]), HS, "{}", 2);
        assert_refused(token, "{ key = rsa }", "denied (algorithm)");
        assert_refused(token, "{ keys = { a = rsa } }", "denied (key)");
        assert_refused(token, "{ key = rsa, algorithms = { 'HS256' } }",
                       "denied (algorithm)");
    }
    assert_contains(verify(token, "{ secret = rsa }"), "is PEM, not a secret");
}

static void assert_nothing_unsigned(const char *alg) {
    char header[64], token[SIGNER_MAX];
    snprintf(header, sizeof header, "{\"alg\":\"%s\"}", alg);
    signer_begin(token, header, "{}", 2);
    size_t len = signer_begin(token, header, "{}", 2);
    memcpy(token + len, ".", 2);
    assert_refused(token, "{ secret = secret }", "denied (algorithm)");
    assert_refused(token, "{ key = rsa }", "denied (algorithm)");
    assert_refused(token, "{ jwks = '" RFC_JWKS "' }", "denied (algorithm)");
    assert_refused(by_secret(header, "{}"), "{ secret = secret }",
                   "denied (algorithm)");
}

static void an_unsigned_token_is_refused(void **state) {
    (void)state;
    static const char *const ALGS[] = {
        "none",   "None",  "NONE",  "nOnE",  "",      "HS1",   "hs256",
        "HS256 ", "HS384", "RS512", "PS256", "EdDSA", "ES256K"};
    assert_refused(RFC_NONE, "{ secret = secret }", "denied (algorithm)");
    for (size_t i = 0; i < sizeof ALGS / sizeof *ALGS; i++) {
        assert_nothing_unsigned(ALGS[i]);
    }
    assert_raises("{ secret = secret, algorithms = { 'none' } }",
                  "there is no algorithm 'none' here");
}

static void only_allowed_algorithms_are(void **state) {
    (void)state;
    static const char allowed[] =
        "{ keys = { a = rsa, b = ec }, algorithms = { 'RS256' } }";
    assert_verified(by_key(rsa, "{\"alg\":\"RS256\"}", "{}"), allowed, "{}");
    assert_refused(by_key(ec, "{\"alg\":\"ES256\"}", "{}"), allowed,
                   "denied (algorithm): the token's algorithm is not allowed");
}

static void forged_signatures_are_refused(void **state) {
    (void)state;
    char token[SIGNER_MAX];
    snprintf(token, sizeof token, "%s", by_secret(HS, "{\"a\":1}"));
    char *dot = strrchr(token, '.');
    dot[1] = dot[1] == 'A' ? 'B' : 'A';
    assert_refused(token, "{ secret = secret }", "denied (signature)");
    dot[1] = '\0';
    assert_refused(token, "{ secret = secret }", "denied (signature)");
    snprintf(token, sizeof token, "eyJhbGciOiJIUzI1NiJ9.e30%s",
             strrchr(RFC_HS256, '.'));
    assert_refused(token, "{ jwks = '" RFC_JWKS "' }", "denied (signature)");
    assert_refused(by_key(ec, "{\"alg\":\"RS256\"}", "{}"), "{ key = rsa }",
                   "denied (signature)");
    assert_refused(by_key(rsa, "{\"alg\":\"ES256\"}", "{}"), "{ key = ec }",
                   "denied (signature)");
}

static void a_signature_in_der_is_refused(void **state) {
    (void)state;
    char token[SIGNER_MAX];
    unsigned char der[128];
    size_t len = signer_begin(token, "{\"alg\":\"ES256\"}", "{}", 2);
    size_t size = signer_raw(ec, token, len, der, sizeof der);
    signer_end(token, len, der, size);
    assert_refused(token, "{ key = ec }", "denied (signature)");
}

static void other_spellings_of_a_good_token_are_refused(void **state) {
    (void)state;
    char good[SIGNER_MAX], token[SIGNER_MAX];
    snprintf(good, sizeof good, "%s", by_secret(HS, "{}"));
    assert_verified(good, "{ secret = secret }", "{}");
    static const char *const AROUND[][3] = {
        {"", "=", "invalid (malformed): the token's signature"},
        {"", "\n", "invalid (malformed): the token's signature"},
        {"", " ", "invalid (malformed): the token's signature"},
        {" ", "", "invalid (malformed): the token's header"},
        {"", ".", "invalid (malformed): the token has not three parts"},
        {".", "", "invalid (malformed): the token has not three parts"},
        {"", "A", "denied (signature)"},
        {"", "AA", "invalid (malformed): the token's signature"},
        {"Bearer ", "", "invalid (malformed): the token's header"},
    };
    for (size_t i = 0; i < sizeof AROUND / sizeof *AROUND; i++) {
        snprintf(token, sizeof token, "%s%s%s", AROUND[i][0], good,
                 AROUND[i][1]);
        assert_refused(token, "{ secret = secret }", AROUND[i][2]);
    }
    /* The last letter of 43 has two bits too many. */
    size_t last = strlen(good) - 1;
    snprintf(token, sizeof token, "%s", good);
    token[last]++;
    assert_refused(token, "{ secret = secret }", "(");
}

static void what_is_no_token_is_malformed(void **state) {
    (void)state;
    static const char *const BAD[] = {"",
                                      ".",
                                      "..",
                                      "a.b.c",
                                      "e30",
                                      "e30.e30",
                                      "e30.e30.e30.e30",
                                      "e30=.e30.e30",
                                      "W10.e30.e30",
                                      "bnVsbA.e30.e30",
                                      "MQ.e30.e30",
                                      "eyJhbGciOjF9.e30.e30",
                                      "eyJhbGciOm51bGx9.e30.e30",
                                      "eyJhbGciOlsiSFMyNTYiXX0.e30.e30"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_refused(BAD[i], "{ secret = secret }", "invalid (malformed)");
    }
    assert_eval(&w,
                "local _, err = tw.jwt.verify(nil, { secret = ('x'):rep(32) }) "
                "return err",
                "invalid: there is no token");
    assert_fails(&w, "tw.jwt.verify(1, { secret = ('x'):rep(32) })",
                 "token must be a string, not number");
}

static void a_name_that_comes_twice_is_malformed(void **state) {
    (void)state;
    assert_refused(by_secret("{\"alg\":\"none\",\"alg\":\"HS256\"}", "{}"),
                   "{ secret = secret }",
                   "invalid (malformed): the token's header has a name twice");
    assert_refused(
        by_secret("{\"alg\":\"HS256\",\"\\u0061lg\":\"HS256\"}", "{}"),
        "{ secret = secret }", "header has a name twice");
    assert_refused(by_secret(HS, "{\"sub\":\"ann\",\"sub\":\"root\"}"),
                   "{ secret = secret }",
                   "invalid (malformed): the token's content has a name twice");
}

static void claims_that_are_no_object_are_malformed(void **state) {
    (void)state;
    static const char *const BAD[] = {"",     "[]",          "1",
                                      "\"\"", "{\"a\":1",    "{\"a\":NaN}",
                                      "{} ,", "{\"\xff\":1}"};
    for (size_t i = 1; i < sizeof BAD / sizeof *BAD; i++) {
        assert_refused(by_secret(HS, BAD[i]), "{ secret = secret }",
                       "invalid (malformed): the token's content");
    }
    assert_refused(by_secret(HS, BAD[0]), "{ secret = secret }",
                   "invalid (malformed): a part of the token is empty");
    char deep[2000];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    deep[sizeof deep - 1] = '\0';
    assert_refused(by_secret(HS, deep), "{ secret = secret }",
                   "invalid (malformed): the token's content");
}

static void a_token_with_a_crit_is_refused(void **state) {
    (void)state;
    static const char *const HEADERS[] = {
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}",
        "{\"alg\":\"HS256\",\"crit\":[]}", "{\"alg\":\"HS256\",\"crit\":null}",
        "{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}"};
    for (size_t i = 0; i < sizeof HEADERS / sizeof *HEADERS; i++) {
        assert_refused(by_secret(HEADERS[i], "{}"), "{ secret = secret }",
                       "invalid (malformed): the token wants extensions");
    }
    assert_refused(by_secret("{\"alg\":\"HS256\",\"kid\":1}", "{}"),
                   "{ secret = secret }", "the token's key id is no text");
}

/* A key that the token brings along proves nothing. */
static void keys_in_a_token_are_not_looked_at(void **state) {
    (void)state;
    char header[1024], token[SIGNER_MAX];
    snprintf(header, sizeof header,
             "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"" RFC_K
             "\"},\"jku\":\"http://127.0.0.1:1/\",\"x5u\":\"file:///\"}");
    uint8_t k[128];
    size_t len;
    twl_base64_decode(TWL_BASE64URL, RFC_K, strlen(RFC_K), k, &len);
    signer_hmac(token, k, len, header, "{}", 2);
    assert_refused(token, "{ secret = secret }", "denied (signature)");
}

static void a_long_token_is_refused_unread(void **state) {
    (void)state;
    char token[SIGNER_MAX];
    memset(token, 'A', sizeof token);
    token[8193] = '\0';
    assert_refused(token, "{ secret = secret }",
                   "invalid (malformed): the token is longer than 8192 bytes");
    assert_refused(RFC_HS256, "{ secret = secret, max_bytes = 100 }",
                   "the token is longer than 100 bytes");
    token[8192] = '\0';
    assert_refused(token, "{ secret = secret }", "three parts");
    assert_raises("{ secret = secret, max_bytes = 65537 }",
                  "max_bytes must be a number from 1 to 65536");
    token[2] = token[6] = '.';
    token[8190] = '\0';
    memcpy(token, RFC_HS256, 36);
    memcpy(token + 36, ".e30.", 5);
    assert_refused(token, "{ secret = secret }", "invalid (malformed)");
}

/* ---- claims ------------------------------------------------------------- */

static void times_are_held_against_the_clock(void **state) {
    (void)state;
    static const struct {
        const char *claims, *options, *said;
    } CASES[] = {
        {"{\"exp\":1000}", "now = 999, leeway = 0", "{\"exp\":1000}"},
        {"{\"exp\":1000}", "now = 1000, leeway = 0",
         "denied (expired): the token expired 0 s ago"},
        {"{\"exp\":1000}", "now = 1004", "{\"exp\":1000}"},
        {"{\"exp\":1000}", "now = 1005",
         "denied (expired): the token expired 5 s ago"},
        {"{\"exp\":1000}", "now = 1059, leeway = 60", "{\"exp\":1000}"},
        {"{\"exp\":-1}", "now = 10", "denied (expired)"},
        {"{\"exp\":\"1000\"}", "now = 1",
         "invalid (malformed): the token's exp is no number"},
        {"{\"exp\":null}", "now = 1", "invalid (malformed)"},
        {"{\"nbf\":1000}", "now = 1000, leeway = 0", "{\"nbf\":1000}"},
        {"{\"nbf\":1000}", "now = 999, leeway = 0",
         "denied (early): the token is valid 1 s from now"},
        {"{\"nbf\":1000}", "now = 995", "{\"nbf\":1000}"},
        {"{\"nbf\":1000}", "now = 994", "denied (early)"},
        {"{\"nbf\":true}", "now = 1", "invalid (malformed)"},
        {"{\"iat\":1000}", "now = 995", "{\"iat\":1000}"},
        {"{\"iat\":1000}", "now = 994",
         "denied (early): the token was made 6 s from now"},
        {"{\"iat\":[]}", "now = 1", "invalid (malformed)"},
        {"{\"iat\":1000}", "now = 1100, max_age = 100, leeway = 0",
         "{\"iat\":1000}"},
        {"{\"iat\":1000}", "now = 1101, max_age = 100, leeway = 0",
         "denied (expired): the token is 101 s old"},
        {"{}", "max_age = 100",
         "denied (claim): the token does not say when it was made"},
        {"{}", "now = 1", "{}"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char options[128];
        snprintf(options, sizeof options, "{ secret = secret, %s }",
                 CASES[i].options);
        assert_contains(verify(by_secret(HS, CASES[i].claims), options),
                        CASES[i].said);
    }
}

static void the_clock_is_the_walls(void **state) {
    (void)state;
    char claims[64];
    snprintf(claims, sizeof claims, "{\"exp\":%ld}", (long)time(NULL) + 100000);
    assert_verified(by_secret(HS, claims), "{ secret = secret }", claims);
    snprintf(claims, sizeof claims, "{\"exp\":%ld}", (long)time(NULL) - 100000);
    assert_refused(by_secret(HS, claims), "{ secret = secret }",
                   "denied (expired)");
}

static void issuer_and_audience_are_compared(void **state) {
    (void)state;
    static const struct {
        const char *claims, *options, *said;
    } CASES[] = {
        {"{\"iss\":\"a\"}", "iss = 'a'", "{\"iss\":\"a\"}"},
        {"{\"iss\":\"a\"}", "iss = { 'b', 'a' }", "{\"iss\":\"a\"}"},
        {"{\"iss\":\"a\"}", "", "{\"iss\":\"a\"}"},
        {"{\"iss\":\"a\"}", "iss = 'b'", "denied (issuer)"},
        {"{\"iss\":\"A\"}", "iss = 'a'", "denied (issuer)"},
        {"{}", "iss = 'a'", "denied (issuer)"},
        {"{\"iss\":null}", "iss = 'a'", "denied (issuer)"},
        {"{\"iss\":[\"a\"]}", "iss = 'a'", "denied (issuer)"},
        {"{\"aud\":\"a\"}", "aud = 'a'", "{\"aud\":\"a\"}"},
        {"{\"aud\":[\"b\",\"a\"]}", "aud = 'a'", "{\"aud\":[\"b\",\"a\"]}"},
        {"{\"aud\":[\"b\",\"a\"]}", "aud = { 'x', 'b' }",
         "{\"aud\":[\"b\",\"a\"]}"},
        {"{\"aud\":\"a\"}", "aud = { 'x', 'b' }",
         "denied (audience): the token is for another audience"},
        {"{\"aud\":[]}", "aud = 'a'", "denied (audience)"},
        {"{\"aud\":null}", "aud = 'a'", "denied (audience)"},
        {"{\"aud\":1}", "aud = '1'", "denied (audience)"},
        {"{}", "aud = 'a'", "denied (audience)"},
        {"{\"aud\":\"a\"}", "",
         "denied (audience): the token is for an audience, and the option"},
        {"{\"aud\":\"a\"}", "aud = false", "{\"aud\":\"a\"}"},
        {"{\"sub\":\"a\"}", "require = { 'sub' }", "{\"sub\":\"a\"}"},
        {"{\"sub\":\"a\"}", "require = { 'sub', 'exp' }",
         "denied (claim): the token says nothing of 'exp'"},
        {"{\"sub\":null}", "require = { 'sub' }", "denied (claim)"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char options[128];
        snprintf(options, sizeof options, "{ secret = secret, %s }",
                 CASES[i].options);
        assert_contains(verify(by_secret(HS, CASES[i].claims), options),
                        CASES[i].said);
    }
}

/* ---- misuse ------------------------------------------------------------- */

static void wrong_options_raise_whatever_the_token(void **state) {
    (void)state;
    assert_raises("nil", "options with a secret, key, keys or jwks");
    assert_raises("1", "options must be a table");
    assert_raises("{}", "exactly one of secret, key, keys and jwks");
    assert_raises("{ secret = secret, key = rsa }", "exactly one of");
    assert_raises("{ secrt = secret }", "did you mean 'secret'?");
    assert_raises("{ secret = 1 }", "secret must be a string");
    assert_raises("{ key = {} }", "key: a file or a url must be given");
    assert_raises("{ jwks = {} }", "jwks: a file or a url must be given");
    assert_raises("{ jwks = { url = 'https://x/', file = 'y' } }",
                  "jwks: a file or a url must be given");
    assert_raises("{ key = { url = 'ftp://x/' } }",
                  "url must begin with https://");
    assert_raises("{ secret = { url = 'https://x/' } }",
                  "a secret does not come from a url");
    static const char *const plain[] = {"http://keys.example/",
                                        "http://127.0.0.1@keys.example/",
                                        "http://127.0.0.1.example/",
                                        "http://localhost@keys.example/",
                                        "HTTP://keys.example:80",
                                        "http://",
                                        "http://[::2]/",
                                        "http://128.0.0.1"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        char options[96];
        snprintf(options, sizeof options, "{ jwks = { url = '%s' } }",
                 plain[i]);
        assert_raises(options, "only with insecure = true");
    }
    assert_raises("{ keys = 'x' }", "keys must be a table");
    assert_raises("{ secret = secret, algorithms = {} }",
                  "algorithms must be a list of strings");
    assert_raises("{ secret = secret, algorithms = 'HS256' }",
                  "algorithms must be a list of strings");
    assert_raises("{ secret = secret, aud = 1 }", "aud must be a list");
    assert_raises("{ secret = secret, aud = true }", "aud must be a list");
    assert_raises("{ secret = secret, iss = { 1 } }", "iss must be a list");
    assert_raises("{ secret = secret, require = 'exp' }",
                  "require must be a list");
    assert_raises("{ secret = secret, leeway = -1 }", "leeway must be");
}

static void wrong_keys_raise_and_say_why(void **state) {
    (void)state;
    assert_contains(verify(RFC_HS256, "{ secret = 'short' }"),
                    "the key is a secret of less than 32 bytes");
    assert_contains(verify(RFC_RS256, "{ key = 'no pem' }"),
                    "the key is no PEM");
    assert_contains(verify(RFC_ES256, "{ key = private }"),
                    "is a private one: give the public one");
    assert_contains(verify(RFC_ES256, "{ jwks = 'x' }"),
                    "this is no set of keys");
    assert_contains(verify(RFC_ES256, "{ jwks = '{\"kty\":\"EC\"}' }"),
                    "this is no set of keys");
    assert_contains(
        verify(
            RFC_HS256,
            "{ jwks = { keys = { { kty = 'oct', kid = 'a', k = 'x=' } } } }"),
        "the key a has numbers that are missing or no base64url");
    assert_contains(verify(RFC_HS256, "{ jwks = { keys = { { kty = 'oct' } } } "
                                      "}"),
                    "the key has numbers that are missing");
    assert_contains(verify(RFC_HS256,
                           "(function() local keys = {} for i = 1, 101 do "
                           "keys[i] = {} end return { jwks = { keys = keys } } "
                           "end)()"),
                    "the set has over 100 keys");
}

/* ---- memory ------------------------------------------------------------- */

/* At whatever moment a VM's memory ends: no crash, no leak, no false yes. */
static void any_memory_limit_is_survived(void **state) {
    (void)state;
    int done = 0;
    for (size_t limit = 220 << 10; limit < 640 << 10; limit += 2039) {
        world small = {0};
        small.sources = twl_sources_create_disk();
        twl_vm_config config = {.script_dir = ".",
                                .memory_limit_bytes = limit,
                                .sources = small.sources,
                                .log = test_log,
                                .log_arg = &small,
                                .user = &small};
        if (twl_vm_create(&small.vm, &config) == 0) {
            if (twl_loader_preload(small.vm, "tidewire", test_open_tw) == 0) {
                static const char body[] =
                    "local tw = require 'tidewire' return function() "
                    "local c = tw.jwt.verify('" RFC_ES256
                    "', { now = 0, jwks = '" RFC_JWKS "' }) "
                    "local d = tw.jwt.verify('eyJhbGciOiJFUzI1NiJ9.e30"
                    "." RFC_ES256_SIGNATURE "', { jwks = '" RFC_JWKS "' }) "
                    "return c ~= nil, d ~= nil end";
                int ref = LUA_NOREF;
                if (twl_loader_text(small.vm, "@t.lua", body, strlen(body),
                                    &ref) == 0 &&
                    world_call(&small, ref) == TWL_DONE) {
                    assert_contains(small.result, " false");
                    done += strcmp(small.result, "true false") == 0;
                }
            }
            twl_vm_destroy(small.vm);
        }
        twl_sources_destroy(small.sources);
    }
    assert_true(done > 0);
}

#define with_world(test)                                                       \
    cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_world(the_tokens_of_rfc_7515_are_verified),
        with_world(each_kind_of_key_verifies_its_tokens),
        with_world(keys_are_found_by_their_id),
        with_world(without_an_id_the_only_key_of_the_kind_is_meant),
        with_world(a_set_passes_over_what_is_not_meant),
        with_world(a_set_is_searched_by_id),
        with_world(a_changed_set_is_another_one),
        with_world(more_keys_than_are_remembered_work),
        with_world(a_public_key_is_never_a_secret),
        with_world(an_unsigned_token_is_refused),
        with_world(only_allowed_algorithms_are),
        with_world(forged_signatures_are_refused),
        with_world(a_signature_in_der_is_refused),
        with_world(other_spellings_of_a_good_token_are_refused),
        with_world(what_is_no_token_is_malformed),
        with_world(a_name_that_comes_twice_is_malformed),
        with_world(claims_that_are_no_object_are_malformed),
        with_world(a_token_with_a_crit_is_refused),
        with_world(keys_in_a_token_are_not_looked_at),
        with_world(a_long_token_is_refused_unread),
        with_world(times_are_held_against_the_clock),
        with_world(the_clock_is_the_walls),
        with_world(issuer_and_audience_are_compared),
        with_world(wrong_options_raise_whatever_the_token),
        with_world(wrong_keys_raise_and_say_why),
        cmocka_unit_test(any_memory_limit_is_survived),
    };
    return cmocka_run_group_tests(tests, open_keys, close_keys);
}
