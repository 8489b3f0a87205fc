/* Requests to others: a world asks its own routes, and listeners of the test's
 * that say whatever they are told to.
 * SPDX-License-Identifier: MIT */
#include <netdb.h>
#include <semaphore.h>

#include "server_probe.h"

/* ---- asking ---- */

typedef struct heard {
    int calls, status, answer;
    char body[256], why[512], headers[2048];
    size_t len;
    world *w;
    bool asks_again;
} heard;

static void on_answer(int status, const tw_http_response *response,
                      const char *why, void *arg) {
    heard *h = arg;
    h->calls++;
    h->status = status;
    snprintf(h->why, sizeof h->why, "%s", why);
    assert_int_equal(response == NULL, status != 0);
    if (response == NULL) {
        return;
    }
    h->answer = response->status;
    h->len = response->body.len;
    snprintf(h->body, sizeof h->body, "%s", response->body.data);
    char *at = h->headers;
    for (size_t i = 0; i < response->header_count; i++) {
        at += snprintf(at, (size_t)(h->headers + sizeof h->headers - at),
                       "%s=%s;", response->headers[i].name.data,
                       response->headers[i].value.data);
    }
}

static char url_text[128];

static tw_str url_at(uint16_t port, const char *path) {
    snprintf(url_text, sizeof url_text, "http://127.0.0.1:%u%s", port, path);
    return str_of(url_text);
}

static uint16_t port_of(world *w) {
    return ntohs(world_address(w).sin_port);
}

static tw_http_call *begin(world *w, heard *h, tw_http_options options) {
    *h = (heard){.w = w};
    tw_http_call *call = tw_http_request(w->server, &options, on_answer, h);
    assert_non_null(call);
    assert_int_equal(h->calls, 0);
    return call;
}

static void finish(world *w, heard *h) {
    world_until(w, h->calls > 0);
    assert_int_equal(h->calls, 1);
}

static void ask(world *w, heard *h, tw_http_options options) {
    begin(w, h, options);
    finish(w, h);
}

static void ask_path(world *w, heard *h, const char *path) {
    ask(w, h, (tw_http_options){.url = url_at(port_of(w), path)});
}

static uint64_t gauge(world *w, tw_gauge which) {
    return w->server->page->gauges[which];
}

/* ---- listeners of the test's ---- */

typedef struct peer {
    int fd;
    uint16_t port;
} peer;

static peer listen_anywhere(void) {
    peer p;
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof sin;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(p.fd >= 0);
    assert_int_equal(bind(p.fd, (struct sockaddr *)&sin, sizeof sin), 0);
    assert_int_equal(listen(p.fd, 16), 0);
    assert_int_equal(getsockname(p.fd, (struct sockaddr *)&sin, &len), 0);
    p.port = ntohs(sin.sin_port);
    return p;
}

