/* Hashes, HMAC, random bytes, comparison. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include <tidewire/errors.h>

#include "../crypto/base64.h"
#include "../crypto/digest.h"

static twl_digest digest;

static int setup(void **state) {
    (void)state;
    return twl_digest_init(&digest);
}

static int teardown(void **state) {
    (void)state;
    twl_digest_deinit(&digest);
    return 0;
}

static void assert_hex(const uint8_t *bytes, size_t len, const char *hex) {
    char text[2 * TWL_DIGEST_MAX + 1] = "";
    twl_hex_encode(bytes, len, text);
    assert_string_equal(text, hex);
}

/* What was begun, over these bytes, in pieces of that size. */
static void assert_comes_to(const void *data, size_t len, size_t piece,
                            const char *hex) {
    uint8_t out[TWL_DIGEST_MAX];
    size_t size;
    for (size_t at = 0; at < len; at += piece) {
        size_t left = len - at;
        assert_int_equal(twl_digest_add(&digest, (const char *)data + at,
                                        left < piece ? left : piece),
                         0);
    }
    assert_int_equal(twl_digest_end(&digest, out, &size), 0);
    assert_hex(out, size, hex);
}

static void hashes_are_those_of_fips_180(void **state) {
    (void)state;
    static const struct {
        twl_hash hash;
        const char *hex;
    } ABC[] = {
        {TWL_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {TWL_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61"
                     "f20015ad"},
        {TWL_SHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a"
                     "43ff5bed8086072ba1e7cc2358baeca134c825a7"},
        {TWL_SHA512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee6"
                     "4b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e"
                     "2a9ac94fa54ca49f"},
    };
    for (size_t i = 0; i < sizeof ABC / sizeof *ABC; i++) {
        assert_int_equal(twl_digest_begin(&digest, ABC[i].hash), 0);
        assert_comes_to("abc", 3, 1, ABC[i].hex);
    }
    assert_int_equal(twl_digest_begin(&digest, TWL_SHA256), 0);
    assert_comes_to("", 0, 1,
                    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b"
                    "7852b855");
}

/* A run of one byte, or a text. */
typedef struct run {
    const char *text;
    uint8_t byte;
    size_t len;
} run;

static size_t fill(const run *r, uint8_t *out) {
    if (r->text) {
        memcpy(out, r->text, strlen(r->text));
        return strlen(r->text);
    }
    memset(out, r->byte, r->len);
    return r->len;
}

static void hmacs_are_those_of_rfc_4231(void **state) {
    (void)state;
    static const struct {
        run key, data;
        const char *sha256, *sha512;
    } CASES[] = {
        {{NULL, 0x0b, 20},
         {"Hi There", 0, 0},
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
         "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa8"
         "33b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
        {{"Jefe", 0, 0},
         {"what do ya want for nothing?", 0, 0},
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
         "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758"
         "bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
        {{NULL, 0xaa, 20},
         {NULL, 0xdd, 50},
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
         "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e"
         "848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb"},
        {{NULL, 0xaa, 131},
         {"Test Using Larger Than Block-Size Key - Hash Key First", 0, 0},
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
         "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56"
         "d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        uint8_t key[131], data[64];
        size_t key_len = fill(&CASES[i].key, key);
        size_t len = fill(&CASES[i].data, data);
        assert_int_equal(
            twl_digest_begin_hmac(&digest, TWL_SHA256, key, key_len), 0);
        assert_comes_to(data, len, 7, CASES[i].sha256);
        assert_int_equal(
            twl_digest_begin_hmac(&digest, TWL_SHA512, key, key_len), 0);
        assert_comes_to(data, len, len, CASES[i].sha512);
    }
}

static void an_empty_key_is_not_the_key_before(void **state) {
    (void)state;
    assert_int_equal(twl_digest_begin_hmac(&digest, TWL_SHA256, "Jefe", 4), 0);
    assert_int_equal(twl_digest_begin_hmac(&digest, TWL_SHA256, NULL, 0), 0);
    assert_comes_to("", 0, 1,
                    "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c71214"
                    "4292c5ad");
}

static void what_was_begun_and_left_does_not_matter(void **state) {
    (void)state;
    assert_int_equal(twl_digest_begin(&digest, TWL_SHA512), 0);
    assert_int_equal(twl_digest_add(&digest, "left", 4), 0);
    assert_int_equal(twl_digest_begin_hmac(&digest, TWL_SHA1, "k", 1), 0);
    assert_int_equal(twl_digest_add(&digest, "left", 4), 0);
    uint8_t out[TWL_DIGEST_SHA256];
    assert_int_equal(twl_digest_sha256(&digest, "abc", 3, out), 0);
    assert_hex(out, sizeof out,
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61"
               "f20015ad");
}

static void random_bytes_differ(void **state) {
    (void)state;
    uint8_t a[32] = {0}, b[32] = {0};
    assert_int_equal(twl_random_bytes(a, sizeof a), 0);
    assert_int_equal(twl_random_bytes(b, sizeof b), 0);
    assert_memory_not_equal(a, b, sizeof a);
}

static void bytes_are_equal_when_all_are(void **state) {
    (void)state;
    assert_true(twl_is_equal("abc", 3, "abc", 3));
    assert_true(twl_is_equal(NULL, 0, "", 0));
    assert_false(twl_is_equal("abc", 3, "abd", 3));
    assert_false(twl_is_equal("abc", 3, "bbc", 3));
    assert_false(twl_is_equal("abc", 3, "abc", 2));
    assert_false(twl_is_equal("", 0, "a", 1));
}

static void what_is_deinitialised_twice_is_freed_once(void **state) {
    (void)state;
    twl_digest other;
    assert_int_equal(twl_digest_init(&other), 0);
    assert_int_equal(twl_digest_begin(&other, TWL_SHA256), 0);
    twl_digest_deinit(&other);
    twl_digest_deinit(&other);
    assert_int_equal(ERR_peek_error(), 0);
}

#define with_digest(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_digest(hashes_are_those_of_fips_180),
        with_digest(hmacs_are_those_of_rfc_4231),
        with_digest(an_empty_key_is_not_the_key_before),
        with_digest(what_was_begun_and_left_does_not_matter),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(bytes_are_equal_when_all_are),
        cmocka_unit_test(what_is_deinitialised_twice_is_freed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
