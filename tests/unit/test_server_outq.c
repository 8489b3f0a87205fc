/* What a connection still has to write. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "server/outq.h"
#include "tidewire/errors.h"

/* ---- helpers ---- */

static size_t size_of(const tw__pub *pub) {
    return pub->len;
}

static size_t write_it(tw__pub *pub, uint8_t *out) {
    memcpy(out, tw__pub_data(pub), pub->len);
    return pub->len;
}

static const tw__encoder encoder = {.size = size_of, .write = write_it};

/* A batch of texts; a text's first letter is its key, unless it is '-'. */
static tw__batch *make_batch(uint64_t channel, const char *const *texts,
                             uint32_t count, uint64_t deadline_ms) {
    tw__list pubs, *node;
    tw__list_init(&pubs);
    for (uint32_t i = 0; i < count; i++) {
        tw__pub *pub = tw__pub_create("c", 1, texts[i], texts[i][0] != '-',
                                      texts[i], strlen(texts[i]));
        pub->header.deadline_ms = deadline_ms;
        tw__list_push(&pubs, &pub->node);
    }
    tw__batch *batch = tw__batch_create(&encoder, &pubs, count, channel);
    assert_non_null(batch);
    while ((node = tw__list_shift(&pubs)) != NULL) {
        tw__pub_unref(TW__CONTAINER(node, tw__pub, node));
    }
    return batch;
}

typedef struct stage {
    tw__outq *queue;
    tw__pins pins;
    size_t live;
} stage;

static void stage_open(stage *s) {
    memset(s, 0, sizeof *s);
    s->live = tw__alloc_live();
    s->pins.limit = SIZE_MAX;
    s->queue = tw__outq_create();
    assert_non_null(s->queue);
}

static void stage_close(stage *s) {
    tw__outq_destroy(s->queue, &s->pins);
    assert_int_equal(s->pins.bytes, 0);
    assert_int_equal(s->pins.frames, 0);
    assert_int_equal(tw__alloc_live(), s->live);
}

static void reply(stage *s, const char *text) {
    uint8_t *place = tw__outq_reserve(s->queue, strlen(text));
    assert_non_null(place);
    memcpy(place, text, strlen(text));
}

/* Pushes all frames of a batch, which then lives by the queue alone. */
static void push(stage *s, uint64_t channel, const char *const *texts,
                 uint32_t count, uint64_t deadline_ms) {
    tw__batch *batch = make_batch(channel, texts, count, deadline_ms);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(tw__outq_push_frame(s->queue, &s->pins, batch, i, 0),
                         0);
    }
    tw__batch_unref(batch);
}

#define PUSH(s, channel, ...)                                                  \
    do {                                                                       \
        const char *texts_[] = {__VA_ARGS__};                                  \
        push((s), (channel), texts_, sizeof texts_ / sizeof texts_[0], 0);     \
    } while (0)

/* All that is to be written, as text. */
static const char *text_of(const stage *s) {
    static char text[1 << 20];
    struct iovec vectors[4096];
    size_t total, len = 0;
    int count = tw__outq_gather(s->queue, vectors, 4096, &total);
    for (int i = 0; i < count; i++) {
        memcpy(text + len, vectors[i].iov_base, vectors[i].iov_len);
        len += vectors[i].iov_len;
    }
    assert_int_equal(len, total);
    assert_int_equal(len, s->queue->reply_bytes + s->queue->frame_bytes);
    text[len] = '\0';
    return text;
}

static int vectors_of(const stage *s) {
    struct iovec vectors[64];
    size_t total;
    return tw__outq_gather(s->queue, vectors, 64, &total);
}

/* ---- order and parts ---- */

static void what_is_appended_leaves_in_order(void **state) {
    stage s;
    (void)state;
    stage_open(&s);
    reply(&s, "one ");
    reply(&s, "two ");
    PUSH(&s, 1, "a1 ", "b2 ");
    reply(&s, "three ");
    PUSH(&s, 2, "c3 ");
    assert_string_equal(text_of(&s), "one two a1 b2 three c3 ");
    assert_int_equal(s.queue->count, 5);
    assert_int_equal(s.queue->frames, 3);
    assert_int_equal(s.queue->reply_bytes, 14);
    assert_int_equal(s.queue->frame_bytes, 9);
    assert_int_equal(s.pins.frames, 3);
    assert_int_equal(s.pins.bytes, 9);
    stage_close(&s);
}

