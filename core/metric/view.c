/* view.c - the series of all slots put together.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "metric/text.h"
#include "tidewire/tidewire.h"

/* ---- which form of a metric --------------------------------------------- */

static tw__metric_group *find_group(const tw__metric_view *view,
                                    const tw__metric_def *def) {
    const char *name = tw__metric_name(def);
    return tw__map_find(&view->by_name, name, strlen(name));
}

static int add_group(tw__metric_view *view, const tw__metric_def *def) {
    const char *name = tw__metric_name(def);
    tw__metric_group *group = find_group(view, def);
    if (group != NULL) {
        if (def->generation > group->def->generation) {
            group->def = def;
        }
        return 0;
    }
    group = tw__calloc(1, sizeof *group);
    if (group == NULL ||
        tw__map_add(&view->by_name, name, strlen(name), group) != 0) {
        tw__free(group);
        return TW_ENOMEM;
    }
    group->def = def;
    tw__map_init(&group->by_key);
    tw__list_init(&group->sums);
    tw__list_push(&view->groups, &group->node);
    return 0;
}

static int find_defs(tw__metric_view *view, const tw__metric_regions *regions,
                     uint32_t slot) {
    uint32_t at = 0, next;
    const tw__metric_head *record;
    int error = 0;
    while (error == 0 &&
           (record = tw__metric_next(regions, slot, &at, &next)) != NULL) {
        if (record->type == TW__METRIC_DEF) {
            error = add_group(view, (const void *)record);
        }
        at = next;
    }
    return error;
}

/* ---- sums --------------------------------------------------------------- */

static tw__metric_sum *new_sum(tw__metric_group *group, const char *key,
                               size_t len, uint32_t slot) {
    size_t cells = tw__metric_cells(group->def);
    tw__metric_sum *sum =
        tw__calloc(1, sizeof *sum + cells * sizeof *sum->cells);
    if (sum == NULL) {
        return NULL;
    }
    sum->key = key;
    sum->slot = slot;
    if (group->def->over != TW_METRIC_EACH && len > 0 &&
        tw__map_add(&group->by_key, key, len, sum) != 0) {
        tw__free(sum);
        return NULL;
    }
    tw__list_push(&group->sums, &sum->node);
    return sum;
}

static tw__metric_sum *find_sum(const tw__metric_group *group, const char *key,
                                size_t len) {
    if (group->def->over == TW_METRIC_EACH || tw__list_is_empty(&group->sums)) {
        return NULL;
    }
    return len > 0 ? tw__map_find(&group->by_key, key, len)
                   : TW__CONTAINER(group->sums.next, tw__metric_sum, node);
}

static double merge(const tw__metric_def *def, double a, double b) {
    switch (def->over) {
    case TW_METRIC_MAX:
        return a > b ? a : b;
    case TW_METRIC_MIN:
        return a < b ? a : b;
    default:
        return a + b;
    }
}

static void add_cells(tw__metric_sum *sum, const tw__metric_def *def,
                      const tw__metric_cell *cells) {
    size_t last = tw__metric_cells(def) - 1;
    for (size_t i = 0; i < last; i++) {
        sum->cells[i].count += cells[i].count;
    }
    sum->cells[last].number =
        sum->is_set ? merge(def, sum->cells[last].number, cells[last].number)
                    : cells[last].number;
    sum->is_set = true;
}

/* A series that another worker has made is not shown for this one; a count
 * without labels is, from 0 on. */
static bool is_shown(const tw__metric_def *def,
                     const tw__metric_series *series) {
    return series->is_set != 0 ||
           (def->labels == 0 && def->kind != TW_METRIC_GAUGE);
}

static int add_series(tw__metric_group *group, const tw__metric_series *series,
                      uint32_t slot) {
    const tw__metric_def *def = group->def;
    const char *key = tw__metric_key(series, def);
    if (key == NULL || !is_shown(def, series)) {
        return 0;
    }
    tw__metric_sum *sum = find_sum(group, key, series->len);
    if (sum == NULL) {
        sum = new_sum(group, key, series->len, slot);
    }
    if (sum == NULL) {
        return TW_ENOMEM;
    }
    add_cells(sum, def, series->cells);
    return 0;
}

/* NULL: of a form that is not shown. */
static tw__metric_group *group_of(const tw__metric_view *view,
                                  const tw__metric_def *def) {
    tw__metric_group *group = def != NULL ? find_group(view, def) : NULL;
    return group != NULL && tw__metric_is_like(group->def, def) ? group : NULL;
}

static void note_folded(const tw__metric_view *view,
                        const tw__metric_def *def) {
    tw__metric_group *group = find_group(view, def);
    if (group != NULL && def->labels > 0) {
        group->folded += def->folded;
    }
}

/* A series stands behind its definition, and mostly those of one metric stand
 * together. */
static int add_region(const tw__metric_view *view,
                      const tw__metric_regions *regions, uint32_t slot) {
    uint32_t at = 0, next, of = 0;
    tw__metric_group *group = NULL;
    const tw__metric_head *record;
    int error = 0;
    while (error == 0 &&
           (record = tw__metric_next(regions, slot, &at, &next)) != NULL) {
        const tw__metric_series *series = (const void *)record;
        bool is_series = record->type == TW__METRIC_SERIES;
        if (is_series && series->def != of) {
            of = series->def;
            group = group_of(view, tw__metric_def_at(regions, slot, of));
        }
        if (is_series && group != NULL) {
            error = add_series(group, series, slot);
        } else if (!is_series) {
            note_folded(view, (const void *)record);
        }
        at = next;
    }
    return error;
}

/* ---- the view ----------------------------------------------------------- */

int tw__metric_view_init(tw__metric_view *view,
                         const tw__metric_regions *regions) {
    uint32_t count = regions->memory != NULL ? regions->count : 0;
    int error = 0;
    tw__list_init(&view->groups);
    tw__map_init(&view->by_name);
    for (uint32_t i = 0; error == 0 && i < count; i++) {
        error = find_defs(view, regions, i);
    }
    for (uint32_t i = 0; error == 0 && i < count; i++) {
        error = add_region(view, regions, i);
    }
    if (error != 0) {
        tw__metric_view_deinit(view);
    }
    return error;
}

static void free_group(tw__metric_group *group) {
    while (!tw__list_is_empty(&group->sums)) {
        tw__free(
            TW__CONTAINER(tw__list_shift(&group->sums), tw__metric_sum, node));
    }
    tw__map_deinit(&group->by_key);
    tw__free(group);
}

void tw__metric_view_deinit(tw__metric_view *view) {
    while (!tw__list_is_empty(&view->groups)) {
        free_group(TW__CONTAINER(tw__list_shift(&view->groups),
                                 tw__metric_group, node));
    }
    tw__map_deinit(&view->by_name);
}
