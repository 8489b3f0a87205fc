/* Tokens and keys, without Lua. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <tidewire/errors.h>

#include "../crypto/jwt_key.h"
#include "../crypto/jwt_token.h"
#include "jwt_signer.h"

static twl_digest digest;
static EVP_PKEY *rsa, *ec; /* made once: an RSA key takes a while */

static int open_all(void **state) {
    (void)state;
    rsa = signer_rsa(2048);
    ec = signer_ec("P-256");
    return rsa && ec ? twl_digest_init(&digest) : -1;
}

static int close_all(void **state) {
    (void)state;
    twl_digest_deinit(&digest);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    return 0;
}

/* ---- helpers ------------------------------------------------------------ */

static size_t bytes_of(const char *text, uint8_t *out) {
    size_t len = 0;
    assert_int_equal(
        twl_base64_decode(TWL_BASE64URL, text, strlen(text), out, &len), 0);
    return len;
}

static twl_jwt_key key_of_pem(const char *pem) {
    twl_jwt_key key = {0};
    const char *why = "";
    if (twl_jwt_key_init_pem(&key, pem, strlen(pem), &why)) {
        fail_msg("the key %s", why);
    }
    return key;
}

static twl_jwt_key key_of(EVP_PKEY *pkey) {
    char *pem = signer_pem(pkey, false);
    twl_jwt_key key = key_of_pem(pem);
    free(pem);
    return key;
}

static twl_jwt_key rfc_key(twl_jwt_alg alg) {
    uint8_t a[512], b[512];
    const char *why = "";
    twl_jwt_key key = {0};
    int err;
    if (alg == TWL_JWT_HS256) {
        err = twl_jwt_key_init_secret(&key, a, bytes_of(RFC_K, a), &why);
    } else if (alg == TWL_JWT_RS256) {
        size_t a_len = bytes_of(RFC_N, a), b_len = bytes_of(RFC_E, b);
        err = twl_jwt_key_init_rsa(&key, a, a_len, b, b_len, &why);
    } else {
        size_t a_len = bytes_of(RFC_X, a), b_len = bytes_of(RFC_Y, b);
        err = twl_jwt_key_init_p256(&key, a, a_len, b, b_len, &why);
    }
    assert_int_equal(err, 0);
    assert_int_equal(key.alg, alg);
    return key;
}

/* What verifying gives, the signature being that of the token's text. */
static int verify(twl_jwt_key *key, const char *token) {
    twl_jwt_token parts;
    const char *why;
    uint8_t signature[2048];
    size_t len;
    assert_int_equal(twl_jwt_token_split(&parts, token, strlen(token), &why),
                     0);
    assert_int_equal(twl_base64_decode(TWL_BASE64URL, parts.signature.text,
                                       parts.signature.len, signature, &len),
                     0);
    int err = twl_jwt_key_verify(key, &digest, parts.is_signed.text,
                                 parts.is_signed.len, signature, len);
    assert_int_equal(ERR_peek_error(), 0);
    return err;
}

static int verify_bytes(twl_jwt_key *key, const char *data,
                        const uint8_t *signature, size_t len) {
    int err =
        twl_jwt_key_verify(key, &digest, data, strlen(data), signature, len);
    assert_int_equal(ERR_peek_error(), 0);
    return err;
}

/* ---- tokens as text ----------------------------------------------------- */

static void a_token_has_three_parts(void **state) {
    (void)state;
    twl_jwt_token token;
    const char *why = NULL;
    assert_int_equal(twl_jwt_token_split(&token, "ab.c.def", 8, &why), 0);
    assert_memory_equal(token.header.text, "ab", 2);
    assert_int_equal(token.header.len, 2);
    assert_memory_equal(token.claims.text, "c", 1);
    assert_int_equal(token.claims.len, 1);
    assert_memory_equal(token.signature.text, "def", 3);
    assert_int_equal(token.signature.len, 3);
    assert_memory_equal(token.is_signed.text, "ab.c", 4);
    assert_int_equal(token.is_signed.len, 4);
    assert_int_equal(twl_jwt_token_split(&token, "a.b.", 4, &why), 0);
    assert_int_equal(token.signature.len, 0);
}