static void what_lies_side_by_side_leaves_as_one(void **state) {
    stage s;
    (void)state;
    stage_open(&s);
    for (int i = 0; i < 20; i++) {
        reply(&s, "reply");
    }
    assert_int_equal(vectors_of(&s), 1);
    PUSH(&s, 1, "a", "b", "c");
    assert_int_equal(vectors_of(&s), 2);
    reply(&s, "x");
    assert_int_equal(vectors_of(&s), 3);
    stage_close(&s);
}

static void only_so_many_vectors_are_filled(void **state) {
    stage s;
    struct iovec vectors[2];
    size_t total;
    (void)state;
    stage_open(&s);
    PUSH(&s, 1, "a");
    reply(&s, "bb");
    PUSH(&s, 1, "ccc");
    assert_int_equal(tw__outq_gather(s.queue, vectors, 2, &total), 2);
    assert_int_equal(total, 3);
    stage_close(&s);
}

static void any_part_may_be_taken(void **state) {
    static const char all[] = "one two a1 b2 three c3 ";
    /* Bytes at which a publication is complete. */
    static const size_t ends[] = {11, 14, 23};
    (void)state;
    for (size_t first = 0; first < sizeof all; first++) {
        for (size_t second = first; second < sizeof all; second++) {
            stage s;
            uint32_t delivered, expected = 0;
            stage_open(&s);
            reply(&s, "one ");
            reply(&s, "two ");
            PUSH(&s, 1, "a1 ", "b2 ");
            reply(&s, "three ");
            PUSH(&s, 2, "c3 ");
            delivered = tw__outq_consume(s.queue, &s.pins, first);
            assert_string_equal(text_of(&s), all + first);
            delivered += tw__outq_consume(s.queue, &s.pins, second - first);
            assert_string_equal(text_of(&s), all + second);
            for (size_t i = 0; i < 3; i++) {
                expected += second >= ends[i];
            }
            assert_int_equal(delivered, expected);
            assert_int_equal(s.queue->frames, 3 - expected);
            stage_close(&s);
        }
    }
}

static void a_frame_may_be_begun_before_it_is_queued(void **state) {
    stage s;
    const char *texts[] = {"first", "second"};
    (void)state;
    stage_open(&s);
    tw__batch *batch = make_batch(1, texts, 2, 0);
    assert_int_equal(tw__outq_push_frame(s.queue, &s.pins, batch, 0, 3), 0);
    assert_int_equal(tw__outq_push_frame(s.queue, &s.pins, batch, 1, 0), 0);
    tw__batch_unref(batch);
    assert_string_equal(text_of(&s), "stsecond");
    assert_false(tw__outq_is_loose(s.queue, 0));
    assert_true(tw__outq_is_loose(s.queue, 1));
    assert_int_equal(tw__outq_drop_frames(s.queue, &s.pins, 0), 1);
    assert_string_equal(text_of(&s), "st");
    assert_int_equal(tw__outq_consume(s.queue, &s.pins, 2), 1);
    stage_close(&s);
}

static void a_reply_may_be_trimmed(void **state) {
    stage s;
    (void)state;
    stage_open(&s);
    reply(&s, "kept");
    reply(&s, "trimmed");
    tw__outq_trim(s.queue, 4);
    assert_string_equal(text_of(&s), "kepttri");
    reply(&s, "!");
    assert_string_equal(text_of(&s), "kepttri!");
    PUSH(&s, 1, "a");
    reply(&s, "gone");
    tw__outq_trim(s.queue, 4);
    assert_int_equal(s.queue->count, 2);
    assert_string_equal(text_of(&s), "kepttri!a");
    stage_close(&s);
}

static void a_large_reply_has_a_chunk_of_its_own(void **state) {
    stage s;
    (void)state;
    stage_open(&s);
    for (size_t len = TW__CHUNK_BYTES - 1; len <= TW__CHUNK_BYTES + 1; len++) {
        uint8_t *place = tw__outq_reserve(s.queue, len);
        memset(place, 'x', len);
        reply(&s, "yy");
    }
    assert_int_equal(s.queue->reply_bytes, 3 * TW__CHUNK_BYTES + 6);
    assert_int_equal(strspn(text_of(&s), "xy"), 3 * TW__CHUNK_BYTES + 6);
    stage_close(&s);
}

