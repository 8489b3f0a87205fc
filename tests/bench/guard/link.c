/* link.c - publications that go to another member and come back: a record out
 * and in at each of two.
 *
 * Two members of a bus on one loop. The first subscribes to a channel whose
 * home is the second, and publishes to it.
 *
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus/bus.h"
#include "guard.h"
#include "net/socket.h"

enum { MEMBERS = 2, PUBLICATIONS = 8000, TURNS_MAX = 100 };

static const char payload[] = "0123456789abcdef0123456789abcdef"
                              "0123456789abcdef0123456789abcdef";

typedef struct bench {
    tw__loop loop;
    tw__poller poller;
    tw__clockwork clockwork;
    tw__bus *buses[MEMBERS];
    tw__broker *broker;
    char channel[16];
    uint64_t came_back;
    bool is_confirmed;
} bench;

static void on_publication(void *arg, tw__pub *pub) {
    bench *b = arg;
    b->came_back++;
    tw__pub_unref(pub);
}

static void on_gap(void *arg, const char *channel, size_t len, uint64_t lost) {
    (void)arg;
    (void)channel;
    (void)len;
    guard_check(lost == 0, "publications were lost");
}

static void on_lost(void *arg, const tw__pub *pub, int error) {
    (void)arg;
    (void)pub;
    (void)error;
    guard_check(false, "a publication was lost");
}

static void on_confirm(int status, const tw__position *position, void *arg) {
    bench *b = arg;
    (void)position;
    b->is_confirmed = status == 0;
}

static void turn(bench *b) {
    guard_pass(1);
    guard_count_on();
    tw__loop_run_once(&b->loop, 0);
    guard_count_off();
}

static void start(bench *b, uint16_t slot) {
    char text[128];
    tw__address address;
    int fd;
    snprintf(text, sizeof text, "unix:%s/bus.%u", guard_folder(), slot);
    guard_check(tw__address_parse(&address, text) == 0 &&
                    tw__socket_listen(&address, 16, 0, &fd) == 0,
                "cannot listen");
    tw__bus_config config = {.loop = &b->loop,
                             .poller = &b->poller,
                             .clockwork = &b->clockwork,
                             .dir = guard_folder(),
                             .listen_fd = fd,
                             .slot = slot,
                             .slots = MEMBERS,
                             .node = 1,
                             .incarnation = 1,
                             .events = {.on_publication = on_publication,
                                        .on_gap = on_gap,
                                        .on_lost = on_lost,
                                        .arg = b}};
    guard_check(tw__bus_create(&b->buses[slot], &config) == 0, "no bus");
}

static void name_channel(bench *b) {
    int i = 0;
    do {
        snprintf(b->channel, sizeof b->channel, "room:%d", i++);
    } while (tw__bus_home(b->channel, strlen(b->channel), MEMBERS) != 1);
}

static void open_bench(bench *b) {
    memset(b, 0, sizeof *b);
    guard_check(tw__loop_init(&b->loop, NULL) == 0 &&
                    tw__poller_init(&b->poller, &b->loop) == 0 &&
                    tw__clockwork_init(&b->clockwork, &b->loop) == 0,
                "no loop");
    for (uint16_t slot = 0; slot < MEMBERS; slot++) {
        start(b, slot);
    }
    b->broker = tw__bus_broker(b->buses[0]);
    name_channel(b);
    guard_check(b->broker->ops->interest(b->broker, b->channel,
                                         strlen(b->channel), on_confirm,
                                         b) == 0,
                "no interest");
    for (int i = 0; i < TURNS_MAX && !b->is_confirmed; i++) {
        turn(b);
    }
    guard_check(b->is_confirmed, "the interest was not confirmed");
}

static void close_bench(bench *b) {
    char path[128];
    for (int slot = 0; slot < MEMBERS; slot++) {
        tw__bus_destroy(b->buses[slot]);
        snprintf(path, sizeof path, "%s/bus.%d", guard_folder(), slot);
        unlink(path);
    }
    tw__loop_run_once(&b->loop, 0);
    tw__clockwork_close(&b->clockwork);
    tw__poller_close(&b->poller);
    tw__loop_close(&b->loop, NULL, NULL);
}

static void publish(bench *b, int count) {
    guard_count_on();
    for (int i = 0; i < count; i++) {
        tw__pub *pub = tw__pub_create(b->channel, strlen(b->channel), NULL, 0,
                                      payload, strlen(payload));
        guard_check(pub != NULL && b->broker->ops->publish(b->broker, pub) == 0,
                    "a publication was refused");
    }
    guard_count_off();
}

/* How many turns it takes is part of the cost. */
static void round_of(bench *b, int in_flight) {
    uint64_t wanted = b->came_back + (uint64_t)in_flight;
    publish(b, in_flight);
    for (int i = 0; i < TURNS_MAX && b->came_back < wanted; i++) {
        turn(b);
    }
    guard_check(b->came_back == wanted, "a publication did not come back");
}

static uint64_t send_around(int in_flight) {
    bench b;
    open_bench(&b);
    for (int i = 0; i < 10; i++) {
        round_of(&b, in_flight);
    }
    guard_begin();
    for (int sent = 0; sent < PUBLICATIONS; sent += in_flight) {
        round_of(&b, in_flight);
    }
    close_bench(&b);
    return PUBLICATIONS;
}

uint64_t work_link(void) {
    return send_around(1);
}

uint64_t work_link16(void) {
    return send_around(16);
}
