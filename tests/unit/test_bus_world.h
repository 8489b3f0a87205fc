/* test_bus_world.h - several members on one loop, for the tests of the bus.
 *
 * The world plays the master: it owns the runtime folder and every slot's
 * listening socket, so that a member can be destroyed and made again while its
 * callers wait in the socket's queue. What a member is told stands in its
 * journal, one line each:
 *   "confirm NAME", "pub NAME DATA", "gap NAME LOST", "lost NAME ERROR",
 *   "count VALUE"; a failed answer is "NAME-OF-THE-ERROR ..." instead.
 *
 * All members live in one process and speak through Unix sockets, so what one
 * has sent is there for the other at once. The loop's clock is held: its time
 * goes on in UNTIL, a tick whenever there is nothing to do, and in world_pass.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TEST_BUS_WORLD_H
#define TEST_BUS_WORLD_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/map.h"
#include "bus/bus.h"
#include "bus/record.h"
#include "net/socket.h"
#include "tidewire/errors.h"

enum {
    WORLD_MEMBERS = 60,
    WORLD_PATIENCE_MS = 30000,
    WORLD_TICK_MS = 4,
    NEVER_MS = 3600000
};

typedef struct member {
    struct world *world;
    tw__bus *bus; /* NULL while it is dead */
    tw__broker *broker;
    int listen_fd; /* the master's */
    uint32_t incarnation;
    uint16_t slot;
    char *journal;
    size_t journal_len, journal_cap;
    unsigned publications, gaps, lost, confirms, answers;
    uint64_t gap_total, last_count;
    tw__position position; /* of the last confirmation */
    void (*on_publication)(struct member *member, tw__pub *pub); /* borrowed */
    void (*on_confirm)(struct member *member);
    void (*on_gap)(struct member *member);
} member;

typedef struct world {
    tw__loop loop;
    tw__poller poller;
    tw__clockwork clockwork;
    tw__bus_config config; /* what members are made from */
    size_t live_blocks;
    char dir[64];
    member members[WORLD_MEMBERS];
} world;

static inline uint64_t world_clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A turn; time goes on when there is nothing to do in it. */
static inline void world_turn(world *w) {
    if (!tw__loop_is_advancing(&w->loop)) {
        tw__loop_advance(&w->loop, WORLD_TICK_MS);
    }
    tw__loop_run_once(&w->loop, 0);
}

/* Lets time pass; what falls due is seen to. */
static inline void world_pass(world *w, uint64_t ms) {
    while (tw__loop_is_advancing(&w->loop)) {
        tw__loop_run_once(&w->loop, 0);
    }
    tw__loop_advance(&w->loop, ms);
    while (tw__loop_is_advancing(&w->loop)) {
        tw__loop_run_once(&w->loop, 0);
    }
}

