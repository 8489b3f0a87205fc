/* locator_fake.h - for tests of the server: a locator that writes down what it
 * is told and answers as the test says.
 *
 * It takes the place of a world's locator; the world's own goes on existing and
 * hears nothing. SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_LOCATOR_FAKE_H
#define TW_TESTS_LOCATOR_FAKE_H

#include "server_probe.h"

#include "server/conn_id.h"
#include "server/people.h"

enum { FAKE_LOG = 1 << 16 };

typedef struct locator_fake {
    tw__locator locator;
    world *w;
    tw__locator *real;
    int error;     /* of everything that is told */
    int grace;     /* so many are accepted, whatever follows */
    int refuse;    /* then so many are refused with TW_EOVERLOADED */
    bool is_full;  /* has_room says no */
    unsigned told; /* how much was accepted */
    char log[FAKE_LOG];
    size_t len;
} locator_fake;

static inline locator_fake *fake_of(tw__locator *locator) {
    return TW__CONTAINER(locator, locator_fake, locator);
}

static inline void fake_note(locator_fake *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline void fake_note(locator_fake *f, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(f->log + f->len, sizeof f->log - f->len, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof f->log - f->len);
    f->len += (size_t)n;
}

static inline void fake_forget(locator_fake *f) {
    f->len = 0;
    f->log[0] = '\0';
    f->told = 0;
}

#define assert_told(f, text)                                                   \
    do {                                                                       \
        assert_string_equal((f)->log, (text));                                 \
        fake_forget(f);                                                        \
    } while (0)

/* The number of the connection with an id; 0: none that is known. */
static inline int fake_number(const locator_fake *f, const uint8_t *id) {
    for (int i = 1; i < WORLD_CLIENTS; i++) {
        if (f->w->conns[i] != NULL &&
            memcmp(f->w->conns[i]->id, id, TW__CONN_ID_BYTES) == 0) {
            return i;
        }
    }
    return 0;
}

static inline bool fake_takes(locator_fake *f, int *err) {
    *err = 0;
    if (f->grace > 0) {
        f->grace--;
    } else {
        *err = f->refuse > 0 ? TW_EOVERLOADED : f->error;
        f->refuse -= f->refuse > 0;
    }
    f->told += *err == 0;
    return *err == 0;
}

static inline int fake_enter(tw__locator *locator, const char *channel,
                             size_t len, const uint8_t *id, const char *user,
                             size_t user_len, const char *info, size_t info_len,
                             bool is_renewal) {
    locator_fake *f = fake_of(locator);
    int err;
    if (fake_takes(f, &err)) {
        fake_note(f, "%s:%.*s:%d:%.*s:%.*s ", is_renewal ? "renew" : "enter",
                  (int)len, channel, fake_number(f, id), (int)user_len, user,
                  (int)info_len, info);
    }
    return err;
}

static inline int fake_leave(tw__locator *locator, const char *channel,
                             size_t len, const uint8_t *id) {
    locator_fake *f = fake_of(locator);
    int err;
    if (fake_takes(f, &err)) {
        fake_note(f, "leave:%.*s:%d ", (int)len, channel, fake_number(f, id));
    }
    return err;
}

static inline int fake_user_enter(tw__locator *locator, const char *user,
                                  size_t len, const uint8_t *id,
                                  int64_t opened_ms, uint32_t max,
                                  bool closes_newest) {
    locator_fake *f = fake_of(locator);
    int err;
    (void)id; /* its on_open has not been: it has no number yet */
    assert_true(opened_ms > 0);
    if (fake_takes(f, &err)) {
        fake_note(f, "user:%.*s:%u%s ", (int)len, user, (unsigned)max,
                  closes_newest ? ":newest" : "");
    }
    return err;
}

static inline int fake_user_leave(tw__locator *locator, const char *user,
                                  size_t len, const uint8_t *id) {
    locator_fake *f = fake_of(locator);
    int err;
    (void)id;
    if (fake_takes(f, &err)) {
        fake_note(f, "gone:%.*s ", (int)len, user);
    }
    return err;
}

static inline uint16_t fake_home(tw__locator *locator, const char *name,
                                 size_t len) {
    (void)locator;
    (void)name;
    (void)len;
    return 0;
}

static inline bool fake_has_room(tw__locator *locator, uint16_t slot) {
    assert_int_equal(slot, 0);
    return !fake_of(locator)->is_full;
}

/* From now on the world's server tells it. Before the world is closed: put the
 * real one back. */
static inline void fake_begin(locator_fake *f, world *w) {
    static const tw__locator_ops ops = {.enter = fake_enter,
                                        .leave = fake_leave,
                                        .user_enter = fake_user_enter,
                                        .user_leave = fake_user_leave,
                                        .home = fake_home,
                                        .has_room = fake_has_room};
    memset(f, 0, sizeof *f);
    f->locator.ops = &ops;
    f->w = w;
    f->real = w->server->locator;
    w->server->locator = &f->locator;
}

static inline void fake_end(locator_fake *f) {
    f->w->server->locator = f->real;
    world_close(f->w);
}

#endif
