/* SPDX-License-Identifier: MIT */
#include "server/hook_stats.h"

#include <stdlib.h>
#include <string.h>

#include "base/ticks.h"
#include "server/server.h"

/* ---- writing ------------------------------------------------------------ */

/* A reader passes over a set without a generation. */
static void begin_set(tw__hook_set *set, uint32_t generation) {
    __atomic_store_n(&set->generation, 0, __ATOMIC_SEQ_CST);
    memset(set->rows, 0, sizeof set->rows);
    set->tick_seconds = tw__ticks_seconds();
    __atomic_store_n(&set->generation, generation, __ATOMIC_RELEASE);
}

/* The set of that generation; a newer one takes the place of the older. */
static tw__hook_set *find_set(tw__page *page, uint32_t generation) {
    tw__hook_set *a = &page->hooks[0], *b = &page->hooks[1];
    if (a->generation == generation || b->generation == generation) {
        return a->generation == generation ? a : b;
    }
    tw__hook_set *older = a->generation < b->generation ? a : b;
    if (generation < older->generation) {
        return NULL;
    }
    begin_set(older, generation);
    return older;
}

/* The first byte comes last: it says that there is a name. */
static void name_row(tw_hook_row *row, const char *name, size_t len) {
    memcpy(row->name + 1, name + 1, len - 1);
    __atomic_store_n(&row->name[0], name[0], __ATOMIC_RELEASE);
}

tw_hook_row *tw__hook_stats_row(tw__page *page, const char *name,
                                uint32_t generation) {
    size_t len = strlen(name);
    tw__hook_set *set = NULL;
    if (generation > 0 && len > 0 && len <= TW_HOOK_NAME_MAX) {
        set = find_set(page, generation);
    }
    for (size_t i = 0; set != NULL && i < TW_HOOK_ROWS; i++) {
        tw_hook_row *row = &set->rows[i];
        if (row->name[0] == '\0') {
            name_row(row, name, len);
        }
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

tw_hook_row *tw_server_hook_row(tw_server *server, const char *name,
                                uint32_t generation) {
    return tw__hook_stats_row(server->page, name, generation);
}

/* ---- reading ------------------------------------------------------------ */

typedef struct sum {
    tw_hook_stats *stats;
    size_t count;
    uint32_t newest, before;
} sum;

static void note_generation(sum *s, uint32_t generation) {
    if (generation > s->newest) {
        s->before = s->newest;
        s->newest = generation;
    } else if (generation < s->newest && generation > s->before) {
        s->before = generation;
    }
}

/* NULL: there are as many names as there may be. */
static tw_hook_stats *find_stats(sum *s, const char *name,
                                 uint32_t generation) {
    for (size_t i = 0; i < s->count; i++) {
        if (s->stats[i].generation == generation &&
            strcmp(s->stats[i].name, name) == 0) {
            return &s->stats[i];
        }
    }
    if (s->count == TW_HOOK_STATS_MAX) {
        return NULL;
    }
    tw_hook_stats *stats = &s->stats[s->count++];
    memset(stats, 0, sizeof *stats);
    memcpy(stats->name, name, strlen(name) + 1);
    stats->generation = generation;
    return stats;
}

static void add_row(sum *s, const tw__hook_set *set, uint32_t generation,
                    const tw_hook_row *row) {
    tw_hook_row copy;
    double tick = set->tick_seconds;
    memcpy(&copy, (const void *)row, sizeof copy);
    copy.name[TW_HOOK_NAME_MAX] = '\0';
    /* It may have been given to another generation meanwhile. */
    if (copy.name[0] == '\0' ||
        __atomic_load_n(&set->generation, __ATOMIC_SEQ_CST) != generation) {
        return;
    }
    tw_hook_stats *stats = find_stats(s, copy.name, generation);
    if (stats == NULL) {
        return;
    }
    double slowest = (double)copy.slowest_ticks * tick;
    stats->calls += copy.calls;
    stats->errors += copy.errors;
    stats->cpu_seconds += (double)copy.busy_ticks * tick;
    stats->waiting_seconds += (double)copy.waiting_ticks * tick;
    if (slowest > stats->slowest_seconds) {
        stats->slowest_seconds = slowest;
    }
}

static void add_set(sum *s, const tw__hook_set *set) {
    uint32_t generation = __atomic_load_n(&set->generation, __ATOMIC_ACQUIRE);
    if (generation == 0 ||
        (generation != s->newest && generation != s->before)) {
        return;
    }
    for (size_t i = 0; i < TW_HOOK_ROWS; i++) {
        add_row(s, set, generation, &set->rows[i]);
    }
}

static int compare(const void *a, const void *b) {
    const tw_hook_stats *x = a, *y = b;
    if (x->generation != y->generation) {
        return x->generation > y->generation ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

size_t tw__hook_stats_sum(tw__page *const *pages, uint32_t slots,
                          tw_hook_stats *stats) {
    sum s = {.stats = stats};
    for (uint32_t i = 0; i < slots; i++) {
        note_generation(&s, pages[i]->hooks[0].generation);
        note_generation(&s, pages[i]->hooks[1].generation);
    }
    for (uint32_t i = 0; i < slots; i++) {
        add_set(&s, &pages[i]->hooks[0]);
        add_set(&s, &pages[i]->hooks[1]);
    }
    qsort(stats, s.count, sizeof *stats, compare);
    return s.count;
}

size_t tw_server_hook_stats(tw_server *server, tw_hook_stats *stats) {
    return tw__hook_stats_sum(server->pages, server->slots, stats);
}
