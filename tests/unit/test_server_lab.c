/* The simulated machine: tidewire/testing.h. SPDX-License-Identifier: MIT */
#include "tidewire/testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "tidewire/redis.h"

enum { TURNS = 1000 };

/* What the hooks of all servers do and note. */
typedef struct world {
    tw_lab *lab;
    int opened, closed, close_code;
    char journal[512];
    uint64_t asked; /* number of the last request */
    uint32_t asked_slot;
    char url[256];
    int status, answers, redis_code;
    int redis_fd, dials, fault;
} world;

static void note(world *w, const char *text) {
    size_t len = strlen(w->journal);
    snprintf(w->journal + len, sizeof w->journal - len, "%s;", text);
}

/* ---- the host ----------------------------------------------------------- */

static int on_open(tw_conn *conn, tw_req *req, void *user) {
    world *w = user;
    (void)req;
    w->opened++;
    assert_int_equal(
        tw_conn_subscribe(conn, (tw_str){"room", 4}, NULL, NULL, NULL), 0);
    return TW_DONE;
}

static int on_message(tw_conn *conn, const tw_msg *msg, void *user) {
    (void)user;
    tw_publish(tw_conn_server(conn), (tw_str){"room", 4}, msg->data, msg->len,
               NULL);
    return TW_DONE;
}

static int on_close(tw_conn *conn, int code, tw_str reason, void *user) {
    world *w = user;
    (void)conn, (void)reason;
    w->closed++;
    w->close_code = code;
    return TW_DONE;
}

static void on_request(uint32_t slot, const tw_lab_request *request,
                       void *user) {
    world *w = user;
    w->asked = request->number;
    w->asked_slot = slot;
    snprintf(w->url, sizeof w->url, "%s %.*s %.*s", request->method.data,
             (int)request->url.len, request->url.data, (int)request->body.len,
             request->body.data);
}

static int on_redis(uint32_t slot, const char *name, void *user) {
    world *w = user;
    int ends[2];
    (void)slot, (void)name;
    w->dials++;
    if (w->redis_fd >= 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) {
        return -1;
    }
    w->redis_fd = ends[1];
    return ends[0];
}

static int on_redis_call(uint32_t slot, const char *name, void *user) {
    const world *w = user;
    (void)slot, (void)name;
    return w->fault;
}

static tw_lab_config lab_config(world *w, uint32_t slots) {
    return (tw_lab_config){.slots = slots,
                           .wall_ms = 1000000000000,
                           .on_request = on_request,
                           .on_redis = on_redis,
                           .on_redis_call = on_redis_call,
                           .user = w};
}

static int try_start(world *w, uint32_t slot) {
    static const tw_route_config route = {
        .kind = TW_ROUTE_SOCKET,
        .pattern = "/",
        .hooks = TW_HOOK_OPEN | TW_HOOK_MESSAGE | TW_HOOK_CLOSE};
    tw_config config = {.hooks = {.on_open = on_open,
                                  .on_message = on_message,
                                  .on_close = on_close},
                        .hook_user = w};
    tw_server *server;
    int err = tw_lab_start(w->lab, slot, &config, &server, NULL, 0);
    return err != 0 ? err : tw_server_set_routes(server, &route, 1, NULL);
}

static void open_world(world *w, uint32_t slots) {
    *w = (world){.redis_fd = -1};
    tw_lab_config config = lab_config(w, slots);
    assert_int_equal(tw_lab_create(&w->lab, &config), 0);
    for (uint32_t slot = 0; slot < slots; slot++) {
        assert_int_equal(try_start(w, slot), 0);
    }
    assert_true(tw_lab_run(w->lab, TURNS));
}

static void close_world(world *w) {
    tw_lab_destroy(w->lab);
    if (w->redis_fd >= 0) {
        close(w->redis_fd);
    }
}

/* ---- clients ------------------------------------------------------------ */

static int connect_to(world *w, uint32_t slot) {
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGlkZXdpcmUtdGVzdC1rZQ==\r\n\r\n";
    int fd;
    assert_int_equal(tw_lab_connect(w->lab, slot, "192.0.2.7", &fd), 0);
    assert_int_equal(send(fd, request, sizeof request - 1, 0),
                     sizeof request - 1);
    assert_true(tw_lab_run(w->lab, TURNS));
    return fd;
}

