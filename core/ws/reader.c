/* SPDX-License-Identifier: MIT */
#include "ws/reader.h"

#include <assert.h>
#include <string.h>
#include <wslay/wslay.h>

#include "base/alloc.h"

/* Copies with the mask taken off, and turns the mask to the byte that
 * follows. The mask's place in a word does not depend on the byte order, for
 * both are filled from memory. */
static void copy_unmasked(uint8_t *to, const uint8_t *from, size_t len,
                          uint8_t mask[4]) {
    uint64_t word[4], key;
    uint8_t turned[8];
    size_t at = 0;
    memcpy(turned, mask, 4);
    memcpy(turned + 4, mask, 4);
    memcpy(&key, turned, sizeof key);
    for (; len - at >= sizeof word; at += sizeof word) {
        memcpy(word, from + at, sizeof word);
        for (size_t i = 0; i < 4; i++) {
            word[i] ^= key;
        }
        memcpy(to + at, word, sizeof word);
    }
    for (; len - at >= sizeof key; at += sizeof key) {
        memcpy(word, from + at, sizeof key);
        word[0] ^= key;
        memcpy(to + at, word, sizeof key);
    }
    for (; at < len; at++) {
        to[at] = from[at] ^ turned[at % 4];
    }
    memcpy(mask, turned + len % 4, 4);
}

/* wslay asks for bytes: the header first, if that is still due, and then what
 * there is of the payload, in one go. */
static ssize_t supply(uint8_t *buf, size_t len, int flags, void *arg) {
    tw__ws_reader *reader = arg;
    size_t head = reader->_head_len;
    size_t body = (size_t)(reader->_end - reader->_at);
    (void)flags;
    if (head != 0) {
        /* A clean context asks with its whole buffer empty. */
        assert(len >= sizeof reader->_head);
        memcpy(buf, reader->_head, sizeof reader->_head);
        reader->_head_len = 0;
    }
    if (body > len - head) {
        body = len - head;
    }
    copy_unmasked(buf + head, reader->_at, body, reader->_mask);
    reader->_at += body;
    reader->_left -= body;
    reader->_inside += body;
    return (ssize_t)(head + body);
}

tw__ws_reader *tw__ws_reader_create(void) {
    const struct wslay_frame_callbacks callbacks = {.recv_callback = supply};
    tw__ws_reader *reader = tw__calloc(1, sizeof *reader);
    if (reader == NULL) {
        return NULL;
    }
    if (wslay_frame_context_init(&reader->_wslay, &callbacks, reader) != 0) {
        tw__free(reader);
        return NULL;
    }
    return reader;
}

void tw__ws_reader_destroy(tw__ws_reader *reader) {
    wslay_frame_context_free(reader->_wslay);
    tw__free(reader);
}

void tw__ws_reader_begin(tw__ws_reader *reader, const tw__ws_frame *frame,
                         const uint8_t *head) {
    assert(tw__ws_reader_is_clean(reader));
    reader->_head_len = (uint8_t)(frame->header_len - sizeof frame->mask);
    reader->_head[0] = head[0] & (uint8_t)~TW__WS_RSV1; /* not wslay's matter */
    reader->_head[1] = head[1] & 0x7F;
    if (reader->_head_len > 2) {
        memcpy(reader->_head + 2, head + 2, reader->_head_len - 2u);
    }
    memcpy(reader->_mask, frame->mask, sizeof reader->_mask);
    reader->_length = reader->_left = frame->length;
}

bool tw__ws_reader_read(tw__ws_reader *reader, const uint8_t **at,
                        const uint8_t *end, const uint8_t **piece,
                        size_t *piece_len) {
    struct wslay_frame_iocb frame;
    size_t have = (size_t)(end - *at);
    reader->_at = *at;
    reader->_end = *at + (have < reader->_left ? have : reader->_left);
    ssize_t len = wslay_frame_recv(reader->_wslay, &frame);
    *at = reader->_at;
    reader->_at = reader->_end = NULL;
    /* wslay reads the header once more; that both read the same is what the
     * count of bytes stands on. */
    if (len < 0 || frame.payload_length != reader->_length) {
        reader->_failed = true;
        return false;
    }
    reader->_inside -= (uint64_t)len;
    *piece = frame.data;
    *piece_len = (size_t)len;
    return true;
}
