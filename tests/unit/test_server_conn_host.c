/* A server and its host: other threads, a loop of the host's own, the end at
 * any moment, no memory, and what a connection consists of.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- posting ---- */

typedef struct poster {
    world *w;
    pthread_t thread;
    int count;
    atomic_int refused;
    int ran; /* on the loop's thread */
    int last, wrong_order;
} poster;

typedef struct posted {
    poster *from;
    int number;
} posted;

static void on_posted(tw_server *server, void *arg) {
    posted *p = arg;
    (void)server;
    p->from->wrong_order += p->number <= p->from->last;
    p->from->last = p->number;
    p->from->ran++;
    free(p);
}

static void *post_many(void *arg) {
    poster *p = arg;
    for (int i = 1; i <= p->count; i++) {
        posted *one = malloc(sizeof *one);
        *one = (posted){p, i};
        if (tw_post(p->w->server, on_posted, one) != 0) {
            free(one);
            atomic_fetch_add(&p->refused, 1);
        }
    }
    return NULL;
}

static void posts_from_other_threads_run_in_order(void **state) {
    world w;
    poster posters[3];
    (void)state;
    world_open(&w);
    for (int i = 0; i < 3; i++) {
        memset(&posters[i], 0, sizeof posters[i]);
        posters[i].w = &w;
        posters[i].count = 2000;
        pthread_create(&posters[i].thread, NULL, post_many, &posters[i]);
    }
    world_until(&w, posters[0].ran + posters[1].ran + posters[2].ran == 6000);
    for (int i = 0; i < 3; i++) {
        pthread_join(posters[i].thread, NULL);
        assert_int_equal(posters[i].wrong_order, 0);
    }
    world_close(&w);
}

static void publish_it(tw_server *server, void *arg) {
    (void)arg;
    assert_int_equal(tw_publish(server, str_of("room"), "posted", 6, NULL), 0);
}

static void *post_once(void *arg) {
    assert_int_equal(tw_post(arg, publish_it, NULL), 0);
    return NULL;
}

static void a_post_wakes_the_loop_and_may_publish(void **state) {
    world w;
    pthread_t thread;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    world_subscribe(&w, 1, "room");
    pthread_create(&thread, NULL, post_once, w.server);
    expect_text(&w, c, "posted");
    pthread_join(thread, NULL);
    world_close(&w);
}

static void must_not_run(tw_server *server, void *arg) {
    (void)server;
    (void)arg;
    fail_msg("a post ran behind the end");
}

static void a_post_that_did_not_run_before_the_end_is_dropped(void **state) {
    world w;
    (void)state;
    world_open(&w);
    world_turn(&w);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(tw_post(w.server, must_not_run, NULL), 0);
    }
    world_close(&w);
}

/* ---- the end ---- */

static int wait_hook(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)w;
    (void)conn;
    (void)msg;
    return TW_LATER;
}

static int busy_close(world *w, tw_conn *conn) {
    tw_str channel;
    /* Whatever the last hook tries. */
    tw_publish(w->server, str_of("room"), "bye", 3, NULL);
    for (int i = 1; i < WORLD_CLIENTS; i++) {
        if (w->conns[i] != NULL) {
            tw_conn_send(w->conns[i], "bye", 3, false);
            tw_conn_subscribe(w->conns[i], str_of("last"), NULL, NULL, NULL);
            tw_conn_close(w->conns[i], 4000, str_of("you too"));
        }
    }
    tw_conn_channel(conn, 0, &channel);
    tw_timer_start(w->server, 60000, (void (*)(tw_timer *, void *))abort, NULL);
    return TW_LATER;
}

