/* Connections over TLS: handshake, data, names, certificates, ends.
 * SPDX-License-Identifier: MIT */
#include "tls_probe.h"

#include "server/tls.h"

static int echo(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)w;
    assert_int_equal(tw_conn_forward(conn, msg), 0);
    return TW_DONE;
}

static void check_echo(int version) {
    static world w;
    static secure_world s;
    secure_init(&s, &w);
    w.on_message = echo;
    secure_start(&s);
    secure *c = secure_client_with(&s, secure_context(&s, version), 0);
    assert_int_equal(SSL_version(c->ssl),
                     version != 0 ? version : TLS1_3_VERSION);
    secure_say(c, "hello");
    secure_expect_text(c, "hello");
    assert_int_equal(counter(&w, TW_COUNTER_TLS_HANDSHAKES), 1);
    assert_int_equal(w.server->page->gauges[TW_GAUGE_TLS_SOCKETS], 1);
    secure_free(c);
    world_until(&w, w.gone == 1);
    assert_int_equal(w.server->page->gauges[TW_GAUGE_TLS_SOCKETS], 0);
    secure_close(&s);
}

static void messages_come_back_over_tls_1_3(void **state) {
    (void)state;
    check_echo(0);
}

static void messages_come_back_over_tls_1_2(void **state) {
    (void)state;
    check_echo(TLS1_2_VERSION);
}

static void everything_may_come_one_byte_at_a_time(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_init(&s, &w);
    w.on_message = echo;
    secure_start(&s);
    secure *c = secure_new(&w, secure_context(&s, 0), "a.test", 0);
    c->step = 1;
    secure_shake(c);
    secure_upgrade(c);
    secure_say(c, "drop by drop");
    secure_expect_text(c, "drop by drop");
    secure_free(c);
    secure_close(&s);
}

static void a_mebibyte_goes_both_ways(void **state) {
    static world w;
    static secure_world s;
    static uint8_t big[1 << 20];
    (void)state;
    secure_init(&s, &w);
    w.on_message = echo;
    w.routes[0].max_message_bytes = sizeof big;
    w.config.reply_budget_bytes = 4 * sizeof big;
    secure_start(&s);
    secure *c = secure_client(&s);
    for (size_t i = 0; i < sizeof big; i++) {
        big[i] = (uint8_t)(i * 7 + i / 251);
    }
    wire out = {0};
    wire_frame(&out, FIN | TW__WS_BINARY, big, sizeof big);
    secure_send(c, out.data, out.len);
    wire_free(&out);
    secure_expect(c, TW__WS_BINARY, big, sizeof big);
    secure_free(c);
    secure_close(&s);
}

static void a_burst_that_waits_in_tls_is_heard_to_its_end(void **state) {
    static world w;
    static secure_world s;
    enum { COUNT = 3000 };
    (void)state;
    secure_init(&s, &w);
    w.on_message = echo;
    w.is_silent = true;
    w.config.read_turn_bytes = 4096; /* so that a record takes several turns */
    secure_start(&s);
    secure *c = secure_client(&s);
    wire out = {0};
    char text[32];
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "number %d", i);
        wire_frame(&out, FIN | TW__WS_TEXT, text, strlen(text));
    }
    secure_send(c, out.data, out.len);
    wire_free(&out);
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "number %d", i);
        secure_expect_text(c, text);
    }
    secure_free(c);
    secure_close(&s);
}

static int wait_for_ever(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)w;
    (void)conn;
    (void)msg;
    return TW_LATER;
}

static void what_came_while_a_hook_waited_is_heard_after_it(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_init(&s, &w);
    w.on_message = wait_for_ever;
    w.config.read_turn_bytes = 1024;
    secure_start(&s);
    secure *c = secure_client(&s);
    world_forget(&w);
    wire out = {0};
    static const char filler[3000] = {'x'};
    wire_frame(&out, FIN | TW__WS_TEXT, "first", 5);
    wire_frame(&out, FIN | TW__WS_BINARY, filler, sizeof filler);
    wire_frame(&out, FIN | TW__WS_TEXT, "last", 4);
    secure_send(c, out.data, out.len); /* in one record */
    wire_free(&out);
    world_until(&w, strcmp(w.log, "msg:1:first ") == 0);
    world_turns(&w, 5);
    w.on_message = NULL;
    tw_conn_done(w.conns[1]);
    world_until(&w, strcmp(w.log, "msg:1:first bin:1:#3000 msg:1:last ") == 0);
    secure_free(c);
    secure_close(&s);
}

