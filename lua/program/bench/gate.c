/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "fanout.h"

bool tw__bench_gate_is_open(tw__bench_board *board, uint32_t hands,
                            uint32_t publisher, uint64_t target) {
    bool is_anybody_there = false;
    for (uint32_t i = 0; i < hands; i++) {
        tw__bench_place *place = &board->places[i];
        if (atomic_load(&place->population) > 0) {
            is_anybody_there = true;
            if (atomic_load(&place->complete[publisher]) < target) {
                return false;
            }
        }
    }
    return is_anybody_there;
}

static void check(tw__bench_fan *fan, uint32_t publisher) {
    tw__bench_hand *hand = fan->hand;
    tw__bench_gate *gate = &fan->gates[publisher];
    if (gate->target == 0 || fan->population == 0 ||
        gate->count < fan->population) {
        return;
    }
    atomic_store(&hand->place->complete[publisher], gate->target);
    /* Hand 0 looks by itself at the end of its turn. Of two hands that become
     * complete at once, at least one sees the other: both store first. */
    if (hand->index != 0 &&
        tw__bench_gate_is_open(hand->board, hand->count, publisher,
                               gate->target)) {
        uint64_t one = 1;
        if (write(hand->board->gate, &one, sizeof one) < 0) {
            return; /* full: it is awake */
        }
    }
}

void tw__bench_gate_advance(tw__bench_fan *fan, uint32_t publisher,
                            uint64_t before, uint64_t after) {
    tw__bench_gate *gate = &fan->gates[publisher];
    if (after > gate->target) {
        /* The first of a new burst: nobody can have its last one yet. */
        gate->target =
            atomic_load(&fan->hand->board->publishers[publisher].sent);
        gate->count = 0;
    }
    if (before < gate->target && after >= gate->target) {
        gate->count++;
        check(fan, publisher);
    }
}

void tw__bench_gate_join(tw__bench_fan *fan) {
    atomic_store(&fan->hand->place->population, ++fan->population);
}

void tw__bench_gate_leave(tw__bench_fan *fan,
                          const tw__bench_account *accounts) {
    atomic_store(&fan->hand->place->population, --fan->population);
    for (uint32_t p = 0; p < fan->publishers_len; p++) {
        tw__bench_gate *gate = &fan->gates[p];
        if (accounts[p].first != 0 && gate->target > 0 &&
            accounts[p].last >= gate->target) {
            gate->count--;
        }
        check(fan, p);
    }
}
