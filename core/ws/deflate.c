/* SPDX-License-Identifier: MIT */
#include "ws/deflate.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"

/* Raw DEFLATE, the largest window. Higher levels than 1 save 2 to 4 % of a chat
 * message and cost half as much again at 1 KB, twice at 4 KB. A hash of 8,192
 * places is cleared for each message four times as fast as the usual one. */
enum { LEVEL = 1, WINDOW_BITS = -15, MEMORY_LEVEL = 6, FIRST_CAP = 4096 };

/* What every message ends with and no frame carries. */
static const uint8_t tail[4] = {0x00, 0x00, 0xFF, 0xFF};

static void *allocate(void *arg, unsigned count, unsigned size) {
    (void)arg;
    return tw__calloc(count, size);
}

static void release(void *arg, void *block) {
    (void)arg;
    tw__free(block);
}

static z_stream *stream_create(int (*init)(z_stream *)) {
    z_stream *stream = tw__calloc(1, sizeof *stream);
    if (stream == NULL) {
        return NULL;
    }
    stream->zalloc = allocate;
    stream->zfree = release;
    if (init(stream) != Z_OK) {
        tw__free(stream);
        return NULL;
    }
    return stream;
}

/* ---- compressing -------------------------------------------------------- */

static int init_deflate(z_stream *stream) {
    return deflateInit2(stream, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
                        Z_DEFAULT_STRATEGY);
}

void tw__deflater_deinit(tw__deflater *deflater) {
    if (deflater->_stream != NULL) {
        deflateEnd(deflater->_stream);
        tw__free(deflater->_stream);
    }
    tw__free(deflater->_out);
    *deflater = (tw__deflater){0};
}

void tw__deflater_trim(tw__deflater *deflater) {
    if (deflater->_cap > TW__DEFLATE_KEEP) {
        tw__free(deflater->_out);
        deflater->_out = NULL;
        deflater->_cap = 0;
    }
}

/* A new stream or one as new, and room for `len` bytes. */
static bool prepare(tw__deflater *deflater, size_t len) {
    if (deflater->_stream == NULL) {
        deflater->_stream = stream_create(init_deflate);
        if (deflater->_stream == NULL) {
            return false;
        }
    } else {
        deflateReset(deflater->_stream);
    }
    if (deflater->_cap < len) {
        size_t cap = len > FIRST_CAP ? len : FIRST_CAP;
        tw__free(deflater->_out);
        deflater->_out = tw__malloc(cap);
        deflater->_cap = deflater->_out != NULL ? cap : 0;
    }
    return deflater->_out != NULL;
}

/* The room is what makes a result that is not shorter fail: it does not end in
 * it. */
size_t tw__deflate(tw__deflater *deflater, const uint8_t *data, size_t len,
                   const uint8_t **out) {
    size_t room = len + sizeof tail;
    if (len == 0 || room > UINT_MAX || !prepare(deflater, room)) {
        return 0;
    }
    z_stream *stream = deflater->_stream;
    stream->next_in = (Bytef *)(uintptr_t)data;
    stream->avail_in = (unsigned)len;
    stream->next_out = deflater->_out;
    stream->avail_out = (unsigned)room;
    if (deflate(stream, Z_SYNC_FLUSH) != Z_OK || stream->avail_out == 0) {
        return 0;
    }
    *out = deflater->_out;
    return room - stream->avail_out - sizeof tail;
}

/* ---- expanding ---------------------------------------------------------- */

static int init_inflate(z_stream *stream) {
    return inflateInit2(stream, WINDOW_BITS);
}

void tw__inflater_deinit(tw__inflater *inflater) {
    if (inflater->_stream != NULL) {
        inflateEnd(inflater->_stream);
        tw__free(inflater->_stream);
    }
    tw__free(inflater->_out);
    *inflater = (tw__inflater){0};
}

void tw__inflater_release(tw__inflater *inflater, tw__inflated *message) {
    if (message->cap > TW__DEFLATE_KEEP || message->cap < inflater->_cap) {
        tw__free(message->data);
    } else {
        tw__free(inflater->_out);
        inflater->_out = message->data;
        inflater->_cap = message->cap;
    }
    *message = (tw__inflated){0};
}

/* One message on its way through the stream. */
typedef struct pass {
    z_stream *stream;
    tw__inflated *message;
    size_t max;
    bool is_over;    /* the input gives no more */
    bool has_ended;  /* with the end of a block that was marked as the last */
    bool is_between; /* a block has ended and no bit of another is taken */
    tw__ws_error *error;
} pass;

static bool fail(pass *p, int code, const char *reason) {
    *p->error = (tw__ws_error){code, reason};
    return false;
}

static bool fail_memory(pass *p) {
    return fail(p, TW__WS_CLOSE_INTERNAL, "out of memory");
}

static bool fail_data(pass *p) {
    return fail(p, TW__WS_CLOSE_BAD_DATA, "compressed data is corrupt");
}

