/* The answer to a peer's close: RFC 6455 5.5.1 wants its code back.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

static void expect_echo(world *w, int code) {
    char log[64];
    int number = w->opened + 1;
    client *c = client_open(w);
    world_forget(w);
    client_say_close(w, c, code);
    expect_close(w, c, code, "");
    expect_end(w, c);
    client_close(c);
    world_until(w, w->gone == number);
    snprintf(log, sizeof log, "close:%d:%d: gone:%d ", number,
             code != 0 ? code : TW__WS_CLOSE_NONE, number);
    assert_log(w, log);
    client_free(w, c);
}

static void the_code_of_a_close_is_echoed(void **state) {
    static const int codes[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011,
                                1012, 1013, 1014, 3000, 3999, 4000, 4999};
    world w;
    (void)state;
    world_open(&w);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        expect_echo(&w, codes[i]);
    }
    world_close(&w);
}

/* No server closes with 1010 (7.4.1); but of the codes that no close frame may
 * hold (1005, 1006, 1015) it is none. */
static void a_code_that_only_clients_close_with_is_echoed_too(void **state) {
    world w;
    (void)state;
    world_open(&w);
    expect_echo(&w, 1010);
    world_close(&w);
}

static void a_close_without_a_code_gets_none(void **state) {
    world w;
    (void)state;
    world_open(&w);
    expect_echo(&w, 0);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_code_of_a_close_is_echoed),
        cmocka_unit_test(a_code_that_only_clients_close_with_is_echoed_too),
        cmocka_unit_test(a_close_without_a_code_gets_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
