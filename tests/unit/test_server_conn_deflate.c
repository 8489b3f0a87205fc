/* Connections that negotiated compression, beside others that did not.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

#include <zlib.h>

#define OFFER "Sec-WebSocket-Extensions: permessage-deflate\r\n"
#define RSV1 TW__WS_RSV1

enum { TEXT_MAX = 1 << 17 };

/* "1 tide 1 tide ...": compresses well, and differs by its number. */
static const char *text_of(int number, size_t len) {
    static char text[TEXT_MAX];
    char word[16];
    int word_len = snprintf(word, sizeof word, "%d tide ", number);
    assert_true(len < sizeof text);
    for (size_t i = 0; i < len; i++) {
        text[i] = word[i % (size_t)word_len];
    }
    text[len] = '\0';
    return text;
}

static client *open_with(world *w, const char *offer) {
    char head[1024];
    client *c = client_connect(w, 0);
    int before = w->opened;
    int len = snprintf(head, sizeof head,
                       "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "Sec-WebSocket-Version: 13\r\n%s\r\n",
                       offer);
    client_send(w, c, head, (size_t)len);
    assert_int_equal(client_status(w, c), 101);
    world_until(w, w->opened > before);
    return c;
}

static bool is_granted(const client *c) {
    return strstr(c->head, "Sec-WebSocket-Extensions: permessage-deflate; "
                           "server_no_context_takeover; "
                           "client_no_context_takeover\r\n") != NULL;
}

static client *open_deflating(world *w) {
    client *c = open_with(w, OFFER);
    assert_true(is_granted(c));
    return c;
}

static char *expand(const uint8_t *payload, size_t len, size_t *out_len) {
    static char out[TEXT_MAX];
    static uint8_t in[TEXT_MAX];
    z_stream stream = {0};
    memcpy(in, payload, len);
    memcpy(in + len, "\x00\x00\xff\xff", 4);
    assert_int_equal(inflateInit2(&stream, -15), Z_OK);
    stream.next_in = in;
    stream.avail_in = (unsigned)len + 4;
    stream.next_out = (Bytef *)out;
    stream.avail_out = sizeof out;
    assert_int_equal(inflate(&stream, Z_SYNC_FLUSH), Z_OK);
    *out_len = stream.total_out;
    inflateEnd(&stream);
    return out;
}

/* The next frame is this text, compressed or not. */
static void expect_message(world *w, client *c, const char *text,
                           bool is_deflated) {
    int opcode = 0;
    const uint8_t *payload = NULL;
    size_t len = 0;
    world_until(w, client_has_frame(c) || c->is_ended || c->error != 0);
    size_t size = client_peek(c, &opcode, &payload, &len);
    assert_true(size > 0);
    assert_int_equal(c->in[0], FIN | (is_deflated ? RSV1 : 0) | TW__WS_TEXT);
    const char *got = (const char *)payload;
    size_t got_len = len;
    if (is_deflated) {
        got = expand(payload, len, &got_len);
        assert_true(len < got_len);
    }
    assert_int_equal(got_len, strlen(text));
    assert_memory_equal(got, text, got_len);
    client_take(c, size);
}

static void deflate_frame(wire *out, int first, const char *text) {
    uint8_t packed[TEXT_MAX];
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, 0), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)text;
    stream.avail_in = (unsigned)strlen(text);
    stream.next_out = packed;
    stream.avail_out = sizeof packed;
    deflate(&stream, Z_SYNC_FLUSH);
    wire_frame(out, first | RSV1, packed, stream.total_out - 4);
    deflateEnd(&stream);
}

static void say_deflated(world *w, client *c, const char *text) {
    wire out = {0};
    deflate_frame(&out, FIN | TW__WS_TEXT, text);
    client_send(w, c, out.data, out.len);
    wire_free(&out);
}

static int echo(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)w;
    assert_int_equal(tw_conn_forward(conn, msg), 0);
    return TW_DONE;
}

/* ---- negotiation ---- */

static void compression_is_granted_where_it_is_offered(void **state) {
    world w;
    (void)state;
    world_open(&w);
    assert_true(is_granted(open_with(&w, OFFER)));
    client *c = open_with(&w, "");
    assert_null(strstr(c->head, "Extensions"));
    c = open_with(&w, "Sec-WebSocket-Extensions: permessage-deflate; "
                      "server_max_window_bits=10\r\n");
    assert_null(strstr(c->head, "Extensions"));
    world_close(&w);
}

static void a_route_may_be_without(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.routes[0].deflate = TW_DEFLATE_OFF;
    world_start(&w);
    client *c = open_with(&w, OFFER);
    assert_null(strstr(c->head, "Extensions"));
    say_deflated(&w, c, "hello");
    expect_close(&w, c, TW__WS_CLOSE_PROTOCOL, "reserved bit set");
    world_close(&w);
}

