/* ws_probe.h - for tests of ws/input.h: makes a client's bytes, feeds them in
 * pieces and writes down what comes out. Nothing here allocates through
 * base/alloc.h, so that its counters show the code under test alone.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_WS_PROBE_H
#define TW_TESTS_WS_PROBE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ws/input.h"

#define FIN 0x80

/* Bytes as a client would send them. */
typedef struct wire {
    uint8_t *data;
    size_t len, cap;
} wire;

static inline void wire_add(wire *w, const void *data, size_t len) {
    if (w->len + len > w->cap) {
        w->cap = (w->len + len) * 2;
        w->data = realloc(w->data, w->cap);
        assert_non_null(w->data);
    }
    if (len > 0) {
        memcpy(w->data + w->len, data, len);
    }
    w->len += len;
}

static inline void wire_free(wire *w) {
    free(w->data);
    *w = (wire){0};
}

/* A masked header; `size` of the extended length is 0, 2 or 8. */
static inline void wire_head(wire *w, int first, uint64_t length, size_t size) {
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t head[14] = {(uint8_t)first};
    head[1] = (uint8_t)(0x80 | (size == 0 ? length : size == 2 ? 126 : 127));
    for (size_t i = 0; i < size; i++) {
        head[2 + i] = (uint8_t)(length >> (8 * (size - 1 - i)));
    }
    memcpy(head + 2 + size, mask, 4);
    wire_add(w, head, 6 + size);
}

static inline size_t length_size(uint64_t length) {
    return length < 126 ? 0 : length < 65536 ? 2 : 8;
}

/* A masked frame; `first` is its first byte, as FIN | TW__WS_TEXT. */
static inline void wire_frame(wire *w, int first, const void *data,
                              size_t len) {
    wire_head(w, first, len, length_size(len));
    const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    size_t start = w->len;
    wire_add(w, data, len);
    for (size_t i = 0; i < len; i++) {
        w->data[start + i] ^= mask[i % 4];
    }
}

static inline void wire_text(wire *w, int first, const char *text) {
    wire_frame(w, first, text, strlen(text));
}

/* A connection with its input, and the events so far as text:
 * "text(hello) ping() close(1000,bye) ". Long data is shown as a length and a
 * sum. */
typedef struct probe {
    tw__ws_input in;
    tw__ws_pool pool;
    tw__ws_events events;
    tw__ws_feed how;
    tw__ws_status status; /* the last one */
    tw__ws_error error;
    int messages;
    int pause_at, stop_at, deinit_at; /* which message, from 1; 0: none */
    size_t live_before;
    char log[16384];
    size_t log_len;
} probe;

static inline void note(probe *p, const char *what, const void *data,
                        size_t len) {
    uint32_t sum = 2166136261u;
    const uint8_t *bytes = data;
    assert_non_null(data);
    for (size_t i = 0; i < len; i++) {
        sum = (sum ^ bytes[i]) * 16777619u;
    }
    size_t room = sizeof p->log - p->log_len;
    int n = len > 64 ? snprintf(p->log + p->log_len, room, "%s(#%zu:%08x) ",
                                what, len, (unsigned)sum)
                     : snprintf(p->log + p->log_len, room, "%s(%.*s) ", what,
                                (int)len, (const char *)data);
    assert_true(n > 0 && (size_t)n < room);
    p->log_len += (size_t)n;
}

static inline tw__ws_verdict probe_on_message(void *owner, bool is_binary,
                                              const uint8_t *data, size_t len) {
    probe *p = owner;
    p->messages++;
    if (p->messages == p->deinit_at) {
        tw__ws_input_deinit(&p->in, &p->pool);
    }
    /* The data is to be good even now. */
    note(p, is_binary ? "binary" : "text", data, len);
    return p->messages == p->stop_at    ? TW__WS_STOP
           : p->messages == p->pause_at ? TW__WS_PAUSE
                                        : TW__WS_CONTINUE;
}

static inline tw__ws_verdict probe_on_ping(void *owner, const uint8_t *data,
                                           size_t len) {
    note(owner, "ping", data, len);
    return TW__WS_CONTINUE;
}

static inline tw__ws_verdict probe_on_pong(void *owner, const uint8_t *data,
                                           size_t len) {
    note(owner, "pong", data, len);
    return TW__WS_CONTINUE;
}

static inline void probe_on_close(void *owner, int code, const char *reason,
                                  size_t len) {
    char what[32];
    snprintf(what, sizeof what, "close:%d", code);
    note(owner, what, reason, len);
}

static inline void probe_init(probe *p, size_t max_message) {
    memset(p, 0, sizeof *p);
    p->live_before = tw__alloc_live();
    p->events = (tw__ws_events){probe_on_message, probe_on_ping, probe_on_pong,
                                probe_on_close};
    tw__ws_pool_init(&p->pool, 4, 2);
    tw__ws_input_init(&p->in);
    p->how = (tw__ws_feed){&p->pool, &p->events, p, max_message, 0, NULL};
}

/* Ends the connection and checks that all was given back. */
static inline void probe_deinit(probe *p) {
    tw__ws_input_deinit(&p->in, &p->pool);
    assert_int_equal(tw__ws_pool_bound(&p->pool), 0);
    assert_int_equal(tw__ws_input_memory(&p->in), 0);
    tw__ws_pool_deinit(&p->pool);
    assert_int_equal(tw__alloc_live(), p->live_before);
}

/* Feeds one read, which lies in a block of just its size and is gone
 * afterwards: the sanitizer sees whoever looks beyond it. */
static inline size_t probe_feed(probe *p, const uint8_t *data, size_t len) {
    size_t consumed = SIZE_MAX;
    uint8_t *block = malloc(len ? len : 1);
    assert_non_null(block);
    memcpy(block, data, len);
    p->status =
        tw__ws_input_feed(&p->in, &p->how, block, len, &consumed, &p->error);
    free(block);
    assert_true(consumed <= len);
    return consumed;
}

/* Feeds all of it in reads of `step` bytes, or of random sizes when `step` is
 * 0, until something else than MORE comes. */
static inline void probe_feed_all(probe *p, const wire *w, size_t step) {
    p->status = TW__WS_MORE;
    for (size_t at = 0; at < w->len && p->status == TW__WS_MORE;) {
        size_t len = step != 0 ? step : 1 + (size_t)rand() % 200;
        len = len < w->len - at ? len : w->len - at;
        assert_int_equal(probe_feed(p, w->data + at, len), len);
        at += len;
    }
}

/* Whether the bytes give this log and this end, whatever their pieces. `code`
 * and `reason` are those of the error, 0 and NULL when there is none. */
static inline void expect(const wire *w, size_t max_message, const char *log,
                          int code, const char *reason) {
    for (int run = 0; run < 24; run++) {
        probe p;
        probe_init(&p, max_message);
        srand((unsigned)run);
        probe_feed_all(&p, w,
                       run == 0   ? w->len
                       : run == 1 ? 1
                       : run < 8  ? (size_t)run
                                  : 0);
        if (log != NULL) {
            assert_string_equal(p.log, log);
        }
        assert_int_equal(p.error.code, code);
        assert_int_equal(p.status == TW__WS_FAILED, code != 0);
        if (reason != NULL) {
            assert_string_equal(p.error.reason, reason);
        }
        probe_deinit(&p);
    }
}

#endif
