/* Clients behind proxies: the PROXY protocol and X-Forwarded-For, and that
 * limits and scripts see who is behind. Unix sockets and IPv6, too.
 * SPDX-License-Identifier: MIT */
#include "proxy_header.h"
#include "server_probe.h"

#define HELLO "GET /who HTTP/1.1\r\nHost: a\r\n"
#define UPGRADE                                                                \
    "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"                  \
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"   \
    "Sec-WebSocket-Version: 13\r\n"
#define XFF(value) "X-Forwarded-For: " value "\r\n"

typedef struct proxied {
    world w;
    tw_listen_options options[2];
    const char *trusted[4];
} proxied;

static void note_request(world *w, tw_req *req) {
    world_note(w, "ip:%s ", tw_req_ip(req).data);
    tw_req_respond(req, 200, NULL, 0, "fine", 4);
}

static int note_open(world *w, tw_conn *conn, tw_req *req) {
    (void)req;
    world_note(w, "ip:%s ", tw_conn_ip(conn).data);
    return TW_DONE;
}

static void init(proxied *p, const char *trusted) {
    world *w = &p->w;
    memset(p, 0, sizeof *p);
    world_init(w);
    p->trusted[0] = trusted;
    w->config.listen_options = p->options;
    w->config.trusted_proxies = p->trusted;
    w->config.trusted_proxy_count = trusted != NULL;
    w->on_request = note_request;
    w->on_open = note_open;
    w->routes[w->route_count++] =
        (tw_route_config){.kind = TW_ROUTE_HTTP, .pattern = "/who"};
}

static void open_forwarded(proxied *p, const char *trusted) {
    init(p, trusted);
    world_start(&p->w);
}

static void open_proxy(proxied *p) {
    init(p, "127.0.0.0/8");
    p->options[0].proxy = true;
    world_start(&p->w);
}