/* Those that have it keep it. */
static void a_reload_changes_what_new_connections_get(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.on_message = echo;
    world_start(&w);
    client *c = open_deflating(&w);
    w.routes[0].deflate = TW_DEFLATE_OFF;
    world_set_routes(&w);
    client *late = open_with(&w, OFFER);
    assert_null(strstr(late->head, "Extensions"));
    say_deflated(&w, c, text_of(1, 2000));
    expect_message(&w, c, text_of(1, 2000), true);
    client_say(&w, late, text_of(1, 2000));
    expect_message(&w, late, text_of(1, 2000), false);
    world_close(&w);
}

/* ---- direct sends ---- */

static void replies_are_compressed_from_the_threshold_on(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.on_message = echo;
    world_start(&w);
    client *c = open_deflating(&w);
    client *plain = open_with(&w, "");
    size_t lens[] = {0,
                     1,
                     TW__DEFLATE_SEND_MIN - 1,
                     TW__DEFLATE_SEND_MIN,
                     TW__DEFLATE_SEND_MIN + 1,
                     60000};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        const char *text = text_of((int)i, lens[i]);
        say_deflated(&w, c, text);
        expect_message(&w, c, text, lens[i] >= TW__DEFLATE_SEND_MIN);
        client_say(&w, c, text);
        expect_message(&w, c, text, lens[i] >= TW__DEFLATE_SEND_MIN);
        client_say(&w, plain, text);
        expect_message(&w, plain, text, false);
    }
    assert_int_equal(counter(&w, TW_COUNTER_DEFLATED), 6);
    assert_int_equal(counter(&w, TW_COUNTER_INFLATED), 6);
    assert_int_equal(counter(&w, TW_COUNTER_DEFLATE_IN),
                     2 * (2 * TW__DEFLATE_SEND_MIN + 1 + 60000));
    assert_true(counter(&w, TW_COUNTER_DEFLATE_OUT) <
                counter(&w, TW_COUNTER_DEFLATE_IN) / 4);
    assert_int_equal(counter(&w, TW_COUNTER_INFLATE_OUT),
                     3 * TW__DEFLATE_SEND_MIN + 1 + 60000);
    world_close(&w);
}

static void what_does_not_get_shorter_is_sent_as_it_is(void **state) {
    world w;
    static uint8_t noise[5000];
    (void)state;
    world_open(&w);
    client *c = open_deflating(&w);
    world_subscribe(&w, 1, "room");
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t)rand();
    }
    assert_int_equal(tw_conn_send(w.conns[1], noise, sizeof noise, true), 0);
    expect_frame(&w, c, TW__WS_BINARY, noise, sizeof noise);
    tw_publish_options options = {.binary = true};
    tw_publish(w.server, str_of("room"), noise, sizeof noise, &options);
    expect_frame(&w, c, TW__WS_BINARY, noise, sizeof noise);
    assert_int_equal(counter(&w, TW_COUNTER_DEFLATED), 0);
    world_close(&w);
}

/* What one read asks for costs much more time to compress than to read. */
static void who_is_sent_much_compressed_lets_others_go_first(void **state) {
    enum { MESSAGES = 16, LEN = 4000 };
    world w;
    wire out = {0};
    uint64_t most = 0, before = 0;
    (void)state;
    world_init(&w);
    w.on_message = echo;
    world_start(&w);
    client *c = open_deflating(&w);
    for (int i = 0; i < MESSAGES; i++) {
        deflate_frame(&out, FIN | TW__WS_TEXT, text_of(i, LEN));
    }
    client_send(&w, c, out.data, out.len);
    while (before < MESSAGES) {
        world_until(&w, counter(&w, TW_COUNTER_DEFLATED) > before);
        uint64_t now = counter(&w, TW_COUNTER_DEFLATED);
        most = now - before > most ? now - before : most;
        before = now;
    }
    assert_int_equal(most, (TW__DEFLATE_TURN_BYTES + LEN - 1) / LEN);
    for (int i = 0; i < MESSAGES; i++) {
        expect_message(&w, c, text_of(i, LEN), true);
    }
    wire_free(&out);
    world_close(&w);
}

/* ---- publications ---- */

static void a_publication_is_compressed_once_for_all(void **state) {
    enum { CLIENTS = 10 };
    world w;
    client *clients[CLIENTS];
    (void)state;
    world_open(&w);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = i % 3 == 2 ? open_with(&w, "") : open_deflating(&w);
        world_subscribe(&w, i + 1, "room");
    }
    for (int n = 1; n <= 3; n++) {
        const char *text = text_of(n, 1000);
        world_publish(&w, "room", text);
        for (int i = 0; i < CLIENTS; i++) {
            expect_message(&w, clients[i], text, i % 3 != 2);
        }
        assert_int_equal(counter(&w, TW_COUNTER_DEFLATED), n);
    }
    assert_int_equal(counter(&w, TW_COUNTER_DELIVERED), 3 * CLIENTS);
    world_close(&w);
}

