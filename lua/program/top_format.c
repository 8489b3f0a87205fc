/* SPDX-License-Identifier: MIT */
#include "top_format.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"
#include "table.h"

/* Two answers, and what is between. */
typedef struct span {
    const json_t *before, *now;
    double seconds;
    unsigned listed;
} span;

static double number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static const char *string(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static const json_t *list(const json_t *object, const char *key) {
    return json_object_get(object, key);
}

/* The entry of a list whose slot it is, or NULL. */
static const json_t *of_slot(const json_t *entries, double slot) {
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        if (number(entry, "slot") == slot) {
            return entry;
        }
    }
    return NULL;
}

/* What a counter grew by in a second. */
static double rate(const span *s, const json_t *before, const json_t *now,
                   const char *key) {
    double grown = number(now, key) - number(before, key);
    return grown > 0 && s->seconds > 0 ? grown / s->seconds : 0;
}

/* ---- cells -------------------------------------------------------------- */

static void put_count(char *cell, double n) {
    static const char *const units[] = {"", "k", "M", "G", "T"};
    int unit = 0;
    double shown = n;
    while (shown >= 9999.5 && unit < 4) {
        shown /= 1000;
        unit++;
    }
    snprintf(cell, TWP_CELL,
             unit == 0 && n != (double)(long long)n && n < 100 ? "%.1f%s"
                                                               : "%.0f%s",
             shown, units[unit]);
}

static void put_seconds(char *cell, double seconds) {
    if (seconds <= 0) {
        snprintf(cell, TWP_CELL, "0");
    } else if (seconds < 0.001) {
        snprintf(cell, TWP_CELL, "%.0fus", seconds * 1e6);
    } else if (seconds < 1) {
        snprintf(cell, TWP_CELL, "%.1fms", seconds * 1e3);
    } else {
        snprintf(cell, TWP_CELL, "%.1fs", seconds);
    }
}

/* Names come from clients: a cell is printable ASCII. */
static void put_name(char *cell, const char *text) {
    size_t n = 0;
    for (; *text != '\0' && n < TWP_CELL - 1; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= 0x80 && c < 0xC0) {
            continue; /* the rest of a character */
        }
        cell[n++] = c < 32 || c >= 127 ? '?' : (char)c;
    }
    if (*text != '\0') {
        memcpy(cell + TWP_CELL - 4, "...", 3);
    }
    cell[n] = '\0';
}

/* ---- workers ------------------------------------------------------------ */

/* Turns longer than this are one in a hundred: the bound of a bucket. */
static void put_turn_p99(char *cell, const json_t *before, const json_t *now) {
    const json_t *old = list(before, "turns"), *turns = list(now, "turns");
    double counts[32] = {0}, total = 0;
    size_t size = json_array_size(turns);
    for (size_t i = 0; i < size && i < 32; i++) {
        counts[i] =
            json_number_value(json_array_get(json_array_get(turns, i), 1)) -
            json_number_value(json_array_get(json_array_get(old, i), 1));
        total += counts[i];
    }
    double seen = 0;
    for (size_t i = 0; i < size && i < 32 && total > 0; i++) {
        const json_t *bound = json_array_get(json_array_get(turns, i), 0);
        seen += counts[i];
        if (seen >= total * 0.99) {
            char text[TWP_CELL - 2];
            if (json_is_number(bound)) {
                put_seconds(text, json_number_value(bound) / 1e6);
                snprintf(cell, TWP_CELL, "<%s", text);
            } else {
                snprintf(cell, TWP_CELL, ">1.0s");
            }
            return;
        }
    }
    snprintf(cell, TWP_CELL, "-");
}

static double messages_out(const span *s, const json_t *before,
                           const json_t *now) {
    return rate(s, before, now, "replies_sent") +
           rate(s, before, now, "deliveries");
}

static const char *state_of(const json_t *worker, const json_t *top) {
    if (number(worker, "pid") == 0) {
        return "down";
    }
    if (!json_is_true(json_object_get(worker, "ready"))) {
        return "not ready";
    }
    return json_is_true(json_object_get(top, "answered")) ? "ready" : "busy";
}