static void what_has_not_three_parts_is_no_token(void **state) {
    (void)state;
    static const char *const BAD[][2] = {
        {"", "there is no token"},
        {"abc", "three parts"},
        {"a.b", "three parts"},
        {"a.b.c.d", "three parts"},
        {"a.b.c.d.e", "encrypted"},
        {"a.b.c.d.e.f", "three parts"},
        {".b.c", "empty"},
        {"a..c", "empty"},
        {"..", "empty"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        twl_jwt_token token = {.header = {"kept", 4}};
        const char *why = "";
        assert_int_equal(
            twl_jwt_token_split(&token, BAD[i][0], strlen(BAD[i][0]), &why),
            TW_EINVALID);
        assert_non_null(strstr(why, BAD[i][1]));
        assert_string_equal(token.header.text, "kept");
    }
}

static void members_are_counted_at_the_top_only(void **state) {
    (void)state;
    static const struct {
        const char *json;
        size_t count;
    } CASES[] = {
        {"{}", 0},
        {"[]", 0},
        {"{\"a\":1}", 1},
        {"{\"a\":1,\"a\":2}", 2},
        {" {\"a\" : {\"b\":1,\"c\":[{\"d\":2}]} , \"e\":\"x:y\"}", 2},
        {"{\"a\\\":\":\"\\\\\",\"b\":[]}", 2},
        {"{\"\":\"{[:\\\"\"}", 1},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        assert_int_equal(
            twl_jwt_count_members(CASES[i].json, strlen(CASES[i].json)),
            CASES[i].count);
    }
}

/* ---- signatures --------------------------------------------------------- */

static void the_tokens_of_rfc_7515_are_good(void **state) {
    (void)state;
    static const char *const TOKENS[TWL_JWT_ALGS] = {RFC_HS256, RFC_RS256,
                                                     RFC_ES256};
    for (int alg = 0; alg < TWL_JWT_ALGS; alg++) {
        twl_jwt_key key = rfc_key((twl_jwt_alg)alg);
        for (int again = 0; again < 3; again++) {
            assert_int_equal(verify(&key, TOKENS[alg]), 0);
            for (int other = 0; other < TWL_JWT_ALGS; other++) {
                assert_int_equal(verify(&key, TOKENS[other]),
                                 other == alg ? 0 : TW_EDENIED);
            }
        }
        twl_jwt_key_deinit(&key);
    }
}

static void every_bit_of_a_signature_counts(void **state) {
    (void)state;
    static const char *const TEXTS[TWL_JWT_ALGS] = {
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", RFC_RS256_SIGNATURE,
        RFC_ES256_SIGNATURE};
    static const char *const SIGNED[TWL_JWT_ALGS] = {
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC_CLAIMS,
        "eyJhbGciOiJSUzI1NiJ9." RFC_CLAIMS, "eyJhbGciOiJFUzI1NiJ9." RFC_CLAIMS};
    for (int alg = 0; alg < TWL_JWT_ALGS; alg++) {
        uint8_t signature[512];
        size_t len = bytes_of(TEXTS[alg], signature);
        twl_jwt_key key = rfc_key((twl_jwt_alg)alg);
        assert_int_equal(key.signature_bytes, len);
        assert_int_equal(verify_bytes(&key, SIGNED[alg], signature, len), 0);
        for (size_t i = 0; i < len; i++) {
            signature[i] ^= (uint8_t)(1 << i % 8);
            assert_int_equal(verify_bytes(&key, SIGNED[alg], signature, len),
                             TW_EDENIED);
            signature[i] ^= (uint8_t)(1 << i % 8);
        }
        assert_int_equal(verify_bytes(&key, "other", signature, len),
                         TW_EDENIED);
        twl_jwt_key_deinit(&key);
    }
}

static void a_signature_of_another_length_is_wrong(void **state) {
    (void)state;
    static const uint8_t zeros[2048];
    for (int alg = 0; alg < TWL_JWT_ALGS; alg++) {
        twl_jwt_key key = rfc_key((twl_jwt_alg)alg);
        for (size_t len = 0; len < 300; len++) {
            assert_int_equal(verify_bytes(&key, "data", zeros, len),
                             TW_EDENIED);
        }
        assert_int_equal(verify_bytes(&key, "data", zeros, sizeof zeros),
                         TW_EDENIED);
        twl_jwt_key_deinit(&key);
    }
}

static void es256_wants_bare_numbers_and_no_der(void **state) {
    (void)state;
    twl_jwt_key key = key_of(ec);
    uint8_t der[128], bare[64];
    size_t len = signer_raw(ec, "data", 4, der, sizeof der);
    assert_true(len > 0);
    signer_unpack(der, len, bare);
    assert_int_equal(verify_bytes(&key, "data", bare, 64), 0);
    assert_int_equal(verify_bytes(&key, "data", der, len), TW_EDENIED);
    assert_int_equal(verify_bytes(&key, "data", der, 64), TW_EDENIED);
    twl_jwt_key_deinit(&key);
}

/* Numbers with zeros in front, and with a top bit that looks like a sign, come
 * up by themselves among so many. */
static void es256_takes_every_signature_that_is_made(void **state) {
    (void)state;
    twl_jwt_key key = key_of(ec);
    int short_ones = 0;
    for (int i = 0; i < 400; i++) {
        char text[16];
        uint8_t der[128], bare[64];
        snprintf(text, sizeof text, "%d", i);
        size_t len = signer_raw(ec, text, strlen(text), der, sizeof der);
        signer_unpack(der, len, bare);
        short_ones += bare[0] == 0 || bare[32] == 0;
        assert_int_equal(verify_bytes(&key, text, bare, 64), 0);
    }
    twl_jwt_key_deinit(&key);
    print_message("%d of 400 signatures have a zero in front\n", short_ones);
}

static void es256_refuses_numbers_out_of_range(void **state) {
    (void)state;
    static const uint8_t order[32] = {
        0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,    0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
        0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    twl_jwt_key key = key_of(ec);
    uint8_t bare[64] = {0};
    assert_int_equal(verify_bytes(&key, "data", bare, 64), TW_EDENIED);
    memcpy(bare, order, 32);
    assert_int_equal(verify_bytes(&key, "data", bare, 64), TW_EDENIED);
    memcpy(bare + 32, order, 32);
    assert_int_equal(verify_bytes(&key, "data", bare, 64), TW_EDENIED);
    memset(bare, 0xff, sizeof bare);
    assert_int_equal(verify_bytes(&key, "data", bare, 64), TW_EDENIED);
    twl_jwt_key_deinit(&key);
}

/* ---- keys --------------------------------------------------------------- */

static void assert_no_pem(const char *pem, const char *part) {
    twl_jwt_key key = {.signature_bytes = 7};
    const char *why = "";
    assert_int_equal(twl_jwt_key_init_pem(&key, pem, strlen(pem), &why),
                     TW_EINVALID);
    if (!strstr(why, part)) {
        fail_msg("'%s' in '%s'", part, why);
    }
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(key.signature_bytes, 7);
}

static void assert_refused(EVP_PKEY *pkey, const char *part) {
    assert_non_null(pkey);
    char *pem = signer_pem(pkey, false);
    assert_no_pem(pem, part);
    free(pem);
    EVP_PKEY_free(pkey);
}

static void a_key_says_its_algorithm(void **state) {
    (void)state;
    twl_jwt_key key = key_of(rsa);
    assert_int_equal(key.alg, TWL_JWT_RS256);
    assert_int_equal(key.signature_bytes, 256);
    twl_jwt_key_deinit(&key);
    key = key_of(ec);
    assert_int_equal(key.alg, TWL_JWT_ES256);
    twl_jwt_key_deinit(&key);
    twl_jwt_key_deinit(&key);
    assert_int_equal(twl_jwt_alg_find("RS256", 5), TWL_JWT_RS256);
    assert_int_equal(twl_jwt_alg_find("RS2567", 6), TWL_JWT_ALGS);
    assert_int_equal(twl_jwt_alg_find("rs256", 5), TWL_JWT_ALGS);
    assert_int_equal(twl_jwt_alg_find("none", 4), TWL_JWT_ALGS);
    assert_int_equal(twl_jwt_alg_find("", 0), TWL_JWT_ALGS);
}

static void weak_and_strange_keys_are_refused(void **state) {
    (void)state;
    assert_refused(signer_rsa(1024), "less than 2048 bits");
    assert_refused(signer_ec("P-384"), "neither RSA nor");
    assert_refused(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "neither RSA nor");
    assert_no_pem("", "is no PEM");
    assert_no_pem("not a key", "is no PEM");
    assert_no_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n", "is no PEM");
    assert_no_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC "
                  "KEY-----\n",
                  "cannot be read");
    assert_no_pem("-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH "
                  "PARAMETERS-----\n",
                  "neither a public key");
}

static void a_private_key_is_refused_as_one(void **state) {
    (void)state;
    EVP_PKEY *const both[] = {rsa, ec};
    for (int i = 0; i < 2; i++) {
        char *pem = signer_pem(both[i], true);
        assert_no_pem(pem, "is a private one");
        free(pem);
    }
    assert_no_pem("-----BEGIN RSA PRIVATE KEY-----\n"
                  "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00000000000000"
                  "000000000000000000\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
                  "is a private one");
}

static char *certificate_of(EVP_PKEY *pkey) {
    char *data, *pem;
    X509 *certificate = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -100);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 100);
    X509_set_pubkey(certificate, pkey);
    X509_sign(certificate, pkey, EVP_sha256());
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, certificate);
    long len = BIO_get_mem_data(bio, &data);
    pem = strndup(data, (size_t)len);
    BIO_free(bio);
    X509_free(certificate);
    return pem;
}

