/* Connects and closes, over and over, on a number of connections at a time.
 * The time taken is that from connect to the answer of the handshake; a
 * message is a whole life: connect, handshake, closing handshake, end.
 *
 * SPDX-License-Identifier: MIT */
#include "clock.h"
#include "hand.h"
#include "memory.h"

#define NORMAL 1000
#define RETRY_NS (100 * TW__BENCH_MS)

typedef struct churn {
    tw__bench_hand *hand;
    tw__bench_group group;
} churn;

static void again(churn *c, tw__bench_conn *conn) {
    if (tw__bench_hand_is_busy(c->hand)) {
        tw__bench_conn_open(conn);
    }
}

static void on_open(tw__bench_conn *conn) {
    churn *c = conn->group->arg;
    if (c->hand->phase == TW__BENCH_MEASURING) {
        tw__bench_histogram_add(&c->hand->findings->latency,
                                tw__bench_now() - conn->opened_at);
    }
    tw__bench_conn_close(conn, NORMAL);
}

static void on_message(tw__bench_conn *conn, int opcode, const uint8_t *data,
                       size_t len, uint64_t now) {
    (void)conn;
    (void)opcode;
    (void)data;
    (void)len;
    (void)now;
}

static void on_close(tw__bench_conn *conn, uint16_t code) {
    churn *c = conn->group->arg;
    if (code == NORMAL) {
        c->hand->messages++;
    } else {
        c->hand->findings->disconnects++;
    }
    tw__bench_endings_add(c->hand->findings->endings, code, 1);
    again(c, conn);
}

static void on_fail(tw__bench_conn *conn, const char *why) {
    churn *c = conn->group->arg;
    tw__bench_hand_failed(c->hand, why);
    if (tw__bench_hand_is_busy(c->hand)) {
        tw__bench_conn_open_at(conn, c->hand->loop.now + RETRY_NS);
    }
}

static const tw__bench_events events = {on_open, on_message, on_close, on_fail};

static void *create(tw__bench_hand *hand) {
    churn *c = tw__bench_alloc(1, sizeof *c);
    uint32_t first;
    uint32_t len =
        tw__bench_hand_share(hand, hand->options->connections, &first);
    c->hand = hand;
    tw__bench_hand_group(hand, &c->group, len, first, hand->target->path,
                         &events, c);
    return c;
}

static void on_phase(void *self) {
    churn *c = self;
    for (uint32_t i = 0;
         c->hand->phase == TW__BENCH_WARMING && i < c->group.len; i++) {
        tw__bench_conn_open(&c->group.conns[i]);
    }
}

static void on_turn(void *self) {
    (void)self;
}

static void on_tick(void *self) {
    churn *c = self;
    bool is_settled = c->hand->phase == TW__BENCH_DRAINING;
    for (uint32_t i = 0; is_settled && i < c->group.len; i++) {
        is_settled = c->group.conns[i].fd < 0;
    }
    atomic_store(&c->hand->place->is_settled, is_settled);
}

static void destroy(void *self) {
    churn *c = self;
    tw__bench_group_deinit(&c->group);
    free(c);
}

const tw__bench_mode tw__bench_churn = {create, on_phase, on_turn, on_tick,
                                        destroy};
