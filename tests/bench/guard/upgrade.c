/* upgrade.c - connections that come and go: the way from accept to on_open, and
 * the closing handshake.
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>

#include "guard.h"

enum { BATCH = 50, WARM_UP = 4, ROUNDS = 20, TURNS = 4 };

static void turn(world *w, bool is_counted) {
    if (is_counted) {
        world_turn(w);
    } else {
        guard_pass(1);
        uv_run(&w->loop, UV_RUN_NOWAIT);
    }
}

/* Code 1000, and the server's answer is read: an orderly end. */
static void leave(world *w, const int *fds, bool is_counted) {
    static const uint8_t code[2] = {1000 >> 8, 1000 & 255};
    uint8_t frame[16];
    size_t len = client_frame(frame, 8, code, sizeof code);
    for (int i = 0; i < BATCH; i++) {
        client_send(fds[i], frame, len);
    }
    for (int i = 0; i < TURNS; i++) {
        turn(w, is_counted);
        for (int k = 0; i == 1 && k < BATCH; k++) {
            close(fds[k]);
        }
    }
}

static void come(world *w, int *fds, bool is_counted) {
    for (int i = 0; i < BATCH; i++) {
        fds[i] = world_connect(w);
        world_ask(fds[i], "hook");
    }
    for (int i = 0; i < TURNS; i++) {
        turn(w, is_counted);
    }
    for (int i = 0; i < BATCH; i++) {
        world_welcome(fds[i]);
    }
}

static uint64_t churn(bool is_coming_counted) {
    int fds[BATCH];
    world w;
    world_open(&w);
    for (int i = 0; i < WARM_UP + ROUNDS; i++) {
        if (i == WARM_UP) {
            guard_begin();
        }
        come(&w, fds, is_coming_counted);
        leave(&w, fds, !is_coming_counted);
    }
    uint64_t all = (WARM_UP + ROUNDS) * BATCH;
    guard_check(world_counter(&w, TW_COUNTER_HANDSHAKES) == all &&
                    world_counter(&w, TW_COUNTER_CLOSED) == all,
                "not all connections came and went");
    world_close(&w);
    return (uint64_t)ROUNDS * BATCH;
}

uint64_t work_upgrade(void) {
    return churn(true);
}

uint64_t work_close(void) {
    return churn(false);
}
