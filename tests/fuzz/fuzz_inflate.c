/* Compressed messages, ws/deflate.h and ws/input.h. The input is what the
 * frames of one message carry.
 *
 * It must expand to what zlib makes of it byte by byte, or fail when that
 * does; never beyond the limit; the same in frames and pieces of any size; and
 * what is compressed here must expand to itself.
 *
 * SPDX-License-Identifier: MIT */
#include <zlib.h>

#include "fuzz.h"
#include "ws/input.h"

enum { LIMIT = 1 << 20, INPUT_MAX = 1 << 14 };

/* ---- a plain way -------------------------------------------------------- */

typedef struct outcome {
    bool is_good;
    int code; /* when it is not */
    fuzz_log text;
} outcome;

/* One byte in, what comes of it out. False: corrupt. *has_ended: with a block
 * that is marked as the last. There is room for all that a byte can make, a few
 * matches: a call that finds nothing to do would hide that a block has ended.
 */
static bool push(z_stream *stream, uint8_t byte, fuzz_log *text,
                 bool *has_ended) {
    uint8_t out[4096];
    if (*has_ended && inflateResetKeep(stream) != Z_OK) {
        return false;
    }
    *has_ended = false;
    stream->next_in = &byte;
    stream->avail_in = 1;
    do {
        stream->next_out = out;
        stream->avail_out = sizeof out;
        int result = inflate(stream, Z_SYNC_FLUSH);
        if (result != Z_OK && result != Z_BUF_ERROR && result != Z_STREAM_END) {
            return false;
        }
        fuzz_log_add(text, out, sizeof out - stream->avail_out);
        *has_ended = result == Z_STREAM_END;
    } while (stream->avail_out == 0 && !*has_ended && text->len <= LIMIT);
    FUZZ_CHECK(stream->avail_in == 0 || text->len > LIMIT);
    return true;
}

/* Whether all was taken; the message may still be unfinished. */
static bool push_all(z_stream *stream, fuzz_span bytes, outcome *o,
                     bool *has_ended) {
    for (size_t i = 0; i < bytes.len; i++) {
        if (!push(stream, bytes.data[i], &o->text, has_ended)) {
            o->code = TW__WS_CLOSE_BAD_DATA;
            return false;
        }
        if (o->text.len > LIMIT) {
            o->code = TW__WS_CLOSE_TOO_BIG;
            return false;
        }
    }
    return true;
}

static outcome expand_plainly(fuzz_span bytes) {
    static const uint8_t tail[] = {0, 0, 0xFF, 0xFF};
    outcome o = {0};
    bool has_ended = bytes.len == 0;
    z_stream stream = {0};
    FUZZ_CHECK(inflateInit2(&stream, -15) == Z_OK);
    if (push_all(&stream, bytes, &o, &has_ended) &&
        (has_ended ||
         push_all(&stream, (fuzz_span){tail, 4}, &o, &has_ended))) {
        bool is_between = (stream.data_type & 128) && !(stream.data_type & 63);
        o.is_good = has_ended || is_between;
        o.code = o.is_good ? 0 : TW__WS_CLOSE_BAD_DATA;
    }
    inflateEnd(&stream);
    return o;
}

/* ---- in one piece ------------------------------------------------------- */

static bool expands(tw__inflater *inflater, fuzz_span bytes, size_t max,
                    const fuzz_log *text, int code) {
    tw__inflated message;
    tw__ws_error error = {0};
    uint8_t *copy = fuzz_copy(bytes.data, bytes.len);
    size_t live = tw__alloc_live();
    bool is_good =
        tw__inflate(inflater, copy, bytes.len, max, &message, &error);
    free(copy);
    if (is_good) {
        FUZZ_CHECK(message.data != NULL && message.len <= max);
        FUZZ_CHECK(message.cap <= (max > 65536 ? max : 65536));
        FUZZ_CHECK(fuzz_same(message.data, message.len, text->data, text->len));
        tw__inflater_release(inflater, &message);
    } else {
        FUZZ_CHECK(error.code == code && message.data == NULL);
    }
    /* Its stream, the window and a block may be new, no more. */
    FUZZ_CHECK(tw__alloc_live() <= live + 4);
    return is_good;
}

static void check_limits(tw__inflater *inflater, fuzz_span bytes,
                         const outcome *o) {
    FUZZ_CHECK(expands(inflater, bytes, LIMIT, &o->text, o->code) ==
               o->is_good);
    if (o->is_good) {
        size_t len = o->text.len;
        FUZZ_CHECK(expands(inflater, bytes, len, &o->text, 0));
        FUZZ_CHECK(len == 0 || !expands(inflater, bytes, len - 1, &o->text,
                                        TW__WS_CLOSE_TOO_BIG));
    }
}

/* ---- in frames ---------------------------------------------------------- */

typedef struct conn {
    const outcome *expected;
    int messages;
} conn;

