/* The receiving side of a WebSocket connection, ws/input.h. The input is what
 * a client sends, from its first frame on.
 *
 * The same bytes must give the same events however they are cut, with another
 * connection on the same pool between the pieces, and with pauses; those
 * events must be the ones that a plain reading of RFC 6455 gives; and memory
 * follows the bytes that have come.
 *
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "ws/input.h"

enum { INPUT_MAX = 1 << 14, OVERHEAD = 5000, FIRST_BLOCK = 256 };

/* A connection that keeps what it was told. */
typedef struct conn {
    tw__ws_input in;
    tw__ws_pool *pool;
    const uint8_t *data;
    size_t len, at;
    size_t max_message;
    fuzz_random random;
    bool has_pauses;
    unsigned events, end_at; /* deinitialises itself in this event; 0: never */
    fuzz_log log;
    tw__ws_status status;
    tw__ws_error error;
} conn;

static void note(fuzz_log *log, char kind, int code, const void *data,
                 size_t len) {
    FUZZ_CHECK(data != NULL);
    fuzz_log_add(log, &kind, 1);
    fuzz_log_number(log, (uint64_t)code);
    fuzz_log_text(log, data, len);
}

static tw__ws_verdict answer(conn *c) {
    if (++c->events == c->end_at) {
        tw__ws_input_deinit(&c->in, c->pool);
        return TW__WS_CONTINUE; /* which must not matter */
    }
    return c->has_pauses && fuzz_below(&c->random, 3) == 0 ? TW__WS_PAUSE
                                                           : TW__WS_CONTINUE;
}

static tw__ws_verdict on_message(void *owner, bool is_binary,
                                 const uint8_t *data, size_t len) {
    conn *c = owner;
    FUZZ_CHECK(len <= c->max_message);
    tw__ws_verdict verdict = answer(c);
    note(&c->log, is_binary ? 'b' : 't', 0, data, len);
    return verdict;
}

static tw__ws_verdict on_ping(void *owner, const uint8_t *data, size_t len) {
    conn *c = owner;
    tw__ws_verdict verdict = answer(c);
    note(&c->log, 'i', 0, data, len);
    return verdict;
}

static tw__ws_verdict on_pong(void *owner, const uint8_t *data, size_t len) {
    conn *c = owner;
    tw__ws_verdict verdict = answer(c);
    note(&c->log, 'o', 0, data, len);
    return verdict;
}

static void on_close(void *owner, int code, const char *reason, size_t len) {
    note(&((conn *)owner)->log, 'c', code, reason, len);
}

static const tw__ws_events events = {.on_message = on_message,
                                     .on_ping = on_ping,
                                     .on_pong = on_pong,
                                     .on_close = on_close};

/* ---- a plain reading of the RFC ----------------------------------------- */

/* Whether the bytes can be the beginning of a text; *is_whole: or all of one.
 */
static bool is_text_so_far(const uint8_t *data, size_t len, bool *is_whole) {
    for (size_t i = 0; i < len;) {
        uint8_t c = data[i];
        size_t more = c < 0x80   ? 0
                      : c < 0xC2 ? 9
                      : c < 0xE0 ? 1
                      : c < 0xF0 ? 2
                      : c < 0xF5 ? 3
                                 : 9;
        if (more == 9) {
            return false;
        }
        for (size_t k = 1; k <= more; k++) {
            if (i + k == len) {
                *is_whole = false;
                return true;
            }
            uint8_t low = k > 1       ? 0x80
                          : c == 0xE0 ? 0xA0
                          : c == 0xF0 ? 0x90
                                      : 0x80;
            uint8_t high = k > 1       ? 0xBF
                           : c == 0xED ? 0x9F
                           : c == 0xF4 ? 0x8F
                                       : 0xBF;
            if (data[i + k] < low || data[i + k] > high) {
                return false;
            }
        }
        i += 1 + more;
    }
    *is_whole = true;
    return true;
}

typedef struct reference {
    fuzz_log log;
    int code;       /* it fails with this; 0: it does not */
    bool is_closed; /* by a close frame */
    bool is_cut;    /* the input ends within a frame or a message */
} reference;

typedef struct head {
    int opcode;
    bool fin;
    uint64_t length;
    size_t size;
    uint8_t mask[4];
} head;

