/* Certificates with keys of several kinds for one name, and the names that a
 * certificate of a client has.
 * SPDX-License-Identifier: MIT */
#include "tls_probe.h"

static EVP_PKEY *rsa; /* takes a while to be made */

static int make_key(void **state) {
    (void)state;
    rsa = EVP_RSA_gen(2048);
    return rsa == NULL;
}

static int free_key(void **state) {
    (void)state;
    EVP_PKEY_free(rsa);
    return 0;
}

/* ---- which certificate is shown ------------------------------------------ */

enum { KNOWS_ECDSA = 1, KNOWS_RSA = 2 };

static SSL_CTX *knowing(secure_world *s, int version, int what) {
    static const char *const signatures[] = {
        NULL, "ECDSA+SHA256", "RSA-PSS+SHA256:RSA+SHA256",
        "RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA256"};
    static const char *const ciphers[] = {
        NULL, "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256"};
    SSL_CTX *context = secure_context(s, version);
    assert_int_equal(SSL_CTX_set1_sigalgs_list(context, signatures[what]), 1);
    assert_int_equal(SSL_CTX_set_cipher_list(context, ciphers[what]), 1);
    return context;
}

/* Who is shown to a client, "" when they cannot agree. */
static const char *shown_to(secure_world *s, int version, int what,
                            const char *name) {
    static char shown[64];
    secure *c = secure_new(s->w, knowing(s, version, what), name, 0);
    secure_shake(c);
    snprintf(shown, sizeof shown, "%s",
             SSL_is_init_finished(c->ssl) ? secure_peer(c) : "");
    if (*shown != '\0') {
        secure_upgrade(c);
    }
    secure_free(c);
    return shown;
}

static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};

/* Of a.test there is one of each kind, of b.test only one. */
static void open_both(secure_world *s, world *w, bool is_rsa_first) {
    secure_init(s, w);
    paper_pair_of(&s->p, rsa, "r", "rsa.a.test", "DNS:a.test", &s->p.ca);
    s->tls.pair_count = 0;
    secure_add(s, is_rsa_first ? "r" : "a");
    secure_add(s, is_rsa_first ? "a" : "r");
    secure_add(s, "b");
    secure_start(s);
}

static void a_client_is_shown_the_kind_that_it_knows(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    for (int order = 0; order < 2; order++) {
        open_both(&s, &w, order == 1);
        for (int i = 0; i < 2; i++) {
            assert_string_equal(
                shown_to(&s, versions[i], KNOWS_ECDSA, "a.test"), "a.test");
            assert_string_equal(shown_to(&s, versions[i], KNOWS_RSA, "a.test"),
                                "rsa.a.test");
            assert_string_equal(
                shown_to(&s, versions[i], KNOWS_ECDSA | KNOWS_RSA, "a.test"),
                "a.test");
        }
        secure_close(&s);
    }
}

static void who_names_nobody_or_a_stranger_has_the_choice_too(void **state) {
    static const char *const names[] = {NULL, "stranger.test"};
    static world w;
    static secure_world s;
    (void)state;
    open_both(&s, &w, false);
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            assert_string_equal(
                shown_to(&s, versions[i], KNOWS_ECDSA, names[j]), "a.test");
            assert_string_equal(shown_to(&s, versions[i], KNOWS_RSA, names[j]),
                                "rsa.a.test");
        }
    }
    secure_close(&s);
}

static void another_name_s_certificate_is_not_lent(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    open_both(&s, &w, false);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(shown_to(&s, versions[i], KNOWS_RSA, "b.test"), "");
        assert_string_equal(shown_to(&s, versions[i], KNOWS_RSA, "x.a.test"),
                            "");
        assert_string_equal(shown_to(&s, versions[i], KNOWS_ECDSA, "x.a.test"),
                            "a.test");
    }
    world_until(&w, counter(&w, TW_COUNTER_TLS_FAILED_NO_COMMON) == 4);
    secure_close(&s);
}

static void of_one_kind_the_first_is_shown(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_init(&s, &w);
    paper_pair_of(&s.p, rsa, "r", "first", "DNS:a.test", &s.p.ca);
    paper_pair_of(&s.p, rsa, "r2", "second", "DNS:a.test", &s.p.ca);
    secure_add(&s, "r");
    secure_add(&s, "r2");
    secure_start(&s);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(shown_to(&s, versions[i], KNOWS_RSA, "a.test"),
                            "first");
    }
    secure_close(&s);
}

/* A certificate without alternative names is for the name of its subject. */
static void the_first_may_have_its_name_in_the_subject_only(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_init(&s, &w);
    paper_pair(&s.p, "old", "old.test", NULL, &s.p.ca);
    paper_pair_of(&s.p, rsa, "r", "rsa", "DNS:old.test", &s.p.ca);
    s.tls.pair_count = 0;
    secure_add(&s, "old");
    secure_add(&s, "r");
    secure_start(&s);
    assert_string_equal(shown_to(&s, 0, KNOWS_ECDSA, NULL), "old.test");
    assert_string_equal(shown_to(&s, 0, KNOWS_RSA, NULL), "rsa");
    secure_close(&s);
}