static tw__ws_verdict on_message(void *owner, bool is_binary,
                                 const uint8_t *data, size_t len) {
    conn *c = owner;
    const fuzz_log *text = &c->expected->text;
    FUZZ_CHECK(is_binary && data != NULL);
    FUZZ_CHECK(fuzz_same(data, len, text->data, text->len));
    c->messages++;
    return TW__WS_CONTINUE;
}

static tw__ws_verdict on_control(void *owner, const uint8_t *data, size_t len) {
    (void)owner;
    (void)data;
    FUZZ_CHECK(len == 0);
    return TW__WS_CONTINUE;
}

static const tw__ws_events events = {
    .on_message = on_message, .on_ping = on_control, .on_pong = on_control};

/* A frame with a mask of zeros. */
static void add_frame(fuzz_log *wire, int first, const uint8_t *data,
                      size_t len) {
    uint8_t head[8] = {(uint8_t)first, (uint8_t)(0x80 | len)};
    size_t size = 6;
    if (len > 125) {
        head[1] = 0x80 | 126;
        head[2] = (uint8_t)(len >> 8);
        head[3] = (uint8_t)len;
        size = 8;
    }
    fuzz_log_add(wire, head, size);
    fuzz_log_add(wire, data, len);
}

/* The message in one frame or several, pings between, and once more. */
static fuzz_log make_wire(fuzz_span bytes, fuzz_random *random) {
    fuzz_log wire = {0};
    size_t at = 0;
    int first = TW__WS_RSV1 | TW__WS_BINARY;
    while (bytes.len - at > 0 && fuzz_below(random, 4) != 0) {
        size_t len = fuzz_piece(random, bytes.len - at);
        add_frame(&wire, first, bytes.data + at, len);
        if (fuzz_below(random, 3) == 0) {
            add_frame(&wire, 0x80 | TW__WS_PING, NULL, 0);
        }
        at += len;
        first = TW__WS_CONTINUATION;
    }
    add_frame(&wire, 0x80 | first, bytes.data + at, bytes.len - at);
    return wire;
}

static void check_frames(tw__inflater *inflater, fuzz_span bytes,
                         const outcome *o, unsigned salt) {
    fuzz_random random = fuzz_random_of(bytes.data, bytes.len, salt);
    fuzz_log wire = make_wire(bytes, &random);
    conn c = {.expected = o};
    tw__ws_pool pool;
    tw__ws_input in;
    tw__ws_error error = {0};
    tw__ws_pool_init(&pool, 2, 2);
    tw__ws_input_init(&in);
    tw__ws_feed how = {.pool = &pool,
                       .events = &events,
                       .owner = &c,
                       .max_message = LIMIT,
                       .inflater = inflater};
    tw__ws_status status = TW__WS_MORE;
    for (size_t at = 0; at < wire.len && status == TW__WS_MORE;) {
        size_t len = fuzz_piece(&random, wire.len - at), used;
        uint8_t *copy = fuzz_copy(wire.data + at, len);
        status = tw__ws_input_feed(&in, &how, copy, len, &used, &error);
        free(copy);
        at += len;
    }
    FUZZ_CHECK(status == (o->is_good ? TW__WS_MORE : TW__WS_FAILED));
    FUZZ_CHECK(c.messages == o->is_good && error.code == o->code);
    tw__ws_input_deinit(&in, &pool);
    tw__ws_pool_deinit(&pool);
    fuzz_log_free(&wire);
}

/* ---- and back ----------------------------------------------------------- */

static void check_back(tw__inflater *inflater, fuzz_span bytes) {
    tw__deflater deflater = {0};
    fuzz_log same = {0};
    const uint8_t *packed;
    fuzz_log_add(&same, bytes.data, bytes.len);
    size_t len = tw__deflate(&deflater, bytes.data, bytes.len, &packed);
    FUZZ_CHECK(len == 0 || len < bytes.len);
    if (len != 0) {
        FUZZ_CHECK(
            expands(inflater, (fuzz_span){packed, len}, bytes.len, &same, 0));
    }
    tw__deflater_deinit(&deflater);
    fuzz_log_free(&same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_span bytes = {data, size};
    tw__inflater inflater = {0};
    size_t live = tw__alloc_live();
    if (size > INPUT_MAX) {
        return 0;
    }
    outcome o = expand_plainly(bytes);
    check_limits(&inflater, bytes, &o);
    check_frames(&inflater, bytes, &o, 1);
    check_frames(&inflater, bytes, &o, 2);
    check_back(&inflater, bytes);
    if (o.is_good) {
        check_back(&inflater, (fuzz_span){o.text.data, o.text.len});
    }
    tw__inflater_deinit(&inflater);
    fuzz_log_free(&o.text);
    FUZZ_CHECK(tw__alloc_live() == live);
    return 0;
}