static void an_emptied_queue_is_as_new(void **state) {
    stage s;
    (void)state;
    stage_open(&s);
    for (int i = 0; i < 100; i++) {
        PUSH(&s, 1, "a");
        reply(&s, "b");
    }
    tw__outq_consume(s.queue, &s.pins, 1);
    tw__outq_conflate(s.queue, &s.pins, 1);
    tw__outq_reset(s.queue, &s.pins);
    assert_int_equal(s.queue->count, 0);
    assert_int_equal(s.queue->frames, 0);
    assert_int_equal(s.queue->reply_bytes, 0);
    assert_int_equal(s.queue->frame_bytes, 0);
    assert_int_equal(s.pins.bytes, 0);
    PUSH(&s, 1, "a1", "a2");
    assert_int_equal(tw__outq_conflate(s.queue, &s.pins, 1), 1);
    assert_string_equal(text_of(&s), "a2");
    stage_close(&s);
}

/* ---- giving up frames ---- */

static void
dropping_spares_replies_other_channels_and_what_is_begun(void **state) {
    stage s;
    (void)state;
    stage_open(&s);
    PUSH(&s, 1, "a1", "a2");
    reply(&s, "r");
    PUSH(&s, 2, "b1");
    PUSH(&s, 1, "a3");
    tw__outq_consume(s.queue, &s.pins, 1);
    assert_int_equal(tw__outq_drop_frames(s.queue, &s.pins, 1), 2);
    assert_string_equal(text_of(&s), "1rb1");
    assert_int_equal(tw__outq_drop_frames(s.queue, &s.pins, 3), 0);
    assert_int_equal(tw__outq_drop_frames(s.queue, &s.pins, 0), 1);
    assert_string_equal(text_of(&s), "1r");
    stage_close(&s);
}

static void the_oldest_goes_first(void **state) {
    stage s;
    (void)state;
    stage_open(&s);
    PUSH(&s, 1, "a1", "a2");
    PUSH(&s, 2, "b1");
    PUSH(&s, 1, "a3");
    tw__outq_consume(s.queue, &s.pins, 1);
    assert_true(tw__outq_drop_oldest(s.queue, &s.pins, 1));
    assert_string_equal(text_of(&s), "1b1a3");
    assert_true(tw__outq_drop_oldest(s.queue, &s.pins, 1));
    assert_string_equal(text_of(&s), "1b1");
    assert_false(tw__outq_drop_oldest(s.queue, &s.pins, 1));
    assert_true(tw__outq_drop_oldest(s.queue, &s.pins, 0));
    assert_string_equal(text_of(&s), "1");
    assert_int_equal(tw__outq_consume(s.queue, &s.pins, 1), 1);
    stage_close(&s);
}

static void what_is_too_old_expires(void **state) {
    stage s;
    const char *texts[] = {"a", "b"};
    (void)state;
    stage_open(&s);
    push(&s, 1, texts, 2, 100);
    push(&s, 1, texts, 1, 0);
    push(&s, 2, texts, 1, 200);
    assert_int_equal(tw__outq_expire(s.queue, &s.pins, 99), 0);
    tw__outq_consume(s.queue, &s.pins, 0);
    assert_int_equal(tw__outq_expire(s.queue, &s.pins, 100), 2);
    assert_int_equal(tw__outq_expire(s.queue, &s.pins, 1000), 1);
    assert_string_equal(text_of(&s), "a");
    stage_close(&s);
}

static void conflation_leaves_the_newest_of_each_key(void **state) {
    stage s;
    (void)state;
    stage_open(&s);
    PUSH(&s, 1, "a1", "b1", "a2");
    reply(&s, "r");
    PUSH(&s, 2, "a9");
    PUSH(&s, 1, "-1", "c1", "b2", "-2");
    assert_int_equal(tw__outq_conflate(s.queue, &s.pins, 1), 3);
    assert_string_equal(text_of(&s), "a2ra9c1b2-2");
    stage_close(&s);
}

static void conflation_spares_what_is_begun(void **state) {
    stage s;
    (void)state;
    stage_open(&s);
    PUSH(&s, 1, "a1", "a2", "a3");
    tw__outq_consume(s.queue, &s.pins, 1);
    assert_int_equal(tw__outq_conflate(s.queue, &s.pins, 1), 1);
    assert_string_equal(text_of(&s), "1a3");
    stage_close(&s);
}

