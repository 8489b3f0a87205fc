/* The HTTP parser, http/parser.h. The input is what a client sends: requests,
 * one behind the other.
 *
 * The same bytes must give the same requests however they are cut; what the
 * header promises of a request holds; and a body never exceeds its limit.
 *
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "http/chars.h"
#include "http/parser.h"

enum { BODY_LIMIT = 200 };

/* ---- a request ------------------------------------------------------------
 */

static void check_text(tw__http_text text) {
    FUZZ_CHECK(text.data != NULL && text.data[text.len] == '\0');
}

static void check_path(const tw__http_request *r) {
    fuzz_span rest = {(const uint8_t *)r->path.data, r->path.len};
    if (r->path.len == 1 && r->path.data[0] == '*') {
        FUZZ_CHECK(strcmp(r->method.data, "OPTIONS") == 0);
        return;
    }
    FUZZ_CHECK(rest.len != 0 && rest.data[0] == '/');
    for (size_t i = 0; i < rest.len; i++) {
        FUZZ_CHECK(rest.data[i] >= 0x20 && rest.data[i] != 0x7F &&
                   rest.data[i] != '\\');
    }
    while (rest.len != 0) {
        fuzz_span part = fuzz_cut(&rest, '/');
        FUZZ_CHECK(!fuzz_same(part.data, part.len, ".", 1));
        FUZZ_CHECK(!fuzz_same(part.data, part.len, "..", 2));
    }
}

static void check_headers(const tw__http_request *r) {
    for (size_t i = 0; i < r->header_count; i++) {
        const tw__http_field *f = &r->headers[i];
        FUZZ_CHECK(f->name_len != 0 && f->name[f->name_len] == '\0');
        FUZZ_CHECK(f->value[f->value_len] == '\0');
        for (size_t k = 0; k < f->name_len; k++) {
            FUZZ_CHECK(tw__http_is_tchar((unsigned char)f->name[k]));
            FUZZ_CHECK(f->name[k] == tw__http_lower(f->name[k]));
        }
        for (size_t k = 0; k < f->value_len; k++) {
            FUZZ_CHECK(tw__http_is_value_char((unsigned char)f->value[k]));
        }
        const char *value = tw__http_request_header(r, f->name, NULL);
        FUZZ_CHECK(value != NULL);
        FUZZ_CHECK((value == f->value) == tw__http_request_is_first(r, i));
    }
}

static size_t count_of(const tw__http_request *r, const char *name) {
    size_t count = 0;
    for (size_t i = 0; i < r->header_count; i++) {
        count += strcmp(r->headers[i].name, name) == 0;
    }
    return count;
}

/* What makes two servers disagree on where a request ends. */
static void check_framing(const tw__http_request *r) {
    size_t hosts = count_of(r, "host");
    size_t lengths = count_of(r, "content-length");
    size_t codings = count_of(r, "transfer-encoding");
    FUZZ_CHECK(r->minor <= 1);
    FUZZ_CHECK(hosts == 1 || (hosts == 0 && r->minor == 0));
    FUZZ_CHECK(lengths <= 1 && (lengths == 0 || codings == 0));
    FUZZ_CHECK(codings == 0 || (r->minor == 1 && r->is_chunked));
    FUZZ_CHECK(!r->is_chunked || (r->has_body && r->content_length == 0));
    FUZZ_CHECK(!r->is_upgrade || (!r->has_body && !r->keep_alive));
    FUZZ_CHECK(!r->has_body || r->is_chunked || r->content_length != 0);
}

static void check_pairs(const tw__http_field *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(fields[i].name[fields[i].name_len] == '\0');
        FUZZ_CHECK(fields[i].value[fields[i].value_len] == '\0');
    }
}

static void check_request(tw__http_request *r) {
    const tw__http_field *fields;
    size_t count;
    check_text(r->method);
    check_text(r->target);
    check_text(r->path);
    check_text(r->query);
    check_text(r->host);
    check_path(r);
    check_headers(r);
    check_framing(r);
    FUZZ_CHECK(tw__http_request_query(r, &fields, &count) == 0);
    check_pairs(fields, count);
    FUZZ_CHECK(tw__http_request_cookies(r, &fields, &count) == 0);
    check_pairs(fields, count);
}

static void log_text(fuzz_log *log, tw__http_text text) {
    fuzz_log_text(log, text.data, text.len);
}

