/* OCSP responses that certificates are shown with.
 * SPDX-License-Identifier: MIT */
#include "tls_probe.h"

#include <openssl/ocsp.h>

#include "server/tls.h"

enum { HOUR_S = 3600 };

/* What a response is to say; times from now on, `until` 0: no word of it. */
typedef struct saying {
    int status;
    long from_s, until_s;
} saying;

static const saying good = {V_OCSP_CERTSTATUS_GOOD, -HOUR_S, HOUR_S};

static X509 *read_certificate(papers *p, const char *file) {
    FILE *in = fopen(paper(p, file), "r");
    assert_non_null(in);
    X509 *certificate = PEM_read_X509(in, NULL, NULL, NULL);
    fclose(in);
    assert_non_null(certificate);
    return certificate;
}

static void add_answer(papers *p, OCSP_BASICRESP *basic, const char *file,
                       const saying *says) {
    X509 *certificate = read_certificate(p, file);
    OCSP_CERTID *id =
        OCSP_cert_to_id(EVP_sha1(), certificate, p->ca.certificate);
    time_t now = time(NULL);
    ASN1_GENERALIZEDTIME *from =
        ASN1_GENERALIZEDTIME_adj(NULL, now, 0, says->from_s);
    ASN1_GENERALIZEDTIME *until =
        says->until_s != 0
            ? ASN1_GENERALIZEDTIME_adj(NULL, now, 0, says->until_s)
            : NULL;
    bool is_revoked = says->status == V_OCSP_CERTSTATUS_REVOKED;
    assert_non_null(OCSP_basic_add1_status(
        basic, id, says->status,
        is_revoked ? OCSP_REVOKED_STATUS_KEYCOMPROMISE : 0,
        is_revoked ? from : NULL, from, until));
    ASN1_GENERALIZEDTIME_free(from);
    ASN1_GENERALIZEDTIME_free(until);
    OCSP_CERTID_free(id);
    X509_free(certificate);
}

static void write_response(papers *p, const char *name, OCSP_BASICRESP *basic) {
    OCSP_RESPONSE *response =
        OCSP_response_create(basic != NULL ? OCSP_RESPONSE_STATUS_SUCCESSFUL
                                           : OCSP_RESPONSE_STATUS_TRYLATER,
                             basic);
    uint8_t *der = NULL;
    int len = i2d_OCSP_RESPONSE(response, &der);
    assert_true(len > 0);
    FILE *out = paper_file(p, name, 0644);
    assert_int_equal(fwrite(der, 1, (size_t)len, out), len);
    fclose(out);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
}

/* A file with what the CA says about a.pem, or about that and another. */
static void paper_ocsp(papers *p, const char *name, const char *file,
                       const char *other, const saying *says) {
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    add_answer(p, basic, file, says);
    if (other != NULL) {
        add_answer(p, basic, other, says);
    }
    assert_int_equal(OCSP_basic_sign(basic, p->ca.certificate, p->ca.key,
                                     EVP_sha256(), NULL, 0),
                     1);
    write_response(p, name, basic);
    OCSP_BASICRESP_free(basic);
}

static char files[2][128];
static const char *const ocsp[] = {files[0], files[1]};

/* The files are to be there when the server starts. */
static void name_files(secure_world *s, const char *first, const char *second) {
    const char *const names[] = {first, second};
    s->tls.ocsp = ocsp;
    s->tls.ocsp_count = 0;
    for (int i = 0; i < 2 && names[i] != NULL; i++) {
        snprintf(files[i], sizeof files[i], "%s", paper(&s->p, names[i]));
        s->tls.ocsp_count++;
    }
}

static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};