/* ---- the names of a client ------------------------------------------------
 */

static struct {
    size_t count;
    tw_tls_name_kind kinds[8];
    char texts[8][128];
} seen;

static int look(world *w, tw_conn *conn, tw_req *req) {
    tw_tls_info info;
    (void)w;
    (void)conn;
    memset(&seen, 0, sizeof seen);
    assert_true(tw_req_tls(req, &info));
    assert_true(info.has_client && info.client.name_count <= 8);
    seen.count = info.client.name_count;
    for (size_t i = 0; i < seen.count; i++) {
        const tw_tls_name *name = &info.client.names[i];
        seen.kinds[i] = name->kind;
        assert_int_equal(strlen(name->text.data), name->text.len);
        snprintf(seen.texts[i], sizeof seen.texts[i], "%s", name->text.data);
    }
    return TW_DONE;
}

static void visit_as(secure_world *s, const char *who) {
    SSL_CTX *context = secure_context(s, 0);
    secure_show(s, context, who);
    secure_free(secure_client_with(s, context, 0));
}

static void open_asking(secure_world *s, world *w) {
    secure_init(s, w);
    s->tls.client = TW_TLS_CLIENT_REQUIRE;
    s->tls.client_ca = s->ca;
    w->on_open = look;
    secure_start(s);
}

static void the_names_of_a_client_reach_the_request(void **state) {
    static const struct {
        tw_tls_name_kind kind;
        const char *text;
    } expected[] = {
        {TW_TLS_NAME_DNS, "ann.test"},
        {TW_TLS_NAME_IP, "192.0.2.7"},
        {TW_TLS_NAME_IP, "2001:db8::1"},
        {TW_TLS_NAME_EMAIL, "ann@example.com"},
        {TW_TLS_NAME_URI, "spiffe://example.com/ann"},
        {TW_TLS_NAME_DNS, "*.ann.test"},
    };
    static world w;
    static secure_world s;
    (void)state;
    open_asking(&s, &w);
    paper_pair(&s.p, "many", "Ann",
               "DNS:ann.test,IP:192.0.2.7,IP:2001:db8::1,RID:1.2.3.4,"
               "email:ann@example.com,URI:spiffe://example.com/ann,"
               "DNS:*.ann.test",
               &s.p.ca);
    visit_as(&s, "many");
    assert_int_equal(seen.count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < seen.count; i++) {
        assert_int_equal(seen.kinds[i], expected[i].kind);
        assert_string_equal(seen.texts[i], expected[i].text);
    }
    visit_as(&s, "ann"); /* who has none */
    assert_int_equal(seen.count, 0);
    secure_close(&s);
}

static void add_dns(GENERAL_NAMES *names, const char *text, size_t len) {
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    assert_true(value != NULL && name != NULL);
    assert_int_equal(ASN1_STRING_set(value, text, (int)len), 1);
    GENERAL_NAME_set0_value(name, GEN_DNS, value);
    assert_true(sk_GENERAL_NAME_push(names, name) > 0);
}

/* To whoever compares up to a zero the first is the administrator. */
static void a_name_that_is_no_plain_text_is_left_out(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    open_asking(&s, &w);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = make_certificate(key, "Mallory", NULL, &s.p.ca);
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    add_dns(names, "admin\0.evil", 11);
    add_dns(names, "line\nbreak", 10);
    add_dns(names, "two words", 9);
    add_dns(names, "\xc3\xa9", 2);
    add_dns(names, "", 0);
    add_dns(names, "plain.test", 10);
    assert_int_equal(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names,
                                       0, X509V3_ADD_DEFAULT),
                     1);
    assert_true(X509_sign(certificate, s.p.ca.key, EVP_sha256()) > 0);
    paper_write(&s.p, "mallory", certificate, key);
    visit_as(&s, "mallory");
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.texts[0], "plain.test");
    GENERAL_NAMES_free(names);
    X509_free(certificate);
    EVP_PKEY_free(key);
    secure_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_is_shown_the_kind_that_it_knows),
        cmocka_unit_test(who_names_nobody_or_a_stranger_has_the_choice_too),
        cmocka_unit_test(another_name_s_certificate_is_not_lent),
        cmocka_unit_test(of_one_kind_the_first_is_shown),
        cmocka_unit_test(the_first_may_have_its_name_in_the_subject_only),
        cmocka_unit_test(the_names_of_a_client_reach_the_request),
        cmocka_unit_test(a_name_that_is_no_plain_text_is_left_out),
    };
    return cmocka_run_group_tests(tests, make_key, free_key);
}
