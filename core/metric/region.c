/* SPDX-License-Identifier: MIT */
#include "metric/region.h"

#include <string.h>
#include <sys/mman.h>

#include "tidewire/tidewire.h"

enum { PAGE = 4096, ALIGN = 8 };

int tw__metric_regions_map(tw__metric_regions *regions, uint32_t count,
                           size_t bytes, bool is_shared) {
    bytes = bytes != 0 ? bytes : TW__METRIC_MEMORY;
    bytes = bytes < TW__METRIC_MEMORY_MIN ? TW__METRIC_MEMORY_MIN : bytes;
    bytes = bytes > UINT32_MAX - PAGE ? UINT32_MAX - PAGE : bytes;
    size_t stride = (bytes + PAGE - 1) / PAGE * PAGE;
    int sharing = is_shared ? MAP_SHARED : MAP_PRIVATE;
    void *memory = mmap(NULL, stride * count, PROT_READ | PROT_WRITE,
                        sharing | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return TW_ENOMEM;
    }
    *regions = (tw__metric_regions){memory, stride, count};
    for (uint32_t i = 0; i < count; i++) {
        tw__metric_region_at(regions, i)->used = sizeof(tw__metric_region);
    }
    return 0;
}

void tw__metric_regions_unmap(tw__metric_regions *regions) {
    if (regions->memory != NULL) {
        munmap(regions->memory, regions->stride * regions->count);
        regions->memory = NULL;
    }
}

/* ---- reading ------------------------------------------------------------ */

size_t tw__metric_cells(const tw__metric_def *def) {
    return def->kind == TW_METRIC_HISTOGRAM ? (size_t)def->bounds + 2 : 1;
}

static const char *texts_of(const tw__metric_def *def) {
    return (const char *)(def->limits + def->bounds);
}

const char *tw__metric_name(const tw__metric_def *def) {
    return texts_of(def);
}

const char *tw__metric_help(const tw__metric_def *def) {
    const char *name = texts_of(def);
    return name + strlen(name) + 1;
}

const char *tw__metric_labels(const tw__metric_def *def) {
    const char *help = tw__metric_help(def);
    return help + strlen(help) + 1;
}

/* `count` texts with their NULs, in all. */
static bool has_texts(const char *text, size_t room, size_t count) {
    while (count > 0) {
        const char *end = memchr(text, '\0', room);
        if (end == NULL) {
            return false;
        }
        room -= (size_t)(end + 1 - text);
        text = end + 1;
        count--;
    }
    return true;
}

static bool is_whole_def(const tw__metric_def *def) {
    size_t head = sizeof *def;
    if (def->head.bytes < head || def->kind > TW_METRIC_HISTOGRAM ||
        def->over > TW_METRIC_EACH || def->labels > TW_METRIC_LABELS_MAX ||
        def->bounds > TW_METRIC_BOUNDS_MAX) {
        return false;
    }
    head += def->bounds * sizeof *def->limits;
    return def->head.bytes >= head &&
           has_texts(texts_of(def), def->head.bytes - head,
                     (size_t)def->labels + 2);
}

static bool is_whole(const tw__metric_head *record) {
    switch (record->type) {
    case TW__METRIC_DEF:
        return is_whole_def((const void *)record);
    case TW__METRIC_SERIES:
        return record->bytes >= sizeof(tw__metric_series);
    default:
        return false;
    }
}

static uint32_t used_of(const tw__metric_regions *regions, uint32_t slot) {
    uint64_t used = __atomic_load_n(&tw__metric_region_at(regions, slot)->used,
                                    __ATOMIC_ACQUIRE);
    return used <= regions->stride ? (uint32_t)used : 0;
}

const tw__metric_head *tw__metric_next(const tw__metric_regions *regions,
                                       uint32_t slot, uint32_t *at,
                                       uint32_t *next) {
    uint32_t used = used_of(regions, slot);
    uint32_t first = sizeof(tw__metric_region);
    *at = *at < first ? first : *at;
    if (used < sizeof(tw__metric_head) || *at % ALIGN != 0 ||
        *at > used - sizeof(tw__metric_head)) {
        return NULL;
    }
    const char *region = (const char *)tw__metric_region_at(regions, slot);
    const tw__metric_head *record = (const void *)(region + *at);
    if (record->bytes < sizeof *record || record->bytes % ALIGN != 0 ||
        record->bytes > used - *at || !is_whole(record)) {
        return NULL;
    }
    *next = *at + record->bytes;
    return record;
}

const tw__metric_def *tw__metric_def_at(const tw__metric_regions *regions,
                                        uint32_t slot, uint32_t place) {
    uint32_t next;
    const tw__metric_head *record =
        tw__metric_next(regions, slot, &place, &next);
    return record != NULL && record->type == TW__METRIC_DEF
               ? (const void *)record
               : NULL;
}

static bool same_labels(const tw__metric_def *a, const tw__metric_def *b) {
    const char *x = tw__metric_labels(a), *y = tw__metric_labels(b);
    for (unsigned i = 0; i < a->labels; i++) {
        if (strcmp(x, y) != 0) {
            return false;
        }
        x += strlen(x) + 1;
        y += strlen(y) + 1;
    }
    return true;
}

bool tw__metric_is_like(const tw__metric_def *a, const tw__metric_def *b) {
    return a->kind == b->kind && a->over == b->over && a->labels == b->labels &&
           a->bounds == b->bounds &&
           memcmp(a->limits, b->limits, a->bounds * sizeof *a->limits) == 0 &&
           strcmp(tw__metric_name(a), tw__metric_name(b)) == 0 &&
           same_labels(a, b);
}

const char *tw__metric_key(const tw__metric_series *series,
                           const tw__metric_def *def) {
    size_t cells = tw__metric_cells(def);
    size_t head = sizeof *series + cells * sizeof *series->cells;
    const char *key = (const char *)(series->cells + cells);
    return series->head.bytes >= head &&
                   series->len <= series->head.bytes - head &&
                   has_texts(key, series->len, def->labels)
               ? key
               : NULL;
}

/* ---- writing ------------------------------------------------------------ */

void *tw__metric_reserve(const tw__metric_regions *regions, uint32_t slot,
                         size_t bytes, tw__metric_type type) {
    tw__metric_region *region = tw__metric_region_at(regions, slot);
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (region->used > regions->stride ||
        bytes > regions->stride - region->used) {
        return NULL;
    }
    tw__metric_head *record = (void *)((char *)region + region->used);
    memset(record, 0, bytes); /* one that died here before has left something */
    *record = (tw__metric_head){(uint32_t)bytes, type};
    return record;
}

uint32_t tw__metric_commit(const tw__metric_regions *regions, uint32_t slot,
                           const tw__metric_head *record) {
    tw__metric_region *region = tw__metric_region_at(regions, slot);
    uint64_t at = region->used;
    __atomic_store_n(&region->used, at + record->bytes, __ATOMIC_RELEASE);
    return (uint32_t)at;
}

static void clear(const tw__metric_regions *regions, uint32_t slot,
                  tw__metric_series *series) {
    const tw__metric_def *def = tw__metric_def_at(regions, slot, series->def);
    if (def != NULL && def->kind == TW_METRIC_GAUGE) {
        series->is_set = 0;
    }
}

void tw__metric_clear_gauges(const tw__metric_regions *regions, uint32_t slot) {
    uint32_t at = 0, next;
    const tw__metric_head *record;
    while ((record = tw__metric_next(regions, slot, &at, &next)) != NULL) {
        if (record->type == TW__METRIC_SERIES) {
            clear(regions, slot, (void *)(uintptr_t)record);
        }
        at = next;
    }
}