/* False: more bytes are needed. A frame that may not be has opcode -1. */
static bool read_head(const uint8_t *data, size_t len, head *h) {
    if (len < 2) {
        return false;
    }
    size_t extra = (data[1] & 127) == 127 ? 8 : (data[1] & 127) == 126 ? 2 : 0;
    *h = (head){.opcode = data[0] & 15, .fin = data[0] >> 7};
    h->size = 6 + extra;
    if (len < h->size) {
        return false;
    }
    h->length = extra == 0 ? data[1] & 127 : 0;
    for (size_t i = 0; i < extra; i++) {
        h->length = h->length << 8 | data[2 + i];
    }
    memcpy(h->mask, data + 2 + extra, 4);
    bool is_minimal = extra == 0   ? true
                      : extra == 2 ? h->length >= 126
                                   : h->length >= 65536 && h->length >> 63 == 0;
    bool is_known = h->opcode <= 2 || (h->opcode >= 8 && h->opcode <= 10);
    bool is_fair = h->opcode < 8 || (h->fin && extra == 0);
    if ((data[0] & 0x70) != 0 || data[1] < 128 || !is_minimal || !is_known ||
        !is_fair) {
        h->opcode = -1;
    }
    return true;
}

static bool may_be_received(int code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static void read_close(reference *r, const uint8_t *body, size_t len) {
    bool is_whole = true;
    if (len == 0) {
        note(&r->log, 'c', 1005, "", 0);
        r->is_closed = true;
        return;
    }
    int code = len >= 2 ? body[0] << 8 | body[1] : 0;
    if (!may_be_received(code)) {
        r->code = 1002;
    } else if (!is_text_so_far(body + 2, len - 2, &is_whole) || !is_whole) {
        r->code = 1007;
    } else {
        note(&r->log, 'c', code, body + 2, len - 2);
        r->is_closed = true;
    }
}

static void read_control(reference *r, int opcode, const uint8_t *body,
                         size_t len) {
    if (opcode == 8) {
        read_close(r, body, len);
    } else {
        note(&r->log, opcode == 9 ? 'i' : 'o', 0, body, len);
    }
}

/* The message under way. */
typedef struct gather {
    uint8_t *data; /* room for all of the input */
    size_t len;
    bool is_open, is_text;
} gather;

static void read_data(reference *r, gather *g, const head *h,
                      const uint8_t *body) {
    bool is_whole = true;
    g->is_open = !h->fin;
    g->is_text = h->opcode == 0 ? g->is_text : h->opcode == 1;
    if (h->length != 0) {
        memcpy(g->data + g->len, body, (size_t)h->length);
        g->len += (size_t)h->length;
    }
    if (g->is_text && (!is_text_so_far(g->data, g->len, &is_whole) ||
                       (h->fin && !is_whole))) {
        r->code = 1007;
    } else if (h->fin) {
        note(&r->log, g->is_text ? 't' : 'b', 0, g->data, g->len);
        g->len = 0;
    }
}

/* What the frame's place among the others makes wrong; 0: nothing. */
static int check_place(const head *h, const gather *g, size_t max_message) {
    if (h->opcode < 0) {
        return 1002;
    }
    if (h->opcode >= 8) {
        return 0;
    }
    if ((h->opcode == 0) != g->is_open) {
        return 1002;
    }
    return h->length > max_message - g->len ? 1009 : 0;
}

static void read_all(reference *r, const uint8_t *data, size_t len,
                     size_t max_message) {
    gather g = {.data = malloc(len + 1)};
    uint8_t *body = malloc(len + 1);
    FUZZ_CHECK(g.data != NULL && body != NULL);
    size_t at = 0;
    while (at < len && r->code == 0 && !r->is_closed && !r->is_cut) {
        head h;
        if (!read_head(data + at, len - at, &h)) {
            r->is_cut = true;
            break;
        }
        r->code = check_place(&h, &g, max_message);
        if (r->code != 0) {
            break;
        }
        if (h.length > len - at - h.size) {
            r->is_cut = true;
            break;
        }
        for (size_t i = 0; i < h.length; i++) {
            body[i] = data[at + h.size + i] ^ h.mask[i % 4];
        }
        if (h.opcode >= 8) {
            read_control(r, h.opcode, body, (size_t)h.length);
        } else {
            read_data(r, &g, &h, body);
        }
        at += h.size + (size_t)h.length;
    }
    r->is_cut = r->is_cut || g.is_open;
    free(body);
    free(g.data);
}

/* ---- runs --------------------------------------------------------------- */

static void conn_init(conn *c, tw__ws_pool *pool, const uint8_t *data,
                      size_t len, size_t max_message, unsigned salt) {
    *c = (conn){.pool = pool,
                .data = data,
                .len = len,
                .max_message = max_message,
                .random = fuzz_random_of(data, len, salt),
                .status = TW__WS_MORE};
    tw__ws_input_init(&c->in);
}

static void conn_deinit(conn *c) {
    tw__ws_input_deinit(&c->in, c->pool);
    FUZZ_CHECK(tw__ws_input_memory(&c->in) == 0);
    fuzz_log_free(&c->log);
}

static bool is_over(const conn *c) {
    return c->at == c->len || c->status == TW__WS_FAILED ||
           c->status == TW__WS_CLOSED || c->status == TW__WS_STOPPED;
}

static void check_memory(const conn *c) {
    size_t most = 2 * c->at > FIRST_BLOCK ? 2 * c->at : FIRST_BLOCK;
    most = most < c->max_message ? most : c->max_message;
    FUZZ_CHECK(tw__ws_input_memory(&c->in) <= OVERHEAD + most);
}

/* Feeds the next `len` bytes. */
static void feed(conn *c, size_t len, size_t max_frames) {
    tw__ws_feed how = {.pool = c->pool,
                       .events = &events,
                       .owner = c,
                       .max_message = c->max_message,
                       .max_frames = max_frames};
    size_t consumed = SIZE_MAX;
    uint8_t *block = fuzz_copy(c->data + c->at, len);
    c->status =
        tw__ws_input_feed(&c->in, &how, block, len, &consumed, &c->error);
    free(block);
    bool may_leave = c->status == TW__WS_BUDGET || c->status == TW__WS_PAUSED;
    FUZZ_CHECK(may_leave ? consumed <= len : consumed == len);
    c->at += consumed;
    check_memory(c);
}

static void feed_piece(conn *c) {
    feed(c, fuzz_piece(&c->random, c->len - c->at),
         fuzz_below(&c->random, 4) == 0 ? 1 : 0);
}

static void check_same(const conn *c, const conn *whole) {
    FUZZ_CHECK(fuzz_log_same(&c->log, &whole->log));
    FUZZ_CHECK(c->error.code == whole->error.code);
    FUZZ_CHECK(c->error.code == 0 ||
               strcmp(c->error.reason, whole->error.reason) == 0);
}

/* An error may show before its frame is there; events come of whole frames. */
static void check_reference(const conn *whole) {
    reference r = {.code = 0};
    read_all(&r, whole->data, whole->len, whole->max_message);
    FUZZ_CHECK(fuzz_log_same(&whole->log, &r.log));
    if (r.code != 0) {
        FUZZ_CHECK(whole->error.code == r.code);
    } else if (whole->error.code != 0) {
        FUZZ_CHECK(r.is_cut);
        FUZZ_CHECK(whole->error.code == 1002 || whole->error.code == 1007);
    } else if (whole->len != 0) {
        FUZZ_CHECK((whole->status == TW__WS_CLOSED) == r.is_closed);
        FUZZ_CHECK(tw__ws_input_is_partial(&whole->in) ==
                   (r.is_cut && !r.is_closed));
    }
    fuzz_log_free(&r.log);
}

/* Every place is a place to cut. */
static void run_bytes(const conn *whole, tw__ws_pool *pool) {
    conn c;
    conn_init(&c, pool, whole->data, whole->len, whole->max_message, 4);
    while (!is_over(&c)) {
        feed(&c, 1, 0);
    }
    check_same(&c, whole);
    conn_deinit(&c);
}

/* Two connections take turns; their contexts must not mix. */
static void run_pair(const conn *whole, tw__ws_pool *pool) {
    conn pair[2];
    for (unsigned i = 0; i < 2; i++) {
        conn_init(&pair[i], pool, whole->data, whole->len, whole->max_message,
                  i + 1);
        pair[i].has_pauses = i == 1;
    }
    while (!is_over(&pair[0]) || !is_over(&pair[1])) {
        conn *next = &pair[fuzz_below(&pair[0].random, 2)];
        feed_piece(is_over(next) ? &pair[next == pair] : next);
    }
    check_same(&pair[0], whole);
    check_same(&pair[1], whole);
    conn_deinit(&pair[0]);
    conn_deinit(&pair[1]);
}

/* A callback ends its own connection; it hears no more. */
static void run_ended(const conn *whole, tw__ws_pool *pool) {
    conn c;
    conn_init(&c, pool, whole->data, whole->len, whole->max_message, 3);
    c.end_at = 1 + (unsigned)fuzz_below(&c.random, 4);
    while (!is_over(&c)) {
        feed_piece(&c);
    }
    FUZZ_CHECK(fuzz_log_begins(&whole->log, &c.log));
    FUZZ_CHECK(c.events < c.end_at || c.status == TW__WS_STOPPED);
    conn_deinit(&c);
}

static void run(const uint8_t *data, size_t len, size_t max_message) {
    size_t live = tw__alloc_live();
    tw__ws_pool pool;
    conn whole;
    tw__ws_pool_init(&pool, 3, 1);
    conn_init(&whole, &pool, data, len, max_message, 0);
    feed(&whole, len, 0);
    check_reference(&whole);
    run_bytes(&whole, &pool);
    run_pair(&whole, &pool);
    run_ended(&whole, &pool);
    conn_deinit(&whole);
    FUZZ_CHECK(tw__ws_pool_bound(&pool) == 0);
    tw__ws_pool_deinit(&pool);
    FUZZ_CHECK(tw__alloc_live() == live);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size <= INPUT_MAX) {
        run(data, size, 100);
        run(data, size, 1 << 20);
    }
    return 0;
}
