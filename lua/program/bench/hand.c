/* SPDX-License-Identifier: MIT */
#include "hand.h"

#include "memory.h"

/* A server may say more than it was sent, such as a greeting. */
#define MESSAGE_MIN 65536

uint32_t tw__bench_hand_share(const tw__bench_hand *hand, uint64_t total,
                              uint32_t *first) {
    uint64_t from = total * hand->index / hand->count;
    uint64_t to = total * (hand->index + 1) / hand->count;
    *first = (uint32_t)from;
    return (uint32_t)(to - from);
}

void tw__bench_hand_group(tw__bench_hand *hand, tw__bench_group *group,
                          uint32_t len, uint32_t first, const char *path,
                          const tw__bench_events *events, void *arg) {
    *group = (tw__bench_group){.loop = &hand->loop,
                               .target = hand->target,
                               .path = path,
                               .events = events,
                               .arg = arg,
                               .sources = hand->sources,
                               .first_number = first};
    tw__bench_group_init(group, len);
}

void tw__bench_hand_opened(tw__bench_hand *hand) {
    atomic_fetch_add(&hand->place->opened, 1);
}

void tw__bench_hand_failed(tw__bench_hand *hand, const char *why) {
    tw__bench_findings_fail(hand->findings, why);
    atomic_fetch_add(&hand->place->failed, 1);
}

static void show(tw__bench_hand *hand) {
    atomic_store_explicit(&hand->place->messages, hand->messages,
                          memory_order_release);
}

int tw__bench_hand_run(tw__bench_hand *hand, const tw__bench_mode *mode) {
    uint64_t max =
        hand->options->size > MESSAGE_MIN ? hand->options->size : MESSAGE_MIN;
    int rc = tw__bench_loop_init(&hand->loop, (size_t)max);
    if (rc < 0) {
        return rc;
    }
    hand->phase = TW__BENCH_OPENING;
    hand->place = &hand->board->places[hand->index];
    hand->findings = &hand->place->findings;
    void *self = mode->create(hand);
    while (hand->phase != TW__BENCH_ENDED) {
        bool tick = tw__bench_loop_turn(&hand->loop);
        tw__bench_phase phase = tw__bench_board_phase(hand->board);
        if (phase != hand->phase) {
            hand->phase = phase;
            mode->on_phase(self);
        }
        mode->on_turn(self);
        if (tick) {
            mode->on_tick(self);
        }
        show(hand);
    }
    mode->destroy(self);
    tw__bench_loop_deinit(&hand->loop);
    return 0;
}
