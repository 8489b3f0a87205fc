/* SPDX-License-Identifier: MIT */
#include "ws/handshake.h"

#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

#include "tidewire/errors.h"
#include "ws/extension.h"

#define KEY_LEN 24
#define SHA1_LEN 20

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

bool tw__ws_is_upgrade(const tw__ws_request *req) {
    return tw__ws_list_has(req, "Upgrade", "websocket") ||
           tw__ws_request_count(req, "Sec-WebSocket-Key") > 0;
}

static bool refuse(tw__ws_refusal *refusal, int status, const char *reason) {
    *refusal = (tw__ws_refusal){.status = status, .reason = reason};
    return false;
}

static bool refuse_with(tw__ws_refusal *refusal, int status, const char *reason,
                        const char *header_name, const char *header_value) {
    *refusal = (tw__ws_refusal){status, reason, header_name, header_value};
    return false;
}

static bool check_http(const tw__ws_request *req, tw__ws_refusal *refusal) {
    const char *host;
    size_t len;
    if (req->method_len != 3 || memcmp(req->method, "GET", 3) != 0) {
        return refuse_with(refusal, 405, "a WebSocket is opened with GET",
                           "Allow", "GET");
    }
    if (req->http_major < 1 || (req->http_major == 1 && req->http_minor < 1)) {
        return refuse(refusal, 400, "HTTP/1.1 or later required");
    }
    if (tw__ws_request_count(req, "Host") != 1 ||
        !tw__ws_request_find(req, "Host", &host, &len) || len == 0) {
        return refuse(refusal, 400, "exactly one Host header required");
    }
    return true;
}

static bool check_upgrade(const tw__ws_request *req, tw__ws_refusal *refusal) {
    if (!tw__ws_list_has(req, "Upgrade", "websocket")) {
        return refuse(refusal, 400, "Upgrade header must contain websocket");
    }
    if (!tw__ws_list_has(req, "Connection", "upgrade")) {
        return refuse(refusal, 400, "Connection header must contain Upgrade");
    }
    return true;
}

static bool check_version(const tw__ws_request *req, tw__ws_refusal *refusal) {
    const char *value;
    size_t len;
    if (tw__ws_request_count(req, "Sec-WebSocket-Version") > 1) {
        return refuse(refusal, 400, "Sec-WebSocket-Version is repeated");
    }
    if (!tw__ws_request_find(req, "Sec-WebSocket-Version", &value, &len) ||
        !tw__ws_equals(value, len, "13")) {
        return refuse_with(refusal, 426, "WebSocket version 13 required",
                           "Sec-WebSocket-Version", "13");
    }
    return true;
}

static bool is_base64_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* 16 bytes are 21 characters, one that carries two bits, and two pads. */
static bool is_key(const char *key, size_t len) {
    if (len != KEY_LEN || key[22] != '=' || key[23] != '=') {
        return false;
    }
    for (size_t i = 0; i < 21; i++) {
        if (!is_base64_char(key[i])) {
            return false;
        }
    }
    return key[21] == 'A' || key[21] == 'Q' || key[21] == 'g' || key[21] == 'w';
}

static bool check_key(const tw__ws_request *req, const char **key,
                      tw__ws_refusal *refusal) {
    size_t len;
    if (tw__ws_request_count(req, "Sec-WebSocket-Key") != 1 ||
        !tw__ws_request_find(req, "Sec-WebSocket-Key", key, &len)) {
        return refuse(refusal, 400, "exactly one Sec-WebSocket-Key required");
    }
    if (!is_key(*key, len)) {
        return refuse(refusal, 400,
                      "Sec-WebSocket-Key must be base64 of 16 bytes");
    }
    return true;
}

static bool check_protocols(const tw__ws_request *req,
                            tw__ws_refusal *refusal) {
    const char *seen[TW__WS_PROTOCOLS_MAX];
    size_t seen_len[TW__WS_PROTOCOLS_MAX];
    size_t count = 0;
    tw__ws_list list;
    const char *name;
    size_t len;
    tw__ws_protocols_init(&list, req);
    while (tw__ws_list_next(&list, &name, &len)) {
        if (!tw__ws_is_token(name, len)) {
            return refuse(refusal, 400, "malformed Sec-WebSocket-Protocol");
        }
        if (count == TW__WS_PROTOCOLS_MAX) {
            return refuse(refusal, 400, "too many subprotocols offered");
        }
        for (size_t i = 0; i < count; i++) {
            if (seen_len[i] == len && memcmp(seen[i], name, len) == 0) {
                return refuse(refusal, 400, "a subprotocol is offered twice");
            }
        }
        seen[count] = name;
        seen_len[count++] = len;
    }
    return true;
}

static bool check_extensions(const tw__ws_request *req,
                             tw__ws_refusal *refusal) {
    if (!tw__ws_extensions_are_sound(req)) {
        return refuse(refusal, 400, "malformed Sec-WebSocket-Extensions");
    }
    return true;
}

static bool make_accept(const char *key, char accept[TW__WS_ACCEPT_SIZE]) {
    char text[KEY_LEN + sizeof guid];
    uint8_t digest[SHA1_LEN];
    memcpy(text, key, KEY_LEN);
    memcpy(text + KEY_LEN, guid, sizeof guid);
    if (EVP_Digest(text, sizeof text - 1, digest, NULL, EVP_sha1(), NULL) !=
        1) {
        return false;
    }
    EVP_EncodeBlock((unsigned char *)accept, digest, SHA1_LEN);
    return true;
}

bool tw__ws_handshake_check(const tw__ws_request *req,
                            char accept[TW__WS_ACCEPT_SIZE],
                            tw__ws_refusal *refusal) {
    const char *key = NULL;
    if (!check_http(req, refusal) || !check_upgrade(req, refusal) ||
        !check_version(req, refusal) || !check_key(req, &key, refusal) ||
        !check_protocols(req, refusal) || !check_extensions(req, refusal)) {
        return false;
    }
    if (!make_accept(key, accept)) {
        return refuse(refusal, 500, "SHA-1 is not available");
    }
    return true;
}

void tw__ws_protocols_init(tw__ws_list *list, const tw__ws_request *req) {
    tw__ws_list_init(list, req, "Sec-WebSocket-Protocol");
}

bool tw__ws_protocol_is_offered(const tw__ws_request *req, const char *name,
                                size_t len) {
    tw__ws_list list;
    const char *item;
    size_t item_len;
    tw__ws_protocols_init(&list, req);
    while (tw__ws_list_next(&list, &item, &item_len)) {
        if (item_len == len && memcmp(item, name, len) == 0) {
            return true;
        }
    }
    return false;
}

int tw__ws_accept_write(tw__bytes *out, const char *accept,
                        const char *protocol, size_t protocol_len,
                        const char *extensions) {
    /* The name comes from a script: a line break in it would be a header. */
    if (protocol != NULL &&
        (protocol_len > INT_MAX || !tw__ws_is_token(protocol, protocol_len))) {
        return TW_EINVALID;
    }
    return tw__bytes_printf(
        out,
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %s\r\n"
        "%s%.*s%s"
        "%s%s%s"
        "\r\n",
        accept, protocol != NULL ? "Sec-WebSocket-Protocol: " : "",
        protocol != NULL ? (int)protocol_len : 0,
        protocol != NULL ? protocol : "", protocol != NULL ? "\r\n" : "",
        extensions != NULL ? "Sec-WebSocket-Extensions: " : "",
        extensions != NULL ? extensions : "", extensions != NULL ? "\r\n" : "");
}