/* A client of the address itself, not of the first one by IPv4. */
static client *connect_to(world *w, const char *text) {
    tw__address address;
    client *c = client_connect(w, 0);
    assert_int_equal(tw__address_parse(&address, text), 0);
    close(c->fd);
    c->fd = socket(address._storage.ss_family,
                   SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(c->fd >= 0);
    if (connect(c->fd, (struct sockaddr *)&address._storage, address._len)) {
        assert_int_equal(errno, EINPROGRESS);
    }
    return c;
}

static void send_text(world *w, client *c, const char *text) {
    client_send(w, c, text, strlen(text));
}

static void expect_fine(world *w, client *c) {
    char body[5];
    assert_int_equal(client_status(w, c), 200);
    client_body(w, c, body, 4);
}

static void expect_closed(world *w, client *c) {
    world_until(w, c->is_ended || c->error != 0);
    assert_int_equal(c->len, 0);
}

static void send_header(world *w, client *c, proxy_header header) {
    client_send(w, c, header.data, header.len);
}

/* ---- X-Forwarded-For ---- */

static void a_trusted_peer_names_its_client(void **state) {
    proxied p;
    world *w = &p.w;
    (void)state;
    open_forwarded(&p, "127.0.0.0/8");
    client *c = client_connect(w, 0);
    send_text(w, c, HELLO XFF("6.6.6.6, 192.0.2.7") "\r\n");
    expect_fine(w, c);
    assert_log(w, "request:/who ip:192.0.2.7 ");
    world_close(w);
}

static void another_peer_names_nobody(void **state) {
    static const char *const trusted[] = {NULL, "10.0.0.0/8", "unix",
                                          "127.0.0.2"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        proxied p;
        world *w = &p.w;
        open_forwarded(&p, trusted[i]);
        client *c = client_connect(w, 0);
        send_text(w, c, HELLO XFF("192.0.2.7") "\r\n");
        expect_fine(w, c);
        assert_log(w, "request:/who ip:127.0.0.1 ");
        world_close(w);
    }
}

static void every_request_of_a_connection_is_its_own_clients(void **state) {
    proxied p;
    world *w = &p.w;
    (void)state;
    open_forwarded(&p, "127.0.0.1");
    client *c = client_connect(w, 0);
    send_text(w, c,
              HELLO XFF("192.0.2.7") "\r\n" HELLO
                                     "\r\n" HELLO XFF("2001:db8::7") "\r\n");
    expect_fine(w, c);
    expect_fine(w, c);
    expect_fine(w, c);
    assert_log(w, "request:/who ip:192.0.2.7 request:/who ip:127.0.0.1 "
                  "request:/who ip:2001:db8::7 ");
    world_close(w);
}

static void an_upgraded_connection_is_its_clients(void **state) {
    proxied p;
    world *w = &p.w;
    (void)state;
    open_forwarded(&p, "127.0.0.1");
    client *c = client_connect(w, 0);
    send_text(w, c, UPGRADE XFF("192.0.2.7") "\r\n");
    assert_int_equal(client_status(w, c), 101);
    world_until(w, w->opened == 1);
    assert_log(w, "open:1 ip:192.0.2.7 ");
    world_close(w);
}

/* ---- the limit of one address ---- */

static int upgrade_for(world *w, const char *client_ip) {
    char text[512];
    client *c = client_connect(w, 0);
    snprintf(text, sizeof text, UPGRADE "X-Forwarded-For: %s\r\n\r\n",
             client_ip);
    send_text(w, c, text);
    return client_status(w, c);
}

static void clients_behind_one_proxy_have_limits_of_their_own(void **state) {
    proxied p;
    world *w = &p.w;
    (void)state;
    init(&p, "127.0.0.1");
    w->config.max_connections_per_address = 2;
    world_start(w);
    for (int i = 0; i < 4; i++) { /* the proxy's own connections do not count */
        client *c = client_connect(w, 0);
        send_text(w, c, HELLO XFF("192.0.2.7") "\r\n");
        expect_fine(w, c);
    }
    assert_int_equal(upgrade_for(w, "192.0.2.7"), 101);
    assert_int_equal(upgrade_for(w, "192.0.2.7"), 101);
    assert_int_equal(counter(w, TW_COUNTER_ADDRESS_REFUSED), 0);
    assert_int_equal(upgrade_for(w, "192.0.2.7"), 429);
    assert_int_equal(counter(w, TW_COUNTER_ADDRESS_REFUSED), 1);
    assert_int_equal(counter(w, TW_COUNTER_HANDSHAKES_REFUSED), 1);
    assert_int_equal(upgrade_for(w, "192.0.2.8"), 101);
    assert_int_equal(tw_conn_close(w->conns[1], 4000, str_of("")), 0);
    tw__conn_cut(w->conns[1]);
    world_until(w, w->gone == 1);
    assert_int_equal(upgrade_for(w, "192.0.2.7"), 101);
    assert_int_equal(upgrade_for(w, "192.0.2.7"), 429);
    world_close(w);
}

/* Who has one IPv6 address has 2^64. */
static void a_network_of_64_bits_is_one_address(void **state) {
    proxied p;
    world *w = &p.w;
    (void)state;
    init(&p, "127.0.0.1");
    w->config.max_connections_per_address = 2;
    world_start(w);
    assert_int_equal(upgrade_for(w, "2001:db8::1"), 101);
    assert_int_equal(upgrade_for(w, "2001:db8::ffff:1"), 101);
    assert_int_equal(upgrade_for(w, "2001:db8:0:0:1::"), 429);
    assert_int_equal(upgrade_for(w, "2001:db8:0:1::1"), 101);
    assert_int_equal(upgrade_for(w, "::ffff:192.0.2.7"), 101);
    assert_int_equal(upgrade_for(w, "192.0.2.7"), 101);
    assert_int_equal(upgrade_for(w, "192.0.2.7"), 429);
    world_close(w);
}

static void refuse(world *w, tw_req *req) {
    (void)w;
    assert_int_equal(tw_req_refuse(req, 403, str_of("no")), 0);
}

static void a_client_that_a_host_refuses_counts_no_longer(void **state) {
    proxied p;
    world *w = &p.w;
    (void)state;
    init(&p, "127.0.0.1");
    w->config.max_connections_per_address = 1;
    w->routes[0].hooks = TW_HOOK_ALL;
    w->on_upgrade = refuse;
    world_start(w);
    for (int i = 0; i < 3; i++) {
        client *c = client_connect(w, 0);
        send_text(w, c, UPGRADE XFF("192.0.2.7") "\r\n");
        assert_int_equal(client_status(w, c), 403);
        client_reset(c);
        world_until(w, w->server->conn_live == 0);
    }
    w->on_upgrade = NULL;
    assert_int_equal(upgrade_for(w, "192.0.2.7"), 101);
    world_close(w);
}

/* ---- the PROXY protocol ---- */

static void a_header_names_the_client(void **state) {
    static const char *const clients[] = {"192.0.2.7", "2001:db8::7"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        proxied p;
        char expected[64];
        world *w = &p.w;
        open_proxy(&p);
        client *c = client_connect(w, 0);
        send_header(w, c, proxy_of(clients[i], i * 100));
        send_text(w, c, UPGRADE "\r\n");
        assert_int_equal(client_status(w, c), 101);
        world_until(w, w->opened == 1);
        snprintf(expected, sizeof expected, "open:1 ip:%s ", clients[i]);
        assert_log(w, expected);
        world_close(w);
    }
}

static void a_header_may_come_with_the_request_or_byte_by_byte(void **state) {
    (void)state;
    for (size_t piece = 1; piece <= 200; piece += piece < 4 ? 1 : 49) {
        proxied p;
        world *w = &p.w;
        open_proxy(&p);
        client *c = client_connect(w, 0);
        proxy_header all = proxy_of("192.0.2.7", 20);
        size_t len = sizeof HELLO "\r\n" - 1;
        memcpy(all.data + all.len, HELLO "\r\n", len);
        all.len += len;
        for (size_t at = 0; at < all.len; at += piece) {
            size_t left = all.len - at;
            client_send(w, c, all.data + at, left < piece ? left : piece);
            if (piece < 4) {
                world_heard(w);
            }
        }
        expect_fine(w, c);
        assert_log(w, "request:/who ip:192.0.2.7 ");
        world_close(w);
    }
}

static void a_named_client_names_nobody_unless_it_is_trusted(void **state) {
    proxied p;
    world *w = &p.w;
    (void)state;
    init(&p, "127.0.0.0/8");
    p.trusted[w->config.trusted_proxy_count++] = "10.0.0.0/8";
    p.options[0].proxy = true;
    world_start(w);
    client *c = client_connect(w, 0), *d = client_connect(w, 0);
    send_header(w, c, proxy_of("192.0.2.7", 0));
    send_text(w, c, HELLO XFF("6.6.6.6") "\r\n");
    expect_fine(w, c);
    assert_log(w, "request:/who ip:192.0.2.7 ");
    send_header(w, d, proxy_of("10.0.0.1", 0));
    send_text(w, d, HELLO XFF("192.0.2.8") "\r\n");
    expect_fine(w, d);
    assert_log(w, "request:/who ip:192.0.2.8 ");
    world_close(w);
}

static void a_balancers_own_connection_is_its_own(void **state) {
    proxied p;
    world *w = &p.w;
    (void)state;
    open_proxy(&p);
    client *c = client_connect(w, 0);
    send_header(w, c, proxy_blank(PROXY_LOCAL, 0, 0));
    send_text(w, c, HELLO "\r\n");
    expect_fine(w, c);
    assert_log(w, "request:/who ip:127.0.0.1 ");
    world_close(w);
}

static void what_is_no_header_is_closed_and_never_answered(void **state) {
    proxied p;
    world *w = &p.w;
    (void)state;
    open_proxy(&p);
    client *c[4];
    for (int i = 0; i < 4; i++) {
        c[i] = client_connect(w, 0);
    }
    send_text(w, c[0], HELLO "\r\n");
    send_text(w, c[1], "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n" HELLO "\r\n");
    proxy_header bad = proxy_of("192.0.2.7", 0);
    bad.data[12] = 0x22;
    send_header(w, c[2], bad);
    send_header(w, c[3], proxy_blank(PROXY_PROXY, PROXY_TCP4, 3));
    for (int i = 0; i < 4; i++) {
        expect_closed(w, c[i]);
    }
    assert_log(w, "");
    assert_int_equal(counter(w, TW_COUNTER_PROXY_REFUSED), 4);
    world_until(w, w->server->conn_live == 0);
    world_close(w);
}

static void a_peer_that_is_no_trusted_proxy_is_closed(void **state) {
    proxied p;
    world *w = &p.w;
    (void)state;
    init(&p, "10.0.0.0/8");
    p.options[0].proxy = true;
    world_start(w);
    client *c = client_connect(w, 0);
    send_header(w, c, proxy_of("192.0.2.7", 0));
    expect_closed(w, c);
    assert_int_equal(counter(w, TW_COUNTER_PROXY_REFUSED), 1);
    assert_int_equal(counter(w, TW_COUNTER_ACCEPT_REFUSED), 1);
    assert_int_equal(w->server->page->gauges[TW_GAUGE_SOCKETS], 0);
    world_close(w);
}

static void a_header_has_the_time_of_a_handshake(void **state) {
    proxied p;
    world *w = &p.w;
    (void)state;
    open_proxy(&p);
    client *mute = client_connect(w, 0), *half = client_connect(w, 0),
           *late = client_connect(w, 0);
    proxy_header header = proxy_of("192.0.2.7", 0);
    client_send(w, half, header.data, header.len - 1);
    send_header(w, late, header);
    world_until(w, w->server->conn_live == 3);
    world_heard(w);
    world_pass(w, 9999);
    send_text(w, late, HELLO "\r\n");
    expect_fine(w, late);
    assert_false(mute->is_ended || half->is_ended);
    world_pass(w, 1);
    expect_closed(w, mute);
    expect_closed(w, half);
    assert_int_equal(counter(w, TW_COUNTER_HANDSHAKE_TIMEOUTS), 2);
    world_close(w);
}

static void a_balancer_that_only_looks_leaves_nothing(void **state) {
    proxied p;
    world *w = &p.w;
    (void)state;
    open_proxy(&p);
    client *c = client_connect(w, 0);
    world_until(w, w->server->conn_live == 1);
    client_close(c);
    world_until(w, w->server->conn_live == 0);
    c = client_connect(w, 0);
    send_header(w, c, proxy_of("192.0.2.7", 0));
    world_heard(w);
    client_close(c);
    world_until(w, w->server->conn_live == 0);
    assert_int_equal(counter(w, TW_COUNTER_PROXY_REFUSED), 0);
    world_close(w);
}

static void named_clients_have_limits_of_their_own(void **state) {
    proxied p;
    world *w = &p.w;
    (void)state;
    init(&p, "127.0.0.1");
    p.options[0].proxy = true;
    w->config.max_connections_per_address = 2;
    world_start(w);
    client *c[4];
    for (int i = 0; i < 4; i++) {
        c[i] = client_connect(w, 0);
        send_header(w, c[i], proxy_of(i < 3 ? "192.0.2.7" : "192.0.2.8", 0));
        world_until(w, counter(w, TW_COUNTER_BYTES_IN) >= 28u * (i + 1));
    }
    expect_closed(w, c[2]);
    assert_int_equal(counter(w, TW_COUNTER_ADDRESS_REFUSED), 1);
    world_until(w, w->server->conn_live == 3);
    assert_false(c[0]->is_ended || c[1]->is_ended || c[3]->is_ended);
    world_close(w);
}

/* ---- addresses to listen on ---- */

static void a_unix_socket_is_served_and_its_peers_may_be_trusted(void **state) {
    (void)state;
    for (int is_trusted = 0; is_trusted < 2; is_trusted++) {
        proxied p;
        char path[] = "/tmp/tw-test-XXXXXX", address[64];
        world *w = &p.w;
        assert_non_null(mkdtemp(path));
        snprintf(address, sizeof address, "unix:%s/s", path);
        init(&p, is_trusted ? "unix" : "127.0.0.1");
        w->listen[1] = address;
        w->config.listen_count = 2;
        w->config.max_connections_per_address = 1;
        world_start(w);
        client *c = connect_to(w, address), *d = connect_to(w, address);
        send_text(w, c, UPGRADE XFF("192.0.2.7") "\r\n");
        assert_int_equal(client_status(w, c), 101);
        send_text(w, d, UPGRADE XFF("192.0.2.7") "\r\n");
        assert_int_equal(client_status(w, d), is_trusted ? 429 : 101);
        world_until(w, w->opened == (is_trusted ? 1 : 2));
        assert_log(w, is_trusted ? "open:1 ip:192.0.2.7 "
                                 : "open:1 ip:unix open:2 ip:unix ");
        world_close(w);
        unlink(address + 5);
        rmdir(path);
    }
}

static void both_protocols_at_once_and_each_listener_for_itself(void **state) {
    proxied p;
    char path[] = "/tmp/tw-test-XXXXXX", address[64];
    world *w = &p.w;
    (void)state;
    assert_non_null(mkdtemp(path));
    snprintf(address, sizeof address, "unix:%s/s", path);
    init(&p, "unix");
    w->listen[1] = address;
    w->config.listen_count = 2;
    p.options[1].proxy = true;
    world_start(w);
    client *plain = client_connect(w, 0), *c = connect_to(w, address);
    send_text(w, plain, HELLO XFF("6.6.6.6") "\r\n");
    expect_fine(w, plain);
    assert_log(w, "request:/who ip:127.0.0.1 ");
    send_header(w, c, proxy_of("192.0.2.7", 0));
    send_text(w, c, HELLO "\r\n");
    expect_fine(w, c);
    assert_log(w, "request:/who ip:192.0.2.7 ");
    world_close(w);
    unlink(address + 5);
    rmdir(path);
}

static bool has_ipv6(void) {
    struct sockaddr_in6 any = {.sin6_family = AF_INET6,
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_there =
        fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof any) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return is_there;
}

static void ipv6_is_served_and_mapped_addresses_are_ipv4(void **state) {
    proxied p;
    world *w = &p.w;
    (void)state;
    if (!has_ipv6()) {
        skip();
    }
    init(&p, NULL);
    w->listen[1] = "[::1]:0";
    w->listen[0] = "[::]:0";
    w->config.listen_count = 2;
    world_start(w);
    client *c = connect_to(w, tw_server_address(w->server, 1).data);
    send_text(w, c, HELLO "\r\n");
    expect_fine(w, c);
    assert_log(w, "request:/who ip:::1 ");
    client *d = client_connect(w, 0);
    send_text(w, d, HELLO "\r\n");
    expect_fine(w, d);
    assert_log(w, "request:/who ip:127.0.0.1 ");
    world_close(w);
}

/* ---- configuration ---- */

static void a_bad_network_and_an_untrusting_listener_are_refused(void **state) {
    tw_listen_options options[1] = {{.proxy = true}};
    const char *const listen[] = {"127.0.0.1:0"};
    const char *const bad[] = {"10.0.0.0/8", "10.0.0.1/8"};
    tw_config config = {.listen = listen, .listen_count = 1};
    tw_server *server = NULL;
    char detail[256] = "";
    (void)state;
    config.trusted_proxies = bad;
    config.trusted_proxy_count = 2;
    assert_int_equal(tw_server_create(&server, &config, detail, sizeof detail),
                     TW_EINVALID);
    assert_string_equal(detail, "'10.0.0.1/8' is not a network");
    config.trusted_proxy_count = 0;
    config.listen_options = options;
    assert_int_equal(tw_server_create(&server, &config, detail, sizeof detail),
                     TW_EINVALID);
    assert_string_equal(detail, "'127.0.0.1:0' expects the PROXY protocol, but "
                                "no proxy is trusted");
    assert_null(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trusted_peer_names_its_client),
        cmocka_unit_test(another_peer_names_nobody),
        cmocka_unit_test(every_request_of_a_connection_is_its_own_clients),
        cmocka_unit_test(an_upgraded_connection_is_its_clients),
        cmocka_unit_test(clients_behind_one_proxy_have_limits_of_their_own),
        cmocka_unit_test(a_network_of_64_bits_is_one_address),
        cmocka_unit_test(a_client_that_a_host_refuses_counts_no_longer),
        cmocka_unit_test(a_header_names_the_client),
        cmocka_unit_test(a_header_may_come_with_the_request_or_byte_by_byte),
        cmocka_unit_test(a_named_client_names_nobody_unless_it_is_trusted),
        cmocka_unit_test(a_balancers_own_connection_is_its_own),
        cmocka_unit_test(what_is_no_header_is_closed_and_never_answered),
        cmocka_unit_test(a_peer_that_is_no_trusted_proxy_is_closed),
        cmocka_unit_test(a_header_has_the_time_of_a_handshake),
        cmocka_unit_test(a_balancer_that_only_looks_leaves_nothing),
        cmocka_unit_test(named_clients_have_limits_of_their_own),
        cmocka_unit_test(a_unix_socket_is_served_and_its_peers_may_be_trusted),
        cmocka_unit_test(both_protocols_at_once_and_each_listener_for_itself),
        cmocka_unit_test(ipv6_is_served_and_mapped_addresses_are_ipv4),
        cmocka_unit_test(a_bad_network_and_an_untrusting_listener_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