static void the_name_asked_for_chooses_the_certificate(void **state) {
    static const struct {
        const char *name, *expected;
    } cases[] = {{"a.test", "a.test"},        {"b.test", "b.test"},
                 {"x.a.test", "a.test"},      {"B.TEST", "b.test"},
                 {"stranger.test", "a.test"}, {NULL, "a.test"}};
    static world w;
    static secure_world s;
    (void)state;
    secure_open(&s, &w);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        secure *c = secure_new(&w, secure_context(&s, 0), cases[i].name, 0);
        secure_shake(c);
        assert_string_equal(secure_peer(c), cases[i].expected);
        secure_free(c);
    }
    secure_close(&s);
}

static void only_http_1_1_is_agreed_on(void **state) {
    static world w;
    static secure_world s;
    const unsigned char *chosen;
    unsigned len;
    (void)state;
    secure_open(&s, &w);
    SSL_CTX *context = secure_context(&s, 0);
    SSL_CTX_set_alpn_protos(context, (const uint8_t *)"\x02h2\x08http/1.1", 12);
    secure *c = secure_new(&w, context, "a.test", 0);
    secure_shake(c);
    SSL_get0_alpn_selected(c->ssl, &chosen, &len);
    assert_int_equal(len, 8);
    assert_memory_equal(chosen, "http/1.1", 8);
    secure_free(c);
    context = secure_context(&s, 0);
    SSL_CTX_set_alpn_protos(context, (const uint8_t *)"\x02h2", 3);
    c = secure_new(&w, context, "a.test", 0);
    secure_shake(c);
    assert_true(c->is_broken);
    assert_int_equal(counter(&w, TW_COUNTER_TLS_FAILED_NO_COMMON), 1);
    secure_free(c);
    secure_close(&s);
}

static void versions_before_1_2_are_refused(void **state) {
    static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION};
    static world w;
    static secure_world s;
    (void)state;
    secure_open(&s, &w);
    for (int i = 0; i < 2; i++) {
        secure *c =
            secure_new(&w, secure_context(&s, versions[i]), "a.test", 0);
        secure_shake(c);
        assert_false(SSL_is_init_finished(c->ssl));
        secure_free(c);
    }
    world_until(&w, counter(&w, TW_COUNTER_TLS_FAILED_NO_COMMON) == 2);
    secure_close(&s);
}