/* What is sent along to one who asks: its length, -1 when it is nothing. */
static long sent_to(secure_world *s, int version, const char *name,
                    uint8_t *out, size_t size) {
    const uint8_t *got = NULL;
    secure *c = secure_new(s->w, secure_context(s, version), name, 0);
    SSL_set_tlsext_status_type(c->ssl, TLSEXT_STATUSTYPE_ocsp);
    secure_shake(c);
    assert_true(SSL_is_init_finished(c->ssl));
    long len = SSL_get_tlsext_status_ocsp_resp(c->ssl, &got);
    if (len > 0) {
        assert_true((size_t)len <= size);
        memcpy(out, got, (size_t)len);
    }
    secure_free(c);
    return len;
}

static bool is_sent(secure_world *s, const char *name, const char *file) {
    uint8_t sent[4096], whole[4096];
    FILE *in = fopen(paper(&s->p, file), "r");
    assert_non_null(in);
    size_t len = fread(whole, 1, sizeof whole, in);
    fclose(in);
    int count = 0;
    for (int i = 0; i < 2; i++) {
        long got = sent_to(s, versions[i], name, sent, sizeof sent);
        assert_true(got == -1 ||
                    ((size_t)got == len && memcmp(sent, whole, len) == 0));
        count += got > 0;
    }
    assert_true(count == 0 || count == 2);
    return count == 2;
}

static int64_t gauge(const world *w) {
    return (int64_t)w->server->page->gauges[TW_GAUGE_TLS_OCSP_EXPIRES];
}

static void a_response_is_sent_along_while_it_is_valid(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_init(&s, &w);
    paper_ocsp(&s.p, "a.ocsp", "a.pem", NULL, &good);
    name_files(&s, "a.ocsp", NULL);
    secure_start(&s);
    int64_t left = gauge(&w) - (int64_t)time(NULL);
    assert_true(left > 0 && left <= HOUR_S);
    assert_true(is_sent(&s, "a.test", "a.ocsp"));
    assert_false(is_sent(&s, "b.test", "a.ocsp"));
    world_pass(&w, (HOUR_S + 2) * UINT64_C(1000));
    assert_false(is_sent(&s, "a.test", "a.ocsp"));
    secure_close(&s);
}

static void one_that_begins_later_is_sent_along_then(void **state) {
    static const saying later = {V_OCSP_CERTSTATUS_GOOD, HOUR_S, 2 * HOUR_S};
    static world w;
    static secure_world s;
    (void)state;
    secure_init(&s, &w);
    paper_ocsp(&s.p, "a.ocsp", "a.pem", NULL, &later);
    name_files(&s, "a.ocsp", NULL);
    secure_start(&s);
    assert_false(is_sent(&s, "a.test", "a.ocsp"));
    world_pass(&w, (HOUR_S + 2) * UINT64_C(1000));
    assert_true(is_sent(&s, "a.test", "a.ocsp"));
    secure_close(&s);
}

static void who_does_not_ask_gets_none(void **state) {
    static world w;
    static secure_world s;
    const uint8_t *got;
    (void)state;
    secure_init(&s, &w);
    paper_ocsp(&s.p, "a.ocsp", "a.pem", NULL, &good);
    name_files(&s, "a.ocsp", NULL);
    secure_start(&s);
    secure *c = secure_client(&s);
    assert_int_equal(SSL_get_tlsext_status_ocsp_resp(c->ssl, &got), -1);
    secure_free(c);
    secure_close(&s);
}

/* Whatever their order, and whether they are in one response or in two. */
static void each_certificate_has_its_own(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_init(&s, &w);
    paper_ocsp(&s.p, "a.ocsp", "a.pem", NULL, &good);
    paper_ocsp(&s.p, "b.ocsp", "b.pem", NULL, &good);
    name_files(&s, "b.ocsp", "a.ocsp");
    secure_start(&s);
    assert_true(is_sent(&s, "a.test", "a.ocsp"));
    assert_true(is_sent(&s, "b.test", "b.ocsp"));
    secure_close(&s);
    secure_init(&s, &w);
    paper_ocsp(&s.p, "both.ocsp", "a.pem", "b.pem", &good);
    name_files(&s, "both.ocsp", NULL);
    secure_start(&s);
    assert_true(is_sent(&s, "a.test", "both.ocsp"));
    assert_true(is_sent(&s, "b.test", "both.ocsp"));
    secure_close(&s);
}

