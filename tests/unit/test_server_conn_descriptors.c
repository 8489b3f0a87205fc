/* A process short of descriptors: those who are connected are served, others
 * are sent away, nothing spins, and it ends when there are some again.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

#include <sys/resource.h>

static struct rlimit full;

/* From here on there are `more` descriptors left to open. */
static void leave(int more) {
    int lowest = dup(STDERR_FILENO);
    assert_true(lowest >= 0);
    close(lowest);
    struct rlimit lowered = full;
    lowered.rlim_cur = (rlim_t)(lowest + more);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lowered), 0);
}

static int remember_limit(void **state) {
    (void)state;
    return getrlimit(RLIMIT_NOFILE, &full);
}

static int restore_limit(void **state) {
    (void)state;
    return setrlimit(RLIMIT_NOFILE, &full);
}

static void expect_sent_away(world *w, client *c) {
    world_until(w, c->is_ended || c->error != 0);
    assert_int_equal(c->len, 0);
}

static void expect_served(world *w, client *c, int number) {
    char expected[32];
    world_forget(w);
    client_say(w, c, "well?");
    snprintf(expected, sizeof expected, "msg:%d:well? ", number);
    world_until(w, strcmp(w->log, expected) == 0);
    assert_int_equal(tw_conn_send(w->conns[number], "well", 4, false), 0);
    expect_text(w, c, "well");
}

static void without_descriptors_the_connected_are_served(void **state) {
    enum { LATE = 6, LEFT = 2 };
    world w;
    client *late[LATE];
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    for (int i = 0; i < LATE; i++) {
        late[i] = client_connect(&w, 0);
    }
    leave(LEFT);
    world_until(&w, counter(&w, TW_COUNTER_ACCEPT_REFUSED) == LATE - LEFT);
    assert_int_equal(counter(&w, TW_COUNTER_ACCEPT_REFUSED_FDS), LATE - LEFT);
    for (int i = LEFT; i < LATE; i++) {
        expect_sent_away(&w, late[i]);
    }
    expect_served(&w, c, 1);
    client_send(&w, late[0], HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    assert_int_equal(client_status(&w, late[0]), 101);
    world_close(&w);
}

/* One waits in the queue of a listener that rests: nobody turns for him. */
static void a_shortage_does_not_spin(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client_open(&w);
    client *sent_away = client_connect(&w, 0);
    client *waits = client_connect(&w, 0);
    client_close(waits);
    waits->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    leave(0);
    expect_sent_away(&w, sent_away);
    struct sockaddr_in to = world_address(&w);
    connect(waits->fd, (struct sockaddr *)&to, sizeof to);
    uint64_t turns = w.server->loop.turns, until = real_ms() + 200;
    while (real_ms() < until) {
        tw__loop_run_once(tw__server_loop(w.server), 50);
    }
    assert_true(w.server->loop.turns - turns <= 20);
    world_close(&w);
}

static void when_there_are_some_again_newcomers_are_served(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *first = client_open(&w), *late = client_connect(&w, 0);
    int spare = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    leave(0);
    expect_sent_away(&w, late);
    client_reset(first); /* its number, and the server's for it, are free */
    world_until(&w, w.gone == 1);
    late = calloc(1, sizeof *late);
    *late = (client){.fd = spare};
    w.clients[WORLD_CLIENTS - 1] = late;
    struct sockaddr_in to = world_address(&w);
    connect(spare, (struct sockaddr *)&to, sizeof to);
    world_pass(&w, 1000);
    client_send(&w, late, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    assert_int_equal(client_status(&w, late), 101);
    world_until(&w, w.opened == 2);
    expect_served(&w, late, 2);
    world_close(&w);
}

/* The last ones are not for connections: links, files and scripts need some. */
static void some_descriptors_are_kept_for_the_server(void **state) {
    world w;
    client *c[3];
    (void)state;
    for (int room = 1; room <= 3; room++) {
        world_init(&w);
        world_start(&w);
        for (int i = 0; i < 3; i++) {
            c[i] = client_connect(&w, 0);
        }
        int lowest = dup(STDERR_FILENO);
        close(lowest);
        w.server->fd_end = lowest + room;
        world_until(&w, counter(&w, TW_COUNTER_ACCEPTED) == 3);
        world_rest(&w);
        assert_int_equal(w.server->conn_live, room);
        assert_int_equal(counter(&w, TW_COUNTER_ACCEPT_REFUSED_FDS), 3 - room);
        for (int i = room; i < 3; i++) {
            expect_sent_away(&w, c[i]);
        }
        world_close(&w);
    }
}

static void how_many_are_kept_follows_the_limit(void **state) {
    static const struct {
        rlim_t limit;
        int end;
    } cases[] = {{200, 175}, {528, 462}, {529, 463}, {1000, 934}, {1024, 958}};
    world w;
    (void)state;
    world_open(&w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rlimit limit = {cases[i].limit, full.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        tw__server_find_room(w.server);
        assert_int_equal(w.server->fd_end, cases[i].end);
    }
    world_close(&w);
}

static int lines;
static char last_count[24];

static void count_lines(tw_log_level level, const char *message,
                        const tw_log_field *fields, size_t count, void *arg) {
    (void)level;
    (void)arg;
    if (strcmp(message, "connections were refused") == 0) {
        assert_int_equal(count, 2);
        snprintf(last_count, sizeof last_count, "%s", fields[1].value);
        lines++;
    }
}

static void a_flood_of_refusals_is_one_line_a_second(void **state) {
    world w;
    (void)state;
    lines = 0;
    world_init(&w);
    w.config.log = count_lines;
    world_start(&w);
    for (int i = 0; i < 10; i++) {
        tw__server_note_refused(w.server, "test");
    }
    assert_int_equal(lines, 1);
    assert_string_equal(last_count, "1");
    world_pass(&w, 999);
    tw__server_note_refused(w.server, "test");
    assert_int_equal(lines, 1);
    world_pass(&w, 1);
    tw__server_note_refused(w.server, "test");
    assert_int_equal(lines, 2);
    assert_string_equal(last_count, "11");
    world_close(&w);
}

#define limited(test)                                                          \
    cmocka_unit_test_setup_teardown(test, remember_limit, restore_limit)

int main(void) {
    const struct CMUnitTest tests[] = {
        limited(without_descriptors_the_connected_are_served),
        limited(a_shortage_does_not_spin),
        limited(when_there_are_some_again_newcomers_are_served),
        limited(some_descriptors_are_kept_for_the_server),
        limited(how_many_are_kept_follows_the_limit),
        limited(a_flood_of_refusals_is_one_line_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