static int accept_one(world *w, peer *p) {
    int fd = -1;
    world_until(w, (fd = accept4(p->fd, NULL, NULL,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
    return fd;
}

/* Reads up to the end of a head. */
static void read_head(world *w, int fd, char *out, size_t size) {
    size_t len = 0;
    for (;;) {
        ssize_t got = recv(fd, out + len, size - 1 - len, MSG_DONTWAIT);
        len += got > 0 ? (size_t)got : 0;
        out[len] = '\0';
        if (strstr(out, "\r\n\r\n") != NULL) {
            return;
        }
        assert_true(len < size - 1);
        world_turn(w);
    }
}

/* Answers the next request with these bytes and closes. */
static void say(world *w, peer *p, heard *h, const char *text) {
    char head[4096];
    begin(w, h, (tw_http_options){.url = url_at(p->port, "/")});
    int fd = accept_one(w, p);
    read_head(w, fd, head, sizeof head);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    close(fd);
    finish(w, h);
}

/* ---- routes ---- */

static void echo(world *w, tw_req *req) {
    char text[512];
    tw_str body = tw_req_body(req), type = tw_req_header(req, "content-type");
    tw_str agent = tw_req_header(req, "user-agent");
    tw_str empty = tw_req_header(req, "x-empty");
    (void)w;
    snprintf(text, sizeof text, "%s %s [%.*s] %s %s %s",
             tw_req_method(req).data, tw_req_path(req).data, (int)body.len,
             body.data ? body.data : "", type.data ? type.data : "-",
             agent.data ? agent.data : "-", empty.data ? "empty" : "-");
    const tw_header headers[] = {{str_of("X-Two"), str_of("a")},
                                 {str_of("x-two"), str_of("b")}};
    int err = tw_req_respond(req, 404, headers, 2, text, strlen(text));
    assert_true(err == 0 || err == TW_ENOMEM);
}

static void open_world(world *w) {
    world_init(w);
    w->is_silent = true;
    w->routes[1] = (tw_route_config){.kind = TW_ROUTE_HTTP, .pattern = "/*"};
    w->route_count = 2;
    w->on_request = echo;
    w->config.http.concurrent = 4;
    w->config.http.per_host = 2;
    w->config.http.queue = 3;
    w->config.http.failures = 2;
}

static void any_answer_is_a_result(void **state) {
    world w;
    heard h;
    (void)state;
    open_world(&w);
    world_start(&w);
    ask_path(&w, &h, "/page?a=1");
    assert_int_equal(h.status, 0);
    assert_int_equal(h.answer, 404);
    assert_string_equal(h.body, "GET /page [] - tidewire -");
    assert_non_null(strstr(h.headers, "x-two=a, b;"));
    assert_int_equal(counter(&w, TW_COUNTER_HTTP_OUT), 1);
    world_close(&w);
}

static void a_request_says_what_it_was_told_to(void **state) {
    world w;
    heard h;
    (void)state;
    open_world(&w);
    world_start(&w);
    const tw_header headers[] = {
        {str_of("Content-Type"), str_of("text/x")},
        {str_of("User-Agent"), str_of("me")},
        {str_of("X-Empty"), str_of("")},
    };
    ask(&w, &h,
        (tw_http_options){.url = url_at(port_of(&w), "/p"),
                          .method = str_of("PUT"),
                          .headers = headers,
                          .header_count = 3,
                          .body = "hello",
                          .len = 5});
    assert_string_equal(h.body, "PUT /p [hello] text/x me empty");
    ask(&w, &h,
        (tw_http_options){.url = url_at(port_of(&w), "/p"),
                          .method = str_of("POST")});
    assert_string_equal(h.body, "POST /p [] - tidewire -");
    ask(&w, &h,
        (tw_http_options){.url = url_at(port_of(&w), "/p"),
                          .method = str_of("HEAD")});
    assert_int_equal(h.answer, 404);
    assert_int_equal(h.len, 0);
    /* One connection was used for them all. */
    assert_int_equal(counter(&w, TW_COUNTER_ACCEPTED), 1);
    world_close(&w);
}

static void what_cannot_be_asked_is_refused_with_a_reason(void **state) {
    static const struct {
        const char *url, *method, *name, *value, *why;
    } cases[] = {
        {"", "GET", "A", "b", "malformed"},
        {"no url", "GET", "A", "b", "malformed"},
        {"http://a/\r\nX: y", "GET", "A", "b", "malformed"},
        {"ftp://a/", "GET", "A", "b", "only http"},
        {"file:///etc/passwd", "GET", "A", "b", "only http"},
        {"gopher://a/", "GET", "A", "b", "only http"},
        {"http://me:secret@a/", "GET", "A", "b", "Authorization"},
        {"http://a/", "G ET", "A", "b", "method"},
        {"http://a/", "CONNECT", "A", "b", "method"},
        {"http://a/", "GET", "A", "b\r\nX-Evil: 1", "line end"},
        {"http://a/", "GET", "A\r\nB", "b", "name"},
        {"http://a/", "GET", "", "b", "name"},
        {"http://a/", "GET", "Content-Length", "1", "frame"},
        {"http://a/", "GET", "transfer-encoding", "chunked", "frame"},
    };
    world w;
    heard h;
    (void)state;
    open_world(&w);
    world_start(&w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tw_header header = {str_of(cases[i].name), str_of(cases[i].value)};
        ask(&w, &h,
            (tw_http_options){.url = str_of(cases[i].url),
                              .method = str_of(cases[i].method),
                              .headers = &header,
                              .header_count = 1});
        assert_int_equal(h.status, TW_EINVALID);
        assert_non_null(strstr(h.why, cases[i].why));
    }
    world_close(&w);
}

static void broken_answers_have_errors_of_their_own(void **state) {
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", TW_EUNAVAILABLE},
        {"", TW_EUNAVAILABLE},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
         TW_EUNAVAILABLE},
        {"SSH-2.0-server\r\n", TW_EINVALID},
        {"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", TW_EINVALID},
        {"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", TW_EINVALID},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", TW_ELIMIT},
    };
    world w;
    heard h;
    peer p = listen_anywhere();
    (void)state;
    open_world(&w);
    w.config.http.failures = 100;
    world_start(&w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        say(&w, &p, &h, cases[i].text);
        if (h.status != cases[i].status) {
            fail_msg("%s: %s %s", cases[i].text, tw_err_name(h.status), h.why);
        }
    }
    say(&w, &p, &h,
        "HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n"
        "to the end");
    assert_int_equal(h.answer, 200);
    assert_string_equal(h.headers, "a=b;");
    assert_string_equal(h.body, "to the end");
    close(p.fd);
    world_close(&w);
}

static void answers_are_bounded(void **state) {
    world w;
    heard h;
    (void)state;
    open_world(&w);
    world_start(&w);
    tw_http_options options = {.url = url_at(port_of(&w), "/"),
                               .max_body_bytes = 10};
    ask(&w, &h, options);
    assert_int_equal(h.status, TW_ELIMIT);
    assert_int_equal(counter(&w, TW_COUNTER_HTTP_OUT_LIMIT), 1);
    world_close(&w);
}

/* ---- time ---- */

static void times_are_those_of_the_held_clock(void **state) {
    world w;
    heard h;
    peer p = listen_anywhere();
    (void)state;
    open_world(&w);
    world_start(&w);
    begin(&w, &h,
          (tw_http_options){.url = url_at(p.port, "/"), .timeout_ms = 3000});
    int fd = accept_one(&w, &p);
    world_pass(&w, 2900);
    assert_int_equal(h.calls, 0);
    world_pass(&w, 200);
    finish(&w, &h);
    assert_int_equal(h.status, TW_ETIMEOUT);
    assert_non_null(strstr(h.why, "3000 ms"));
    close(fd);
    close(p.fd);
    world_close(&w);
}

static void a_request_that_is_called_off_is_never_answered(void **state) {
    world w;
    heard h;
    peer p = listen_anywhere();
    (void)state;
    open_world(&w);
    world_start(&w);
    tw_http_call *call =
        begin(&w, &h, (tw_http_options){.url = url_at(p.port, "/")});
    int fd = accept_one(&w, &p);
    tw_http_cancel(call);
    char byte;
    world_until(&w, recv(fd, &byte, 1, MSG_DONTWAIT) == 0 || errno != EAGAIN ||
                        recv(fd, &byte, 1, MSG_DONTWAIT) >= 0);
    world_pass(&w, 60000);
    assert_int_equal(h.calls, 0);
    call = begin(&w, &h, (tw_http_options){.url = url_at(p.port, "/")});
    tw_http_cancel(call); /* before its turn came */
    world_pass(&w, 60000);
    assert_int_equal(h.calls, 0);
    assert_int_equal(counter(&w, TW_COUNTER_HTTP_OUT_CANCELLED), 2);
    close(fd);
    close(p.fd);
    world_close(&w);
}

static void the_end_of_the_server_answers_what_is_under_way(void **state) {
    world w;
    heard h[4];
    peer p = listen_anywhere();
    (void)state;
    open_world(&w);
    world_start(&w);
    for (int i = 0; i < 3; i++) { /* the third waits */
        begin(&w, &h[i], (tw_http_options){.url = url_at(p.port, "/")});
    }
    int fd = accept_one(&w, &p);
    begin(&w, &h[3], (tw_http_options){.url = str_of("no url")});
    world_close(&w);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(h[i].calls, 1);
        assert_int_equal(h[i].status, i < 3 ? TW_ECLOSED : TW_EINVALID);
    }
    close(fd);
    close(p.fd);
}