static void add_worker(twp_table *table, const span *s, const json_t *worker) {
    double slot = number(worker, "slot");
    const json_t *was = of_slot(list(s->before, "workers"), slot);
    const json_t *old = of_slot(list(s->before, "top"), slot);
    const json_t *top = of_slot(list(s->now, "top"), slot);
    char(*cells)[TWP_CELL] = twp_table_add(table);
    if (cells == NULL) {
        return;
    }
    snprintf(cells[0], TWP_CELL, "%.0f", slot);
    snprintf(cells[1], TWP_CELL, "%s", state_of(worker, top));
    snprintf(cells[2], TWP_CELL, "%.0f%%", 100 * rate(s, was, worker, "cpu_s"));
    put_count(cells[3], number(top, "connections"));
    put_count(cells[4], rate(s, old, top, "messages_received"));
    put_count(cells[5], messages_out(s, old, top));
    twp_format_bytes(cells[6], TWP_CELL, rate(s, old, top, "bytes_received"));
    twp_format_bytes(cells[7], TWP_CELL, rate(s, old, top, "bytes_sent"));
    put_turn_p99(cells[8], old, top);
    twp_format_bytes(cells[9], TWP_CELL, number(top, "queued_bytes"));
    twp_format_bytes(cells[10], TWP_CELL, number(top, "lua_memory_bytes"));
    twp_format_bytes(cells[11], TWP_CELL, number(worker, "memory_bytes"));
}

static void add_workers(twp_text *out, const span *s) {
    static const char *const names[] = {
        "WORKER", "STATE",      "CPU",         "CONNECTIONS", "IN/S",
        "OUT/S",  "BYTES IN/S", "BYTES OUT/S", "TURN P99",    "QUEUED",
        "LUA",    "MEMORY",     NULL};
    const json_t *workers = list(s->now, "workers");
    twp_table table;
    twp_table_init(&table, names);
    for (size_t i = 0; i < json_array_size(workers); i++) {
        add_worker(&table, s, json_array_get(workers, i));
    }
    twp_table_print(&table, out);
    twp_table_deinit(&table);
}

/* ---- the head ----------------------------------------------------------- */

static double sum(const json_t *entries, const char *key) {
    double total = 0;
    for (size_t i = 0; i < json_array_size(entries); i++) {
        total += number(json_array_get(entries, i), key);
    }
    return total;
}

static double sum_rate(const span *s, const char *key) {
    double grown =
        sum(list(s->now, "top"), key) - sum(list(s->before, "top"), key);
    return grown > 0 && s->seconds > 0 ? grown / s->seconds : 0;
}

static void add_total(twp_text *out, const span *s) {
    char cells[7][TWP_CELL];
    const json_t *top = list(s->now, "top");
    put_count(cells[0], sum(top, "connections"));
    put_count(cells[1], sum_rate(s, "messages_received"));
    twp_format_bytes(cells[2], TWP_CELL, sum_rate(s, "bytes_received"));
    put_count(cells[3],
              sum_rate(s, "replies_sent") + sum_rate(s, "deliveries"));
    twp_format_bytes(cells[4], TWP_CELL, sum_rate(s, "bytes_sent"));
    put_count(cells[5], sum_rate(s, "publications"));
    twp_format_bytes(cells[6], TWP_CELL, sum(top, "queued_bytes"));
    twp_text_printf(out,
                    "%s connections, in %s/s %s/s, out %s/s %s/s, "
                    "published %s/s, queued %s\n\n",
                    cells[0], cells[1], cells[2], cells[3], cells[4], cells[5],
                    cells[6]);
}

static void add_head(twp_text *out, const span *s) {
    char uptime[TWP_CELL];
    twp_format_duration(uptime, sizeof uptime, number(s->now, "uptime_s"));
    bool is_draining = json_is_true(json_object_get(s->now, "draining"));
    twp_text_printf(out, "Tidewire %s, %s %s, generation %.0f, over %.1f s\n",
                    string(s->now, "version"),
                    is_draining ? "draining, up" : "up", uptime,
                    number(s->now, "generation"), s->seconds);
    add_total(out, s);
}

/* ---- hooks -------------------------------------------------------------- */

typedef struct hook {
    const json_t *now;
    double cpu, calls, slowest; /* cpu and calls in a second */
} hook;