static void http_without_tls_is_told_so(void **state) {
    static world w;
    static secure_world s;
    char body[64];
    (void)state;
    secure_open(&s, &w);
    client *c = client_connect(&w, 0);
    client_send(&w, c, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    assert_int_equal(client_status(&w, c), 400);
    client_body(&w, c, body, 49);
    assert_string_equal(body,
                        "This address speaks TLS: use https:// or wss://.\n");
    expect_end(&w, c);
    assert_int_equal(counter(&w, TW_COUNTER_TLS_FAILED_PLAIN), 1);
    secure_close(&s);
}

static void noise_gets_an_alert_and_the_end(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_open(&s, &w);
    client *c = client_connect(&w, 0);
    client_send(&w, c, "\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff noise", 16);
    world_until(&w, c->is_ended || c->error != 0);
    assert_true(c->len >= 7);
    assert_int_equal(c->in[0], 21); /* alert */
    assert_int_equal(counter(&w, TW_COUNTER_TLS_FAILED_PROTOCOL), 1);
    secure_close(&s);
}

static void the_handshake_has_the_time_of_a_first_head(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_open(&s, &w);
    client *mute = client_connect(&w, 0), *half = client_connect(&w, 0);
    world_until(&w, w.server->page->gauges[TW_GAUGE_TLS_SOCKETS] == 2);
    client_send(&w, half, "\x16\x03\x01\x02\x00\x01\x00", 7);
    world_pass(&w, 9999);
    assert_false(mute->is_ended || half->is_ended);
    world_pass(&w, 1);
    world_until(&w, mute->is_ended && half->is_ended);
    assert_int_equal(counter(&w, TW_COUNTER_TLS_FAILED_TIMEOUT), 2);
    assert_int_equal(counter(&w, TW_COUNTER_HANDSHAKE_TIMEOUTS), 2);
    secure_close(&s);
}

static void hands_once_shaken_the_head_has_what_is_left(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_open(&s, &w);
    secure *c = secure_new(&w, secure_context(&s, 0), "a.test", 0);
    world_until(&w, w.server->page->gauges[TW_GAUGE_TLS_SOCKETS] == 1);
    world_pass(&w, 6000);
    secure_shake(c);
    secure_send(c, "GET / HTTP/1.1\r\n", 16);
    world_until(&w, counter(&w, TW_COUNTER_BYTES_IN) == 16);
    world_rest(&w);
    world_pass(&w, 3999);
    secure_pump(c);
    assert_int_equal(c->len, 0);
    world_pass(&w, 1);
    assert_int_equal(secure_status(c), 408);
    secure_free(c);
    secure_close(&s);
}

static void who_leaves_in_the_handshake_is_counted(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_open(&s, &w);
    client *c = client_connect(&w, 0);
    client_send(&w, c, "\x16\x03\x01", 3);
    client_close(c);
    world_until(&w, counter(&w, TW_COUNTER_TLS_FAILED_CLOSED) == 1);
    world_until(&w, w.server->page->gauges[TW_GAUGE_TLS_SOCKETS] == 0);
    secure_close(&s);
}

static void an_end_without_a_word_is_1006(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_open(&s, &w);
    secure *c = secure_client(&s);
    world_forget(&w);
    client_close(c->raw);
    world_until(&w, w.gone == 1);
    assert_log(&w, "close:1:1006: gone:1 ");
    secure_free(c);
    secure_close(&s);
}

static void the_server_says_in_tls_that_it_ends(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_open(&s, &w);
    secure *c = secure_client(&s);
    tw_conn_close(w.conns[1], 1000, str_of("bye"));
    secure_expect(c, TW__WS_CLOSE,
                  "\x03\xe8"
                  "bye",
                  5);
    wire out = {0};
    wire_frame(&out, FIN | TW__WS_CLOSE, "\x03\xe8", 2);
    secure_send(c, out.data, out.len);
    wire_free(&out);
    secure_until(c, c->is_shut && c->raw->is_ended);
    secure_free(c);
    secure_close(&s);
}

static void a_key_update_is_answered(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_init(&s, &w);
    w.on_message = echo;
    secure_start(&s);
    secure *c = secure_client(&s);
    for (int i = 0; i < 3; i++) {
        SSL_key_update(c->ssl, SSL_KEY_UPDATE_REQUESTED);
        secure_say(c, "again");
        secure_expect_text(c, "again");
    }
    secure_free(c);
    secure_close(&s);
}

/* ---- certificates that change ---- */

static void new_certificates_are_for_newcomers(void **state) {
    static world w;
    static secure_world s;
    char detail[256] = "";
    (void)state;
    secure_init(&s, &w);
    w.on_message = echo;
    secure_start(&s);
    secure *old = secure_client(&s);
    paper_pair(&s.p, "a", "renewed", "DNS:a.test", &s.p.ca);
    assert_int_equal(
        tw_server_use_certificates(w.server, &w.config, detail, sizeof detail),
        0);
    secure *new = secure_client(&s);
    assert_string_equal(secure_peer(new), "renewed");
    assert_string_equal(secure_peer(old), "a.test");
    secure_say(old, "still here");
    secure_expect_text(old, "still here");
    secure_free(old);
    secure_free(new);
    secure_close(&s);
}

static void bad_certificates_leave_the_good_ones(void **state) {
    static world w;
    static secure_world s;
    char detail[256] = "";
    (void)state;
    secure_open(&s, &w);
    paper_pair(&s.p, "c", "c.test", NULL, &s.p.ca);
    rename(paper(&s.p, "c.pem"), paper(&s.p, "a.pem"));
    assert_int_equal(
        tw_server_use_certificates(w.server, &w.config, detail, sizeof detail),
        TW_EINVALID);
    assert_non_null(strstr(detail, "the key is not the certificate's"));
    secure *c = secure_client(&s);
    assert_string_equal(secure_peer(c), "a.test");
    secure_free(c);
    secure_close(&s);
}

static void check_refused(secure_world *s, int code, const char *why) {
    char detail[256] = "";
    int err =
        tw_server_create(&s->w->server, &s->w->config, detail, sizeof detail);
    assert_int_equal(err, code);
    if (strstr(detail, why) == NULL) {
        fail_msg("'%s' does not say '%s'", detail, why);
    }
}

static void a_server_does_not_start_with_a_bad_pair(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_init(&s, &w);
    chmod(s.key[0], 0644);
    check_refused(&s, TW_EDENIED, "is open to others");
    chmod(s.key[0], 0640);
    s.pairs[1].key = s.key[0];
    check_refused(&s, TW_EINVALID, "b.pem: the key is not the certificate's");
    s.pairs[1].key = "/nowhere/b.key";
    check_refused(&s, TW_EIO, "/nowhere/b.key: No such file");
    s.pairs[1].key = s.p.dir;
    check_refused(&s, TW_EINVALID, "is not a plain file");
    s.pairs[1].key = NULL;
    chmod(s.cert[1], 0600);
    check_refused(&s, TW_EINVALID, "there is no private key");
    s.pairs[1] = (tw_tls_pair){s.key[1], s.key[1]};
    check_refused(&s, TW_EINVALID, "holds no certificate");
    s.tls.pair_count = 1;
    s.tls.client = TW_TLS_CLIENT_REQUIRE;
    check_refused(&s, TW_EINVALID, "no CA");
    s.tls.client_ca = s.key[1];
    check_refused(&s, TW_EINVALID, "holds no certificate");
    s.tls.pair_count = 0;
    check_refused(&s, TW_EINVALID, "there is no certificate");
    w.server = NULL;
    secure_close(&s);
}

/* ---- clients that show who they are ---- */

static tw_tls_info seen;
static char seen_subject[128], seen_name[64], seen_print[80];

static int look(world *w, tw_conn *conn, tw_req *req) {
    (void)w;
    (void)conn;
    memset(&seen, 0, sizeof seen);
    assert_true(tw_req_tls(req, &seen));
    snprintf(seen_subject, sizeof seen_subject, "%s",
             seen.has_client ? seen.client.subject.data : "");
    snprintf(seen_name, sizeof seen_name, "%s",
             seen.has_client ? seen.client.common_name.data : "");
    snprintf(seen_print, sizeof seen_print, "%s",
             seen.has_client ? seen.client.fingerprint.data : "");
    assert_string_equal(seen.server_name.data, "a.test");
    assert_memory_equal(seen.version.data, "TLSv1.", 6);
    return TW_DONE;
}

static void open_with_clients(secure_world *s, world *w, tw_tls_client mode) {
    secure_init(s, w);
    s->tls.client = mode;
    s->tls.client_ca = s->ca;
    w->on_open = look;
    secure_start(s);
}

static void a_client_certificate_reaches_the_request(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    for (int version = 0; version < 2; version++) {
        open_with_clients(&s, &w, TW_TLS_CLIENT_REQUIRE);
        SSL_CTX *context =
            secure_context(&s, version == 0 ? 0 : TLS1_2_VERSION);
        secure_show(&s, context, "ann");
        secure *c = secure_client_with(&s, context, 0);
        assert_true(seen.has_client);
        assert_string_equal(seen_subject, "CN=Ann Öl,O=Test\\, Ltd");
        assert_string_equal(seen_name, "Ann Öl");
        assert_int_equal(strlen(seen_print), 64);
        assert_true(seen.client.not_after - seen.client.not_before == 90000);
        secure_free(c);
        secure_close(&s);
    }
}

static void a_requested_certificate_may_be_missing(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    open_with_clients(&s, &w, TW_TLS_CLIENT_REQUEST);
    secure *c = secure_client(&s);
    assert_false(seen.has_client);
    secure_free(c);
    secure_close(&s);
}

static void who_shows_none_or_a_wrong_one_is_refused(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    open_with_clients(&s, &w, TW_TLS_CLIENT_REQUIRE);
    for (int i = 0; i < 2; i++) {
        SSL_CTX *context = secure_context(&s, 0);
        if (i == 1) {
            secure_show(&s, context, "eve");
        }
        secure *c = secure_new(&w, context, "a.test", 0);
        secure_shake(c);
        secure_until(c, c->is_broken || c->raw->is_ended);
        assert_int_equal(counter(&w, TW_COUNTER_TLS_FAILED_CERTIFICATE), i + 1);
        secure_free(c);
    }
    assert_int_equal(counter(&w, TW_COUNTER_TLS_HANDSHAKES), 0);
    secure_close(&s);
}

/* ---- sessions ---- */

static SSL_SESSION *kept;

static int keep_session(SSL *ssl, SSL_SESSION *session) {
    (void)ssl;
    SSL_SESSION_free(kept);
    kept = session;
    return 1;
}

static bool visit(secure_world *s, int version, bool is_known) {
    SSL_CTX *context = secure_context(s, version);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT |
                                                SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_session);
    secure *c = secure_new(s->w, context, "a.test", 0);
    if (is_known) {
        assert_non_null(kept);
        SSL_set_session(c->ssl, kept);
    }
    secure_shake(c);
    secure_upgrade(c);
    secure_until(c, kept != NULL);
    bool is_resumed = SSL_session_reused(c->ssl) == 1;
    /* In a good order: OpenSSL forgets the session of one that breaks off. */
    SSL_shutdown(c->ssl);
    secure_free(c);
    return is_resumed;
}