static void small_publications_are_left_alone(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = open_deflating(&w);
    world_subscribe(&w, 1, "room");
    size_t min = TW__DEFLATE_PUBLICATION_MIN;
    for (size_t len = min - 1; len <= min + 1; len++) {
        world_publish(&w, "room", text_of(1, len));
        expect_message(&w, c, text_of(1, len), len >= min);
    }
    world_publish(&w, "room", "");
    expect_message(&w, c, "", false);
    world_close(&w);
}

/* Nothing is compressed, and no stream made, for those who did not ask. */
static void
without_a_compressing_subscriber_nothing_is_compressed(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *plain = open_with(&w, "");
    client *alone = open_deflating(&w);
    world_subscribe(&w, 1, "room");
    world_subscribe(&w, 2, "elsewhere");
    world_publish(&w, "room", text_of(1, 1000));
    expect_message(&w, plain, text_of(1, 1000), false);
    assert_null(w.server->deflater._stream);
    /* The only one is its publisher, and excepted. */
    world_subscribe(&w, 2, "room");
    tw_publish_options options = {.except = w.conns[2]};
    tw_publish(w.server, str_of("room"), text_of(2, 1000), 1000, &options);
    expect_message(&w, plain, text_of(2, 1000), false);
    expect_nothing(&w, alone);
    assert_int_equal(counter(&w, TW_COUNTER_DEFLATED), 0);
    assert_null(w.server->deflater._stream);
    world_close(&w);
}

static void a_batch_holds_compressed_and_plain_frames(void **state) {
    world w;
    (void)state;
    world_init(&w);
    world_start(&w);
    world_set_class(&w, "room", TW_SLOW_CLOSE, 100);
    client *c = open_deflating(&w);
    client *plain = open_with(&w, "");
    world_subscribe(&w, 1, "room");
    world_subscribe(&w, 2, "room");
    tw_publish_options mine = {.except = w.conns[1]};
    world_publish(&w, "room", "short");
    world_publish(&w, "room", text_of(2, 3000));
    tw_publish(w.server, str_of("room"), text_of(3, 3000), 3000, &mine);
    world_publish(&w, "room", text_of(4, 70000));
    world_publish(&w, "room", "end");
    world_turn(&w);
    world_pass(&w, 100);
    for (int i = 0; i < 2; i++) {
        client *one = i == 0 ? c : plain;
        expect_message(&w, one, "short", false);
        expect_message(&w, one, text_of(2, 3000), i == 0);
        if (i == 1) {
            expect_message(&w, one, text_of(3, 3000), false);
        }
        expect_message(&w, one, text_of(4, 70000), i == 0);
        expect_message(&w, one, "end", false);
    }
    /* That which is excepted is in the batch all the same. */
    assert_int_equal(counter(&w, TW_COUNTER_DEFLATED), 3);
    world_close(&w);
}

static void a_time_to_live_ends_compressed_ones_too(void **state) {
    world w;
    (void)state;
    world_init(&w);
    world_start(&w);
    world_set_class(&w, "room", TW_SLOW_CLOSE, 100);
    client *c = open_deflating(&w);
    world_subscribe(&w, 1, "room");
    tw_publish_options brief = {.ttl_ms = 50}, lasting = {.ttl_ms = 500};
    tw_publish(w.server, str_of("room"), text_of(1, 1000), 1000, &brief);
    tw_publish(w.server, str_of("room"), text_of(2, 1000), 1000, &lasting);
    world_turn(&w);
    world_pass(&w, 100);
    expect_message(&w, c, text_of(2, 1000), true);
    expect_nothing(&w, c);
    assert_int_equal(counter(&w, TW_COUNTER_EXPIRED), 1);
    world_close(&w);
}

/* ---- what arrives ---- */

static void fragments_with_a_ping_between_are_one_message(void **state) {
    static const char hello[] = "\xf2\x48\xcd\xc9\xc9\x07";
    world w;
    (void)state;
    world_init(&w);
    w.on_message = echo;
    world_start(&w);
    client *c = open_deflating(&w);
    client_send_frame(&w, c, RSV1 | TW__WS_TEXT, hello, 3);
    client_send_frame(&w, c, FIN | TW__WS_PING, "now", 3);
    expect_frame(&w, c, TW__WS_PONG, "now", 3);
    client_send_frame(&w, c, FIN, hello + 3, 4);
    expect_text(&w, c, "Hello");
    world_close(&w);
}