static const json_t *hook_before(const span *s, const json_t *hook_now) {
    const json_t *hooks = list(s->before, "hooks");
    for (size_t i = 0; i < json_array_size(hooks); i++) {
        const json_t *at = json_array_get(hooks, i);
        if (strcmp(string(at, "name"), string(hook_now, "name")) == 0 &&
            number(at, "generation") == number(hook_now, "generation")) {
            return at;
        }
    }
    return NULL;
}

static int by_cost(const void *a, const void *b) {
    const hook *x = a, *y = b;
    if (x->cpu != y->cpu) {
        return x->cpu < y->cpu ? 1 : -1;
    }
    return (x->slowest < y->slowest) - (x->slowest > y->slowest);
}

static void add_hook(twp_table *table, const hook *h) {
    char(*cells)[TWP_CELL] = twp_table_add(table);
    if (cells == NULL) {
        return;
    }
    double calls = number(h->now, "calls");
    put_name(cells[0], string(h->now, "name"));
    snprintf(cells[1], TWP_CELL, "%.0f", number(h->now, "generation"));
    put_count(cells[2], h->calls);
    put_count(cells[3], calls);
    put_count(cells[4], number(h->now, "errors"));
    snprintf(cells[5], TWP_CELL, "%.1f%%", 100 * h->cpu);
    put_seconds(cells[6],
                calls > 0 ? number(h->now, "cpu_seconds") / calls : 0);
    put_seconds(cells[7], h->slowest);
}

static void add_hooks(twp_text *out, const span *s) {
    static const char *const names[] = {"HOOK",   "GENERATION", "CALLS/S",
                                        "CALLS",  "ERRORS",     "CPU",
                                        "A CALL", "SLOWEST",    NULL};
    const json_t *hooks = list(s->now, "hooks");
    hook all[128];
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(hooks) && count < 128; i++) {
        const json_t *now = json_array_get(hooks, i);
        const json_t *before = hook_before(s, now);
        all[count++] = (hook){now, rate(s, before, now, "cpu_seconds"),
                              rate(s, before, now, "calls"),
                              number(now, "slowest_seconds")};
    }
    qsort(all, count, sizeof *all, by_cost);
    twp_table table;
    twp_table_init(&table, names);
    for (size_t i = 0; i < count && i < s->listed; i++) {
        add_hook(&table, &all[i]);
    }
    if (table.count > 0) {
        twp_text_puts(out, "\n");
        twp_table_print(&table, out);
    }
    twp_table_deinit(&table);
}

/* ---- queues ------------------------------------------------------------- */

typedef struct queue {
    double slot;
    const json_t *conn;
} queue;

static int by_queued(const void *a, const void *b) {
    double x = number(((const queue *)a)->conn, "queued_bytes");
    double y = number(((const queue *)b)->conn, "queued_bytes");
    return (x < y) - (x > y);
}

static void add_queue(twp_table *table, const queue *at) {
    char(*cells)[TWP_CELL] = twp_table_add(table);
    if (cells == NULL) {
        return;
    }
    put_name(cells[0], string(at->conn, "id"));
    snprintf(cells[1], TWP_CELL, "%.0f", at->slot);
    put_name(cells[2], string(at->conn, "user"));
    put_name(cells[3], string(at->conn, "ip"));
    twp_format_bytes(cells[4], TWP_CELL, number(at->conn, "queued_bytes"));
}

static void add_queues(twp_text *out, const span *s) {
    static const char *const names[] = {"FULLEST QUEUE", "WORKER", "USER", "IP",
                                        "QUEUED",        NULL};
    const json_t *top = list(s->now, "top");
    queue *all = NULL;
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(top); i++) {
        const json_t *worker = json_array_get(top, i);
        const json_t *queues = list(worker, "queues");
        for (size_t j = 0; j < json_array_size(queues); j++) {
            all = twp_grow(all, (count + 1) * sizeof *all);
            all[count++] =
                (queue){number(worker, "slot"), json_array_get(queues, j)};
        }
    }
    if (count > 0) {
        qsort(all, count, sizeof *all, by_queued);
    }
    twp_table table;
    twp_table_init(&table, names);
    for (size_t i = 0; i < count && i < s->listed; i++) {
        add_queue(&table, &all[i]);
    }
    if (count > 0) {
        twp_text_puts(out, "\n");
        twp_table_print(&table, out);
    }
    twp_table_deinit(&table);
    free(all);
}