/* What has come, as text; "" is nothing, "EOF" the end. */
static const char *read_all(int fd) {
    static char text[4096];
    ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
    if (n == 0) {
        return "EOF";
    }
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void say(int fd, const char *text) {
    unsigned char frame[64] = {0x81, (unsigned char)(0x80 | strlen(text))};
    memcpy(frame + 6, text, strlen(text));
    assert_int_equal(send(fd, frame, 6 + strlen(text), 0),
                     (ssize_t)(6 + strlen(text)));
}

/* Moves the clock; everything on the way is done. */
static void advance(world *w, uint64_t ms) {
    uint64_t until = tw_lab_now(w->lab) + ms;
    do {
        assert_true(tw_lab_run(w->lab, TURNS));
    } while (tw_lab_step(w->lab, until));
}

/* ---- tests -------------------------------------------------------------- */

static void what_is_said_in_one_slot_is_heard_in_all(void **state) {
    world w;
    (void)state;
    open_world(&w, 3);
    int a = connect_to(&w, 0), b = connect_to(&w, 2);
    assert_memory_equal(read_all(a), "HTTP/1.1 101", 12);
    assert_memory_equal(read_all(b), "HTTP/1.1 101", 12);
    assert_int_equal(w.opened, 2);
    say(a, "hello");
    assert_true(tw_lab_run(w.lab, TURNS));
    assert_string_equal(read_all(a) + 2, "hello");
    assert_string_equal(read_all(b) + 2, "hello");
    assert_string_equal(read_all(b), "");
    close(a);
    assert_true(tw_lab_run(w.lab, TURNS));
    assert_int_equal(w.close_code, 1006);
    close(b);
    close_world(&w);
}

static void note_timer(tw_timer *timer, void *arg) {
    (void)timer;
    note(arg, "timer");
}

static void note_late(tw_timer *timer, void *arg) {
    (void)timer;
    note(arg, "late");
}

static void time_is_one_and_stands_still(void **state) {
    world w;
    (void)state;
    open_world(&w, 2);
    tw_server *a = tw_lab_server(w.lab, 0), *b = tw_lab_server(w.lab, 1);
    uint64_t began = tw_lab_now(w.lab);
    tw_timer_start(b, 2000, note_late, &w);
    tw_timer_start(a, 1000, note_timer, &w);
    advance(&w, 999);
    assert_string_equal(w.journal, "");
    advance(&w, 1);
    assert_string_equal(w.journal, "timer;");
    advance(&w, 5000);
    assert_string_equal(w.journal, "timer;late;");
    assert_int_equal(tw_lab_now(w.lab), began + 6000);
    assert_int_equal(tw_server_now(a), began + 6000);
    assert_int_equal(tw_server_now(b), began + 6000);
    assert_int_equal(tw_server_clock_us(a), (began + 6000) * 1000);
    assert_int_equal(tw_server_wall_us(b), (1000000000000 + 6000) * 1000);
    assert_int_equal(tw_lab_wall(w.lab), 1000000000000 + 6000);
    close_world(&w);
}

static void one_that_is_killed_is_gone_without_a_word(void **state) {
    world w;
    (void)state;
    open_world(&w, 2);
    int a = connect_to(&w, 0), b = connect_to(&w, 1), fd;
    read_all(a);
    read_all(b);
    tw_lab_kill(w.lab, 1);
    assert_string_equal(read_all(b), "EOF");
    assert_null(tw_lab_server(w.lab, 1));
    assert_int_equal(tw_lab_connect(w.lab, 1, "192.0.2.7", &fd),
                     TW_EUNAVAILABLE);
    close(b);
    advance(&w, 1000);
    assert_string_equal(read_all(a), "");

    /* As a new incarnation it is found by the other again. */
    assert_int_equal(try_start(&w, 1), 0);
    assert_int_equal(try_start(&w, 1), TW_EEXISTS);
    advance(&w, 1000);
    b = connect_to(&w, 1);
    read_all(b);
    say(b, "back");
    assert_true(tw_lab_run(w.lab, TURNS));
    assert_string_equal(read_all(a) + 2, "back");
    assert_string_equal(read_all(b) + 2, "back");
    tw_slot_stats stats;
    assert_int_equal(tw_server_stats(tw_lab_server(w.lab, 0), 1, &stats), 0);
    assert_int_equal(stats.incarnation, 2);
    close(a);
    close(b);
    close_world(&w);
}

static void on_answer(int status, const tw_http_response *response,
                      const char *why, void *arg) {
    world *w = arg;
    (void)why;
    w->answers++;
    w->status = status;
    if (response != NULL) {
        w->status = response->status;
        for (size_t i = 0; i < response->header_count; i++) {
            note(w, response->headers[i].name.data);
        }
        note(w, response->body.data);
    }
}

static void ask(world *w, uint32_t redirects) {
    tw_http_options options = {.method = {"POST", 4},
                               .url = {"http://a.example/x", 18},
                               .body = "data",
                               .len = 4,
                               .redirects = redirects};
    assert_non_null(
        tw_http_request(tw_lab_server(w->lab, 0), &options, on_answer, w));
    assert_true(tw_lab_run(w->lab, TURNS));
}

static void requests_are_answered_by_hand(void **state) {
    world w;
    (void)state;
    open_world(&w, 1);
    ask(&w, 0);
    assert_string_equal(w.url, "POST http://a.example/x data");
    assert_int_equal(w.answers, 0);
    tw_header header = {{"X-Kind", 6}, {"test", 4}};
    tw_http_response response = {.status = 201,
                                 .headers = &header,
                                 .header_count = 1,
                                 .body = {"done", 4}};
    uint64_t first = w.asked;
    assert_int_equal(tw_lab_reply(w.lab, 0, first, 0, &response), 0);
    assert_true(tw_lab_run(w.lab, TURNS));
    assert_int_equal(w.status, 201);
    assert_string_equal(w.journal, "x-kind;done;");
    assert_int_equal(tw_lab_reply(w.lab, 0, first, 0, &response),
                     TW_ENOT_FOUND);

    ask(&w, 0);
    assert_int_equal(tw_lab_reply(w.lab, 0, w.asked, TW_EUNAVAILABLE, NULL), 0);
    assert_true(tw_lab_run(w.lab, TURNS));
    assert_int_equal(w.status, TW_EUNAVAILABLE);

    ask(&w, 0); /* nobody answers */
    advance(&w, 10000);
    assert_int_equal(w.status, TW_ETIMEOUT);
    assert_int_equal(w.answers, 3);
    close_world(&w);
}

static void a_redirect_is_asked_for_where_it_leads(void **state) {
    world w;
    (void)state;
    open_world(&w, 1);
    ask(&w, 1);
    tw_header header = {{"Location", 8}, {"../y?z=1", 8}};
    tw_http_response moved = {
        .status = 307, .headers = &header, .header_count = 1, .body = {"", 0}};
    assert_int_equal(tw_lab_reply(w.lab, 0, w.asked, 0, &moved), 0);
    assert_true(tw_lab_run(w.lab, TURNS));
    assert_string_equal(w.url, "POST http://a.example/y?z=1 data");
    assert_int_equal(tw_lab_reply(w.lab, 0, w.asked, 0, &moved), 0);
    assert_true(tw_lab_run(w.lab, TURNS));
    assert_int_equal(w.status, TW_ELIMIT);
    close_world(&w);
}

static void on_value(int status, const tw_redis_value *values, size_t count,
                     void *arg) {
    world *w = arg;
    w->answers++;
    w->redis_code = status;
    if (status == 0 && count == 1) {
        note(w, values[0].text.data);
    }
}

static int call_redis(world *w) {
    tw_str words[] = {{"GET", 3}, {"k", 1}};
    tw_redis_command command = {words, 2};
    tw_redis *redis =
        tw_redis_find(tw_lab_server(w->lab, 0), (tw_str){"any", 3});
    assert_non_null(redis);
    int err = tw_redis_call(redis, &command, 1, 0, on_value, w);
    assert_true(tw_lab_run(w->lab, TURNS));
    return err;
}

static void every_redis_is_known_and_speaks_to_the_host(void **state) {
    world w;
    (void)state;
    open_world(&w, 1);
    w.fault = TW_ETIMEOUT;
    assert_int_equal(call_redis(&w), TW_ETIMEOUT);
    w.fault = 0;
    assert_int_equal(call_redis(&w), 0);
    assert_in_range(w.dials, 1, 2); /* without any time passing */
    const char *said = read_all(w.redis_fd);
    assert_non_null(strstr(said, "CLIENT"));
    const char *answers = "+OK\r\n$1\r\nv\r\n";
    send(w.redis_fd, answers, 5, 0);
    assert_true(tw_lab_run(w.lab, TURNS));
    assert_string_equal(read_all(w.redis_fd), "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    send(w.redis_fd, answers + 5, strlen(answers) - 5, 0);
    assert_true(tw_lab_run(w.lab, TURNS));
    assert_int_equal(w.answers, 1);
    assert_string_equal(w.journal, "v;");
    close_world(&w);
}

static void dictionaries_are_shared_by_the_slots_of_a_lab(void **state) {
    world w;
    tw_dict *dicts[2];
    tw_str name = {"d", 1}, key = {"k", 1};
    double sum;
    (void)state;
    open_world(&w, 2);
    for (uint32_t slot = 0; slot < 2; slot++) {
        assert_int_equal(
            tw_dict_open(tw_lab_server(w.lab, slot), name, 0, &dicts[slot]), 0);
        assert_int_equal(tw_dict_incr(dicts[slot], key, 1, 0, 60000, &sum), 0);
    }
    assert_int_equal((int)sum, 2);
    /* Its times are those of the lab, and it outlives a worker. */
    tw_lab_kill(w.lab, 0);
    assert_int_equal(tw_dict_incr(dicts[1], key, 1, 0, 60000, &sum), 0);
    assert_int_equal((int)sum, 3);
    advance(&w, 60000);
    assert_int_equal(tw_dict_incr(dicts[1], key, 1, 0, 60000, &sum), 0);
    assert_int_equal((int)sum, 1);
    close_world(&w);
}

static void after_a_reset_all_is_as_at_first(void **state) {
    world w;
    (void)state;
    open_world(&w, 2);
    uint64_t began = tw_lab_now(w.lab);
    int fd = connect_to(&w, 1);
    advance(&w, 100000);
    tw_lab_config config = lab_config(&w, 2);
    config.wall_ms = 5000;
    tw_lab_reset(w.lab, &config);
    assert_null(tw_lab_server(w.lab, 0));
    assert_int_equal(tw_lab_now(w.lab), began);
    assert_int_equal(tw_lab_wall(w.lab), 5000);
    close(fd);
    for (uint32_t slot = 0; slot < 2; slot++) {
        assert_int_equal(try_start(&w, slot), 0);
    }
    int a = connect_to(&w, 0), b = connect_to(&w, 1);
    read_all(a);
    read_all(b);
    say(a, "again");
    assert_true(tw_lab_run(w.lab, TURNS));
    assert_string_equal(read_all(b) + 2, "again");
    close(a);
    close(b);
    close_world(&w);
}

static void it_can_be_made_at_any_moment_of_little_memory(void **state) {
    size_t live = tw__alloc_live();
    bool is_whole = false;
    (void)state;
    for (size_t nth = 1; nth < 300 && !is_whole; nth++) {
        world w = {.redis_fd = -1};
        tw_lab_config config = lab_config(&w, 2);
        tw__alloc_fail_nth(nth);
        int err = tw_lab_create(&w.lab, &config);
        for (uint32_t slot = 0; err == 0 && slot < 2; slot++) {
            err = try_start(&w, slot);
        }
        is_whole = tw__alloc_fail_nth(0) > 0;
        assert_true(err == 0 || err == TW_ENOMEM);
        tw_lab_destroy(w.lab);
        assert_int_equal(tw__alloc_live(), live);
    }
    assert_true(is_whole);
}

static void what_cannot_be_is_refused(void **state) {
    world w;
    int fd;
    tw_lab_config config = {.slots = 100000};
    (void)state;
    assert_int_equal(tw_lab_create(&w.lab, &config), TW_EINVALID);
    open_world(&w, 1);
    assert_int_equal(try_start(&w, 1), TW_EINVALID);
    assert_int_equal(tw_lab_connect(w.lab, 0, "nowhere", &fd), TW_EINVALID);
    assert_int_equal(tw_lab_connect(w.lab, 0, "2001:db8::1", &fd), 0);
    close(fd);
    assert_int_equal(tw_lab_reply(w.lab, 7, 1, TW_ETIMEOUT, NULL),
                     TW_EUNAVAILABLE);
    assert_false(tw_lab_step(w.lab, tw_lab_now(w.lab)));
    close_world(&w);
    tw_lab_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_in_one_slot_is_heard_in_all),
        cmocka_unit_test(time_is_one_and_stands_still),
        cmocka_unit_test(one_that_is_killed_is_gone_without_a_word),
        cmocka_unit_test(requests_are_answered_by_hand),
        cmocka_unit_test(a_redirect_is_asked_for_where_it_leads),
        cmocka_unit_test(every_redis_is_known_and_speaks_to_the_host),
        cmocka_unit_test(dictionaries_are_shared_by_the_slots_of_a_lab),
        cmocka_unit_test(after_a_reset_all_is_as_at_first),
        cmocka_unit_test(it_can_be_made_at_any_moment_of_little_memory),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