static void a_session_is_resumed_by_any_worker(void **state) {
    static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    static world w;
    static secure_world s;
    static tw__tls_tickets shared;
    (void)state;
    tw__tls_tickets_init(&shared, 0);
    for (int i = 0; i < 2; i++) {
        SSL_SESSION_free(kept);
        kept = NULL;
        for (int worker = 0; worker < 2; worker++) {
            secure_open(&s, &w);
            w.server->tls->tickets = shared; /* as the master gives them */
            assert_int_equal(visit(&s, versions[i], worker == 1), worker == 1);
            assert_int_equal(counter(&w, TW_COUNTER_TLS_RESUMED), worker);
            secure_close(&s);
        }
    }
    SSL_SESSION_free(kept);
    kept = NULL;
}

static void tickets_are_taken_for_two_epochs(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_open(&s, &w);
    assert_false(visit(&s, TLS1_2_VERSION, false));
    world_pass(&w, TW__TLS_EPOCH_MS);
    SSL_SESSION *first = SSL_SESSION_dup(kept);
    assert_true(visit(&s, TLS1_2_VERSION, true));
    SSL_SESSION_free(kept);
    kept = first;
    world_pass(&w, TW__TLS_EPOCH_MS);
    assert_false(visit(&s, TLS1_2_VERSION, true));
    secure_close(&s);
    SSL_SESSION_free(kept);
    kept = NULL;
}