static void a_certificate_and_the_old_form_are_taken(void **state) {
    (void)state;
    char token[SIGNER_MAX], *data;
    signer_sign(token, rsa, "{\"alg\":\"RS256\"}", "{}");
    char *pem = certificate_of(rsa);
    twl_jwt_key key = key_of_pem(pem);
    assert_int_equal(verify(&key, token), 0);
    twl_jwt_key_deinit(&key);
    free(pem);
    BIO *bio = BIO_new(BIO_s_mem());
    unsigned char *der = NULL;
    int len = i2d_PublicKey(rsa, &der);
    PEM_write_bio(bio, PEM_STRING_RSA_PUBLIC, "", der, len);
    long size = BIO_get_mem_data(bio, &data);
    pem = strndup(data, (size_t)size);
    key = key_of_pem(pem);
    assert_int_equal(verify(&key, token), 0);
    twl_jwt_key_deinit(&key);
    free(pem);
    OPENSSL_free(der);
    BIO_free(bio);
}

static void a_secret_is_long_and_no_public_key(void **state) {
    (void)state;
    twl_jwt_key key;
    const char *why = "";
    assert_int_equal(twl_jwt_key_init_secret(&key, "", 0, &why), TW_EINVALID);
    assert_int_equal(twl_jwt_key_init_secret(
                         &key, "0123456789012345678901234567890", 31, &why),
                     TW_EINVALID);
    assert_non_null(strstr(why, "32 bytes"));
    char *pem = signer_pem(rsa, false);
    char text[4096];
    snprintf(text, sizeof text, "\n %s", pem);
    assert_int_equal(twl_jwt_key_init_secret(&key, text, strlen(text), &why),
                     TW_EINVALID);
    assert_non_null(strstr(why, "PEM"));
    free(pem);
}

