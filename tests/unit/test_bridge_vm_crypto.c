/* tw.crypto. SPDX-License-Identifier: MIT */
#include "test_bridge_vm.h"

static world w;

static int open_world(void **state) {
    (void)state;
    world_open_with(&w, (twl_vm_config){.script_dir = ".", .budget_ms = 5000});
    return 0;
}

static int close_world(void **state) {
    (void)state;
    world_close(&w);
    return 0;
}

static void sha256_gives_bytes_or_what_is_asked_for(void **state) {
    (void)state;
    assert_eval(&w,
                "local c = tw.crypto local raw = c.sha256('abc') "
                "return #raw, c.to_hex(raw) == c.sha256('abc', {as='hex'})",
                "32 true");
    assert_eval(&w, "return tw.crypto.sha256('abc', {as='hex'})",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015"
                "ad");
    assert_eval(&w, "return tw.crypto.sha256('abc', {as='base64'})",
                "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    assert_eval(&w, "return tw.crypto.sha256('abc', {as='base64url'})",
                "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
    assert_eval(&w, "return tw.crypto.sha256('', {as='hex'}):sub(1, 16)",
                "e3b0c44298fc1c14");
}

static void long_data_is_hashed_in_pieces(void **state) {
    (void)state;
    /* A million times "a", from FIPS 180; three million of them. */
    assert_eval(&w, "return tw.crypto.sha256(('a'):rep(1000000), {as='hex'})",
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112c"
                "d0");
    assert_eval(&w,
                "local s = ('a'):rep(3000000) return "
                "tw.crypto.hmac('k', s) == tw.crypto.hmac('k', s .. 'a'), "
                "tw.crypto.hmac('k', s) == tw.crypto.hmac('k', s)",
                "false true");
}

static void hmac_takes_a_hash(void **state) {
    (void)state;
    assert_eval(&w,
                "return tw.crypto.hmac('Jefe', 'what do ya want for nothing?', "
                "{as='hex'})",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec38"
                "43");
    assert_eval(&w,
                "local out = {} for _, h in "
                "ipairs{'sha1','sha256','sha384','sha512'} do "
                "out[#out+1] = tw.crypto.hmac('Jefe', 'what do ya want for "
                "nothing?', {hash=h, as='hex'}):sub(1, 8) end "
                "return table.concat(out, ' ')",
                "effcdf6a 5bdcc146 af45d2e3 164b7a7b");
    assert_eval(&w, "return tw.crypto.hmac('', '', {as='hex'}):sub(1, 8)",
                "b613679a");
    assert_fails(&w, "local x = tw.crypto.hmac('k', 'd', {hash='md5'})",
                 "hash must be \"sha256\"");
    assert_fails(&w, "local x = tw.crypto.hmac('k', 'd', {as='hexx'})",
                 "as must be \"hex\"");
    assert_fails(&w, "local x = tw.crypto.hmac('k', 'd', {az='hex'})",
                 "unknown option 'az' (did you mean 'as'?)");
    assert_fails(&w, "local x = tw.crypto.hmac('k')",
                 "data must be a string, not nothing");
    assert_fails(&w, "local x = tw.crypto.sha256(1)",
                 "data must be a string, not number");
}

static void random_bytes_have_the_length_asked_for(void **state) {
    (void)state;
    assert_eval(&w,
                "local c = tw.crypto return #c.random(1), #c.random(65536), "
                "#c.random(16, {as='hex'}), #c.random(16, {as='base64url'}), "
                "#c.random(65536, {as='hex'}), #c.random(1, {as='base64'}), "
                "c.random(16) == c.random(16)",
                "1 65536 32 22 131072 4 false");
    assert_fails(&w, "local x = tw.crypto.random(0)", "n must be a number");
    assert_fails(&w, "local x = tw.crypto.random(65537)", "n must be a number");
}

static void equal_compares_strings_and_knows_nothing(void **state) {
    (void)state;
    assert_eval(&w,
                "local e = tw.crypto.equal return e('a', 'a'), e('a', 'b'), "
                "e('a', 'ab'), e('', ''), e(nil, 'a'), e('a', nil), "
                "e(nil, nil), e('a\\0b', 'a\\0b'), e('a\\0b', 'a\\0c')",
                "true false false true false false false true false");
    assert_fails(&w, "local x = tw.crypto.equal(1, '1')",
                 "a must be a string, not number");
    assert_fails(&w, "local x = tw.crypto.equal('1', {})",
                 "b must be a string, not table");
}

static void texts_go_both_ways(void **state) {
    (void)state;
    assert_eval(&w,
                "local c = tw.crypto local s = '\\251\\239\\255\\254\\0' "
                "return c.to_hex(s), c.to_base64(s), c.to_base64url(s), "
                "c.from_hex(c.to_hex(s)) == s, "
                "c.from_base64(c.to_base64(s)) == s, "
                "c.from_base64url(c.to_base64url(s)) == s, "
                "c.from_base64url('Zg==') == 'f', #c.from_hex(''), "
                "#c.to_base64('')",
                "fbeffffe00 ++///gA= --___gA true true true true 0 0");
    assert_eval(&w, "local _, e = tw.crypto.from_hex('0') return e",
                "invalid: the text is not hexadecimal");
    assert_eval(&w, "local _, e = tw.crypto.from_base64('Zg') return e",
                "invalid: the text is not base64");
    assert_eval(&w, "local _, e = tw.crypto.from_base64url('Z') return e",
                "invalid: the text is not base64url");
    assert_fails(&w, "local x = tw.crypto.to_hex(('x'):rep(16777217))",
                 "data is over 16 MiB");
}

static void hashing_stays_within_the_budget(void **state) {
    (void)state;
    world small;
    world_open_with(&small, (twl_vm_config){.budget_ms = 20});
    assert_int_equal(world_run(&small,
                               "local s = ('x'):rep(1048576) for i = 1, 1e9 do "
                               "tw.crypto.sha256(s) end"),
                     TWL_FAILED);
    assert_int_equal(twl_vm_failure(small.vm)->kind, TWL_BUDGET);
    assert_eval(&small, "return tw.crypto.sha256('abc', {as='hex'}):sub(1, 8)",
                "ba7816bf");
    world_close(&small);
}

#define with_world(test)                                                       \
    cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_world(sha256_gives_bytes_or_what_is_asked_for),
        with_world(long_data_is_hashed_in_pieces),
        with_world(hmac_takes_a_hash),
        with_world(random_bytes_have_the_length_asked_for),
        with_world(equal_compares_strings_and_knows_nothing),
        with_world(texts_go_both_ways),
        cmocka_unit_test(hashing_stays_within_the_budget),
    };
    twl_budget_start(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    twl_budget_stop();
    return failed;
}