static void keys_step_alike_however_often_they_are_asked(void **state) {
    tw__tls_tickets often, seldom;
    (void)state;
    tw__tls_tickets_init(&often, 5);
    seldom = often;
    for (int i = 0; i < 100; i++) {
        tw__tls_tickets_at(&often, (uint64_t)i * TW__TLS_EPOCH_MS / 10);
    }
    assert_memory_not_equal(&often, &seldom, sizeof often);
    tw__tls_tickets_at(&seldom, (uint64_t)99 * TW__TLS_EPOCH_MS / 10);
    assert_memory_equal(&often._old, &seldom._old, sizeof often._old);
    assert_memory_equal(&often._present, &seldom._present,
                        sizeof often._present);
}

/* ---- slow readers ---- */

static void a_slow_reader_gets_whole_records(void **state) {
    static world w;
    static secure_world s;
    static char text[2000];
    enum { COUNT = 400 };
    (void)state;
    secure_init(&s, &w);
    w.is_silent = true;
    w.config.publication_budget_bytes = 65536;
    secure_start(&s);
    world_narrow(&w, 4096);
    world_set_class(&w, "news", TW_SLOW_DROP_OLD, 0);
    secure *c = secure_client_with(&s, secure_context(&s, 0), 4096);
    world_subscribe(&w, 1, "news");
    c->raw->is_lazy = true;
    for (int i = 0; i < COUNT; i++) {
        memset(text, 'a' + i % 26, sizeof text - 1);
        snprintf(text, 16, "%06d", i);
        text[6] = ' ';
        world_publish(&w, "news", text);
        world_turns(&w, 2);
    }
    assert_true(counter(&w, TW_COUNTER_DROPPED) > 0);
    assert_true(w.conns[1]->out->sealed_bytes > 0);
    c->raw->is_lazy = false;
    int last = -1, got = 0, opcode;
    const uint8_t *payload;
    size_t len;
    while (last < COUNT - 1) {
        secure_until(c, secure_has_frame(c) || c->is_broken);
        assert_false(c->is_broken);
        size_t size = secure_peek(c, &opcode, &payload, &len);
        int number = atoi((const char *)payload);
        assert_int_equal(len, sizeof text - 1);
        assert_true(number > last);
        assert_int_equal(payload[len - 1], 'a' + number % 26);
        last = number;
        got++;
        secure_take(c, size);
    }
    world_rest(&w);
    assert_int_equal(counter(&w, TW_COUNTER_DELIVERED), got);
    secure_free(c);
    secure_close(&s);
}

