/* reader.h - one client frame through wslay's frame layer.
 *
 * wslay is given exactly the bytes of one frame, with the mask taken off on
 * the way: its own unmasking goes byte by byte through memory and costs 1 ns
 * a byte, while here it is part of a copy that happens anyway. A reader keeps
 * count of what it has handed out; when all of it has come back as frames, no
 * byte of one connection is left inside and the reader may serve another.
 *
 * Between pool.h and input.h only. Belongs to the pool's thread.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_WS_READER_H
#define TW_WS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ws/frame.h"

/* What a wslay context takes from the heap; its type is opaque. For accounting
 * only. */
#define TW__WS_READER_MEMORY 4272

/* A frame with at most this payload leaves in one piece when its bytes are
 * there: wslay's buffer of 4,096 less the longest unmasked header. */
#define TW__WS_READER_PIECE 4086

typedef struct tw__ws_reader {
    struct tw__ws_reader *_next; /* in the pool's list */
    struct wslay_frame_context *_wslay;
    const uint8_t *_at, *_end; /* what wslay may be handed now */
    uint64_t _length;          /* payload of the frame */
    uint64_t _left;            /* of it, not yet handed to wslay */
    uint64_t _inside;          /* handed and not yet come out */
    uint8_t _mask[4];          /* turned to the next byte */
    uint8_t _head[TW__WS_SERVER_HEADER_MAX];
    uint8_t _head_len; /* not yet handed */
    bool _failed;
} tw__ws_reader;

/* NULL when there is no memory. */
tw__ws_reader *tw__ws_reader_create(void);
void tw__ws_reader_destroy(tw__ws_reader *reader);

/* Starts on a frame whose header is `frame`, with its bytes at `head`. The
 * reader is clean before. */
void tw__ws_reader_begin(tw__ws_reader *reader, const tw__ws_frame *frame,
                         const uint8_t *head);

/* Takes payload from *at, at most up to `end`, and moves *at behind what was
 * taken. Needs at least one byte there, but for an empty frame. Gives a piece
 * of unmasked payload inside the reader, good until its next use. False when
 * wslay refuses the frame: the reader is not clean any more. */
bool tw__ws_reader_read(tw__ws_reader *reader, const uint8_t **at,
                        const uint8_t *end, const uint8_t **piece,
                        size_t *piece_len);

/* The payload bytes of the frame that have not been read yet. */
static inline uint64_t tw__ws_reader_left(const tw__ws_reader *reader) {
    return reader->_left;
}

/* Whether no frame is begun and nothing is left inside. */
static inline bool tw__ws_reader_is_clean(const tw__ws_reader *reader) {
    return !reader->_failed && reader->_head_len == 0 && reader->_left == 0 &&
           reader->_inside == 0;
}

#endif
