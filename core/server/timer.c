/* timer.c - one-shot timers for the host. SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "server/server.h"

static void on_due(tw__wheel_entry *entry) {
    tw_timer *timer = TW__CONTAINER(entry, tw_timer, entry);
    tw__list_remove(&timer->node);
    timer->cb(timer, timer->arg);
    tw__free(timer);
}

tw_timer *tw_timer_start(tw_server *server, uint64_t ms,
                         void (*cb)(tw_timer *timer, void *arg), void *arg) {
    tw_timer *timer = tw__calloc(1, sizeof *timer);
    if (timer != NULL) {
        timer->server = server;
        timer->cb = cb;
        timer->arg = arg;
        timer->entry.cb = on_due;
        tw__list_push(&server->timers, &timer->node);
        tw__clockwork_set(&server->edge_clock, &timer->entry, ms);
    }
    return timer;
}

void tw_timer_stop(tw_timer *timer) {
    tw__clockwork_clear(&timer->server->edge_clock, &timer->entry);
    tw__list_remove(&timer->node);
    tw__free(timer);
}
