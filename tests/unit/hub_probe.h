/* hub_probe.h - for tests of hub/: a hub whose frames are the payloads as they
 * are, members with numbers, and what they got as text.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_HUB_PROBE_H
#define TW_TESTS_HUB_PROBE_H

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
#include "hub/exception.h"
#include "hub/hub.h"

typedef struct probe probe;

typedef struct member {
    tw__sub sub;
    int number;
    int fd;
    uint8_t codec;
} member;

enum { MEMBERS = 16 };

struct probe {
    tw__hub hub;
    member members[MEMBERS];
    /* What a visit does besides writing itself down; NULL: nothing. */
    void (*on_deliver)(probe *p, member *m);
    uint64_t lost;
    int encoded; /* publications encoded so far */
    size_t live_before;
    char log[4096];
    size_t log_len;
};

static probe *the_probe; /* encoders have no argument */

static inline void hub_note(probe *p, const char *text, size_t len) {
    assert_true(p->log_len + len < sizeof p->log);
    memcpy(p->log + p->log_len, text, len);
    p->log_len += len;
    p->log[p->log_len] = '\0';
}

static inline size_t encode_size(const tw__pub *pub) {
    return pub->len + 1;
}

static inline size_t encode_plain(tw__pub *pub, uint8_t *out) {
    the_probe->encoded++;
    memcpy(out, tw__pub_data(pub), pub->len);
    return pub->len; /* less than promised, as an encoder may */
}

static inline size_t encode_marked(tw__pub *pub, uint8_t *out) {
    the_probe->encoded++;
    out[0] = '*';
    memcpy(out + 1, tw__pub_data(pub), pub->len);
    return pub->len + 1u;
}

static const tw__encoder plain = {encode_size, encode_plain, NULL, NULL};
static const tw__encoder marked = {encode_size, encode_marked, NULL, NULL};

/* "2:ab " for a whole batch, "2(ab) " for a run of frames. */
static inline void probe_deliver(void *arg, tw__sub *sub, int fd,
                                 tw__channel *channel, tw__batch *batch,
                                 uint32_t first, uint32_t count) {
    probe *p = arg;
    member *m = sub->owner;
    char head[16];
    bool is_whole = fd >= 0;
    assert_true(count > 0 && first + count <= batch->count);
    assert_ptr_equal(sub->channel, channel);
    assert_int_equal(batch->channel, channel->number);
    if (fd >= 0) {
        assert_int_equal(fd, m->fd);
        assert_int_equal(first, 0);
        assert_int_equal(count, batch->count);
    }
    hub_note(p, head,
             (size_t)snprintf(head, sizeof head, "%d%s", m->number,
                              is_whole ? ":" : "("));
    for (uint32_t i = first; i < first + count; i++) {
        hub_note(p, (const char *)batch->data + batch->frames[i].off,
                 batch->frames[i].len);
    }
    hub_note(p, is_whole ? " " : ") ", is_whole ? 1 : 2);
    if (p->on_deliver != NULL) {
        p->on_deliver(p, m);
    }
}

static inline void probe_lost(void *arg, tw__channel *channel, uint64_t lost) {
    probe *p = arg;
    assert_non_null(channel);
    p->lost += lost;
}

static inline void probe_init(probe *p) {
    memset(p, 0, sizeof *p);
    the_probe = p;
    p->live_before = tw__alloc_live();
    tw__hub_events events = {probe_deliver, probe_lost, p};
    tw__hub_init(&p->hub, &events);
    p->hub.encoders[0] = &plain;
    p->hub.encoders[1] = &marked;
    for (int i = 0; i < MEMBERS; i++) {
        p->members[i] =
            (member){{NULL, &p->members[i], TW__NOT_JOINED, 0}, i, 100 + i, 0};
    }
}

static inline tw__channel *probe_channel(probe *p, const char *name) {
    return tw__hub_find(&p->hub, name, strlen(name));
}

static inline void probe_join(probe *p, int number, const char *name) {
    bool created;
    member *m = &p->members[number];
    m->sub.channel = tw__channel_open(&p->hub, name, strlen(name), &created);
    assert_non_null(m->sub.channel);
    assert_int_equal(tw__channel_join(&m->sub, m->fd, m->codec), 0);
}

static inline uint64_t probe_leave(probe *p, int number) {
    member *m = &p->members[number];
    uint64_t owed = tw__channel_leave(&m->sub);
    assert_int_equal(m->sub.index, TW__NOT_JOINED);
    tw__channel_close(m->sub.channel);
    m->sub.channel = NULL;
    return owed;
}

/* `except` -1: nobody. Every character is a publication of its own. */
static inline uint64_t probe_publish(probe *p, const char *name,
                                     const char *texts, int except) {
    uint64_t deliveries = 0;
    tw__channel *channel = probe_channel(p, name);
    assert_non_null(channel);
    for (; *texts != '\0'; texts++) {
        tw__pub *pub = tw__pub_create(name, strlen(name), NULL, 0, texts, 1);
        assert_non_null(pub);
        deliveries += tw__channel_publish(
            channel, pub, except < 0 ? NULL : &p->members[except].sub);
    }
    if (channel->pending_count > 0) {
        tw__channel_set_due(channel);
    }
    return deliveries;
}

static inline bool probe_walk(probe *p) {
    return tw__hub_walk(&p->hub, UINT32_MAX);
}

#define expect_log(p, text)                                                    \
    do {                                                                       \
        assert_string_equal((p)->log, (text));                                 \
        (p)->log_len = 0;                                                      \
        (p)->log[0] = '\0';                                                    \
    } while (0)

static inline void probe_deinit(probe *p) {
    for (int i = 0; i < MEMBERS; i++) {
        if (p->members[i].sub.index != TW__NOT_JOINED) {
            probe_leave(p, i);
        }
    }
    assert_int_equal(p->hub.pending_deliveries, 0);
    assert_true(tw__list_is_empty(&p->hub.due));
    tw__hub_deinit(&p->hub);
    assert_int_equal(tw__alloc_live(), p->live_before);
}

#endif