static void destroy_in_stage(int stage, bool is_busy) {
    static char block[300000];
    world w;
    world_init(&w);
    w.config.publication_budget_bytes = 1000000;
    w.routes[1] = (tw_route_config){.kind = TW_ROUTE_HTTP, .pattern = "/p"};
    w.route_count = 2;
    world_start(&w);
    w.on_message = wait_hook;
    w.on_close = is_busy ? busy_close : NULL;
    world_narrow(&w, 4096);
    client *c = client_open_with(&w, 4096);
    client *d = client_open(&w);
    world_subscribe(&w, 1, "room");
    world_subscribe(&w, 2, "room");
    c->is_lazy = true;
    client_say(&w, d, "wait");
    client *e = client_connect(&w, 0);
    client_send(&w, e, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    client *f = client_connect(&w, 0);
    client_send(&w, f, "GET /p HTTP/1.1\r\nHost: a\r\n\r\n", 28);
    tw_publish_options binary = {.binary = true};
    tw_publish(w.server, str_of("room"), block, sizeof block, &binary);
    tw_conn_subscribe(w.conns[1], str_of("other"), NULL, world_on_subscribed,
                      &w);
    tw_conn_alarm(w.conns[1], str_of("bell"), 1);
    tw_timer_start(w.server, 60000, (void (*)(tw_timer *, void *))abort, NULL);
    for (int i = 0; i < stage; i++) {
        world_turn(&w);
        if (i == 2) {
            tw_conn_close(w.conns[1], 4000, str_of("bye"));
        } else if (i == 4) {
            tw_server_freeze(w.server);
        } else if (i == 6) {
            tw_server_drain(w.server, 1000, NULL, NULL);
        }
    }
    world_close(&w);
    assert_int_equal(w.answered, 3);
}

static void a_server_may_be_destroyed_at_any_moment(void **state) {
    (void)state;
    for (int stage = 0; stage < 12; stage++) {
        destroy_in_stage(stage, false);
        destroy_in_stage(stage, true);
    }
}

static void whoever_was_not_opened_yet_is_not_closed(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_connect(&w, 0);
    tw_server_freeze(w.server);
    tw_server_thaw(w.server);
    client_send(&w, c, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    world_until(&w, counter(&w, TW_COUNTER_HANDSHAKES) == 1);
    /* The request was read in the last turn; on_open is due in the next. */
    assert_int_equal(w.opened, 0);
    tw_server_destroy(w.server, NULL, NULL);
    w.server = NULL;
    assert_log(&w, "");
    world_close(&w);
}

/* ---- a host's loop ---- */

static void note_closed(void *arg) {
    *(bool *)arg = true;
}

static void a_server_lives_on_a_loop_of_its_host(void **state) {
    world w;
    uv_loop_t host;
    bool is_closed = false;
    (void)state;
    assert_int_equal(uv_loop_init(&host), 0);
    world_init(&w);
    w.config.loop = &host;
    world_start(&w);
    assert_ptr_equal(tw_server_loop(w.server), &host);
    client *c = client_open(&w), *d = client_open(&w);
    world_subscribe(&w, 1, "room");
    world_subscribe(&w, 2, "room");
    world_publish(&w, "room", "hello");
    expect_text(&w, c, "hello");
    expect_text(&w, d, "hello");
    tw_post(w.server, must_not_run, NULL);
    tw_server_destroy(w.server, note_closed, &is_closed);
    w.server = NULL;
    assert_int_equal(w.gone, 2);
    assert_false(is_closed);
    uv_run(&host, UV_RUN_DEFAULT); /* ends, since nothing is left in it */
    assert_true(is_closed);
    assert_int_equal(uv_loop_close(&host), 0);
    world_close(&w);
}

static void
a_server_that_cannot_be_made_leaves_its_hosts_loop_clean(void **state) {
    world w;
    uv_loop_t host;
    char detail[100];
    tw_server *server = NULL;
    (void)state;
    world_open(&w);
    tw_str address = tw_server_address(w.server, 0);
    const char *listen[] = {address.data, "nonsense"};
    assert_int_equal(uv_loop_init(&host), 0);
    for (size_t i = 0; i < 2; i++) {
        tw_config config = {
            .loop = &host, .listen = &listen[i], .listen_count = 1};
        assert_int_equal(
            tw_server_create(&server, &config, detail, sizeof detail),
            i == 0 ? TW_EEXISTS : TW_EINVALID);
        assert_non_null(strstr(detail, listen[i]));
    }
    uv_run(&host, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&host), 0);
    world_close(&w);
}

/* ---- no memory ---- */

static void creation_without_memory_leaves_nothing(void **state) {
    size_t live = tw__alloc_live();
    int err = TW_ENOMEM;
    (void)state;
    for (size_t nth = 1; err == TW_ENOMEM; nth++) {
        const char *listen[] = {"127.0.0.1:0"};
        tw_config config = {.listen = listen, .listen_count = 1};
        tw_server *server = NULL;
        tw__alloc_fail_nth(nth);
        err = tw_server_create(&server, &config, NULL, 0);
        tw__alloc_fail_nth(0);
        assert_int_equal(server != NULL, err == 0);
        if (server != NULL) {
            assert_true(nth > 5);
            tw_server_destroy(server, NULL, NULL);
        }
        assert_int_equal(tw__alloc_live(), live);
    }
    assert_int_equal(err, 0);
}

static int echo(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)w;
    tw_conn_send(conn, msg->data, msg->len, msg->binary);
    return TW_DONE;
}