static void numbers_that_make_no_key_are_refused(void **state) {
    (void)state;
    twl_jwt_key key;
    const char *why;
    uint8_t x[64], y[64], n[2048];
    size_t n_len = bytes_of(RFC_N, n);
    bytes_of(RFC_X, x);
    bytes_of(RFC_Y, y);
    y[31] ^= 1;
    assert_int_equal(twl_jwt_key_init_p256(&key, x, 32, y, 32, &why),
                     TW_EINVALID);
    y[31] ^= 1;
    assert_int_equal(twl_jwt_key_init_p256(&key, x, 31, y, 32, &why),
                     TW_EINVALID);
    assert_int_equal(twl_jwt_key_init_p256(&key, x, 32, y, 33, &why),
                     TW_EINVALID);
    static const uint8_t one[] = {1}, even[] = {1, 0, 0}, three[] = {3};
    assert_int_equal(twl_jwt_key_init_rsa(&key, n, n_len, one, 1, &why),
                     TW_EINVALID);
    assert_int_equal(twl_jwt_key_init_rsa(&key, n, n_len, even, 3, &why),
                     TW_EINVALID);
    assert_int_equal(twl_jwt_key_init_rsa(&key, n, n_len, one, 0, &why),
                     TW_EINVALID);
    assert_int_equal(twl_jwt_key_init_rsa(&key, n, 0, three, 1, &why),
                     TW_EINVALID);
    assert_int_equal(twl_jwt_key_init_rsa(&key, n, 128, three, 1, &why),
                     TW_EINVALID);
    assert_int_equal(twl_jwt_key_init_rsa(&key, n, 2000, three, 1, &why),
                     TW_EINVALID);
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_has_three_parts),
        cmocka_unit_test(what_has_not_three_parts_is_no_token),
        cmocka_unit_test(members_are_counted_at_the_top_only),
        cmocka_unit_test(the_tokens_of_rfc_7515_are_good),
        cmocka_unit_test(every_bit_of_a_signature_counts),
        cmocka_unit_test(a_signature_of_another_length_is_wrong),
        cmocka_unit_test(es256_wants_bare_numbers_and_no_der),
        cmocka_unit_test(es256_takes_every_signature_that_is_made),
        cmocka_unit_test(es256_refuses_numbers_out_of_range),
        cmocka_unit_test(a_key_says_its_algorithm),
        cmocka_unit_test(weak_and_strange_keys_are_refused),
        cmocka_unit_test(a_private_key_is_refused_as_one),
        cmocka_unit_test(a_certificate_and_the_old_form_are_taken),
        cmocka_unit_test(a_secret_is_long_and_no_public_key),
        cmocka_unit_test(numbers_that_make_no_key_are_refused),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
