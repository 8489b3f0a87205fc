/* SPDX-License-Identifier: MIT */
#include "frame.h"

#include <string.h>

#include "memory.h"

#define FIN 0x80
#define MASKED 0x80

static size_t write_header(uint8_t *out, int opcode, size_t len) {
    out[0] = (uint8_t)(FIN | opcode);
    if (len < 126) {
        out[1] = (uint8_t)(MASKED | len);
        return 2;
    }
    size_t width = len < 65536 ? 2 : 8;
    out[1] = (uint8_t)(MASKED | (width == 2 ? 126 : 127));
    for (size_t i = 0; i < width; i++) {
        out[2 + i] = (uint8_t)((uint64_t)len >> 8 * (width - 1 - i));
    }
    return 2 + width;
}

size_t tw__bench_frame_write(uint8_t *out, int opcode, uint32_t mask,
                             const void *payload, size_t len) {
    size_t head = write_header(out, opcode, len);
    uint8_t *to = out + head + 4;
    const uint8_t *from = payload;
    uint64_t wide = (uint64_t)mask << 32 | mask;
    size_t i = 0;
    memcpy(out + head, &mask, 4);
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, from + i, 8);
        word ^= wide;
        memcpy(to + i, &word, 8);
    }
    for (; i < len; i++) {
        to[i] = from[i] ^ out[head + i % 4];
    }
    return head + 4 + len;
}

static void drop_message(tw__bench_reader *reader) {
    free(reader->_message);
    reader->_message = NULL;
    reader->_message_len = 0;
    reader->_opcode = 0;
}

static void drop_stash(tw__bench_reader *reader) {
    free(reader->_stash);
    reader->_stash = NULL;
    reader->_stash_len = 0;
}

void tw__bench_reader_deinit(tw__bench_reader *reader) {
    drop_stash(reader);
    drop_message(reader);
}

size_t tw__bench_reader_resume(tw__bench_reader *reader, uint8_t *buffer,
                               size_t cap) {
    size_t len = reader->_stash_len;
    if (len == 0) {
        return 0;
    }
    if (len > cap) {
        len = cap;
    }
    memcpy(buffer, reader->_stash, len);
    drop_stash(reader);
    return len;
}

void tw__bench_reader_keep(tw__bench_reader *reader, const uint8_t *data,
                           size_t len) {
    if (len > 0) {
        reader->_stash = tw__bench_alloc(len, 1);
        reader->_stash_len = (uint32_t)len;
        memcpy(reader->_stash, data, len);
    }
}

typedef struct frame {
    int opcode;
    int bit; /* TW__BENCH_DEFLATED or 0 */
    bool fin;
    size_t head; /* bytes of header; 0: not all there yet */
    uint64_t len;
} frame;

static const char *check_first(const uint8_t *data, const frame *f,
                               bool deflates) {
    bool is_first =
        f->opcode == TW__BENCH_TEXT || f->opcode == TW__BENCH_BINARY;
    int allowed = deflates && is_first ? TW__BENCH_DEFLATED : 0;
    if ((data[0] & 0x70 & ~allowed) != 0) {
        return "reserved bit set";
    }
    if ((f->opcode > TW__BENCH_BINARY && f->opcode < TW__BENCH_CLOSE) ||
        f->opcode > TW__BENCH_PONG) {
        return "reserved opcode";
    }
    return f->opcode >= TW__BENCH_CLOSE && !f->fin ? "fragmented control frame"
                                                   : NULL;
}

/* Reads a header. A frame whose header is incomplete has head 0. */
static const char *read_header(const uint8_t *data, size_t len, bool deflates,
                               frame *f) {
    f->head = 0;
    if (len < 2) {
        return NULL;
    }
    f->opcode = data[0] & 0x0f;
    f->fin = (data[0] & FIN) != 0;
    f->bit = data[0] & TW__BENCH_DEFLATED;
    const char *wrong = check_first(data, f, deflates);
    if (wrong != NULL) {
        return wrong;
    }
    if ((data[1] & MASKED) != 0) {
        return "masked frame from a server";
    }
    size_t width = data[1] == 126 ? 2 : data[1] == 127 ? 8 : 0;
    if (width > 0 && f->opcode >= TW__BENCH_CLOSE) {
        return "control frame too long";
    }
    if (len < 2 + width) {
        return NULL;
    }
    f->len = width == 0 ? data[1] : 0;
    for (size_t i = 0; i < width; i++) {
        f->len = f->len << 8 | data[2 + i];
    }
    if ((width == 2 && f->len < 126) || (width == 8 && f->len < 65536)) {
        return "length not in its shortest form";
    }
    f->head = 2 + width;
    return NULL;
}

static const char *check_order(const tw__bench_reader *reader, const frame *f,
                               size_t max) {
    if (f->opcode >= TW__BENCH_CLOSE) {
        return NULL;
    }
    if (f->opcode == 0 && reader->_opcode == 0) {
        return "continuation of nothing";
    }
    if (f->opcode != 0 && reader->_opcode != 0) {
        return "a new message inside a fragmented one";
    }
    return f->len > max - reader->_message_len ? "message too long" : NULL;
}

static void add_fragment(tw__bench_reader *reader, const frame *f,
                         const uint8_t *payload) {
    if (f->opcode != 0) {
        reader->_opcode = (uint8_t)(f->opcode | f->bit);
    }
    if (f->len > 0) {
        reader->_message = tw__bench_realloc(
            reader->_message, (size_t)(reader->_message_len + f->len));
        memcpy(reader->_message + reader->_message_len, payload,
               (size_t)f->len);
        reader->_message_len += (uint32_t)f->len;
    }
}

/* A frame that is wholly there. False when the callback wants no more. */
static bool take(tw__bench_reader *reader, const frame *f,
                 const uint8_t *payload, tw__bench_frame_cb cb, void *arg) {
    if (f->opcode >= TW__BENCH_CLOSE || (f->fin && reader->_opcode == 0)) {
        return cb(arg, f->opcode | f->bit, payload, (size_t)f->len);
    }
    add_fragment(reader, f, payload);
    if (!f->fin) {
        return true;
    }
    /* The callback may empty the reader, by closing. */
    uint8_t *message = reader->_message;
    size_t len = reader->_message_len;
    int opcode = reader->_opcode;
    reader->_message = NULL;
    drop_message(reader);
    bool go_on = cb(arg, opcode, len > 0 ? message : payload, len);
    free(message);
    return go_on;
}

const char *tw__bench_reader_feed(tw__bench_reader *reader, const uint8_t *data,
                                  size_t len, size_t max, tw__bench_frame_cb cb,
                                  void *arg) {
    size_t at = 0;
    for (;;) {
        frame f;
        const char *wrong =
            read_header(data + at, len - at, reader->deflates, &f);
        if (wrong == NULL && f.head > 0) {
            wrong = check_order(reader, &f, max);
        }
        if (wrong != NULL) {
            tw__bench_reader_deinit(reader);
            return wrong;
        }
        if (f.head == 0 || f.len > len - at - f.head) {
            tw__bench_reader_keep(reader, data + at, len - at);
            return NULL;
        }
        const uint8_t *payload = data + at + f.head;
        at += f.head + (size_t)f.len;
        if (!take(reader, &f, payload, cb, arg)) {
            return NULL;
        }
    }
}
