/* The opening handshake, ws/handshake.h. The input is a request as text; here
 * nothing but its lines is looked at, so that values reach the handshake which
 * the HTTP parser would refuse.
 *
 * SPDX-License-Identifier: MIT */
#include <openssl/evp.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "tidewire/errors.h"
#include "ws/extension.h"
#include "ws/handshake.h"

enum { MAX_LINES = 64 };

/* ---- the request -------------------------------------------------------- */

static tw__ws_header header_of(fuzz_span line) {
    fuzz_span name = fuzz_cut(&line, ':');
    return (tw__ws_header){(const char *)name.data, name.len,
                           (const char *)line.data, line.len};
}

/* "GET / HTTP/1.1" and a header in each further line, up to an empty one. */
static tw__ws_request request_of(fuzz_span text, tw__ws_header *headers) {
    fuzz_span line = fuzz_line(&text);
    tw__ws_request req = {.headers = headers, .http_major = 1};
    fuzz_span method = fuzz_cut(&line, ' ');
    req.method = (const char *)method.data;
    req.method_len = method.len;
    req.http_minor = line.len != 0 && line.data[line.len - 1] != '0';
    while (text.len != 0 && req.header_count < MAX_LINES) {
        line = fuzz_line(&text);
        if (line.len == 0) {
            break;
        }
        headers[req.header_count++] = header_of(line);
    }
    return req;
}

/* ---- what must hold -------------------------------------------------------
 */

static void check_accept(const tw__ws_request *req, const char *accept) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    const char *key;
    size_t len;
    FUZZ_CHECK(fuzz_same(req->method, req->method_len, "GET", 3));
    FUZZ_CHECK(tw__ws_request_count(req, "sec-websocket-key") == 1);
    FUZZ_CHECK(tw__ws_request_count(req, "host") == 1);
    FUZZ_CHECK(tw__ws_request_find(req, "SEC-WEBSOCKET-KEY", &key, &len));
    FUZZ_CHECK(len == 24);
    uint8_t raw[18], digest[20];
    char text[24 + sizeof guid], expected[TW__WS_ACCEPT_SIZE];
    FUZZ_CHECK(EVP_DecodeBlock(raw, (const uint8_t *)key, 24) == 18);
    memcpy(text, key, 24);
    memcpy(text + 24, guid, sizeof guid);
    EVP_Digest(text, sizeof text - 1, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock((uint8_t *)expected, digest, 20);
    FUZZ_CHECK(strcmp(accept, expected) == 0);
}

static void check_refusal(const tw__ws_refusal *refusal) {
    FUZZ_CHECK(refusal->status == 400 || refusal->status == 405 ||
               refusal->status == 426);
    FUZZ_CHECK(refusal->reason != NULL && *refusal->reason != '\0');
    FUZZ_CHECK((refusal->header_name != NULL) == (refusal->status != 400));
    FUZZ_CHECK((refusal->header_value != NULL) == (refusal->status != 400));
}

static size_t count_lines(const tw__bytes *out) {
    const uint8_t *data = tw__bytes_data(out);
    size_t count = 0;
    for (size_t i = 0; i < tw__bytes_len(out); i++) {
        FUZZ_CHECK((data[i] == '\n') == (i > 0 && data[i - 1] == '\r'));
        count += data[i] == '\n';
    }
    return count;
}

/* Whatever the name of the subprotocol: the answer has just these lines. */
static void check_answer(const char *accept, const char *name, size_t len,
                         const char *extensions) {
    tw__bytes out = {0};
    int err = tw__ws_accept_write(&out, accept, name, len, extensions);
    FUZZ_CHECK(err == 0 || (err == TW_EINVALID && name != NULL));
    if (err == 0) {
        const char *data = (const char *)tw__bytes_data(&out);
        size_t size = tw__bytes_len(&out);
        FUZZ_CHECK(count_lines(&out) ==
                   5u + (name != NULL) + (extensions != NULL));
        FUZZ_CHECK(memcmp(data, "HTTP/1.1 101 ", 13) == 0);
        FUZZ_CHECK(memcmp(data + size - 4, "\r\n\r\n", 4) == 0);
    }
    tw__bytes_deinit(&out);
}

static void check_protocols(const tw__ws_request *req, const char *accept) {
    const char *name;
    size_t len, count = 0;
    tw__ws_list list;
    tw__ws_protocols_init(&list, req);
    while (tw__ws_list_next(&list, &name, &len)) {
        FUZZ_CHECK(++count <= TW__WS_PROTOCOLS_MAX);
        FUZZ_CHECK(tw__ws_is_token(name, len));
        FUZZ_CHECK(tw__ws_protocol_is_offered(req, name, len));
        check_answer(accept, name, len, NULL);
    }
    check_answer(accept, NULL, 0, NULL);
}

/* Only what can be shared is granted, and only where it is offered. */
static void check_extensions(const tw__ws_request *req, const char *accept) {
    static const char name[] = "permessage-deflate";
    const char *answer = tw__ws_extensions_answer(req);
    FUZZ_CHECK(tw__ws_extensions_are_sound(req));
    if (answer != NULL) {
        FUZZ_CHECK(strncmp(answer, name, sizeof name - 1) == 0);
        FUZZ_CHECK(strstr(answer, "; server_no_context_takeover") != NULL);
        FUZZ_CHECK(strstr(answer, "; client_no_context_takeover") != NULL);
        FUZZ_CHECK(tw__ws_request_count(req, "Sec-WebSocket-Extensions") > 0);
        check_answer(accept, NULL, 0, answer);
    }
}

/* The order of lines says nothing, but among those of one name. */
static void check_order(const tw__ws_request *req, bool is_good, int status) {
    tw__ws_header turned[MAX_LINES];
    tw__ws_request other = *req;
    char accept[TW__WS_ACCEPT_SIZE];
    tw__ws_refusal refusal = {0};
    for (size_t i = 0; i < req->header_count; i++) {
        turned[i] = req->headers[req->header_count - 1 - i];
    }
    other.headers = turned;
    FUZZ_CHECK(tw__ws_handshake_check(&other, accept, &refusal) == is_good);
    FUZZ_CHECK(refusal.status == status);
    FUZZ_CHECK(tw__ws_is_upgrade(&other) == tw__ws_is_upgrade(req));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tw__ws_header headers[MAX_LINES];
    tw__ws_request req = request_of((fuzz_span){data, size}, headers);
    char accept[TW__WS_ACCEPT_SIZE] = "untouched";
    tw__ws_refusal refusal = {0};
    size_t live = tw__alloc_live();
    bool is_good = tw__ws_handshake_check(&req, accept, &refusal);
    if (is_good) {
        FUZZ_CHECK(refusal.status == 0 && tw__ws_is_upgrade(&req));
        check_accept(&req, accept);
        check_protocols(&req, accept);
        check_extensions(&req, accept);
    } else {
        FUZZ_CHECK(strcmp(accept, "untouched") == 0);
        check_refusal(&refusal);
        check_answer(accept, (const char *)data, size, NULL);
    }
    check_order(&req, is_good, refusal.status);
    FUZZ_CHECK(tw__alloc_live() == live);
    return 0;
}
