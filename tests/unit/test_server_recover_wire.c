/* What was missed, over TLS and to those who negotiated compression.
 * SPDX-License-Identifier: MIT */
#include "recover_probe.h"
#include "tls_probe.h"

#include <zlib.h>

static const tw_class_config kept = {.pattern = "room", .history = 400};

/* A text of its own for each number, that compresses well. */
static const char *text_of(int number, size_t len) {
    static char text[4096];
    char word[16];
    int word_len = snprintf(word, sizeof word, "%d tide ", number);
    assert_true(len < sizeof text);
    for (size_t i = 0; i < len; i++) {
        text[i] = word[i % (size_t)word_len];
    }
    text[len] = '\0';
    return text;
}

static void publish_texts(world *w, int first, int last, size_t len) {
    for (int i = first; i <= last; i++) {
        world_publish(w, "room", text_of(i, len));
    }
    world_rest(w);
}

static void it_is_sent_over_tls(void **state) {
    static world w;
    static secure_world s;
    enum { COUNT = 300, LEN = 2000 }; /* many records */
    (void)state;
    secure_init(&s, &w);
    w.config.publication_budget_bytes = 65536;
    secure_start(&s);
    recover_classes(&w, &kept, 1);
    secure *c = secure_client(&s);
    tw_subscribed got = recover_subscribe(&w, 1, "room", NULL);
    recover_leave(&w, 1, "room");
    publish_texts(&w, 1, COUNT, LEN);
    tw_subscribe_options since = since_of(&got.position);
    got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, COUNT, true, COUNT);
    publish_texts(&w, COUNT + 1, COUNT + 2, LEN);
    for (int i = 1; i <= COUNT + 2; i++) {
        secure_expect_text(c, text_of(i, LEN));
    }
    secure_free(c);
    secure_close(&s);
}

static void expect_deflated(world *w, client *c, const char *text) {
    static char out[4096];
    static uint8_t in[4096];
    int opcode = 0;
    const uint8_t *payload = NULL;
    size_t len = 0;
    world_until(w, client_has_frame(c) || c->is_ended || c->error != 0);
    size_t size = client_peek(c, &opcode, &payload, &len);
    assert_true(size > 0);
    assert_int_equal(c->in[0], FIN | TW__WS_RSV1 | TW__WS_TEXT);
    z_stream stream = {0};
    memcpy(in, payload, len);
    memcpy(in + len, "\x00\x00\xff\xff", 4);
    assert_int_equal(inflateInit2(&stream, -15), Z_OK);
    stream.next_in = in;
    stream.avail_in = (unsigned)len + 4;
    stream.next_out = (Bytef *)out;
    stream.avail_out = sizeof out;
    assert_int_equal(inflate(&stream, Z_SYNC_FLUSH), Z_OK);
    assert_int_equal(stream.total_out, strlen(text));
    assert_memory_equal(out, text, stream.total_out);
    inflateEnd(&stream);
    client_take(c, size);
}

#define DEFLATING                                                              \
    "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"                  \
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"   \
    "Sec-WebSocket-Version: 13\r\n"                                            \
    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"

static void each_wire_has_its_own(void **state) {
    enum { LEN = 1500 };
    world w;
    (void)state;
    recover_init(&w);
    recover_start(&w, &kept);
    client *plain = client_open(&w), *c = client_connect(&w, 0);
    client_send(&w, c, DEFLATING, sizeof DEFLATING - 1);
    assert_int_equal(client_status(&w, c), 101);
    assert_non_null(strstr(c->head, "permessage-deflate"));
    world_until(&w, w.opened == 2);
    tw_subscribed got = recover_subscribe(&w, 1, "room", NULL);
    recover_leave(&w, 1, "room");
    publish_texts(&w, 1, 5, LEN);
    tw_subscribe_options since = since_offset(&got.position, 2);
    tw_subscribe_options last = {.last = 4};
    got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 5, true, 3);
    got = recover_subscribe(&w, 2, "room", &last);
    assert_told(&got, 5, false, 4);
    publish_texts(&w, 6, 6, LEN);
    for (int i = 3; i <= 6; i++) {
        expect_text(&w, plain, text_of(i, LEN));
    }
    for (int i = 2; i <= 6; i++) {
        expect_deflated(&w, c, text_of(i, LEN));
    }
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_sent_over_tls),
        cmocka_unit_test(each_wire_has_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