static bool grow(pass *p) {
    tw__inflated *message = p->message;
    size_t bound = p->max > FIRST_CAP ? p->max : FIRST_CAP;
    size_t cap = message->cap > 0 ? message->cap : FIRST_CAP / 2;
    cap = cap < bound / 2 ? cap * 2 : bound;
    uint8_t *data = tw__realloc(message->data, cap);
    if (data == NULL) {
        return false;
    }
    message->data = data;
    message->cap = cap;
    return true;
}

/* Where the next bytes go: into the block, as far as the message may go, and
 * then into one byte that nobody wants. */
static bool make_room(pass *p, uint8_t *spare) {
    tw__inflated *message = p->message;
    if (message->len == p->max) {
        p->stream->next_out = spare;
        p->stream->avail_out = 1;
        return true;
    }
    if (message->len == message->cap && !grow(p)) {
        return fail_memory(p);
    }
    size_t room = message->cap < p->max ? message->cap : p->max;
    room -= message->len;
    p->stream->next_out = message->data + message->len;
    p->stream->avail_out = room < UINT_MAX ? (unsigned)room : UINT_MAX;
    return true;
}

/* A last block is not the end, for more blocks may follow (RFC 7692 section
 * 7.2.3.4). They may refer to what came before it: the window stays. */
static bool go_on_behind_last(pass *p) {
    p->has_ended = true;
    p->is_over = p->stream->avail_in == 0;
    return p->is_over || inflateResetKeep(p->stream) == Z_OK || fail_data(p);
}

/* By the last call that did something. */
static bool is_between_blocks(const z_stream *stream) {
    enum { BITS = 63, BLOCK_ENDED = 128 };
    return (stream->data_type & (BITS | BLOCK_ENDED)) == BLOCK_ENDED;
}

/* One call of zlib. */
static bool step(pass *p) {
    uint8_t spare;
    z_stream *stream = p->stream;
    if (!make_room(p, &spare)) {
        return false;
    }
    unsigned room = stream->avail_out;
    int result = inflate(stream, Z_SYNC_FLUSH);
    unsigned made = room - stream->avail_out;
    if (made > p->max - p->message->len) {
        return fail(p, TW__WS_CLOSE_TOO_BIG, "message too big");
    }
    p->message->len += made;
    switch (result) {
    case Z_STREAM_END:
        return go_on_behind_last(p);
    case Z_OK:
        p->is_between = is_between_blocks(stream);
        /* fall through */
    case Z_BUF_ERROR:
        /* With room left it stopped for want of input. A call that could do
         * nothing forgets where the stream stands. */
        p->has_ended = false;
        p->is_over = stream->avail_out != 0;
        return true;
    case Z_MEM_ERROR:
        return fail_memory(p);
    default:
        return fail_data(p);
    }
}

static bool take(pass *p, const uint8_t *data, size_t len) {
    p->is_over = false;
    p->stream->next_in = (Bytef *)(uintptr_t)data;
    p->stream->avail_in = (unsigned)len;
    while (!p->is_over) {
        if (!step(p)) {
            return false;
        }
    }
    return true;
}

/* The tail completes an empty block, the start of which every message ends
 * with. One that ends with a last block instead lacks a byte and nothing of
 * meaning, as does one without any: these are let pass. */
static bool expand(pass *p, const uint8_t *data, size_t len) {
    if (len == 0) {
        return p->message->data != NULL || grow(p) || fail_memory(p);
    }
    if (!take(p, data, len)) {
        return false;
    }
    if (p->has_ended) {
        return true;
    }
    if (!take(p, tail, sizeof tail)) {
        return false;
    }
    return p->has_ended || p->is_between || fail_data(p);
}

static bool begin(tw__inflater *inflater, tw__inflated *message) {
    if (inflater->_stream == NULL) {
        inflater->_stream = stream_create(init_inflate);
    } else {
        inflateReset(inflater->_stream);
    }
    *message = (tw__inflated){inflater->_out, 0, inflater->_cap};
    inflater->_out = NULL;
    inflater->_cap = 0;
    return inflater->_stream != NULL;
}

bool tw__inflate(tw__inflater *inflater, const uint8_t *data, size_t len,
                 size_t max, tw__inflated *message, tw__ws_error *error) {
    pass p = {.message = message, .max = max, .error = error};
    bool is_done = begin(inflater, message) || fail_memory(&p);
    p.stream = inflater->_stream;
    if (is_done && len > UINT_MAX) {
        is_done = fail(&p, TW__WS_CLOSE_TOO_BIG, "message too big");
    }
    is_done = is_done && expand(&p, data, len);
    if (is_done) {
        inflater->messages++;
        inflater->bytes_in += len;
        inflater->bytes_out += message->len;
        return true;
    }
    inflater->bombs += error->code == TW__WS_CLOSE_TOO_BIG;
    tw__inflater_release(inflater, message);
    return false;
}
