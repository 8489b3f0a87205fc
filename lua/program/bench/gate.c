/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "fanout.h"

bool tw__bench_gate_has_people(tw__bench_board *board, uint32_t hands,
                               uint32_t publisher) {
    for (uint32_t i = 0; i < hands; i++) {
        if (atomic_load(&board->places[i].population[publisher]) > 0) {
            return true;
        }
    }
    return false;
}

bool tw__bench_gate_is_open(tw__bench_board *board, uint32_t hands,
                            uint32_t publisher, uint64_t target) {
    for (uint32_t i = 0; i < hands; i++) {
        tw__bench_place *place = &board->places[i];
        if (atomic_load(&place->population[publisher]) > 0 &&
            atomic_load(&place->complete[publisher]) < target) {
            return false;
        }
    }
    return tw__bench_gate_has_people(board, hands, publisher);
}

static void check(tw__bench_fan *fan, uint32_t publisher) {
    tw__bench_hand *hand = fan->hand;
    tw__bench_gate *gate = &fan->gates[publisher];
    if (gate->target == 0 || gate->population == 0 ||
        gate->count < gate->population) {
        return;
    }
    atomic_store(&hand->place->complete[publisher], gate->target);
    /* Hand 0 looks by itself at the end of its turn. Of two hands that become
     * complete at once, at least one sees the other: both store first. */
    if (hand->index != 0 && tw__bench_gate_is_open(hand->board, hand->count,
                                                   publisher, gate->target)) {
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

static void set_population(tw__bench_fan *fan, uint32_t publisher,
                           uint32_t population) {
    fan->gates[publisher].population = population;
    atomic_store(&fan->hand->place->population[publisher], population);
}

void tw__bench_gate_join(tw__bench_fan *fan, uint32_t publisher) {
    set_population(fan, publisher, fan->gates[publisher].population + 1);
}

void tw__bench_gate_leave(tw__bench_fan *fan, uint32_t publisher,
                          const tw__bench_account *account) {
    tw__bench_gate *gate = &fan->gates[publisher];
    if (gate->target > 0 && account->last >= gate->target) {
        gate->count--;
    }
    set_population(fan, publisher, gate->population - 1);
    check(fan, publisher);
}