static void log_request(fuzz_log *log, const tw__http_request *r) {
    const uint8_t facts[] = {r->minor,      r->is_head,         r->keep_alive,
                             r->is_upgrade, r->expect_continue, r->has_body,
                             r->is_chunked};
    fuzz_log_add(log, facts, sizeof facts);
    fuzz_log_number(log, r->content_length);
    log_text(log, r->method);
    log_text(log, r->target);
    log_text(log, r->path);
    log_text(log, r->query);
    log_text(log, r->host);
    for (size_t i = 0; i < r->header_count; i++) {
        fuzz_log_text(log, r->headers[i].name, r->headers[i].name_len);
        fuzz_log_text(log, r->headers[i].value, r->headers[i].value_len);
    }
}

/* ---- a connection ----------------------------------------------------------
 */

typedef struct run {
    const uint8_t *data;
    size_t len, at;
    tw__http_parser *parser;
    fuzz_log log;
    bool is_over;
} run;

static void on_head(run *r) {
    tw__http_request *request = tw__http_parser_request(r->parser);
    fuzz_log_add(&r->log, "head", 4);
    log_request(&r->log, request);
    tw__http_parser_set_body_limit(r->parser, BODY_LIMIT);
    if (request->is_upgrade) {
        fuzz_log_number(&r->log, r->at);
        r->is_over = true;
    }
}

static void on_complete(run *r) {
    tw__http_request *request = tw__http_parser_request(r->parser);
    tw__http_text body = tw__http_request_body(request);
    check_text(body);
    check_request(request);
    FUZZ_CHECK(request->is_complete);
    FUZZ_CHECK(body.len <= BODY_LIMIT);
    FUZZ_CHECK(request->is_chunked || body.len == request->content_length);
    fuzz_log_add(&r->log, "done", 4);
    log_text(&r->log, body);
    fuzz_log_number(&r->log, r->at);
    tw__http_parser_reset(r->parser);
    FUZZ_CHECK(tw__http_parser_is_idle(r->parser));
}

static void on_error(run *r) {
    tw__http_error error = tw__http_parser_error(r->parser);
    size_t used;
    FUZZ_CHECK(error.status >= 400 && error.status <= 505);
    FUZZ_CHECK(error.reason != NULL);
    fuzz_log_add(&r->log, "fail", 4);
    fuzz_log_number(&r->log, (uint64_t)error.status);
    fuzz_log_text(&r->log, error.reason, strlen(error.reason));
    FUZZ_CHECK(tw__http_parser_feed(r->parser, "GET", 3, &used) ==
               TW__HTTP_ERROR);
    r->is_over = true;
}

/* Feeds one read, which may hold several requests. */
static void take(run *r, const uint8_t *piece, size_t len) {
    size_t at = 0;
    tw__http_event event;
    do {
        size_t used = SIZE_MAX;
        event = tw__http_parser_feed(r->parser, piece + at, len - at, &used);
        FUZZ_CHECK(event == TW__HTTP_ERROR || used <= len - at);
        FUZZ_CHECK(event != TW__HTTP_MORE || used == len - at);
        at += event != TW__HTTP_ERROR ? used : 0;
        r->at += event != TW__HTTP_ERROR ? used : 0;
        if (event == TW__HTTP_HEAD) {
            on_head(r);
        } else if (event == TW__HTTP_COMPLETE) {
            on_complete(r);
        } else if (event == TW__HTTP_ERROR) {
            on_error(r);
        } else {
            tw__http_parser_take_continue(r->parser);
        }
    } while (!r->is_over && event != TW__HTTP_MORE);
}

static fuzz_log parse(const tw__http_limits *limits, const uint8_t *data,
                      size_t len, unsigned salt) {
    fuzz_random random = fuzz_random_of(data, len, salt);
    size_t live = tw__alloc_live();
    run r = {.data = data, .len = len};
    r.parser = tw__http_parser_create(limits);
    FUZZ_CHECK(r.parser != NULL);
    for (size_t at = 0; at < len && !r.is_over;) {
        size_t size = salt == 0   ? len
                      : salt == 1 ? 1
                                  : fuzz_piece(&random, len - at);
        uint8_t *piece = fuzz_copy(data + at, size);
        take(&r, piece, size);
        free(piece);
        at += size;
    }
    tw__http_parser_destroy(r.parser);
    FUZZ_CHECK(tw__alloc_live() == live);
    return r.log;
}

static void compare(const tw__http_limits *limits, const uint8_t *data,
                    size_t len) {
    fuzz_log whole = parse(limits, data, len, 0);
    for (unsigned salt = 1; salt < 4; salt++) {
        fuzz_log pieces = parse(limits, data, len, salt);
        FUZZ_CHECK(fuzz_log_same(&whole, &pieces));
        fuzz_log_free(&pieces);
    }
    fuzz_log_free(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const tw__http_limits small = {
        .max_head_bytes = 200, .max_target_bytes = 20, .max_headers = 4};
    compare(NULL, data, size);
    compare(&small, data, size);
    return 0;
}
