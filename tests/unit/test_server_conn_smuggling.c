/* Requests that could be read in two ways, at the socket: whole, byte by byte
 * and cut in two at every place. There is one answer, it says close, and what
 * stands behind is read by nobody. What is not ambiguous is read the same
 * however it comes.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

#define HIDDEN "GET /page?hidden HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD(lines) "POST /page HTTP/1.1\r\nHost: a\r\n" lines "\r\n"
#define CHUNKED(body) HEAD("Transfer-Encoding: chunked\r\n") body
#define UPGRADE_TO(path, lines)                                                \
    "GET " path " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"               \
    "Connection: Upgrade\r\nSec-WebSocket-Key: "                               \
    "dGhlIHNhbXBsZSBub25jZQ==\r\n" lines "\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"

enum { WHOLE, BYTES, FIRST_CUT };

static void note_request(world *w, tw_req *req) {
    tw_str hidden = tw_req_query(req, "hidden");
    world_note(w, "%s%s ", tw_req_body(req).data,
               hidden.data != NULL ? "+hidden" : "");
    tw_req_respond(req, 200, NULL, 0, "fine", 4);
}

static void open_world(world *w) {
    world_init(w);
    w->routes[w->route_count++] =
        (tw_route_config){.kind = TW_ROUTE_HTTP, .pattern = "/page"};
    w->on_request = note_request;
    world_start(w);
}

/* Sends it in the way that `how` says: WHOLE, BYTES, or cut in two. */
static void send_cut(world *w, client *c, const char *text, size_t how) {
    size_t len = strlen(text);
    size_t piece = how == WHOLE ? len : how == BYTES ? 1 : how - FIRST_CUT + 1;
    for (size_t at = 0; at < len; at += piece) {
        if (how >= FIRST_CUT && at > 0) {
            piece = len - at;
        }
        client_send(w, c, text + at, piece);
        world_heard(w);
    }
}

static size_t ways(const char *text) {
    return FIRST_CUT + strlen(text) - 1;
}

/* One answer with this status and "Connection: close", then the end. */
static void expect_refused(world *w, client *c, int status) {
    char body[2048];
    int got = client_status(w, c);
    if (got != status) {
        fail_msg("expected %d, got: %s", status, c->head);
    }
    assert_non_null(strstr(c->head, "\r\nConnection: close\r\n"));
    const char *length = strstr(c->head, "\r\nContent-Length: ");
    assert_non_null(length);
    client_body(w, c, body, (size_t)atoi(length + 18));
    expect_end(w, c);
}

static void refuse_each_way(const char *text, int status) {
    for (size_t how = 0; how < ways(text); how++) {
        world w;
        open_world(&w);
        client *c = client_connect(&w, 0);
        send_cut(&w, c, text, how);
        expect_refused(&w, c, status);
        assert_log(&w, "");
        world_close(&w);
    }
}

static void what_is_ambiguous_is_refused(void **state) {
    static const char *const cases[] = {
        /* a blank before a colon */
        HEAD("Content-Length : 3\r\n") HIDDEN,
        HEAD("Transfer-Encoding\t: chunked\r\n") HIDDEN,
        /* two lengths */
        HEAD("Content-Length: 0\r\nContent-Length: 41\r\n") HIDDEN,
        HEAD("Content-Length: 0\r\nContent-Length: 0\r\n") HIDDEN,
        HEAD("Content-Length: 0, 0\r\n") HIDDEN,
        /* a length that is none */
        HEAD("Content-Length: +0\r\n") HIDDEN,
        HEAD("Content-Length: 0x29\r\n") HIDDEN,
        /* length and chunked together */
        HEAD(
            "Content-Length: 46\r\nTransfer-Encoding: chunked\r\n") "0\r\n\r"
                                                                    "\n" HIDDEN,
        HEAD("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n") "0\r\n\r"
                                                                    "\n" HIDDEN,
        /* a coding in disguise */
        HEAD("Transfer-Encoding: xchunked\r\n") "0\r\n\r\n" HIDDEN,
        HEAD("Transfer-Encoding: chunked, identity\r\n") "0\r\n\r\n" HIDDEN,
        HEAD("Transfer-Encoding: \x0b"
             "chunked\r\n") "0\r\n\r\n" HIDDEN,
        /* obs-fold */
        HEAD("Transfer-Encoding:\r\n chunked\r\n") "0\r\n\r\n" HIDDEN,
        HEAD("A: b\r\n\tContent-Length: 41\r\n") HIDDEN,
        " " HEAD("") HIDDEN,
        /* bare CR or LF */
        HEAD("A: b\rContent-Length: 41\r\n") HIDDEN,
        HEAD("A: b\nContent-Length: 41\r\n") HIDDEN,
        "POST /page HTTP/1.1\nHost: a\r\n\r\n" HIDDEN,
        "POST /page HTTP/1.1\r\nHost: a\r\n\n" HIDDEN,
        "POST /page HTTP/1.1\r\nHost: a\r\n\rX" HIDDEN,
        /* two Hosts, or none, or one that is none */
        HEAD("Host: b\r\n") HIDDEN,
        HEAD("Host: a\r\n") HIDDEN,
        "POST /page HTTP/1.1\r\nA: b\r\n\r\n" HIDDEN,
        "POST /page HTTP/1.1\r\nHost: a, b\r\n\r\n" HIDDEN,
        "POST /page HTTP/1.1\r\nHost: a/b\r\n\r\n" HIDDEN,
        /* absolute-form that says something else than Host, or nothing */
        "POST http://b/page HTTP/1.1\r\nHost: a\r\n\r\n" HIDDEN,
        "POST http:///page HTTP/1.1\r\nHost: a\r\n\r\n" HIDDEN,
        "POST ftp://a/page HTTP/1.1\r\nHost: a\r\n\r\n" HIDDEN,
        "POST a/page HTTP/1.1\r\nHost: a\r\n\r\n" HIDDEN,
        /* chunks that are none */
        CHUNKED("0x0\r\n\r\n") HIDDEN,
        CHUNKED("0 \r\n\r\n") HIDDEN,
        CHUNKED("0\n\r\n") HIDDEN,
        CHUNKED("3\r\nabc0\r\n\r\n") HIDDEN,
        CHUNKED("2\r\nabc\r\n0\r\n\r\n") HIDDEN,
        CHUNKED("0;\n\r\n\r\n") HIDDEN,
        CHUNKED("0\r\nA : b\r\n\r\n") HIDDEN,
        CHUNKED("10000000000000000\r\n") HIDDEN,
        /* a body on an upgrade */
        UPGRADE_TO("/chat", VERSION "Content-Length: 41\r\n") HIDDEN,
        UPGRADE_TO("/chat",
                   VERSION "Transfer-Encoding: chunked\r\n") "0\r\n\r\n" HIDDEN,
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refuse_each_way(cases[i], 400);
    }
}

