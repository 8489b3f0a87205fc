/* SPDX-License-Identifier: MIT */
#include "ws/frame.h"

#include <assert.h>
#include <string.h>

#define FIN 0x80
#define RESERVED 0x70
#define MASKED 0x80

static void write_number(uint8_t *out, uint64_t number, size_t size) {
    for (size_t i = size; i-- > 0; number >>= 8) {
        out[i] = (uint8_t)number;
    }
}

static uint64_t read_number(const uint8_t *data, size_t size) {
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        number = number << 8 | data[i];
    }
    return number;
}

size_t tw__ws_frame_header(uint8_t out[TW__WS_SERVER_HEADER_MAX], int opcode,
                           size_t len) {
    assert(!tw__ws_is_control(opcode) || len <= TW__WS_CONTROL_MAX);
    out[0] = (uint8_t)(FIN | opcode);
    if (len < 126) {
        out[1] = (uint8_t)len;
        return 2;
    }
    if (len <= UINT16_MAX) {
        out[1] = 126;
        write_number(out + 2, len, 2);
        return 4;
    }
    out[1] = 127;
    write_number(out + 2, len, 8);
    return 10;
}

/* What is wrong with the first byte, or NULL. Only the first frame of a message
 * says that it is compressed. */
static const char *check_first(uint8_t byte, int allowed) {
    int opcode = byte & 0x0F;
    bool is_first = opcode == TW__WS_TEXT || opcode == TW__WS_BINARY;
    if (byte & RESERVED & ~(is_first ? allowed : 0)) {
        return "reserved bit set";
    }
    if (opcode > (tw__ws_is_control(opcode) ? TW__WS_PONG : TW__WS_BINARY)) {
        return "reserved opcode";
    }
    if (tw__ws_is_control(opcode) && !(byte & FIN)) {
        return "fragmented control frame";
    }
    return NULL;
}

/* What is wrong with the second byte, or NULL. */
static const char *check_second(uint8_t first, uint8_t byte) {
    if (!(byte & MASKED)) {
        return "masked frame required";
    }
    if (tw__ws_is_control(first & 0x0F) && (byte & 0x7F) > TW__WS_CONTROL_MAX) {
        return "control frame too long";
    }
    return NULL;
}

/* What is wrong with an extended length of which `have` of `size` bytes are
 * there, or NULL. A top bit shows in the first byte, a length that had a
 * shorter form once all bytes that must not be all zero are there. */
static const char *check_length(const uint8_t *data, size_t have, size_t size) {
    if (size == 8 && have > 0 && (data[0] & 0x80)) {
        return "frame length out of range";
    }
    if ((size == 2 && have == 2 && read_number(data, 2) < 126) ||
        (size == 8 && have >= 6 && read_number(data, 6) == 0)) {
        return "frame length not minimal";
    }
    return NULL;
}

static enum tw__ws_peek refuse(const char **reason, const char *why) {
    *reason = why;
    return TW__WS_PEEK_ERROR;
}

enum tw__ws_peek tw__ws_frame_peek_with(int allowed, const uint8_t *data,
                                        size_t len, tw__ws_frame *frame,
                                        const char **reason) {
    const char *wrong = len > 0 ? check_first(data[0], allowed) : NULL;
    if (wrong == NULL && len > 1) {
        wrong = check_second(data[0], data[1]);
    }
    if (wrong != NULL) {
        return refuse(reason, wrong);
    }
    if (len < 2) {
        return TW__WS_PEEK_MORE;
    }
    uint64_t length = data[1] & 0x7F;
    size_t size = length < 126 ? 0 : length == 126 ? 2 : 8;
    if (size != 0) {
        size_t have = len - 2 < size ? len - 2 : size;
        wrong = check_length(data + 2, have, size);
        if (wrong != NULL) {
            return refuse(reason, wrong);
        }
    }
    if (len < 2 + size + 4) {
        return TW__WS_PEEK_MORE;
    }
    frame->length = size != 0 ? read_number(data + 2, size) : length;
    frame->header_len = (uint8_t)(2 + size + 4);
    frame->opcode = data[0] & 0x0F;
    frame->fin = (data[0] & FIN) != 0;
    frame->is_deflated = (data[0] & TW__WS_RSV1) != 0;
    memcpy(frame->mask, data + 2 + size, 4);
    return TW__WS_PEEK_FRAME;
}