static void conflation_copes_with_many_keys(void **state) {
    enum { KEYS = 3000 };
    stage s;
    char texts[KEYS][8];
    (void)state;
    stage_open(&s);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < KEYS; i++) {
            tw__pub *pub;
            tw__list pubs;
            sprintf(texts[i], "%d.%d ", i, round);
            size_t key_len = strlen(texts[i]) - 3;
            pub = tw__pub_create("c", 1, texts[i], key_len, texts[i],
                                 strlen(texts[i]));
            tw__list_init(&pubs);
            tw__list_push(&pubs, &pub->node);
            tw__batch *batch = tw__batch_create(&encoder, &pubs, 1, 1);
            tw__outq_push_frame(s.queue, &s.pins, batch, 0, 0);
            tw__batch_unref(batch);
            tw__pub_unref(pub);
        }
    }
    assert_int_equal(tw__outq_conflate(s.queue, &s.pins, 1), 2 * KEYS);
    assert_int_equal(s.queue->frames, KEYS);
    const char *text = text_of(&s);
    for (int i = 0; i < KEYS; i++) {
        assert_int_equal(strncmp(text, texts[i], strlen(texts[i])), 0);
        text += strlen(texts[i]);
    }
    stage_close(&s);
}

/* Looking again and again for nothing would cost as much as there is. */
static void conflation_does_not_look_twice_for_little(void **state) {
    stage s;
    (void)state;
    stage_open(&s);
    for (char key[] = "A1"; key[0] < 'A' + 40; key[0]++) {
        PUSH(&s, 1, key);
    }
    assert_int_equal(tw__outq_conflate(s.queue, &s.pins, 1), 0);
    for (int i = 0; i < 10; i++) {
        PUSH(&s, 1, "A2");
        assert_int_equal(tw__outq_conflate(s.queue, &s.pins, 1), 0);
    }
    PUSH(&s, 1, "A2");
    assert_int_equal(tw__outq_conflate(s.queue, &s.pins, 1), 11);
    PUSH(&s, 2, "A1", "A2");
    assert_int_equal(tw__outq_conflate(s.queue, &s.pins, 2), 1);
    stage_close(&s);
}

/* ---- pins ---- */

static void a_batch_counts_once_however_often_it_is_waited_for(void **state) {
    stage s;
    tw__outq *other = tw__outq_create();
    const char *texts[] = {"a1", "a2", "a3"};
    (void)state;
    stage_open(&s);
    tw__batch *batch = make_batch(1, texts, 3, 0);
    for (uint32_t i = 0; i < 3; i++) {
        tw__outq_push_frame(s.queue, &s.pins, batch, i, 0);
        tw__outq_push_frame(other, &s.pins, batch, i, 0);
    }
    assert_int_equal(s.pins.bytes, 6);
    assert_int_equal(s.pins.frames, 6);
    tw__outq_reset(s.queue, &s.pins);
    assert_int_equal(s.pins.bytes, 6);
    assert_int_equal(s.pins.frames, 3);
    tw__batch_unref(batch);
    tw__outq_destroy(other, &s.pins);
    s.live -= 1; /* the other one, created before */
    stage_close(&s);
}

static void beyond_the_limit_frames_are_copied_out(void **state) {
    stage s;
    const char *texts[] = {"aaaa", "bbbb", "cccc"};
    (void)state;
    stage_open(&s);
    s.pins.limit = 10;
    tw__batch *batch = make_batch(1, texts, 3, 0);
    size_t live = tw__alloc_live();
    assert_int_equal(tw__outq_push_frame(s.queue, &s.pins, batch, 1, 2), 0);
    assert_int_equal(s.pins.bytes, 4); /* not 12 */
    assert_int_equal(tw__outq_push_frame(s.queue, &s.pins, batch, 2, 0), 0);
    assert_int_equal(s.pins.bytes, 8);
    tw__batch_unref(batch);
    assert_true(tw__alloc_live() > live - 1);
    assert_string_equal(text_of(&s), "bbcccc");
    assert_int_equal(tw__outq_consume(s.queue, &s.pins, 6), 2);
    stage_close(&s);
}

/* ---- no memory ---- */