static void requests_go_on_while_the_server_is_frozen(void **state) {
    world w;
    heard h;
    peer p = listen_anywhere();
    (void)state;
    open_world(&w);
    world_start(&w);
    tw_server_freeze(w.server);
    say(&w, &p, &h, "HTTP/1.1 204 None\r\n\r\n");
    assert_int_equal(h.answer, 204);
    tw_server_thaw(w.server);
    close(p.fd);
    world_close(&w);
}

/* ---- how many ---- */

static void a_slow_host_delays_no_other(void **state) {
    world w;
    heard slow[5], fast;
    peer p = listen_anywhere();
    (void)state;
    open_world(&w);
    world_start(&w);
    for (int i = 0; i < 5; i++) { /* two under way, three wait */
        begin(
            &w, &slow[i],
            (tw_http_options){.url = url_at(p.port, "/"), .timeout_ms = 5000});
        world_turn(&w);
    }
    world_until(&w, gauge(&w, TW_GAUGE_HTTP_OUT_ACTIVE) == 2 &&
                        gauge(&w, TW_GAUGE_HTTP_OUT_WAITING) == 3);
    ask_path(&w, &fast, "/"); /* the queue is full */
    assert_int_equal(fast.status, TW_EOVERLOADED);
    world_pass(&w, 5100);
    for (int i = 0; i < 5; i++) {
        finish(&w, &slow[i]);
        assert_int_equal(slow[i].status, TW_ETIMEOUT);
    }
    for (int i = 0; i < 2; i++) {
        begin(
            &w, &slow[i],
            (tw_http_options){.url = url_at(p.port, "/"), .timeout_ms = 5000});
    }
    ask_path(&w, &fast, "/");
    assert_int_equal(fast.answer, 404);
    close(p.fd);
    world_close(&w);
}

