/* Opens connections and holds them: pings are answered, whatever the server
 * says is counted and thrown away.
 *
 * SPDX-License-Identifier: MIT */
#include "hand.h"
#include "memory.h"

typedef struct idle {
    tw__bench_hand *hand;
    tw__bench_group group;
} idle;

static void on_open(tw__bench_conn *conn) {
    tw__bench_hand_opened(((idle *)conn->group->arg)->hand);
}

static void on_message(tw__bench_conn *conn, int opcode, const uint8_t *data,
                       size_t len, uint64_t now) {
    (void)opcode;
    (void)data;
    (void)len;
    (void)now;
    ((idle *)conn->group->arg)->hand->messages++;
}

static void on_close(tw__bench_conn *conn, uint16_t code) {
    tw__bench_findings *findings = ((idle *)conn->group->arg)->hand->findings;
    findings->disconnects++;
    tw__bench_endings_add(findings->endings, code, 1);
}

static void on_fail(tw__bench_conn *conn, const char *why) {
    tw__bench_hand_failed(((idle *)conn->group->arg)->hand, why);
}

static const tw__bench_events events = {on_open, on_message, on_close, on_fail};

static void *create(tw__bench_hand *hand) {
    idle *self = tw__bench_alloc(1, sizeof *self);
    uint32_t first;
    uint32_t len =
        tw__bench_hand_share(hand, hand->options->connections, &first);
    self->hand = hand;
    tw__bench_hand_group(hand, &self->group, len, first, hand->target->path,
                         &events, self);
    return self;
}

static void on_phase(void *arg) {
    idle *self = arg;
    if (self->hand->phase == TW__BENCH_DRAINING) {
        atomic_store(&self->hand->place->is_settled, true);
    }
}

static void on_turn(void *arg) {
    idle *self = arg;
    tw__bench_group_pump(&self->group, atomic_load(&self->hand->board->ramp),
                         (uint32_t)self->hand->options->concurrency);
}

static void on_tick(void *arg) {
    (void)arg;
}

static void destroy(void *arg) {
    idle *self = arg;
    tw__bench_group_deinit(&self->group);
    free(self);
}

const tw__bench_mode tw__bench_idle = {create, on_phase, on_turn, on_tick,
                                       destroy};
