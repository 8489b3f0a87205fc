/* figures.c - what a server shows of itself in its page, and reads of others.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/tls.h"
#include "server/redis.h"
#include "server/server.h"

enum { FIGURES_MS = 100, FIGURES_TURNS = 16 };

/* What this thread has worked, waiting left out. */
static uint64_t worked_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void copy_bus(tw_server *server) {
    const tw__bus_stats *bus = tw__bus_get_stats(server->bus);
    volatile uint64_t *counters = server->page->counters;
    struct {
        tw_counter counter;
        uint64_t value;
    } rows[] = {
        {TW_COUNTER_PUBLISH_LOST, bus->publications_lost},
        {TW_COUNTER_SEQUENCED, bus->sequenced},
        {TW_COUNTER_LINK_DROPPED, bus->deliveries_dropped},
        {TW_COUNTER_GAPS, bus->gaps_received},
        {TW_COUNTER_GAP_LOST, bus->gap_publications},
        {TW_COUNTER_LINK_RECORDS_OUT, bus->link_records_sent},
        {TW_COUNTER_LINK_RECORDS_IN, bus->link_records_received},
        {TW_COUNTER_LINK_BYTES_OUT, bus->link_bytes_sent},
        {TW_COUNTER_LINK_BYTES_IN, bus->link_bytes_received},
        {TW_COUNTER_LINK_RESETS, bus->link_resets + bus->link_protocol_errors},
        {TW_COUNTER_PUBLISH_DOUBLED, bus->publications_doubled},
        {TW_COUNTER_HISTORY_GIVEN_UP, bus->histories_given_up},
        {TW_COUNTER_ACTS_LOST, bus->acts_lost},
    };
    /* The page goes on counting where the slot's former worker stopped. */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        counters[rows[i].counter] += rows[i].value - server->bus_seen[i];
        server->bus_seen[i] = rows[i].value;
    }
    server->page->gauges[TW_GAUGE_HOME_CHANNELS] = bus->home_channels;
    server->page->gauges[TW_GAUGE_LINK_QUEUED_BYTES] = bus->queued_bytes;
    server->page->gauges[TW_GAUGE_HISTORIES] = bus->histories;
    server->page->gauges[TW_GAUGE_HISTORY_PUBLICATIONS] =
        bus->history_publications;
    server->page->gauges[TW_GAUGE_HISTORY_BYTES] = bus->history_bytes;
    server->page->gauges[TW_GAUGE_USERS] = bus->users;
    server->page->gauges[TW_GAUGE_USER_CONNECTIONS] = bus->user_connections;
    server->page->gauges[TW_GAUGE_PRESENCE_MEMBERS] = bus->persons;
}

static void copy_gauges(tw_server *server) {
    volatile uint64_t *gauges = server->page->gauges;
    gauges[TW_GAUGE_CHANNELS] = tw__map_len(&server->hub.channels);
    gauges[TW_GAUGE_QUEUED] =
        server->pins.frames + server->hub.pending_deliveries;
    gauges[TW_GAUGE_PINNED_BYTES] = server->pins.bytes;
    tw__server_note_redis(server);
    tw__http_figures http = tw__http_client_figures(server->http);
    gauges[TW_GAUGE_HTTP_OUT_ACTIVE] = http.active;
    gauges[TW_GAUGE_HTTP_OUT_WAITING] = http.waiting;
    gauges[TW_GAUGE_HTTP_OUT_BREAKERS] = http.open_breakers;
    if (server->tls != NULL) {
        gauges[TW_GAUGE_TLS_MEMORY] = tw__tls_memory();
    }
}

static void on_figures_due(tw__wheel_entry *entry) {
    tw_server *server = TW__CONTAINER(entry, tw_server, figures_timer);
    server->figures_due = true;
}

/* Turns come by the ten thousand a second: the figures that cost something are
 * shown now and then, and once more when it has become quiet. */
static void show_figures(tw_server *server) {
    /* In simulated time a deadline costs more than the figures. */
    bool is_due = server->figures_due || server->lab != NULL ||
                  server->page->turns % FIGURES_TURNS == 0;
    copy_gauges(server);
    if (is_due) {
        server->figures_due = false;
        tw__clockwork_clear(&server->link_clock, &server->figures_timer);
        copy_bus(server);
    } else if (!tw__wheel_is_set(&server->figures_timer)) {
        server->figures_timer.cb = on_figures_due;
        tw__clockwork_set(&server->link_clock, &server->figures_timer,
                          FIGURES_MS);
    }
}

/* A turn's time is what was worked from the end of one to the end of the next:
 * callbacks of events and timers, then the hooks of the end. */
void tw__server_note_turn(tw__loop *loop, void *arg) {
    tw_server *server = arg;
    (void)loop;
    server->page->turns++;
    if (server->lab != NULL) {
        show_figures(server); /* what a turn takes there is of no interest */
        return;
    }
    uint64_t end = worked_us();
    /* Less than before: a host runs the loop on another thread than it did. */
    tw__durations_note(&server->page->turn_times,
                       end > server->worked_us ? end - server->worked_us : 0);
    server->worked_us = end;
    show_figures(server);
}

void tw__server_begin_turns(tw_server *server) {
    server->worked_us = worked_us();
}

int tw_server_stats(tw_server *server, uint32_t slot, tw_slot_stats *stats) {
    if (slot >= server->slots) {
        return TW_ENOT_FOUND;
    }
    if (slot == server->slot) {
        copy_bus(server);
        copy_gauges(server);
    }
    const tw__page *page = server->pages[slot];
    memset(stats, 0, sizeof *stats);
    for (int i = 0; i < TW_COUNTER_COUNT; i++) {
        stats->counters[i] = page->counters[i];
    }
    for (int i = 0; i < TW_GAUGE_COUNT; i++) {
        stats->gauges[i] = page->gauges[i];
    }
    stats->slot = slot;
    stats->incarnation = page->incarnation;
    stats->generation = page->generation;
    stats->pid = page->pid;
    if (page->pid != 0) {
        stats->uptime_ms = tw__now(server) - page->started_ms;
        tw__page_read_process(page->pid, &stats->cpu_ms, &stats->memory_bytes);
    }
    return 0;
}

void tw_server_count(tw_server *server, tw_counter counter, uint64_t n) {
    tw__count(server, counter, n);
}

volatile uint64_t *tw_server_counter(tw_server *server, tw_counter counter) {
    return &server->page->counters[counter];
}

void tw_server_gauge(tw_server *server, tw_gauge gauge, uint64_t value) {
    server->page->gauges[gauge] = value;
}