static void without_memory_nothing_has_changed(void **state) {
    const char *texts[] = {"aaaa", "bbbb"};
    stage s;
    (void)state;
    stage_open(&s);
    s.pins.limit = 1;
    tw__batch *batch = make_batch(1, texts, 2, 0);
    for (size_t nth = 1; nth <= 2; nth++) {
        tw__alloc_fail_nth(nth);
        assert_null(tw__outq_reserve(s.queue, 10));
        tw__alloc_fail_nth(0);
        tw__outq_reset(s.queue, &s.pins);
        tw__free(s.queue->_pieces);
        s.queue->_pieces = NULL;
        s.queue->_cap = 0;
        tw__alloc_fail_nth(nth);
        assert_int_equal(tw__outq_push_frame(s.queue, &s.pins, batch, 0, 0),
                         TW_ENOMEM);
        tw__alloc_fail_nth(0);
        assert_int_equal(s.queue->count, 0);
        assert_int_equal(s.pins.frames, 0);
        assert_int_equal(s.pins.bytes, 0);
    }
    tw__batch_unref(batch);
    PUSH(&s, 1, "a1");
    PUSH(&s, 1, "a2");
    tw__alloc_fail_nth(1);
    assert_int_equal(tw__outq_conflate(s.queue, &s.pins, 1), 0);
    tw__alloc_fail_nth(0);
    assert_int_equal(tw__outq_conflate(s.queue, &s.pins, 1), 1);
    stage_close(&s);
}

/* ---- at random, against a list ---- */

typedef struct row {
    bool is_frame, is_begun;
    uint64_t channel, deadline_ms;
    char text[24]; /* what is left of it */
} row;

typedef struct list {
    row rows[4096];
    int count;
} list;

static void list_remove(list *l, int at) {
    memmove(&l->rows[at], &l->rows[at + 1],
            (size_t)(l->count - at - 1) * sizeof l->rows[0]);
    l->count--;
}

static bool is_loose(const row *r) {
    return r->is_frame && !r->is_begun;
}

static uint32_t list_consume(list *l, size_t len) {
    uint32_t delivered = 0;
    while (len > 0) {
        row *r = &l->rows[0];
        size_t here = strlen(r->text);
        if (len < here) {
            memmove(r->text, r->text + len, here - len + 1);
            r->is_begun = true;
            break;
        }
        len -= here;
        delivered += r->is_frame;
        list_remove(l, 0);
    }
    return delivered;
}

/* Of the channel (0: any), with a deadline up to `now` (0: any deadline). */
static uint32_t list_drop(list *l, uint64_t channel, uint64_t now,
                          uint32_t most) {
    uint32_t dropped = 0;
    for (int i = 0; i < l->count && dropped < most;) {
        const row *r = &l->rows[i];
        bool is_late = now == 0 || (r->deadline_ms && r->deadline_ms <= now);
        if (is_loose(r) && is_late && (channel == 0 || r->channel == channel)) {
            list_remove(l, i);
            dropped++;
        } else {
            i++;
        }
    }
    return dropped;
}

static bool is_outdated(const list *l, int at) {
    const row *r = &l->rows[at];
    for (int i = at + 1; i < l->count; i++) {
        if (l->rows[i].is_frame && l->rows[i].channel == r->channel &&
            l->rows[i].text[0] == r->text[0]) {
            return true;
        }
    }
    return false;
}

static uint32_t list_conflate(list *l, uint64_t channel) {
    uint32_t dropped = 0;
    for (int i = 0; i < l->count;) {
        const row *r = &l->rows[i];
        if (is_loose(r) && r->channel == channel && is_outdated(l, i)) {
            list_remove(l, i);
            dropped++;
        } else {
            i++;
        }
    }
    return dropped;
}

static void list_check(const list *l, const stage *s) {
    const char *text = text_of(s);
    uint32_t frames = 0;
    for (int i = 0; i < l->count; i++) {
        size_t len = strlen(l->rows[i].text);
        assert_int_equal(strncmp(text, l->rows[i].text, len), 0);
        text += len;
        frames += l->rows[i].is_frame;
    }
    assert_string_equal(text, "");
    assert_int_equal(s->queue->frames, frames);
    assert_int_equal(s->pins.frames, frames);
}

