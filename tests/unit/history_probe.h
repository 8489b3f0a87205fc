/* history_probe.h - histories of an archive that every test begins with and
 * that is empty again at its end.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_HISTORY_PROBE_H
#define TW_TESTS_HISTORY_PROBE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "hub/history.h"
#include "tidewire/errors.h"

enum { PLENTY = 1 << 30 };

static tw__archive archive;

static inline tw__history_class keeping(uint32_t size, uint32_t retain,
                                        uint64_t ttl_ms) {
    return (tw__history_class){size, retain, ttl_ms};
}

static inline tw__history *open_history(uint32_t size, uint32_t retain,
                                        uint64_t ttl_ms) {
    tw__history_class class = keeping(size, retain, ttl_ms);
    tw__history *history = tw__history_create(&archive, &class, NULL);
    assert_non_null(history);
    return history;
}

typedef struct words {
    const char *data, *key, *id;
    uint64_t deadline_ms;
    uint16_t flags;
} words;

static inline tw__pub *make(const words *w) {
    const tw__pub_parts parts = {
        .channel = "room",
        .channel_len = 4,
        .key = w->key,
        .key_len = w->key != NULL ? strlen(w->key) : 0,
        .id = w->id,
        .id_len = w->id != NULL ? strlen(w->id) : 0,
        .data = w->data,
        .len = strlen(w->data),
    };
    tw__pub *pub = tw__pub_create_of(NULL, &parts);
    assert_non_null(pub);
    pub->header.deadline_ms = w->deadline_ms;
    pub->header.flags = w->flags;
    return pub;
}

static inline int append(tw__history *history, uint64_t now_ms,
                         uint64_t *offset, const words *w) {
    tw__pub *pub = make(w);
    int error = tw__history_append(history, pub, now_ms, offset);
    if (error == 0) {
        assert_int_equal(pub->header.offset, *offset);
    }
    tw__pub_unref(pub);
    return error;
}

/* Appends and expects the offset. */
#define TAKES(history, now_ms, expected, ...)                                  \
    do {                                                                       \
        uint64_t offset_ = 99999;                                              \
        assert_int_equal(                                                      \
            append(history, now_ms, &offset_, &(const words){__VA_ARGS__}),    \
            0);                                                                \
        assert_int_equal(offset_, expected);                                   \
    } while (0)

static inline void takes_many(tw__history *history, uint64_t now_ms,
                              int count) {
    tw__position from;
    tw__history_position(history, &from);
    for (int i = 1; i <= count; i++) {
        TAKES(history, now_ms, from.offset + (uint64_t)i, .data = "many");
    }
}

static inline uint64_t newest(const tw__history *history) {
    tw__position position;
    tw__history_position(history, &position);
    return position.offset;
}

static inline bool says(tw__pub *pub, const char *data) {
    return pub != NULL && pub->len == strlen(data) &&
           memcmp(tw__pub_data(pub), data, pub->len) == 0;
}

static inline bool has_at(tw__history *history, uint64_t offset,
                          const char *data) {
    tw__pub *pub = tw__history_at(history, offset);
    return says(pub, data) && pub->header.offset == offset;
}

static inline bool retains(tw__history *history, uint64_t now_ms,
                           const char *key, const char *data) {
    return says(tw__history_latest(history, key, strlen(key), now_ms), data);
}

/* The data of all retained ones, in the order of the walk. */
static inline void expect_retained(tw__history *history, uint64_t now_ms,
                                   const char *expected) {
    char all[200] = "";
    void *pos = NULL;
    uint64_t last = 0;
    tw__pub *pub;
    while ((pub = tw__history_next_retained(history, now_ms, &pos)) != NULL) {
        assert_true(pub->header.offset > last);
        last = pub->header.offset;
        strncat(all, (const char *)tw__pub_data(pub), pub->len);
    }
    assert_string_equal(all, expected);
}

static inline void set_class(tw__history *h, uint64_t now_ms, uint32_t size,
                             uint32_t retain, uint64_t ttl_ms) {
    tw__history_class class = keeping(size, retain, ttl_ms);
    tw__history_set_class(h, &class, now_ms);
}

/* ---- around every test ---- */

static size_t live_before;

static inline int set_up(void **state) {
    (void)state;
    live_before = tw__alloc_live();
    tw__archive_init(&archive, PLENTY, NULL, NULL);
    return 0;
}

static inline int tear_down(void **state) {
    (void)state;
    assert_int_equal(tw__archive_len(&archive), 0);
    assert_int_equal(archive.bytes, 0);
    assert_int_equal(archive.publications, 0);
    tw__archive_deinit(&archive);
    assert_int_equal(tw__alloc_live(), live_before);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