/* Goes through turns until the condition holds. */
#define UNTIL(world_, condition_)                                              \
    do {                                                                       \
        uint64_t deadline_ = world_clock_ms() + WORLD_PATIENCE_MS;             \
        while (!(condition_)) {                                                \
            if (world_clock_ms() > deadline_) {                                \
                fail_msg("waited in vain for: %s", #condition_);               \
            }                                                                  \
            world_turn(world_);                                                \
        }                                                                      \
    } while (0)

static inline void journal_add(member *m, const char *format, ...) {
    char line[600];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    assert_true(len >= 0 && (size_t)len < sizeof line);
    if (m->journal_len + (size_t)len + 2 > m->journal_cap) {
        m->journal_cap = (m->journal_cap + (size_t)len + 64) * 2;
        m->journal = realloc(m->journal, m->journal_cap);
        assert_non_null(m->journal);
    }
    memcpy(m->journal + m->journal_len, line, (size_t)len);
    m->journal_len += (size_t)len;
    m->journal[m->journal_len++] = '\n';
    m->journal[m->journal_len] = '\0';
}

static inline void journal_clear(member *m) {
    m->journal_len = 0;
    if (m->journal != NULL) {
        m->journal[0] = '\0';
    }
}

static inline const char *journal_of(const member *m) {
    return m->journal != NULL ? m->journal : "";
}

static inline void world_on_publication(void *arg, tw__pub *pub) {
    member *m = arg;
    m->publications++;
    journal_add(m, "pub %s %.*s", tw__pub_channel(pub),
                pub->len < 100 ? (int)pub->len : 100,
                (const char *)tw__pub_data(pub));
    if (m->on_publication != NULL) {
        m->on_publication(m, pub);
    }
    tw__pub_unref(pub);
}

static inline void world_on_gap(void *arg, const char *channel, size_t len,
                                uint64_t lost) {
    member *m = arg;
    m->gaps++;
    m->gap_total += lost;
    journal_add(m, "gap %.*s %llu", (int)len, channel,
                (unsigned long long)lost);
    if (m->on_gap != NULL) {
        m->on_gap(m);
    }
}

static inline void world_on_lost(void *arg, const tw__pub *pub, int error) {
    member *m = arg;
    m->lost++;
    journal_add(m, "lost %s %s", tw__pub_channel(pub), tw_err_name(error));
}

/* A question that waits: whose it is and what was asked. */
typedef struct asked {
    member *member;
    char name[300];
} asked;

static inline void world_on_confirm(int status, const tw__position *position,
                                    void *arg) {
    asked *question = arg;
    member *m = question->member;
    m->answers++;
    m->confirms += status == 0;
    assert_true(status != 0 || position != NULL);
    if (status == 0) {
        m->position = *position;
    }
    journal_add(m, "%s %s", status == 0 ? "confirm" : tw_err_name(status),
                question->name);
    free(question);
    if (m->on_confirm != NULL) {
        m->on_confirm(m);
    }
}

static inline void world_on_count(int status, uint64_t count, void *arg) {
    asked *question = arg;
    member *m = question->member;
    m->answers++;
    m->last_count = count;
    if (status == 0) {
        journal_add(m, "count %llu", (unsigned long long)count);
    } else {
        journal_add(m, "%s count", tw_err_name(status));
    }
    free(question);
}

static inline asked *ask(member *m, const char *name) {
    asked *question = malloc(sizeof *question);
    assert_non_null(question);
    question->member = m;
    size_t len = strlen(name);
    assert_true(len < sizeof question->name);
    memcpy(question->name, name, len + 1);
    return question;
}

static inline int try_interest(member *m, const char *name) {
    asked *question = ask(m, name);
    int err = m->broker->ops->interest(m->broker, name, strlen(name),
                                       world_on_confirm, question);
    if (err != 0) {
        free(question);
    }
    return err;
}

static inline void interest(member *m, const char *name) {
    assert_int_equal(try_interest(m, name), 0);
}

static inline void drop(member *m, const char *name) {
    m->broker->ops->drop(m->broker, name, strlen(name));
}

static inline bool set_count(member *m, const char *name, uint32_t count) {
    return m->broker->ops->set_count(m->broker, name, strlen(name), count);
}

static inline int try_count(member *m, const char *name) {
    asked *question = ask(m, name);
    int err = m->broker->ops->count(m->broker, name, strlen(name),
                                    world_on_count, question);
    if (err != 0) {
        free(question);
    }
    return err;
}

static inline int publish_bytes(member *m, const char *name, const void *data,
                                size_t len) {
    tw__pub *pub = tw__pub_create(name, strlen(name), NULL, 0, data, len);
    if (pub == NULL) {
        return TW_ENOMEM;
    }
    return m->broker->ops->publish(m->broker, pub);
}

static inline int publish(member *m, const char *name, const char *text) {
    return publish_bytes(m, name, text, strlen(text));
}

/* Asks and waits: the subscribers of all members. */
static inline uint64_t count_of(member *m, const char *name) {
    unsigned answers = m->answers;
    assert_int_equal(try_count(m, name), 0);
    UNTIL(m->world, m->answers > answers);
    return m->last_count;
}

/* Takes an interest and waits for its confirmation. */
static inline void subscribe(member *m, const char *name) {
    unsigned confirms = m->confirms;
    interest(m, name);
    UNTIL(m->world, m->confirms > confirms);
}

/* A name of the given home, by a number that tells one from the other. */
static inline const char *name_at(const world *w, uint16_t home, int number) {
    static char names[8][64];
    static unsigned turn;
    char *name = names[turn++ % 8];
    for (int i = 0;; i++) {
        snprintf(name, sizeof names[0], "c%d.%d", number, i);
        if (tw__bus_home(name, strlen(name), w->config.slots) == home) {
            return name;
        }
    }
}

static inline void member_path(const world *w, uint16_t slot, char *out,
                               size_t size) {
    snprintf(out, size, "unix:%s/bus.%u", w->dir, slot);
}

static inline int try_start(world *w, uint16_t slot) {
    member *m = &w->members[slot];
    tw__bus_config config = w->config;
    config.slot = slot;
    config.incarnation = ++m->incarnation;
    config.listen_fd =
        m->listen_fd < 0 ? -1 : fcntl(m->listen_fd, F_DUPFD_CLOEXEC, 0);
    config.events =
        (tw__broker_events){.on_publication = world_on_publication,
                            .on_gap = world_on_gap,
                            .on_lost = world_on_lost,
                            .on_position = w->config.events.on_position,
                            .class_of = w->config.events.class_of,
                            .arg = m};
    config.locator_events.arg = m;
    int err = tw__bus_create(&m->bus, &config);
    m->broker = err == 0 ? tw__bus_broker(m->bus) : NULL;
    return err;
}

/* A member begins, as a new incarnation of its slot. */
static inline member *start(world *w, uint16_t slot) {
    assert_int_equal(try_start(w, slot), 0);
    return &w->members[slot];
}

/* Ends it as a crash would, as far as the others can see. */
static inline void stop(member *m) {
    tw__bus_destroy(m->bus);
    m->bus = NULL;
    m->broker = NULL;
    tw__loop_run_once(&m->world->loop, 0);
}

static inline void listen_for(world *w, uint16_t slot) {
    char text[128];
    tw__address address;
    member_path(w, slot, text, sizeof text);
    assert_int_equal(tw__address_parse(&address, text), 0);
    assert_int_equal(
        tw__socket_listen(&address, 128, 0, &w->members[slot].listen_fd), 0);
}

/* A world of `slots` homes and `extra` members more; none is started. The
 * budgets and times of `config` may be changed before a start, and those events
 * set that are not told in the journal: their `arg` is the member. */
static inline world *world_create(uint16_t slots, uint16_t extra) {
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->live_blocks = tw__alloc_live();
    assert_int_equal(tw__loop_init(&w->loop, NULL), 0);
    tw__loop_hold(&w->loop, (tw__loop_now(&w->loop) / 1000 + 1) * 1000);
    assert_int_equal(tw__poller_init(&w->poller, &w->loop), 0);
    assert_int_equal(tw__clockwork_init(&w->clockwork, &w->loop), 0);
    snprintf(w->dir, sizeof w->dir, "%s/tw-bus-XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(w->dir));
    w->config = (tw__bus_config){.loop = &w->loop,
                                 .poller = &w->poller,
                                 .clockwork = &w->clockwork,
                                 .dir = w->dir,
                                 .slots = slots,
                                 .node = 7};
    for (uint16_t i = 0; i < WORLD_MEMBERS; i++) {
        w->members[i].world = w;
        w->members[i].slot = i;
        w->members[i].listen_fd = -1;
    }
    for (uint16_t i = 0; i < slots + extra; i++) {
        listen_for(w, i);
    }
    return w;
}

/* The same, with all members started. */
static inline world *world_of(uint16_t slots) {
    world *w = world_create(slots, 0);
    for (uint16_t i = 0; i < slots; i++) {
        start(w, i);
    }
    return w;
}

static inline void world_remove_dir(const world *w) {
    DIR *dir = opendir(w->dir);
    struct dirent *entry;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
    rmdir(w->dir);
}

/* Everything ends; nothing may be left allocated. */
static inline void world_destroy(world *w) {
    for (int i = 0; i < WORLD_MEMBERS; i++) {
        tw__bus_destroy(w->members[i].bus);
    }
    tw__loop_run_once(&w->loop, 0);
    tw__clockwork_close(&w->clockwork);
    tw__poller_close(&w->poller);
    tw__loop_close(&w->loop, NULL, NULL);
    for (int i = 0; i < WORLD_MEMBERS; i++) {
        free(w->members[i].journal);
        if (w->members[i].listen_fd >= 0) {
            close(w->members[i].listen_fd);
        }
    }
    world_remove_dir(w);
    assert_int_equal(tw__alloc_live(), w->live_blocks);
    free(w);
}

/* True when nothing is queued anywhere and nothing is with the kernel; holds
 * only in a world where no member has ended. */
static inline bool is_quiet(world *w) {
    uint64_t sent = 0, received = 0;
    for (int i = 0; i < WORLD_MEMBERS; i++) {
        tw__bus *bus = w->members[i].bus;
        if (bus != NULL) {
            const tw__bus_stats *stats = tw__bus_get_stats(bus);
            sent += stats->link_bytes_sent;
            received += stats->link_bytes_received;
            if (!tw__bus_is_idle(bus)) {
                return false;
            }
        }
    }
    return sent == received;
}

#endif