static void push_random(stage *s, list *l) {
    char texts[4][24];
    const char *places[4];
    uint32_t count = 1 + (uint32_t)rand() % 4;
    uint64_t channel = 1 + (uint64_t)rand() % 3;
    uint64_t deadline_ms = rand() % 3 ? 0 : 1 + (uint64_t)rand() % 100;
    for (uint32_t i = 0; i < count; i++) {
        snprintf(texts[i], sizeof texts[i], "%c%d.", "-abcdefg"[rand() % 8],
                 rand() % 100000);
        places[i] = texts[i];
    }
    tw__batch *batch = make_batch(channel, places, count, deadline_ms);
    for (uint32_t i = 0; i < count; i++) {
        if (rand() % 4 == 0) {
            continue; /* excepted */
        }
        assert_int_equal(tw__outq_push_frame(s->queue, &s->pins, batch, i, 0),
                         0);
        row *r = &l->rows[l->count++];
        *r = (row){true, false, channel, deadline_ms, ""};
        strcpy(r->text, texts[i]);
    }
    tw__batch_unref(batch);
}

static void reply_random(stage *s, list *l) {
    row *r = &l->rows[l->count++];
    *r = (row){0};
    snprintf(r->text, sizeof r->text, "reply %d.", rand() % 100000);
    reply(s, r->text);
}

static void consume_random(stage *s, list *l) {
    size_t total = strlen(text_of(s));
    size_t len = total > 0 ? (size_t)rand() % (total + 1) : 0;
    if (rand() % 2) {
        len = len < 20 ? len : 20;
    }
    assert_int_equal(tw__outq_consume(s->queue, &s->pins, len),
                     list_consume(l, len));
}

static void whatever_happens_the_queue_is_the_list(void **state) {
    static list l;
    (void)state;
    for (unsigned seed = 0; seed < 150; seed++) {
        stage s;
        srand(seed);
        stage_open(&s);
        s.pins.limit = seed % 3 == 0 ? 100 : SIZE_MAX;
        l.count = 0;
        for (int step = 0; step < 150; step++) {
            uint64_t channel = (uint64_t)rand() % 4;
            uint64_t now = 1 + (uint64_t)rand() % 100;
            switch (rand() % 10) {
            case 0:
            case 1:
            case 2:
                push_random(&s, &l);
                break;
            case 3:
                reply_random(&s, &l);
                break;
            case 4:
            case 5:
                consume_random(&s, &l);
                break;
            case 6:
                assert_int_equal(
                    tw__outq_drop_oldest(s.queue, &s.pins, channel),
                    list_drop(&l, channel, 0, 1));
                break;
            case 7:
                assert_int_equal(tw__outq_expire(s.queue, &s.pins, now),
                                 list_drop(&l, 0, now, UINT32_MAX));
                break;
            case 8:
                s.queue->conflated = 0; /* so that it looks */
                channel = channel > 0 ? channel : 1;
                assert_int_equal(tw__outq_conflate(s.queue, &s.pins, channel),
                                 list_conflate(&l, channel));
                break;
            default:
                if (rand() % 4 == 0) {
                    assert_int_equal(
                        tw__outq_drop_frames(s.queue, &s.pins, channel),
                        list_drop(&l, channel, 0, UINT32_MAX));
                }
            }
            list_check(&l, &s);
        }
        stage_close(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_appended_leaves_in_order),
        cmocka_unit_test(what_lies_side_by_side_leaves_as_one),
        cmocka_unit_test(only_so_many_vectors_are_filled),
        cmocka_unit_test(any_part_may_be_taken),
        cmocka_unit_test(a_frame_may_be_begun_before_it_is_queued),
        cmocka_unit_test(a_reply_may_be_trimmed),
        cmocka_unit_test(a_large_reply_has_a_chunk_of_its_own),
        cmocka_unit_test(an_emptied_queue_is_as_new),
        cmocka_unit_test(
            dropping_spares_replies_other_channels_and_what_is_begun),
        cmocka_unit_test(the_oldest_goes_first),
        cmocka_unit_test(what_is_too_old_expires),
        cmocka_unit_test(conflation_leaves_the_newest_of_each_key),
        cmocka_unit_test(conflation_spares_what_is_begun),
        cmocka_unit_test(conflation_copes_with_many_keys),
        cmocka_unit_test(conflation_does_not_look_twice_for_little),
        cmocka_unit_test(a_batch_counts_once_however_often_it_is_waited_for),
        cmocka_unit_test(beyond_the_limit_frames_are_copied_out),
        cmocka_unit_test(without_memory_nothing_has_changed),
        cmocka_unit_test(whatever_happens_the_queue_is_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