static void two_connections_may_be_in_mid_message(void **state) {
    static const char hello[] = "\xf2\x48\xcd\xc9\xc9\x07";
    world w;
    (void)state;
    world_init(&w);
    w.on_message = echo;
    world_start(&w);
    client *a = open_deflating(&w), *b = open_deflating(&w);
    client_send_frame(&w, a, RSV1 | TW__WS_TEXT, hello, 3);
    client_send_frame(&w, b, RSV1 | TW__WS_TEXT, hello, 5);
    world_heard(&w);
    client_send_frame(&w, a, FIN, hello + 3, 4);
    client_send_frame(&w, b, FIN, hello + 5, 2);
    expect_text(&w, a, "Hello");
    expect_text(&w, b, "Hello");
    world_close(&w);
}

static void the_limit_is_that_of_the_message_expanded(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.routes[0].max_message_bytes = 5000;
    w.is_silent = true;
    world_start(&w);
    for (size_t len = 4999; len <= 5001; len++) {
        client *c = open_deflating(&w);
        say_deflated(&w, c, text_of(1, len));
        if (len <= 5000) {
            client_say_close(&w, c, 1000);
            expect_close(&w, c, 1000, "");
        } else {
            expect_close(&w, c, TW__WS_CLOSE_TOO_BIG, "message too big");
        }
    }
    assert_int_equal(counter(&w, TW_COUNTER_INFLATED), 2);
    assert_int_equal(counter(&w, TW_COUNTER_INFLATE_REFUSED), 1);
    world_close(&w);
}

/* The route's rate is about what reaches the script. */
static void a_rate_counts_bytes_expanded(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.is_silent = true;
    w.routes[0].rate = (tw_rate){.bytes = 10000, .burst = 1};
    world_start(&w);
    client *c = open_deflating(&w);
    say_deflated(&w, c, text_of(1, 9000));
    say_deflated(&w, c, text_of(1, 9000));
    expect_close(&w, c, TW__WS_CLOSE_POLICY, "rate limit exceeded");
    world_close(&w);
}

/* ---- no memory ---- */

/* A worker without memory for its stream sends what it has. */
static void without_memory_messages_go_plain(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = open_deflating(&w);
    tw_conn *conn = w.conns[1];
    assert_non_null(tw__conn_out(conn));
    assert_non_null(tw__outq_reserve(conn->out, 0)); /* a chunk is there */
    tw__alloc_fail_nth(1);
    assert_int_equal(tw_conn_send(conn, text_of(1, 1500), 1500, false), 0);
    tw__alloc_fail_nth(0);
    expect_message(&w, c, text_of(1, 1500), false);
    assert_null(w.server->deflater._stream);
    assert_int_equal(tw_conn_send(conn, text_of(2, 1500), 1500, false), 0);
    expect_message(&w, c, text_of(2, 1500), true);
    world_close(&w);
}

/* The same for a frame of a batch, which stays as it is. */
static void without_memory_a_frame_is_not_packed(void **state) {
    world w;
    uint8_t frame[4 + 1500] = {FIN | TW__WS_TEXT, 126, 1500 >> 8, 1500 & 255};
    (void)state;
    world_open(&w);
    memcpy(frame + 4, text_of(1, 1500), 1500);
    tw__alloc_fail_nth(1);
    assert_int_equal(tw__codec_pack(w.server, frame, sizeof frame),
                     sizeof frame);
    tw__alloc_fail_nth(0);
    assert_int_equal(frame[0], FIN | TW__WS_TEXT);
    assert_memory_equal(frame + 4, text_of(1, 1500), 1500);
    assert_true(tw__codec_pack(w.server, frame, sizeof frame) < 200);
    assert_int_equal(frame[0], FIN | RSV1 | TW__WS_TEXT);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compression_is_granted_where_it_is_offered),
        cmocka_unit_test(a_route_may_be_without),
        cmocka_unit_test(a_reload_changes_what_new_connections_get),
        cmocka_unit_test(replies_are_compressed_from_the_threshold_on),
        cmocka_unit_test(what_does_not_get_shorter_is_sent_as_it_is),
        cmocka_unit_test(who_is_sent_much_compressed_lets_others_go_first),
        cmocka_unit_test(a_publication_is_compressed_once_for_all),
        cmocka_unit_test(small_publications_are_left_alone),
        cmocka_unit_test(
            without_a_compressing_subscriber_nothing_is_compressed),
        cmocka_unit_test(a_batch_holds_compressed_and_plain_frames),
        cmocka_unit_test(a_time_to_live_ends_compressed_ones_too),
        cmocka_unit_test(fragments_with_a_ping_between_are_one_message),
        cmocka_unit_test(two_connections_may_be_in_mid_message),
        cmocka_unit_test(the_limit_is_that_of_the_message_expanded),
        cmocka_unit_test(a_rate_counts_bytes_expanded),
        cmocka_unit_test(without_memory_messages_go_plain),
        cmocka_unit_test(without_memory_a_frame_is_not_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