static void the_kind_of_key_that_is_shown_decides(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_init(&s, &w);
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    paper_pair_of(&s.p, rsa, "r", "rsa", "DNS:a.test", &s.p.ca);
    EVP_PKEY_free(rsa);
    secure_add(&s, "r");
    paper_ocsp(&s.p, "a.ocsp", "a.pem", NULL, &good);
    paper_ocsp(&s.p, "r.ocsp", "r.pem", NULL, &good);
    name_files(&s, "r.ocsp", NULL);
    secure_start(&s);
    assert_false(is_sent(&s, "a.test", "r.ocsp")); /* ECDSA is shown */
    SSL_CTX *context = secure_context(&s, 0);
    SSL_CTX_set1_sigalgs_list(context, "RSA-PSS+SHA256");
    secure *c = secure_new(&w, context, "a.test", 0);
    SSL_set_tlsext_status_type(c->ssl, TLSEXT_STATUSTYPE_ocsp);
    secure_shake(c);
    const uint8_t *got;
    assert_string_equal(secure_peer(c), "rsa");
    assert_true(SSL_get_tlsext_status_ocsp_resp(c->ssl, &got) > 0);
    secure_free(c);
    secure_close(&s);
}

/* They do not keep a server from starting: clients can do without. */
static void what_is_of_no_use_is_told_and_not_sent(void **state) {
    static const struct {
        saying says;
        const char *remark;
    } cases[] = {
        {{V_OCSP_CERTSTATUS_REVOKED, -HOUR_S, HOUR_S}, "does not say that"},
        {{V_OCSP_CERTSTATUS_UNKNOWN, -HOUR_S, HOUR_S}, "does not say that"},
        {{V_OCSP_CERTSTATUS_GOOD, -HOUR_S, 0}, "does not say when it ends"},
        {{V_OCSP_CERTSTATUS_GOOD, -2 * HOUR_S, -HOUR_S}, "has ended"},
    };
    static world w;
    static secure_world s;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t which = 7;
        secure_init(&s, &w);
        paper_ocsp(&s.p, "b.ocsp", "b.pem", NULL, &good);
        paper_ocsp(&s.p, "a.ocsp", "a.pem", NULL, &cases[i].says);
        name_files(&s, "b.ocsp", "a.ocsp");
        secure_start(&s);
        const char *remark = tw__tls_remark(w.server->tls->sets[0], &which);
        assert_non_null(remark);
        assert_non_null(strstr(remark, cases[i].remark));
        assert_int_equal(which, 1);
        assert_false(is_sent(&s, "a.test", "a.ocsp"));
        assert_true(is_sent(&s, "b.test", "b.ocsp"));
        secure_close(&s);
    }
}

static void one_about_a_stranger_or_an_excuse_is_not_sent(void **state) {
    static world w;
    static secure_world s;
    size_t which;
    (void)state;
    secure_init(&s, &w);
    paper_ocsp(&s.p, "ann.ocsp", "ann.pem", NULL, &good);
    name_files(&s, "ann.ocsp", NULL);
    secure_start(&s);
    assert_string_equal(tw__tls_remark(w.server->tls->sets[0], &which),
                        "is about none of the certificates");
    assert_false(is_sent(&s, "a.test", "ann.ocsp"));
    assert_int_equal(gauge(&w), 0);
    secure_close(&s);
    secure_init(&s, &w);
    write_response(&s.p, "later.ocsp", NULL);
    name_files(&s, "later.ocsp", NULL);
    secure_start(&s);
    assert_non_null(tw__tls_remark(w.server->tls->sets[0], &which));
    assert_false(is_sent(&s, "a.test", "later.ocsp"));
    secure_close(&s);
}

static void check_refused(secure_world *s, int code, const char *why) {
    char detail[256] = "";
    assert_int_equal(
        tw_server_create(&s->w->server, &s->w->config, detail, sizeof detail),
        code);
    s->w->server = NULL;
    if (strstr(detail, why) == NULL) {
        fail_msg("'%s' does not say '%s'", detail, why);
    }
}