static void what_is_held_is_bounded(void **state) {
    world w;
    heard h, other;
    peer p = listen_anywhere();
    static char body[70000];
    (void)state;
    open_world(&w);
    w.config.http.memory_bytes = 100000;
    world_start(&w);
    memset(body, 'a', sizeof body);
    tw_http_options options = {
        .url = url_at(p.port, "/"), .body = body, .len = sizeof body};
    begin(&w, &h, options);
    ask(&w, &other, options);
    assert_int_equal(other.status, TW_EOVERLOADED);
    world_pass(&w, 11000);
    finish(&w, &h);
    begin(&w, &h, options);
    world_close(&w);
    assert_int_equal(h.status, TW_ECLOSED);
    close(p.fd);
}

/* ---- the breaker ---- */

static void a_host_that_fails_is_left_alone_for_a_growing_pause(void **state) {
    world w;
    heard h;
    peer p = listen_anywhere();
    (void)state;
    open_world(&w);
    world_start(&w);
    uint16_t port = p.port;
    close(p.fd);
    for (int i = 0; i < 2; i++) {
        ask(&w, &h, (tw_http_options){.url = url_at(port, "/")});
        assert_int_equal(h.status, TW_EUNAVAILABLE);
        assert_null(strstr(h.why, "left alone"));
    }
    for (uint32_t pause = 1000; pause <= 4000; pause *= 2) {
        ask(&w, &h, (tw_http_options){.url = url_at(port, "/")});
        assert_non_null(strstr(h.why, "left alone"));
        assert_int_equal(gauge(&w, TW_GAUGE_HTTP_OUT_BREAKERS), 1);
        world_pass(&w, pause);
        ask(&w, &h, (tw_http_options){.url = url_at(port, "/")});
        assert_int_equal(h.status, TW_EUNAVAILABLE);
        assert_null(strstr(h.why, "left alone"));
    }
    assert_int_equal(counter(&w, TW_COUNTER_HTTP_OUT_BROKEN), 3);
    ask_path(&w, &h, "/"); /* another host */
    assert_int_equal(h.answer, 404);
    world_close(&w);
}

