/* fanout.c - publications to 1,000 subscribers, by delivery.
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>

#include "guard.h"

enum { SUBSCRIBERS = 1000, ROUNDS = 16 };

static const char payload[] = "0123456789abcdef0123456789abcdef"
                              "0123456789abcdef0123456789abcdef";

static void publish(world *w, int count) {
    tw_str channel = {"room", 4};
    guard_count_on();
    for (int i = 0; i < count; i++) {
        guard_check(
            tw_publish(w->server, channel, payload, strlen(payload), NULL) == 0,
            "a publication was refused");
    }
    guard_count_off();
}

/* The walk may take a second turn. */
static void round_of(world *w, const int *fds, int in_flight) {
    publish(w, in_flight);
    world_turns(w, 2);
    for (int i = 0; i < SUBSCRIBERS; i++) {
        size_t got = client_drain(fds[i]);
        guard_check(got == (size_t)in_flight * (strlen(payload) + 2),
                    "a subscriber did not get all");
    }
}

static uint64_t deliver(int in_flight) {
    static int fds[SUBSCRIBERS];
    world w;
    world_open(&w);
    world_join(&w, "room", fds, SUBSCRIBERS);
    round_of(&w, fds, in_flight);
    guard_begin();
    for (int i = 0; i < ROUNDS; i++) {
        round_of(&w, fds, in_flight);
    }
    for (int i = 0; i < SUBSCRIBERS; i++) {
        close(fds[i]);
    }
    world_close(&w);
    return (uint64_t)ROUNDS * SUBSCRIBERS * (uint64_t)in_flight;
}

uint64_t work_fanout(void) {
    return deliver(1);
}

uint64_t work_fanout16(void) {
    return deliver(16);
}
