/* SPDX-License-Identifier: MIT */
#include "server/admin_canary.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

enum { NAME_BYTES = 24 };

typedef struct canary_bird {
    char channel[NAME_BYTES]; /* its home is the slot of the same number */
    size_t len;
    uint64_t heard_ms; /* 0: never */
} canary_bird;

struct tw__canary {
    tw__bus *bus;
    tw__loop *loop;
    tw__clockwork *clockwork;
    tw__wheel_entry flight;
    uint32_t slots;
    canary_bird birds[];
};

static void send_off(tw__canary *canary, const canary_bird *bird) {
    tw__broker *broker = tw__bus_broker(canary->bus);
    tw__pub *pub = tw__pub_create(bird->channel, bird->len, "", 0, "", 0);
    if (pub != NULL) {
        broker->ops->publish(broker, pub); /* silence tells of a failure */
    }
}

static void on_flight(tw__wheel_entry *entry) {
    tw__canary *canary = TW__CONTAINER(entry, tw__canary, flight);
    for (uint32_t slot = 0; slot < canary->slots; slot++) {
        send_off(canary, &canary->birds[slot]);
    }
    tw__clockwork_set(canary->clockwork, entry, TW__CANARY_EACH_MS);
}

static void on_publication(void *arg, tw__pub *pub) {
    tw__canary *canary = arg;
    uint32_t slot = tw__bus_home(tw__pub_channel(pub), pub->channel_len,
                                 (uint16_t)canary->slots);
    canary->birds[slot].heard_ms = tw__loop_now(canary->loop);
    tw__pub_unref(pub);
}

static void on_gap(void *arg, const char *channel, size_t len, uint64_t lost) {
    (void)arg;
    (void)channel;
    (void)len;
    (void)lost;
}

static void on_lost(void *arg, const tw__pub *pub, int error) {
    (void)arg;
    (void)pub;
    (void)error;
}

/* The home has the interest: the first flight need not wait for the clock. */
static void on_interest(int status, const tw__position *position, void *arg) {
    tw__canary *canary = arg;
    (void)position;
    if (status == 0) {
        tw__clockwork_set(canary->clockwork, &canary->flight, 0);
    }
}

/* Tries names until each slot is home of one: a few per slot. */
static void name_birds(tw__canary *canary) {
    uint32_t named = 0;
    for (unsigned i = 0; named < canary->slots; i++) {
        char name[NAME_BYTES];
        size_t len = (size_t)snprintf(name, sizeof name, "\1canary:%u", i);
        canary_bird *bird =
            &canary->birds[tw__bus_home(name, len, (uint16_t)canary->slots)];
        if (bird->len == 0) {
            memcpy(bird->channel, name, len + 1);
            bird->len = len;
            named++;
        }
    }
}

static int ask_for_all(tw__canary *canary) {
    tw__broker *broker = tw__bus_broker(canary->bus);
    int error = 0;
    for (uint32_t slot = 0; error == 0 && slot < canary->slots; slot++) {
        canary_bird *bird = &canary->birds[slot];
        error = broker->ops->interest(broker, bird->channel, bird->len,
                                      on_interest, canary);
    }
    return error;
}

static int join(tw__canary *canary, tw__job *job, tw__poller *poller,
                const tw__log *log) {
    tw__bus_config config = {
        .loop = canary->loop,
        .poller = poller,
        .clockwork = canary->clockwork,
        .log = log,
        .dir = job->dir,
        .listen_fd = job->bus_fd,
        .slot = (uint16_t)job->slot,
        .slots = (uint16_t)job->slots,
        .incarnation = job->incarnation,
        .events = {.on_publication = on_publication,
                   .on_gap = on_gap,
                   .on_lost = on_lost,
                   .arg = canary}};
    job->bus_fd = -1;
    return tw__bus_create(&canary->bus, &config);
}

int tw__canary_create(tw__canary **out, tw__job *job, tw__loop *loop,
                      tw__poller *poller, tw__clockwork *clockwork,
                      const tw__log *log) {
    tw__canary *canary =
        tw__calloc(1, sizeof *canary + job->slots * sizeof *canary->birds);
    if (canary == NULL) {
        return TW_ENOMEM;
    }
    canary->loop = loop;
    canary->clockwork = clockwork;
    canary->slots = job->slots;
    canary->flight.cb = on_flight;
    name_birds(canary);
    int error = join(canary, job, poller, log);
    if (error == 0) {
        error = ask_for_all(canary);
    }
    if (error != 0) {
        tw__canary_destroy(canary);
        return error;
    }
    tw__clockwork_set(clockwork, &canary->flight, TW__CANARY_EACH_MS);
    *out = canary;
    return 0;
}

void tw__canary_destroy(tw__canary *canary) {
    if (canary != NULL) {
        tw__bus_destroy(canary->bus); /* calls back once more */
        tw__clockwork_clear(canary->clockwork, &canary->flight);
        tw__free(canary);
    }
}

uint32_t tw__canary_returned(const tw__canary *canary) {
    uint64_t now_ms = tw__loop_now(canary->loop);
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < canary->slots; slot++) {
        const canary_bird *bird = &canary->birds[slot];
        count += bird->heard_ms != 0 &&
                 now_ms - bird->heard_ms <= TW__CANARY_LATE_MS;
    }
    return count;
}