/* Each allocation of a conversation fails once: the connection may be lost, but
 * nothing else. */
static void a_conversation_without_memory_ends_at_the_worst(void **state) {
    bool is_through = false;
    (void)state;
    for (size_t nth = 1; !is_through; nth++) {
        world w;
        char reply[64];
        world_init(&w);
        world_start(&w);
        world_set_class(&w, "room", TW_SLOW_CONFLATE, 0);
        w.on_message = echo;
        client *c = client_connect(&w, 0);
        wire out = {0};
        wire_add(&out, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
        wire_text(&out, FIN | TW__WS_PING, "p");
        wire_text(&out, TW__WS_TEXT, "hel");
        wire_text(&out, FIN | TW__WS_CONTINUATION, "lo");
        tw__alloc_fail_nth(nth);
        client_send(&w, c, out.data, out.len);
        /* Heard, or closed: its own memory is the kernel's. */
        world_until(&w, counter(&w, TW_COUNTER_BYTES_IN) == out.len ||
                            c->is_ended || c->error != 0);
        world_rest(&w);
        if (w.conns[1] != NULL) {
            tw_publish_options options = {.except = w.conns[1]};
            tw_conn_subscribe(w.conns[1], str_of("room"), NULL,
                              world_on_subscribed, &w);
            tw_conn_alarm(w.conns[1], str_of("bell"), 1);
            world_pass(&w, 4);
            tw_publish(w.server, str_of("room"), "all", 3, NULL);
            tw_publish(w.server, str_of("room"), "but", 3, &options);
            world_rest(&w);
            world_until(&w, c->is_ended || client_has_all(&w, c, 1));
        }
        is_through = w.answered == 1 && w.status == 0 && c->len > 0 &&
                     memmem(c->in, c->len, "hello", 5) != NULL &&
                     memmem(c->in, c->len, "all", 3) != NULL &&
                     strstr(w.log, "alarm") != NULL;
        assert_null(c->len > 0 ? memmem(c->in, c->len, "but", 3) : NULL);
        tw__alloc_fail_nth(0);
        /* Whatever it was, the next one is served. */
        client *d = client_open(&w);
        client_say(&w, d, "next");
        expect_text(&w, d, "next");
        (void)reply;
        wire_free(&out);
        world_close(&w);
        assert_true(nth < 200);
    }
}

/* ---- what a connection consists of ---- */

typedef struct field {
    const char *name;
    size_t offset, size, align;
} field;

static int by_offset(const void *a, const void *b) {
    const field *x = a, *y = b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* A field without a row shows as a place between two rows, or behind the last,
 * that is larger than what alignment leaves free. */
static void the_table_has_every_field_of_a_connection_once(void **state) {
#define ROW(name, what)                                                        \
    {#name, offsetof(tw_conn, name), sizeof(((tw_conn *)0)->name),             \
     _Alignof(__typeof__(((tw_conn *)0)->name))},
    field fields[] = {TW__CONN_FIELDS(ROW)};
#undef ROW
    size_t count = sizeof fields / sizeof fields[0], end = 0;
    (void)state;
    qsort(fields, count, sizeof fields[0], by_offset);
    for (size_t i = 0; i < count; i++) {
        size_t align = fields[i].align;
        size_t place = (end + align - 1) / align * align;
        if (fields[i].offset != place) {
            fail_msg("%s stands at %zu, not at %zu: a row is missing or double",
                     fields[i].name, fields[i].offset, place);
        }
        end = place + fields[i].size;
    }
    size_t align = _Alignof(tw_conn);
    assert_int_equal(sizeof(tw_conn), (end + align - 1) / align * align);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_from_other_threads_run_in_order),
        cmocka_unit_test(a_post_wakes_the_loop_and_may_publish),
        cmocka_unit_test(a_post_that_did_not_run_before_the_end_is_dropped),
        cmocka_unit_test(a_server_may_be_destroyed_at_any_moment),
        cmocka_unit_test(whoever_was_not_opened_yet_is_not_closed),
        cmocka_unit_test(a_server_lives_on_a_loop_of_its_host),
        cmocka_unit_test(
            a_server_that_cannot_be_made_leaves_its_hosts_loop_clean),
        cmocka_unit_test(creation_without_memory_leaves_nothing),
        cmocka_unit_test(a_conversation_without_memory_ends_at_the_worst),
        cmocka_unit_test(the_table_has_every_field_of_a_connection_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