static void a_reader_that_stops_is_cut_as_without_tls(void **state) {
    static world w;
    static secure_world s;
    static char text[60000];
    (void)state;
    secure_init(&s, &w);
    w.is_silent = true;
    secure_start(&s);
    world_narrow(&w, 4096);
    secure *c = secure_client_with(&s, secure_context(&s, 0), 4096);
    c->raw->is_lazy = true;
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(tw_conn_send(w.conns[1], text, sizeof text, false), 0);
    }
    world_rest(&w);
    assert_true(w.conns[1]->flags & TW__WANT_WRITE);
    world_pass(&w, 29999);
    assert_int_equal(w.gone, 0);
    world_pass(&w, 10000);
    world_until(&w, w.gone == 1);
    assert_int_equal(counter(&w, TW_COUNTER_CLOSED_SLOW), 1);
    secure_free(c);
    secure_close(&s);
}

/* ---- a reload's freeze ---- */

static void who_comes_or_speaks_in_a_freeze_is_heard_after_it(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_init(&s, &w);
    w.on_message = echo;
    secure_start(&s);
    secure *c = secure_client(&s);
    secure *half = secure_new(&w, secure_context(&s, 0), "a.test", 0);
    world_until(&w, w.server->page->gauges[TW_GAUGE_TLS_SOCKETS] == 2);
    tw_server_freeze(w.server);
    secure_say(c, "in the cold");
    secure_shake(half);
    secure_send(half, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    world_turns(&w, 10);
    assert_int_equal(w.opened, 1);
    tw_server_thaw(w.server);
    secure_expect_text(c, "in the cold");
    assert_int_equal(secure_status(half), 101);
    secure_free(c);
    secure_free(half);
    secure_close(&s);
}

/* ---- no memory ---- */

static int countdown; /* of OpenSSL's allocations inside of turns */
static bool is_armed;

static bool fails(void) {
    return is_armed && countdown > 0 && --countdown == 0;
}

static void *allocate(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return fails() ? NULL : malloc(size);
}

static void *resize(void *block, size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return fails() ? NULL : realloc(block, size);
}

static void release(void *block, const char *file, int line) {
    (void)file;
    (void)line;
    free(block);
}

/* As the probe's turn, and only the server's part of it may fail. */
static void poor_turn(world *w) {
    is_armed = true;
    tw__loop_run_once(tw__server_loop(w->server), 1);
    is_armed = false;
    world_turn(w);
}

static void without_memory_for_openssl_a_connection_ends(void **state) {
    static world w;
    static secure_world s;
    bool was_reached = true;
    (void)state;
    secure_init(&s, &w);
    w.on_message = echo;
    secure_start(&s);
    for (int nth = 1; was_reached && nth < 5000; nth += nth < 60 ? 1 : 13) {
        countdown = nth;
        secure *c = secure_new(&w, secure_context(&s, 0), "a.test", 0);
        uint64_t until = real_ms() + WORLD_PATIENCE_MS;
        SSL_do_handshake(c->ssl);
        secure_carry_out(c);
        while (!SSL_is_init_finished(c->ssl) && !c->is_broken &&
               !c->raw->is_ended && c->raw->error == 0) {
            poor_turn(&w);
            secure_pump(c);
            assert_true(real_ms() < until);
        }
        if (SSL_is_init_finished(c->ssl)) {
            secure_say(c, "x");
            poor_turn(&w);
            poor_turn(&w);
        }
        was_reached = countdown == 0;
        countdown = 0;
        secure_free(c);
        world_until(&w, w.server->page->gauges[TW_GAUGE_TLS_SOCKETS] == 0);
    }
    assert_false(was_reached);
    secure *c = secure_client(&s);
    secure_say(c, "all is well");
    secure_expect_text(c, "all is well");
    secure_free(c);
    secure_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_back_over_tls_1_3),
        cmocka_unit_test(messages_come_back_over_tls_1_2),
        cmocka_unit_test(everything_may_come_one_byte_at_a_time),
        cmocka_unit_test(a_mebibyte_goes_both_ways),
        cmocka_unit_test(a_burst_that_waits_in_tls_is_heard_to_its_end),
        cmocka_unit_test(what_came_while_a_hook_waited_is_heard_after_it),
        cmocka_unit_test(the_name_asked_for_chooses_the_certificate),
        cmocka_unit_test(only_http_1_1_is_agreed_on),
        cmocka_unit_test(versions_before_1_2_are_refused),
        cmocka_unit_test(http_without_tls_is_told_so),
        cmocka_unit_test(noise_gets_an_alert_and_the_end),
        cmocka_unit_test(the_handshake_has_the_time_of_a_first_head),
        cmocka_unit_test(hands_once_shaken_the_head_has_what_is_left),
        cmocka_unit_test(who_leaves_in_the_handshake_is_counted),
        cmocka_unit_test(an_end_without_a_word_is_1006),
        cmocka_unit_test(the_server_says_in_tls_that_it_ends),
        cmocka_unit_test(a_key_update_is_answered),
        cmocka_unit_test(new_certificates_are_for_newcomers),
        cmocka_unit_test(bad_certificates_leave_the_good_ones),
        cmocka_unit_test(a_server_does_not_start_with_a_bad_pair),
        cmocka_unit_test(a_client_certificate_reaches_the_request),
        cmocka_unit_test(a_requested_certificate_may_be_missing),
        cmocka_unit_test(who_shows_none_or_a_wrong_one_is_refused),
        cmocka_unit_test(a_session_is_resumed_by_any_worker),
        cmocka_unit_test(tickets_are_taken_for_two_epochs),
        cmocka_unit_test(keys_step_alike_however_often_they_are_asked),
        cmocka_unit_test(a_slow_reader_gets_whole_records),
        cmocka_unit_test(a_reader_that_stops_is_cut_as_without_tls),
        cmocka_unit_test(who_comes_or_speaks_in_a_freeze_is_heard_after_it),
        cmocka_unit_test(without_memory_for_openssl_a_connection_ends),
    };
    CRYPTO_set_mem_functions(allocate, resize, release);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