static void a_server_does_not_start_with_what_is_no_response(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_init(&s, &w);
    name_files(&s, "a.pem", NULL);
    check_refused(&s, TW_EINVALID, "a.pem: holds no OCSP response in DER");
    fclose(paper_file(&s.p, "empty.ocsp", 0644));
    name_files(&s, "empty.ocsp", NULL);
    check_refused(&s, TW_EINVALID, "holds no OCSP response");
    name_files(&s, "nothing.ocsp", NULL);
    check_refused(&s, TW_EIO, "nothing.ocsp: No such file");
    paper_ocsp(&s.p, "long.ocsp", "a.pem", NULL, &good);
    FILE *more = fopen(paper(&s.p, "long.ocsp"), "a");
    fputc(0, more);
    fclose(more);
    name_files(&s, "long.ocsp", NULL);
    check_refused(&s, TW_EINVALID, "holds no OCSP response");
    secure_close(&s);
}

static void a_newer_one_takes_the_place_of_the_old(void **state) {
    static const saying longer = {V_OCSP_CERTSTATUS_GOOD, -HOUR_S, 9 * HOUR_S};
    static world w;
    static secure_world s;
    char detail[256] = "";
    (void)state;
    secure_init(&s, &w);
    paper_ocsp(&s.p, "a.ocsp", "a.pem", NULL, &good);
    name_files(&s, "a.ocsp", NULL);
    secure_start(&s);
    int64_t before = gauge(&w);
    paper_ocsp(&s.p, "a.ocsp", "a.pem", NULL, &longer);
    assert_int_equal(
        tw_server_use_certificates(w.server, &w.config, detail, sizeof detail),
        0);
    assert_true(is_sent(&s, "a.test", "a.ocsp"));
    assert_true(gauge(&w) >= before + 7 * HOUR_S);
    fclose(paper_file(&s.p, "a.ocsp", 0644)); /* torn: what was read stays */
    assert_int_equal(
        tw_server_use_certificates(w.server, &w.config, detail, sizeof detail),
        TW_EINVALID);
    paper_ocsp(&s.p, "a.ocsp", "a.pem", NULL, &longer);
    uint8_t sent[4096];
    assert_true(sent_to(&s, 0, "a.test", sent, sizeof sent) > 0);
    secure_close(&s);
}

/* Of two for one certificate it is the one that ends later, in any order. */
static void the_one_that_ends_later_is_sent(void **state) {
    static const saying longer = {V_OCSP_CERTSTATUS_GOOD, -HOUR_S, 9 * HOUR_S};
    static world w;
    static secure_world s;
    (void)state;
    for (int i = 0; i < 2; i++) {
        secure_init(&s, &w);
        paper_ocsp(&s.p, "short.ocsp", "a.pem", NULL, &good);
        paper_ocsp(&s.p, "long.ocsp", "a.pem", NULL, &longer);
        name_files(&s, i == 0 ? "short.ocsp" : "long.ocsp",
                   i == 0 ? "long.ocsp" : "short.ocsp");
        secure_start(&s);
        assert_true(is_sent(&s, "a.test", "long.ocsp"));
        secure_close(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_is_sent_along_while_it_is_valid),
        cmocka_unit_test(one_that_begins_later_is_sent_along_then),
        cmocka_unit_test(who_does_not_ask_gets_none),
        cmocka_unit_test(each_certificate_has_its_own),
        cmocka_unit_test(the_kind_of_key_that_is_shown_decides),
        cmocka_unit_test(what_is_of_no_use_is_told_and_not_sent),
        cmocka_unit_test(one_about_a_stranger_or_an_excuse_is_not_sent),
        cmocka_unit_test(a_server_does_not_start_with_what_is_no_response),
        cmocka_unit_test(a_newer_one_takes_the_place_of_the_old),
        cmocka_unit_test(the_one_that_ends_later_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