static void an_answer_closes_the_breaker(void **state) {
    world w;
    heard h, other;
    peer p = listen_anywhere();
    (void)state;
    open_world(&w);
    world_start(&w);
    say(&w, &p, &h, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(h.answer, 503);
    say(&w, &p, &h, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    ask(&w, &other, (tw_http_options){.url = url_at(p.port, "/")});
    assert_int_equal(other.status, TW_EUNAVAILABLE);
    world_pass(&w, 1000);

    char head[4096];
    begin(&w, &h, (tw_http_options){.url = url_at(p.port, "/")});
    int fd = accept_one(&w, &p);
    read_head(&w, fd, head, sizeof head);
    ask(&w, &other, (tw_http_options){.url = url_at(p.port, "/")});
    assert_int_equal(other.status, TW_EUNAVAILABLE); /* one probe only */
    static const char ok[] = "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n";
    assert_int_equal(send(fd, ok, strlen(ok), MSG_NOSIGNAL), strlen(ok));
    close(fd);
    finish(&w, &h);
    assert_int_equal(h.answer, 500);
    assert_int_equal(gauge(&w, TW_GAUGE_HTTP_OUT_BREAKERS), 0);
    say(&w, &p, &h, "HTTP/1.1 200 Ok\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(h.answer, 200);
    close(p.fd);
    world_close(&w);
}

/* ---- names ---- */

static sem_t lookup_gate;
static int lookups; /* begun */

/* In place of the system's, for libcurl's threads too. */
__attribute__((visibility("default"))) int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
            struct addrinfo **result) {
    (void)node, (void)service, (void)hints, (void)result;
    __atomic_add_fetch(&lookups, 1, __ATOMIC_SEQ_CST);
    while (sem_wait(&lookup_gate) != 0) {
    }
    return EAI_NONAME;
}

static void a_name_that_is_looked_up_for_ever_blocks_nothing(void **state) {
    world w;
    heard h, other;
    (void)state;
    assert_int_equal(sem_init(&lookup_gate, 0, 0), 0);
    open_world(&w);
    world_start(&w);
    begin(&w, &h,
          (tw_http_options){.url = str_of("http://slow.test/"),
                            .connect_ms = 2000});
    world_until(&w, __atomic_load_n(&lookups, __ATOMIC_SEQ_CST) == 1);
    ask_path(&w, &other, "/");
    assert_int_equal(other.answer, 404);
    world_pass(&w, 2100); /* would not return if the end waited for it */
    finish(&w, &h);
    assert_int_equal(h.status, TW_ETIMEOUT);
    tw_http_call *call =
        begin(&w, &h, (tw_http_options){.url = str_of("http://slow2.test/")});
    world_until(&w, __atomic_load_n(&lookups, __ATOMIC_SEQ_CST) == 2);
    tw_http_cancel(call);
    begin(&w, &h, (tw_http_options){.url = str_of("http://slow3.test/")});
    world_until(&w, __atomic_load_n(&lookups, __ATOMIC_SEQ_CST) == 3);
    world_close(&w);
    assert_int_equal(h.status, TW_ECLOSED);
    for (int i = 0; i < 3; i++) {
        sem_post(&lookup_gate);
    }
}

/* ---- memory ---- */

static size_t run_with(size_t n) {
    world w;
    heard h[3];
    open_world(&w);
    world_start(&w);
    const tw_header header = {str_of("A"), str_of("b")};
    tw_http_options options = {.url = url_at(port_of(&w), "/"),
                               .headers = &header,
                               .header_count = 1,
                               .body = "x",
                               .len = 1,
                               .timeout_ms = 1000};
    tw__alloc_fail_nth(n);
    for (int i = 0; i < 2; i++) {
        h[i] = (heard){.w = &w};
        tw_http_call *call =
            tw_http_request(w.server, &options, on_answer, &h[i]);
        for (int turns = 0; call != NULL && h[i].calls == 0; turns++) {
            world_turn(&w);
            if (turns == 200) { /* one whose descriptor was not watched */
                world_pass(&w, 1100);
            }
        }
        if (call != NULL) {
            assert_int_equal(h[i].calls, 1);
        }
    }
    size_t left = tw__alloc_fail_nth(0);
    tw_http_options more = {.url = url_at(port_of(&w), "/")};
    ask(&w, &h[2], more);
    assert_int_equal(h[2].answer, 404);
    world_close(&w);
    return left;
}

static void a_failed_allocation_costs_its_request(void **state) {
    (void)state;
    for (size_t n = 1; run_with(n) == 0; n++) {
        assert_true(n < 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_answer_is_a_result),
        cmocka_unit_test(a_request_says_what_it_was_told_to),
        cmocka_unit_test(what_cannot_be_asked_is_refused_with_a_reason),
        cmocka_unit_test(broken_answers_have_errors_of_their_own),
        cmocka_unit_test(answers_are_bounded),
        cmocka_unit_test(times_are_those_of_the_held_clock),
        cmocka_unit_test(a_request_that_is_called_off_is_never_answered),
        cmocka_unit_test(the_end_of_the_server_answers_what_is_under_way),
        cmocka_unit_test(requests_go_on_while_the_server_is_frozen),
        cmocka_unit_test(a_slow_host_delays_no_other),
        cmocka_unit_test(what_is_held_is_bounded),
        cmocka_unit_test(a_host_that_fails_is_left_alone_for_a_growing_pause),
        cmocka_unit_test(an_answer_closes_the_breaker),
        cmocka_unit_test(a_name_that_is_looked_up_for_ever_blocks_nothing),
        cmocka_unit_test(a_failed_allocation_costs_its_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
