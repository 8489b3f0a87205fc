/* SPDX-License-Identifier: MIT */
#include "http/chunked.h"

#include <string.h>

#include "http/chars.h"

enum { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILERS, DONE };

void tw__http_chunked_init(tw__http_chunked *chunked, uint64_t max_body_bytes,
                           const tw__http_limits *limits) {
    memset(chunked, 0, sizeof *chunked);
    chunked->room = max_body_bytes;
    chunked->_limits = limits;
}

static int refuse(tw__http_chunked *chunked, int status, const char *reason) {
    chunked->error = (tw__http_error){status, reason};
    return -1;
}

static int malformed(tw__http_chunked *chunked) {
    return refuse(chunked, 400, "malformed chunk");
}

/* Fifteen digits are below 2^60 and more than any body's limit; leading
 * zeros beyond that serve nobody. */
static int in_size(tw__http_chunked *chunked, char c) {
    int digit = tw__http_hex(c);
    if (digit >= 0) {
        if (++chunked->_digits > 15) {
            return refuse(chunked, 400, "chunk size too long");
        }
        chunked->left = chunked->left * 16 + (uint64_t)digit;
        return SIZE;
    }
    if (chunked->_digits == 0) {
        return malformed(chunked);
    }
    return c == ';' ? EXTENSION : c == '\r' ? SIZE_LF : malformed(chunked);
}

static int in_extension(tw__http_chunked *chunked, char c) {
    if (c == '\r') {
        return SIZE_LF;
    }
    return tw__http_is_value_char((unsigned char)c) ? EXTENSION
                                                    : malformed(chunked);
}

static int end_of_size(tw__http_chunked *chunked, char c) {
    if (c != '\n') {
        return malformed(chunked);
    }
    if (chunked->left > chunked->room) {
        return refuse(chunked, 413, "body too long");
    }
    chunked->room -= chunked->left;
    chunked->_digits = 0;
    chunked->_line = 0;
    if (chunked->left > 0) {
        return DATA;
    }
    tw__http_scan_init_trailers(&chunked->_trailers, chunked->_limits);
    return TRAILERS;
}

static int step(tw__http_chunked *chunked, char c) {
    switch (chunked->_state) {
    case SIZE:
    case EXTENSION:
        if (c != '\r' && ++chunked->_line > TW__HTTP_MAX_CHUNK_LINE) {
            return refuse(chunked, 400, "chunk line too long");
        }
        return chunked->_state == SIZE ? in_size(chunked, c)
                                       : in_extension(chunked, c);
    case SIZE_LF:
        return end_of_size(chunked, c);
    case DATA_CR:
        return c == '\r' ? DATA_LF : malformed(chunked);
    default:
        return c == '\n' ? SIZE : malformed(chunked);
    }
}

static tw__http_event trailers(tw__http_chunked *chunked, const char *data,
                               size_t len, size_t *consumed) {
    size_t used = 0;
    tw__http_event event =
        tw__http_scan_feed(&chunked->_trailers, data, len, &used);
    *consumed += used;
    if (event == TW__HTTP_ERROR) {
        chunked->error = chunked->_trailers.error;
    } else if (event == TW__HTTP_HEAD) {
        chunked->_state = DONE;
        event = TW__HTTP_COMPLETE;
    }
    return event;
}

static void take_data(tw__http_chunked *chunked, const char *data, size_t len,
                      const char **piece, size_t *piece_len) {
    *piece = data;
    *piece_len = len < chunked->left ? len : (size_t)chunked->left;
    chunked->left -= *piece_len;
    if (chunked->left == 0) {
        chunked->_state = DATA_CR;
    }
}

tw__http_event tw__http_chunked_feed(tw__http_chunked *chunked,
                                     const char *data, size_t len,
                                     size_t *consumed, const char **piece,
                                     size_t *piece_len) {
    *consumed = 0;
    *piece_len = 0;
    while (*consumed < len && chunked->_state < TRAILERS) {
        if (chunked->_state == DATA) {
            take_data(chunked, data + *consumed, len - *consumed, piece,
                      piece_len);
            *consumed += *piece_len;
            return TW__HTTP_MORE;
        }
        int next = step(chunked, data[(*consumed)++]);
        if (next < 0) {
            return TW__HTTP_ERROR;
        }
        chunked->_state = (uint8_t)next;
    }
    if (chunked->_state == DONE) {
        return TW__HTTP_COMPLETE;
    }
    if (chunked->_state == TRAILERS) {
        return trailers(chunked, data + *consumed, len - *consumed, consumed);
    }
    return TW__HTTP_MORE;
}
