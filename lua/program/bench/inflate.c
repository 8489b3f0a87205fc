/* SPDX-License-Identifier: MIT */
#include "inflate.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "memory.h"

void tw__bench_inflater_deinit(tw__bench_inflater *inflater) {
    if (inflater->_stream != NULL) {
        inflateEnd(inflater->_stream);
    }
    free(inflater->_stream);
    free(inflater->_packed);
    free(inflater->_message);
    *inflater = (tw__bench_inflater){0};
}

/* The tail is what RFC 7692 section 7.2.1 takes off. */
static void keep_packed(tw__bench_inflater *inflater, const uint8_t *data,
                        size_t len) {
    static const uint8_t tail[] = {0x00, 0x00, 0xFF, 0xFF};
    inflater->_packed = tw__bench_realloc(inflater->_packed, len + sizeof tail);
    memcpy(inflater->_packed, data, len);
    memcpy(inflater->_packed + len, tail, sizeof tail);
    inflater->_packed_len = len;
}

static z_stream *ready_stream(tw__bench_inflater *inflater) {
    if (inflater->_stream == NULL) {
        inflater->_stream = tw__bench_alloc(1, sizeof *inflater->_stream);
        inflateInit2(inflater->_stream, -15);
    } else {
        inflateReset(inflater->_stream);
    }
    return inflater->_stream;
}

const uint8_t *tw__bench_inflate(tw__bench_inflater *inflater,
                                 const uint8_t *data, size_t len, size_t max,
                                 size_t *message_len) {
    if (inflater->_message == NULL) {
        inflater->_message = tw__bench_alloc(max + 1, 1);
    } else if (len == inflater->_packed_len &&
               memcmp(data, inflater->_packed, len) == 0) {
        *message_len = inflater->_message_len;
        return inflater->_message;
    }
    keep_packed(inflater, data, len);
    z_stream *stream = ready_stream(inflater);
    stream->next_in = inflater->_packed;
    stream->avail_in = (unsigned)len + 4;
    stream->next_out = inflater->_message;
    stream->avail_out = (unsigned)max + 1;
    int result = inflate(stream, Z_SYNC_FLUSH);
    *message_len = inflater->_message_len = max + 1 - stream->avail_out;
    if (result != Z_OK || stream->avail_in != 0 || stream->avail_out == 0) {
        inflater->_packed_len = SIZE_MAX; /* equals nothing */
        return NULL;
    }
    return inflater->_message;
}
