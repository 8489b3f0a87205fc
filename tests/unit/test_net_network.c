/* IP addresses and the networks that hold them.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/network.h"
#include "tidewire/errors.h"

static tw__ip ip_of(const char *text) {
    tw__ip ip = {0};
    if (strcmp(text, "unix") == 0) {
        ip.family = AF_UNIX;
    } else {
        assert_int_equal(tw__ip_parse(&ip, text, strlen(text)), 0);
    }
    return ip;
}

static void addresses_have_one_form(void **state) {
    static const char *const cases[][2] = {
        {"192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::FFFF:C000:0201", "192.0.2.1"},
        {"2001:DB8:0::1", "2001:db8::1"},
        {"::", "::"},
        {"unix", "unix"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[TW__ADDRESS_TEXT];
        tw__ip ip = ip_of(cases[i][0]);
        tw__ip_format(&ip, out);
        assert_string_equal(out, cases[i][1]);
    }
}

static void addresses_of_sockets_are_the_same(void **state) {
    static const char *const cases[][2] = {
        {"192.0.2.1:80", "192.0.2.1"},
        {"[::ffff:192.0.2.1]:80", "192.0.2.1"},
        {"[2001:db8::1]:80", "2001:db8::1"},
        {"unix:/a", "unix"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tw__address address;
        tw__ip ip, expected = ip_of(cases[i][1]);
        assert_int_equal(tw__address_parse(&address, cases[i][0]), 0);
        tw__ip_of(&ip, &address);
        assert_memory_equal(&ip, &expected, sizeof ip);
    }
}

static void what_is_no_address_is_refused(void **state) {
    static const char *const cases[] = {
        "",
        "192.0.2",
        "192.0.2.1 ",
        "192.0.2.256",
        "192.0.2.01",
        "192.0.2.1:80",
        "[::1]",
        "::1%lo",
        "unix",
        "localhost",
        "1111:2222:3333:4444:5555:6666:192.168.111.2222",
    };
    tw__ip ip = {7, {7}}, before = ip;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(tw__ip_parse(&ip, cases[i], strlen(cases[i])),
                         TW_EINVALID);
        assert_memory_equal(&ip, &before, sizeof ip);
    }
    assert_int_equal(tw__ip_parse(&ip, "::1\0", 4), TW_EINVALID);
}

static bool has(const char *network, const char *ip) {
    tw__network parsed;
    tw__ip address = ip_of(ip);
    assert_int_equal(tw__network_parse(&parsed, network), 0);
    return tw__network_has(&parsed, &address);
}

static void a_network_has_what_begins_as_it_does(void **state) {
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.255.255"));
    assert_false(has("10.0.0.0/8", "11.0.0.0"));
    assert_false(has("10.0.0.0/8", "9.255.255.255"));
    assert_true(has("192.0.2.128/25", "192.0.2.128"));
    assert_false(has("192.0.2.128/25", "192.0.2.127"));
    assert_true(has("192.0.2.6/31", "192.0.2.7"));
    assert_false(has("192.0.2.6/31", "192.0.2.8"));
    assert_true(has("192.0.2.6", "192.0.2.6"));
    assert_false(has("192.0.2.6", "192.0.2.7"));
    assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(has("::1", "::1"));
    assert_false(has("::1/128", "::2"));
    assert_true(has("unix", "unix"));
}

static void a_family_is_not_another(void **state) {
    (void)state;
    assert_true(has("0.0.0.0/0", "255.255.255.255"));
    assert_false(has("0.0.0.0/0", "::1"));
    assert_false(has("0.0.0.0/0", "unix"));
    assert_true(has("::/0", "ffff::"));
    assert_false(has("::/0", "1.2.3.4"));
    assert_false(has("unix", "0.0.0.0"));
    assert_true(has("0.0.0.0/0", "::ffff:1.2.3.4"));
    assert_true(has("::ffff:10.0.0.0/104", "10.1.2.3"));
    assert_false(has("::ffff:10.0.0.0/104", "11.1.2.3"));
}

static void what_is_no_network_is_refused(void **state) {
    static const char *const cases[] = {
        "",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/08",
        "10.0.0.0/8x",
        "10.0.0.0/8/8",
        "10.0.0.1/8",
        "10.0.0/8",
        "2001:db8::/129",
        "2001:db8::1/64",
        "[::1]",
        "localhost",
        "unix/0",
        "unix:/a",
        "::ffff:0:0/95",
        "10.0.0.0 /8",
        "10.0.0.0/256",
        "10.0.0.0/1000",
    };
    tw__network network;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(tw__network_parse(&network, cases[i]), TW_EINVALID);
    }
}

static void one_of_several_is_enough(void **state) {
    tw__network networks[2];
    tw__ip first = ip_of("10.1.1.1"), second = ip_of("::1"),
           other = ip_of("11.1.1.1");
    (void)state;
    tw__network_parse(&networks[0], "10.0.0.0/8");
    tw__network_parse(&networks[1], "::1");
    assert_true(tw__networks_have(networks, 2, &first));
    assert_true(tw__networks_have(networks, 2, &second));
    assert_false(tw__networks_have(networks, 2, &other));
    assert_false(tw__networks_have(networks, 1, &second));
    assert_false(tw__networks_have(NULL, 0, &first));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_have_one_form),
        cmocka_unit_test(addresses_of_sockets_are_the_same),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_network_has_what_begins_as_it_does),
        cmocka_unit_test(a_family_is_not_another),
        cmocka_unit_test(what_is_no_network_is_refused),
        cmocka_unit_test(one_of_several_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
