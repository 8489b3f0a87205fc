/* Very many who come back at once, a channel that is walked in slices, and
 * wires that are not plain.
 * SPDX-License-Identifier: MIT */
#include "recover_probe.h"

#include <sys/resource.h>

static const tw_class_config kept = {.pattern = "room", .history = 100};

/* ---- many ---- */

enum { MANY = 2500, AT_LEAST = 1100 };

typedef struct one {
    int fd;
    tw_conn *conn;
    told t;
    uint8_t in[512];
    size_t len;
} one;

static one *crowd;
static int crowd_count, crowd_known;

/* So many descriptors, two for each, as there may be. */
static int crowd_limit(void) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    size_t most = limit.rlim_cur / 2 - 200;
    return most < MANY ? (int)most : MANY;
}

static int note_conn(world *w, tw_conn *conn, tw_req *req) {
    (void)w;
    (void)req;
    crowd[crowd_known++].conn = conn;
    return TW_DONE;
}

static void read_one(one *member) {
    ssize_t got = recv(member->fd, member->in + member->len,
                       sizeof member->in - member->len, MSG_DONTWAIT);
    if (got > 0) {
        member->len += (size_t)got;
    }
}

/* They are not among the world's clients: those are few. */
static void come(world *w, int count) {
    struct sockaddr_in sin = world_address(w);
    crowd = calloc((size_t)count, sizeof *crowd);
    assert_non_null(crowd);
    crowd_count = count;
    crowd_known = 0;
    w->is_silent = true;
    w->on_open = note_conn;
    for (int i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof sin), 0);
        assert_true(send(fd, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1,
                         MSG_NOSIGNAL) > 0);
        crowd[i].fd = fd;
        if (i % 100 == 99) {
            world_turn(w);
        }
    }
    world_until(w, crowd_known == count);
}

/* All have all that is on its way, the answer to the handshake as well. */
static void hear(world *w, const char *end) {
    size_t len = strlen(end);
    for (int i = 0; i < crowd_count; i++) {
        one *member = &crowd[i];
        world_until(
            w, (read_one(member),
                member->len >= len &&
                    memcmp(member->in + member->len - len, end, len) == 0));
    }
}

static void forget(void) {
    for (int i = 0; i < crowd_count; i++) {
        crowd[i].len = 0;
    }
}

static void leave(world *w) {
    for (int i = 0; i < crowd_count; i++) {
        close(crowd[i].fd);
    }
    world_until(w, w->gone == w->opened);
    free(crowd);
    world_close(w);
}

static int kept_asked;
static const tw__broker_ops *counted_ops;

static int count_kept(tw__broker *broker, const char *channel, size_t len,
                      const tw__kept_query *query, tw__kept_cb cb, void *arg) {
    kept_asked++;
    return counted_ops->kept(broker, channel, len, query, cb, arg);
}

static void those_who_come_back_at_once_are_asked_for_together(void **state) {
    static tw__broker_ops ops;
    world w;
    int count = crowd_limit();
    (void)state;
    if (count < AT_LEAST) {
        skip();
    }
    recover_open(&w, &kept);
    come(&w, count);
    hear(&w, "\r\n\r\n");
    forget();
    counted_ops = w.server->broker->ops;
    ops = *counted_ops;
    ops.kept = count_kept;
    w.server->broker->ops = &ops;
    kept_asked = 0;
    assert_int_equal(tw_conn_subscribe(crowd[0].conn, str_of("room"), NULL,
                                       recover_on_subscribed, &crowd[0].t),
                     0); /* that the channel is there */
    world_rest(&w);
    publish_numbers(&w, "room", 1, 9);
    const tw_position *at = &crowd[0].t.result.position;
    for (int i = 1; i < count; i++) { /* each with a position of its own */
        tw_subscribe_options since = since_offset(at, (uint64_t)(i % 8));
        crowd[i].t = (told){0};
        assert_int_equal(tw_conn_subscribe(crowd[i].conn, str_of("room"),
                                           &since, recover_on_subscribed,
                                           &crowd[i].t),
                         0);
    }
    world_publish(&w, "room", "n10");
    world_rest(&w);
    world_publish(&w, "room", "end");
    hear(&w, "\x81\x03"
             "end");
    for (int i = 1; i < count; i++) {
        char expected[256];
        size_t len = 0;
        assert_int_equal(crowd[i].t.calls, 1);
        assert_true(crowd[i].t.result.recovered);
        for (int n = i % 8 + 1; n <= 10; n++) {
            len += (size_t)sprintf(expected + len,
                                   "\x81%c"
                                   "n%d",
                                   n < 10 ? 2 : 3, n);
        }
        assert_int_equal(crowd[i].len, len + 5);
        assert_memory_equal(crowd[i].in, expected, len);
    }
    assert_true(kept_asked <= 2 + count / 1000);
    assert_int_equal(counter(&w, TW_COUNTER_RECOVERED), count - 1);
    w.server->broker->ops = counted_ops;
    leave(&w);
}

static void
who_comes_back_to_a_channel_that_is_walked_gets_each_once(void **state) {
    world w;
    told t;
    int count = crowd_limit();
    (void)state;
    if (count < AT_LEAST) {
        skip();
    }
    recover_open(&w, &kept);
    come(&w, count);
    w.on_open = NULL;
    hear(&w, "\r\n\r\n");
    forget();
    for (int i = 0; i < count; i++) {
        assert_int_equal(tw_conn_subscribe(crowd[i].conn, str_of("room"), NULL,
                                           recover_on_subscribed, &crowd[i].t),
                         0);
    }
    world_rest(&w);
    client *c = client_open(&w);
    for (uint32_t i = 1; i <= w.server->conn_high; i++) {
        tw_conn *conn = &w.server->conns[i];
        if (conn->state == TW__CONN_OPEN && number_of(conn) == count + 1) {
            w.conns[1] = conn;
        }
    }
    assert_non_null(w.conns[1]);
    const tw__channel *channel = tw__hub_find(&w.server->hub, "room", 4);
    publish_numbers(&w, "room", 1, 2);
    for (int round = 0; round < 5; round++) {
        int n = 3 + round * 4;
        tw_subscribe_options since =
            since_offset(&crowd[0].t.result.position, (uint64_t)n - 2);
        char text[8];
        snprintf(text, sizeof text, "n%d", n);
        world_publish(&w, "room", text);
        world_until(&w, channel->walk_count > 0);
        recover_ask(&w, 1, "room", &since, &t); /* within the walk */
        for (int i = 1; i <= 3; i++) {
            snprintf(text, sizeof text, "n%d", n + i);
            world_publish(&w, "room", text);
            world_turn(&w);
        }
        world_rest(&w);
        assert_true(t.result.recovered);
        expect_numbers(&w, c, n - 1, n + 3);
        recover_leave(&w, 1, "room");
    }
    expect_nothing(&w, c);
    client_close(c);
    leave(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_who_come_back_at_once_are_asked_for_together),
        cmocka_unit_test(
            who_comes_back_to_a_channel_that_is_walked_gets_each_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
