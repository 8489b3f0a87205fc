/* SPDX-License-Identifier: MIT */
#include "fanout.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"

/* Base path + path + ?channel=, the name escaped. Given. */
static char *make_path(const tw__bench_hand *hand, const char *path) {
    const char *base = hand->target->path, *channel = hand->options->channel;
    size_t base_len = strcspn(base, "?");
    size_t size = base_len + strlen(path) + 16 +
                  (channel != NULL ? 3 * strlen(channel) : 0);
    char *out = tw__bench_alloc(size, 1);
    while (base_len > 0 && base[base_len - 1] == '/') {
        base_len--;
    }
    int at = snprintf(out, size, "%.*s%s", (int)base_len, base, path);
    if (channel == NULL) {
        return out;
    }
    at += snprintf(out + at, size - (size_t)at,
                   "%cchannel=", strchr(path, '?') != NULL ? '&' : '?');
    for (; *channel != 0; channel++) {
        unsigned char c = (unsigned char)*channel;
        at += snprintf(out + at, size - (size_t)at,
                       isalnum(c) || strchr("-._~", c) ? "%c" : "%%%02X", c);
    }
    return out;
}

static void *create(tw__bench_hand *hand) {
    tw__bench_fan *fan = tw__bench_alloc(1, sizeof *fan);
    const tw__bench_options *options = hand->options;
    uint64_t readers = options->connections - options->slow;
    fan->hand = hand;
    fan->tick_fd = -1;
    fan->publishers_len = (uint32_t)options->publishers;
    fan->payloads = tw__bench_payloads_create(
        (size_t)options->size, hand->board->run, TW__BENCH_ALIKE);
    fan->sub_path = make_path(hand, options->sub_path);
    fan->pub_path = make_path(hand, options->pub_path);
    fan->gates = tw__bench_alloc(fan->publishers_len, sizeof *fan->gates);
    fan->tops = tw__bench_alloc(fan->publishers_len, sizeof *fan->tops);
    if (hand->index == 0 && tw__bench_publishers_init(fan) < 0) {
        tw__bench_hand_failed(hand, "no timer could be made");
    }
    tw__bench_crowd_init(&fan->readers, fan, readers, 0, false);
    tw__bench_crowd_init(&fan->slow, fan, options->slow, readers, true);
    return fan;
}

static void on_phase(void *self) {
    tw__bench_fan *fan = self;
    if (fan->hand->phase == TW__BENCH_DRAINING) {
        tw__bench_crowd_wake(&fan->slow);
    }
}

static void open_more(tw__bench_fan *fan) {
    tw__bench_hand *hand = fan->hand;
    uint32_t ramp = atomic_load(&hand->board->ramp);
    uint32_t concurrency = (uint32_t)hand->options->concurrency;
    tw__bench_group_pump(&fan->readers.group, ramp, concurrency);
    tw__bench_group_pump(&fan->slow.group, ramp, concurrency);
    if (hand->index == 0) {
        tw__bench_group_pump(&fan->publisher_group, ramp, concurrency);
    }
}

static void on_turn(void *self) {
    tw__bench_fan *fan = self;
    if (fan->hand->phase == TW__BENCH_OPENING) {
        open_more(fan);
    }
    if (fan->hand->index == 0) {
        tw__bench_publishers_turn(fan);
    }
}

static void on_tick(void *self) {
    tw__bench_fan *fan = self;
    tw__bench_crowd_tick(&fan->slow);
    if (fan->hand->phase == TW__BENCH_DRAINING) {
        atomic_store(&fan->hand->place->is_settled,
                     tw__bench_crowd_is_settled(&fan->readers) &&
                         tw__bench_crowd_is_settled(&fan->slow) &&
                         (fan->hand->index != 0 ||
                          tw__bench_publishers_are_settled(fan)));
    }
}

static void destroy(void *self) {
    tw__bench_fan *fan = self;
    tw__bench_crowd_deinit(&fan->readers);
    tw__bench_crowd_deinit(&fan->slow);
    if (fan->hand->index == 0) {
        tw__bench_publishers_deinit(fan);
    }
    tw__bench_payloads_destroy(fan->payloads);
    free(fan->sub_path);
    free(fan->pub_path);
    free(fan->gates);
    free(fan->tops);
    free(fan);
}

const tw__bench_mode tw__bench_fanout = {create, on_phase, on_turn, on_tick,
                                         destroy};