/* ---- refused upgrades --------------------------------------------------- */

static void nothing_behind_a_refused_upgrade_is_read(void **state) {
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {UPGRADE_TO("/nowhere", VERSION) HIDDEN, 404},
        {UPGRADE_TO("/page", VERSION) HIDDEN, 404},
        {UPGRADE_TO("/chat", "Sec-WebSocket-Version: 12\r\n") HIDDEN, 426},
        {UPGRADE_TO("/chat", VERSION "Origin: http://b\r\n") HIDDEN, 403},
        {UPGRADE_TO("/chat", VERSION "Sec-WebSocket-Key: x\r\n") HIDDEN, 400},
        {"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n" HIDDEN,
         400},
        {"GET /page HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
         "Connection: keep-alive\r\n\r\n" HIDDEN,
         404},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refuse_each_way(cases[i].text, cases[i].status);
    }
}

static tw_req *kept;

static void keep_request(world *w, tw_req *req) {
    (void)w;
    kept = tw_req_ref(req);
}

/* A hook that waits lets what stands behind come, and then refuses. */
static void nor_what_came_while_a_hook_waited(void **state) {
    (void)state;
    for (size_t how = WHOLE; how <= BYTES; how++) {
        world w;
        world_init(&w);
        w.routes[0].hooks = TW_HOOK_ALL;
        w.routes[w.route_count++] =
            (tw_route_config){.kind = TW_ROUTE_HTTP, .pattern = "/page"};
        w.on_upgrade = keep_request;
        world_start(&w);
        client *c = client_connect(&w, 0);
        kept = NULL;
        client_send(&w, c, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
        world_until(&w, kept != NULL);
        /* It is not read meanwhile. */
        for (size_t at = 0, len = sizeof HIDDEN - 1; at < len;) {
            size_t piece = how == WHOLE ? len : 1;
            client_send(&w, c, &HIDDEN[at], piece);
            world_turn(&w);
            at += piece;
        }
        assert_int_equal(tw_req_refuse(kept, 401, str_of("who are you")), 0);
        tw_req_unref(kept);
        expect_refused(&w, c, 401);
        assert_log(&w, "upgrade ");
        world_close(&w);
    }
}

static void what_follows_an_accepted_upgrade_is_no_request(void **state) {
    world w;
    (void)state;
    open_world(&w);
    client *c = client_connect(&w, 0);
    static const char text[] = UPGRADE_TO("/chat", VERSION) HIDDEN;
    client_send(&w, c, text, sizeof text - 1);
    assert_int_equal(client_status(&w, c), 101);
    world_until(&w, c->len >= 2);
    assert_int_equal(c->in[0], FIN | TW__WS_CLOSE); /* "G" is no frame */
    world_until(&w, strstr(w.log, "close:1:1002:") != NULL);
    assert_null(strstr(w.log, "hidden"));
    world_close(&w);
}

/* ---- what is not ambiguous ---------------------------------------------- */

static void expect_fine(world *w, client *c) {
    char body[5];
    assert_int_equal(client_status(w, c), 200);
    client_body(w, c, body, 4);
    assert_string_equal(body, "fine");
}

static void what_is_clear_is_read_the_same_in_any_pieces(void **state) {
    static const struct {
        const char *text, *log;
    } cases[] = {
        {HEAD("Content-Length: 3\r\n") "abc" HIDDEN, "abc +hidden "},
        {CHUNKED("3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n") HIDDEN, "abc +hidden "},
        {HEAD("") HIDDEN, " +hidden "},
        {"POST http://a/page HTTP/1.1\r\nHost: A\r\n\r\n" HIDDEN, " +hidden "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t how = 0; how < ways(cases[i].text); how++) {
            world w;
            open_world(&w);
            client *c = client_connect(&w, 0);
            send_cut(&w, c, cases[i].text, how);
            expect_fine(&w, c);
            expect_fine(&w, c);
            char *at = w.log;
            for (char *cut; (cut = strstr(at, "request:/page ")) != NULL;) {
                memmove(cut, cut + 14, strlen(cut + 14) + 1);
            }
            assert_string_equal(w.log, cases[i].log);
            assert_false(c->is_ended);
            world_close(&w);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_ambiguous_is_refused),
        cmocka_unit_test(nothing_behind_a_refused_upgrade_is_read),
        cmocka_unit_test(nor_what_came_while_a_hook_waited),
        cmocka_unit_test(what_follows_an_accepted_upgrade_is_no_request),
        cmocka_unit_test(what_is_clear_is_read_the_same_in_any_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