/* ---- channels ----------------------------------------------------------- */

/* Of all workers: each that has subscribers gets every publication. */
typedef struct channel {
    const char *name;
    double subscribers, publications, was;
} channel;

typedef struct channels {
    channel *items;
    size_t count;
} channels;

static channel *find_channel(const channels *all, const char *name) {
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->items[i].name, name) == 0) {
            return &all->items[i];
        }
    }
    return NULL;
}

/* A worker may name a channel in both of its lists. */
static bool is_named_before(const json_t *worker, const char *name) {
    const json_t *crowds = list(worker, "crowds");
    for (size_t i = 0; i < json_array_size(crowds); i++) {
        if (strcmp(string(json_array_get(crowds, i), "name"), name) == 0) {
            return true;
        }
    }
    return false;
}

static void take_channels(channels *all, const json_t *worker,
                          const char *which) {
    const json_t *entries = list(worker, which);
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        const char *name = string(entry, "name");
        if (strcmp(which, "streams") == 0 && is_named_before(worker, name)) {
            continue;
        }
        channel *at = find_channel(all, name);
        if (at == NULL) {
            all->items =
                twp_grow(all->items, (all->count + 1) * sizeof *all->items);
            at = &all->items[all->count++];
            *at = (channel){.name = name, .was = -1};
        }
        double publications = number(entry, "publications");
        at->subscribers += number(entry, "subscribers");
        at->publications =
            publications > at->publications ? publications : at->publications;
    }
}

static void take_all(channels *all, const json_t *answer) {
    const json_t *top = list(answer, "top");
    for (size_t i = 0; i < json_array_size(top); i++) {
        take_channels(all, json_array_get(top, i), "crowds");
        take_channels(all, json_array_get(top, i), "streams");
    }
}

static double growth(const channel *at) {
    return at->was >= 0 && at->publications > at->was
               ? at->publications - at->was
               : 0;
}

static int by_traffic(const void *a, const void *b) {
    const channel *x = a, *y = b;
    double p = growth(x) * (x->subscribers + 1);
    double q = growth(y) * (y->subscribers + 1);
    if (p != q) {
        return p < q ? 1 : -1;
    }
    if (x->subscribers != y->subscribers) {
        return x->subscribers < y->subscribers ? 1 : -1;
    }
    return strcmp(x->name, y->name);
}

static void add_channel(twp_table *table, const span *s, const channel *at) {
    char(*cells)[TWP_CELL] = twp_table_add(table);
    if (cells == NULL) {
        return;
    }
    put_name(cells[0], at->name);
    put_count(cells[1], at->subscribers);
    if (at->was >= 0) {
        put_count(cells[2], s->seconds > 0 ? growth(at) / s->seconds : 0);
    } else {
        snprintf(cells[2], TWP_CELL, "-");
    }
    put_count(cells[3], at->publications);
}

static void add_channels(twp_text *out, const span *s) {
    static const char *const names[] = {"CHANNEL", "SUBSCRIBERS",
                                        "PUBLICATIONS/S", "PUBLICATIONS", NULL};
    channels all = {0}, old = {0};
    take_all(&all, s->now);
    take_all(&old, s->before);
    for (size_t i = 0; i < all.count; i++) {
        const channel *was = find_channel(&old, all.items[i].name);
        all.items[i].was = was != NULL ? was->publications : -1;
    }
    if (all.count > 0) {
        qsort(all.items, all.count, sizeof *all.items, by_traffic);
        twp_table table;
        twp_table_init(&table, names);
        for (size_t i = 0; i < all.count && i < s->listed; i++) {
            add_channel(&table, s, &all.items[i]);
        }
        twp_text_puts(out, "\n");
        twp_table_print(&table, out);
        twp_table_deinit(&table);
    }
    free(all.items);
    free(old.items);
}

void twp_top_format(twp_text *out, const json_t *before, const json_t *now,
                    double seconds, unsigned listed) {
    span s = {before, now, seconds, listed};
    add_head(out, &s);
    add_workers(out, &s);
    add_hooks(out, &s);
    add_queues(out, &s);
    add_channels(out, &s);
}
