/* region.h - the memory that a slot's metrics lie in.
 *
 * One region for each slot, mapped before the first fork, written by the slot's
 * process alone and read by everybody, without a lock. It holds records, one
 * behind the other: a definition says what a metric is, a series belongs to a
 * definition before it. Records are only ever added, and count when `used` has
 * passed them; what changes afterwards are single aligned numbers. So a reader
 * sees whole records, and a replacement of the slot's process finds what there
 * was.
 *
 * A process that went wild may have written anything: readers believe no length
 * in it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_METRIC_REGION_H
#define TW_METRIC_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TW__METRIC_MEMORY = 1 << 20, TW__METRIC_MEMORY_MIN = 1 << 14 };

typedef enum tw__metric_type {
    TW__METRIC_DEF = 1,
    TW__METRIC_SERIES = 2
} tw__metric_type;

typedef struct tw__metric_head {
    uint32_t bytes; /* of the record, a multiple of 8 */
    uint32_t type;
} tw__metric_head;

typedef struct tw__metric_def {
    tw__metric_head head;
    uint32_t generation; /* the latest that has it in this form */
    uint8_t kind, over, labels, bounds;
    uint64_t folded;
    double limits[]; /* as many as `bounds`; then, each with its NUL: the name,
                        the help text, the labels */
} tw__metric_def;

typedef union tw__metric_cell {
    double number;
    uint64_t count;
} tw__metric_cell;

typedef struct tw__metric_series {
    tw__metric_head head;
    uint32_t def;    /* the place of its definition */
    uint32_t len;    /* of the key */
    uint64_t is_set; /* a gauge without a value is not shown */
    /* The number; of a histogram the count of each bucket, then the sum. Then
     * the key: the labels' values, each with its NUL. */
    tw__metric_cell cells[];
} tw__metric_series;

typedef struct tw__metric_region {
    uint64_t used; /* the end of the last record */
    /* records */
} tw__metric_region;

/* Those of all slots. `memory` NULL: there are none. */
typedef struct tw__metric_regions {
    char *memory;
    size_t stride;
    uint32_t count;
} tw__metric_regions;

/* Room of `bytes` (0: TW__METRIC_MEMORY) for each. 0 or TW_ENOMEM. */
int tw__metric_regions_map(tw__metric_regions *regions, uint32_t count,
                           size_t bytes, bool is_shared);
void tw__metric_regions_unmap(tw__metric_regions *regions);

static inline tw__metric_region *
tw__metric_region_at(const tw__metric_regions *regions, uint32_t slot) {
    return (tw__metric_region *)(void *)(regions->memory +
                                         regions->stride * slot);
}

/* ---- reading ------------------------------------------------------------ */

/* The record of a slot at *at (0: the first), whole; *at is its place then, and
 * *next that of the one behind. NULL: there is no more. */
const tw__metric_head *tw__metric_next(const tw__metric_regions *regions,
                                       uint32_t slot, uint32_t *at,
                                       uint32_t *next);

/* The definition at that place, or NULL. */
const tw__metric_def *tw__metric_def_at(const tw__metric_regions *regions,
                                        uint32_t slot, uint32_t place);

size_t tw__metric_cells(const tw__metric_def *def);

const char *tw__metric_name(const tw__metric_def *def);
const char *tw__metric_help(const tw__metric_def *def);
/* The labels, each with its NUL. */
const char *tw__metric_labels(const tw__metric_def *def);

/* One name, and the same kind, labels and so on. */
bool tw__metric_is_like(const tw__metric_def *a, const tw__metric_def *b);

/* Its key, or NULL when it cannot be one of that definition. */
const char *tw__metric_key(const tw__metric_series *series,
                           const tw__metric_def *def);

/* ---- writing ------------------------------------------------------------ */

/* Room for a record of at least `bytes`, zeroed, with its head; NULL: the
 * region is full. */
void *tw__metric_reserve(const tw__metric_regions *regions, uint32_t slot,
                         size_t bytes, tw__metric_type type);
/* Makes it count. Returns its place. */
uint32_t tw__metric_commit(const tw__metric_regions *regions, uint32_t slot,
                           const tw__metric_head *record);

/* The slot's process is gone, or begins: its gauges have no values. */
void tw__metric_clear_gauges(const tw__metric_regions *regions, uint32_t slot);

#endif
