/* The connections of a server, one after the other.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

/* How many there are, each once. */
static int count_all(world *w) {
    bool seen[8] = {false};
    int count = 0;
    uint32_t cursor = 0;
    for (tw_conn *conn; (conn = tw_server_next(w->server, &cursor)) != NULL;) {
        int number = number_of(conn);
        assert_in_range(number, 1, 7);
        assert_false(seen[number]);
        seen[number] = true;
        assert_ptr_equal(tw_conn_server(conn), w->server);
        count++;
    }
    assert_null(tw_server_next(w->server, &cursor)); /* nor afterwards */
    return count;
}

static void each_open_connection_is_met_once(void **state) {
    (void)state;
    world w;
    world_init(&w);
    world_start(&w);
    assert_int_equal(count_all(&w), 0);
    client *first = client_open(&w);
    client_open(&w);
    client_open(&w);
    assert_int_equal(count_all(&w), 3);
    client_close(first);
    world_heard(&w);
    world_until(&w, w.conns[1] == NULL);
    assert_int_equal(count_all(&w), 2);
    world_close(&w);
}

/* What is no WebSocket, or not yet, has no place in it. */
static void a_request_is_no_connection(void **state) {
    (void)state;
    world w;
    world_init(&w);
    world_start(&w);
    client *c = client_connect(&w, 0);
    client_send(&w, c, "GET / HTTP/1.1\r\nHost: ", 22);
    world_rest(&w);
    assert_int_equal(count_all(&w), 0);
    client_open(&w);
    assert_int_equal(count_all(&w), 1);
    world_close(&w);
}

/* Hooks close while they walk: those that come later are met all the same. */
static void closing_on_the_way_skips_nobody(void **state) {
    (void)state;
    world w;
    world_init(&w);
    world_start(&w);
    for (int i = 0; i < 5; i++) {
        client_open(&w);
    }
    uint32_t cursor = 0;
    int met = 0;
    for (tw_conn *conn; (conn = tw_server_next(w.server, &cursor)) != NULL;) {
        met++;
        assert_int_equal(tw_conn_close(conn, 4000, str_of("bye")), 0);
    }
    assert_int_equal(met, 5);
    world_close(&w);
}

static void a_handle_of_nobody_finds_nobody(void **state) {
    (void)state;
    world w;
    world_init(&w);
    world_start(&w);
    client_open(&w);
    uint64_t handle = tw_conn_handle(w.conns[1]);
    assert_ptr_equal(tw_server_find(w.server, handle), w.conns[1]);
    assert_null(tw_server_find(w.server, 0));
    assert_null(tw_server_find(w.server, handle + 1000));
    assert_null(tw_server_find(w.server, handle + (UINT64_C(1) << 32)));
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_open_connection_is_met_once),
        cmocka_unit_test(a_request_is_no_connection),
        cmocka_unit_test(closing_on_the_way_skips_nobody),
        cmocka_unit_test(a_handle_of_nobody_finds_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
