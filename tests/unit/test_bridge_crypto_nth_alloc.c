/* Every allocation of OpenSSL's fails once: nothing is lost, nothing is taken
 * for good that is not. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include <tidewire/errors.h>

#include "../crypto/jwt_key.h"
#include "../crypto/jwt_token.h"
#include "jwt_signer.h"

/* ---- OpenSSL's memory --------------------------------------------------- */

static size_t asked, fail_at, live;

static bool is_to_fail(void) {
    return ++asked == fail_at;
}

static void *count_malloc(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    if (is_to_fail()) {
        return NULL;
    }
    live++;
    return malloc(size);
}

static void count_free(void *block, const char *file, int line) {
    (void)file;
    (void)line;
    live -= block != NULL;
    free(block);
}

static void *count_realloc(void *block, size_t size, const char *file,
                           int line) {
    if (block == NULL) {
        return count_malloc(size, file, line);
    }
    if (size == 0) {
        count_free(block, file, line);
        return NULL;
    }
    return is_to_fail() ? NULL : realloc(block, size);
}

/* ---- what is tried ------------------------------------------------------ */

static twl_digest digest;
static char *rsa_pem, *ec_pem, *rsa_token;

static size_t bytes_of(const char *text, uint8_t *out) {
    size_t len = 0;
    return twl_base64_decode(TWL_BASE64URL, text, strlen(text), out, &len)
               ? 0
               : len;
}

static int verify(twl_jwt_key *key, const char *token) {
    twl_jwt_token parts;
    const char *why;
    uint8_t signature[512];
    assert_int_equal(twl_jwt_token_split(&parts, token, strlen(token), &why),
                     0);
    size_t len = bytes_of(parts.signature.text, signature);
    return twl_jwt_key_verify(key, &digest, parts.is_signed.text,
                              parts.is_signed.len, signature, len);
}

/* Makes a key, verifies with it, and lets it go. */
static int try_key(int err, twl_jwt_key *key, const char *token) {
    if (err == 0) {
        err = verify(key, token);
        twl_jwt_key_deinit(key);
    }
    return err;
}

static int try_secret(void) {
    uint8_t k[128];
    twl_jwt_key key;
    const char *why;
    int err = twl_jwt_key_init_secret(&key, k, bytes_of(RFC_K, k), &why);
    return try_key(err, &key, RFC_HS256);
}

static int try_rsa_numbers(void) {
    uint8_t n[512], e[8];
    twl_jwt_key key;
    const char *why;
    size_t n_len = bytes_of(RFC_N, n);
    int err = twl_jwt_key_init_rsa(&key, n, n_len, e, bytes_of(RFC_E, e), &why);
    return try_key(err, &key, RFC_RS256);
}

static int try_ec_numbers(void) {
    uint8_t x[64], y[64];
    twl_jwt_key key;
    const char *why;
    size_t x_len = bytes_of(RFC_X, x);
    int err =
        twl_jwt_key_init_p256(&key, x, x_len, y, bytes_of(RFC_Y, y), &why);
    return try_key(err, &key, RFC_ES256);
}

static int try_pem(void) {
    twl_jwt_key key;
    const char *why;
    int err = twl_jwt_key_init_pem(&key, rsa_pem, strlen(rsa_pem), &why);
    return try_key(err, &key, rsa_token);
}

static int try_ec_pem(void) {
    twl_jwt_key key;
    const char *why;
    int err = twl_jwt_key_init_pem(&key, ec_pem, strlen(ec_pem), &why);
    if (err == 0) {
        twl_jwt_key_deinit(&key);
    }
    return err;
}

static int try_digest(void) {
    uint8_t out[TWL_DIGEST_MAX];
    size_t len;
    twl_digest other;
    int err = twl_digest_init(&other);
    if (err) {
        return err;
    }
    err = twl_digest_begin(&other, TWL_SHA384);
    err = err ? err : twl_digest_end(&other, out, &len);
    err = err ? err : twl_digest_begin_hmac(&other, TWL_SHA512, "key", 3);
    err = err ? err : twl_digest_add(&other, "data", 4);
    err = err ? err : twl_digest_end(&other, out, &len);
    twl_digest_deinit(&other);
    return err;
}

/* With allocation 1, 2, ... failing, until it goes well with nothing failing.
 * A forged token must not be taken for good at any of them. */
static void assert_survives(const char *name, int (*attempt)(void)) {
    size_t failures = 0;
    assert_int_equal(attempt(), 0); /* what OpenSSL keeps for ever is there */
    assert_int_equal(attempt(), 0);
    for (size_t n = 1;; n++) {
        size_t before = live;
        asked = 0;
        fail_at = n;
        int err = attempt();
        bool has_failed = asked >= n;
        fail_at = 0;
        assert_int_equal(ERR_peek_error(), 0);
        /* What it keeps it may also have made only now. */
        assert_true(live <= before + 64);
        if (!has_failed) {
            assert_int_equal(err, 0);
            break;
        }
        failures += err != 0;
    }
    size_t before = live;
    assert_int_equal(attempt(), 0);
    assert_int_equal(live, before);
    print_message("%s: %zu failures were told\n", name, failures);
    assert_true(failures > 0);
}

static void every_step_survives_without_memory(void **state) {
    (void)state;
    assert_survives("secret", try_secret);
    assert_survives("RSA numbers", try_rsa_numbers);
    assert_survives("EC numbers", try_ec_numbers);
    assert_survives("RSA PEM", try_pem);
    assert_survives("EC PEM", try_ec_pem);
    assert_survives("digest", try_digest);
}

static void no_failure_makes_a_forged_token_good(void **state) {
    (void)state;
    uint8_t x[64], y[64];
    twl_jwt_key key;
    const char *why;
    size_t x_len = bytes_of(RFC_X, x);
    assert_int_equal(
        twl_jwt_key_init_p256(&key, x, x_len, y, bytes_of(RFC_Y, y), &why), 0);
    static const char forged[] =
        "eyJhbGciOiJFUzI1NiJ9.e30." RFC_ES256_SIGNATURE;
    assert_int_equal(verify(&key, forged), TW_EDENIED);
    for (size_t n = 1;; n++) {
        asked = 0;
        fail_at = n;
        int err = verify(&key, forged);
        bool has_failed = asked >= n;
        fail_at = 0;
        assert_true(err == TW_EDENIED || err == TW_ENOMEM);
        if (!has_failed) {
            break;
        }
    }
    twl_jwt_key_deinit(&key);
}

static int open_all(void **state) {
    (void)state;
    EVP_PKEY *rsa = signer_rsa(2048), *ec = signer_ec("P-256");
    rsa_token = malloc(SIGNER_MAX);
    signer_sign(rsa_token, rsa, "{\"alg\":\"RS256\"}", "{}");
    rsa_pem = signer_pem(rsa, false);
    ec_pem = signer_pem(ec, false);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    return twl_digest_init(&digest);
}

static int close_all(void **state) {
    (void)state;
    twl_digest_deinit(&digest);
    free(ec_pem);
    free(rsa_pem);
    free(rsa_token);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_survives_without_memory),
        cmocka_unit_test(no_failure_makes_a_forged_token_good),
    };
    /* Before OpenSSL has allocated anything. */
    if (!CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free)) {
        return 1;
    }
    return cmocka_run_group_tests(tests, open_all, close_all);
}
