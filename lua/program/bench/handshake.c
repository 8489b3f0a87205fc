/* SPDX-License-Identifier: MIT */
#include "handshake.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

void tw__bench_handshake_keys(const uint8_t nonce[TW__BENCH_NONCE_LEN],
                              char key[TW__BENCH_KEY_SIZE],
                              char accept[TW__BENCH_ACCEPT_SIZE]) {
    char text[TW__BENCH_KEY_SIZE + sizeof guid];
    uint8_t digest[20] = {0};
    EVP_EncodeBlock((unsigned char *)key, nonce, TW__BENCH_NONCE_LEN);
    int len = snprintf(text, sizeof text, "%s%s", key, guid);
    EVP_Digest(text, (size_t)len, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);
}

static const char offer[] =
    "Sec-WebSocket-Extensions: permessage-deflate; "
    "server_no_context_takeover; client_no_context_takeover\r\n";

size_t tw__bench_handshake_request(char *out, size_t cap, const char *host,
                                   const char *target, const char *key,
                                   bool deflate) {
    int len = snprintf(out, cap,
                       "GET %s HTTP/1.1\r\n"
                       "Host: %s\r\n"
                       "Upgrade: websocket\r\n"
                       "Connection: Upgrade\r\n"
                       "Sec-WebSocket-Key: %s\r\n"
                       "Sec-WebSocket-Version: 13\r\n"
                       "%s\r\n",
                       target, host, key, deflate ? offer : "");
    return len > 0 && (size_t)len < cap ? (size_t)len : 0;
}

/* Finds the value of a header, trimmed. *count says how often it is there. */
static const char *find(const char *head, const char *end, const char *name,
                        size_t *value_len, int *count) {
    size_t name_len = strlen(name);
    const char *found = NULL;
    *count = 0;
    for (const char *line = head; line < end;) {
        const char *stop = memmem(line, (size_t)(end - line), "\r\n", 2);
        stop = stop != NULL ? stop : end;
        if ((size_t)(stop - line) > name_len && line[name_len] == ':' &&
            strncasecmp(line, name, name_len) == 0) {
            const char *value = line + name_len + 1, *tail = stop;
            for (; value < tail && (*value == ' ' || *value == '\t'); value++) {
            }
            for (; tail > value && (tail[-1] == ' ' || tail[-1] == '\t');
                 tail--) {
            }
            found = value;
            *value_len = (size_t)(tail - value);
            (*count)++;
        }
        line = stop + 2;
    }
    return found;
}

static bool has_header(const char *head, const char *end, const char *name,
                       const char *value, bool case_matters) {
    size_t len = 0;
    int count;
    const char *found = find(head, end, name, &len, &count);
    if (count != 1 || len != strlen(value)) {
        return false;
    }
    return case_matters ? memcmp(found, value, len) == 0
                        : strncasecmp(found, value, len) == 0;
}

/* Connection is a list; its other members do not matter. */
static bool says_upgrade(const char *head, const char *end) {
    size_t len = 0;
    int count;
    const char *value = find(head, end, "Connection", &len, &count);
    for (size_t i = 0; value != NULL && i + 7 <= len; i++) {
        bool starts = i == 0 || strchr(", \t", value[i - 1]) != NULL;
        bool ends = i + 7 == len || strchr(", \t", value[i + 7]) != NULL;
        if (starts && ends && strncasecmp(value + i, "upgrade", 7) == 0) {
            return true;
        }
    }
    return false;
}

static bool contains(const char *text, size_t len, const char *word) {
    return memmem(text, len, word, strlen(word)) != NULL;
}

/* What is sent is not compressed, so all that matters is that no message of the
 * server's refers to another. */
static const char *check_extensions(const char *head, const char *end,
                                    bool deflate) {
    size_t len = 0;
    int count;
    const char *value =
        find(head, end, "Sec-WebSocket-Extensions", &len, &count);
    if (!deflate) {
        return value != NULL ? "an extension that was not offered" : NULL;
    }
    bool is_granted = count == 1 &&
                      contains(value, len, "permessage-deflate") &&
                      contains(value, len, "server_no_context_takeover");
    return is_granted ? NULL : "compression was not granted";
}

static const char *check_headers(const char *head, const char *end,
                                 const char *accept, bool deflate) {
    size_t len;
    int count;
    const char *wrong = check_extensions(head, end, deflate);
    if (!has_header(head, end, "Upgrade", "websocket", false)) {
        return "the answer lacks Upgrade: websocket";
    }
    if (!says_upgrade(head, end)) {
        return "the answer lacks Connection: Upgrade";
    }
    if (!has_header(head, end, "Sec-WebSocket-Accept", accept, true)) {
        return "Sec-WebSocket-Accept is missing or wrong";
    }
    if (wrong != NULL) {
        return wrong;
    }
    if (find(head, end, "Sec-WebSocket-Protocol", &len, &count) != NULL) {
        return "a subprotocol that was not offered";
    }
    return NULL;
}

int tw__bench_handshake_check(const char *data, size_t len, const char *accept,
                              bool deflate, char *why, size_t why_size) {
    const char *end = memmem(data, len, "\r\n\r\n", 4);
    if (end == NULL) {
        if (len < TW__BENCH_HEAD_MAX) {
            return 0;
        }
        snprintf(why, why_size, "the answer's head is too long");
        return -1;
    }
    const char *line_end = memmem(data, len, "\r\n", 2);
    if (line_end - data < 12 || memcmp(data, "HTTP/1.1 101", 12) != 0) {
        snprintf(why, why_size, "refused: %.*s", (int)(line_end - data), data);
        return -1;
    }
    /* A head of one line ends where its line does. */
    const char *head = line_end < end ? line_end + 2 : end;
    const char *wrong = check_headers(head, end, accept, deflate);
    if (wrong != NULL) {
        snprintf(why, why_size, "%s", wrong);
        return -1;
    }
    return (int)(end + 4 - data);
}
