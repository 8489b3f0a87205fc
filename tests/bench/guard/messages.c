/* messages.c - messages through a script's hook.
 *
 * Fifty clients send one message, or sixteen in one packet, in each round: the
 * kernel hands all of them to one turn.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>

#include "guard.h"

enum { CLIENTS = 50, BURST_MAX = 16, MESSAGES = 8000, PAYLOAD_MAX = 200 };

static const char plain[] = "0123456789abcdef0123456789abcdef"
                            "0123456789abcdef0123456789abcdef";
/* 130 bytes. */
static const char json[] =
    "{\"type\":\"say\",\"room\":\"lobby\",\"text\":\"hello, world\",\"from\":"
    "{\"id\":\"u-1042\",\"name\":\"Ada\"},\"ids\":[1,2,3],"
    "\"at\":1700000000.25,\"urgent\":true}";

typedef struct burst {
    uint8_t bytes[BURST_MAX * (PAYLOAD_MAX + 8)];
    size_t len;
} burst;

static void make_burst(burst *b, const char *payload, int count) {
    b->len = 0;
    for (int i = 0; i < count; i++) {
        b->len += client_frame(b->bytes + b->len, 1, payload, strlen(payload));
    }
}

/* The second turn is for what hooks leave to be done in the next. */
static void round_of(world *w, const int *fds, const burst *b) {
    for (int i = 0; i < CLIENTS; i++) {
        client_send(fds[i], b->bytes, b->len);
    }
    world_turns(w, 2);
    for (int i = 0; i < CLIENTS; i++) {
        client_drain(fds[i]);
    }
}

static uint64_t send_through(const char *route, const char *payload,
                             int in_flight) {
    static int fds[CLIENTS];
    static burst b;
    world w;
    int rounds = MESSAGES / CLIENTS / in_flight;
    world_open(&w);
    make_burst(&b, payload, in_flight);
    world_join(&w, route, fds, CLIENTS);
    for (int i = 0; i < rounds; i++) {
        round_of(&w, fds, &b);
    }
    guard_begin();
    for (int i = 0; i < rounds; i++) {
        round_of(&w, fds, &b);
    }
    uint64_t sent = (uint64_t)rounds * (uint64_t)(CLIENTS * in_flight);
    guard_check(world_counter(&w, TW_COUNTER_MESSAGES_IN) == 2 * sent &&
                    world_counter(&w, TW_COUNTER_HOOK_CALLS) >= 2 * sent &&
                    world_counter(&w, TW_COUNTER_HOOK_ERRORS) == 0,
                "not all messages went through the hook");
    for (int i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
    world_close(&w);
    return sent;
}

uint64_t work_hook(void) {
    return send_through("hook", plain, 16);
}

uint64_t work_echo(void) {
    return send_through("echo", plain, 1);
}

uint64_t work_echo16(void) {
    return send_through("echo", plain, 16);
}

uint64_t work_data(void) {
    return send_through("data", plain, 16);
}

uint64_t work_state(void) {
    return send_through("state", plain, 16);
}

uint64_t work_publish(void) {
    return send_through("publish", plain, 16);
}

uint64_t work_except(void) {
    return send_through("except", plain, 16);
}

uint64_t work_json(void) {
    return send_through("json", json, 16);
}
