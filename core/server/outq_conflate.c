/* Conflation: of each key only the newest waits.
 * SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "server/outq_parts.h"

/* The newest piece of each key, in an open table. Sweeping moves pieces, so it
 * tells them by batch and frame. */
typedef struct newest {
    uint64_t channel;
    uint32_t mask;
    struct newest_row {
        uint64_t key;
        const void *block; /* NULL: free */
        uint32_t frame;
    } rows[];
} newest;

static struct newest_row *find_row(newest *table, uint64_t key) {
    uint32_t at = (uint32_t)key & table->mask;
    while (table->rows[at].block != NULL && table->rows[at].key != key) {
        at = (at + 1) & table->mask;
    }
    return &table->rows[at];
}

static bool is_newest(const tw__piece *piece, void *arg) {
    newest *table = arg;
    if (!tw__piece_is_of(piece, table->channel)) {
        return true;
    }
    const struct newest_row *row = find_row(table, tw__piece_frame(piece)->key);
    return row->block == piece->block && row->frame == piece->frame;
}

static uint32_t count_of(const tw__outq *queue, uint64_t channel) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < queue->count; i++) {
        count += tw__piece_is_of(tw__outq_at(queue, i), channel);
    }
    return count;
}

static newest *make_table(const tw__outq *queue, uint64_t channel) {
    uint32_t cap = 16, frames = count_of(queue, channel);
    while (cap < frames * 2) {
        cap *= 2;
    }
    newest *table = tw__calloc(1, sizeof *table + cap * sizeof table->rows[0]);
    if (table == NULL) {
        return NULL;
    }
    table->channel = channel;
    table->mask = cap - 1;
    for (uint32_t i = 0; i < queue->count; i++) {
        const tw__piece *piece = tw__outq_at(queue, i);
        if (tw__piece_is_of(piece, channel)) {
            uint64_t key = tw__piece_frame(piece)->key;
            *find_row(table, key) =
                (struct newest_row){key, piece->block, piece->frame};
        }
    }
    return table;
}

/* Looking costs as much as there is, so it is not done again before a quarter
 * has come anew. As long as the newest of all keys fill at most a third of a
 * queue, one that must stay is never dropped for want of a look. */
static bool is_worth_a_look(const tw__outq *queue, uint64_t channel) {
    return queue->conflated != channel ||
           queue->fresh_frames > queue->left_frames / 4 ||
           queue->fresh_bytes > queue->left_bytes / 4;
}

static void note_look(tw__outq *queue, uint64_t channel) {
    queue->conflated = channel;
    queue->left_frames = queue->fresh_frames = 0;
    queue->left_bytes = queue->fresh_bytes = 0;
    for (uint32_t i = 0; i < queue->count; i++) {
        if (tw__piece_is_of(tw__outq_at(queue, i), channel)) {
            queue->left_frames++;
            queue->left_bytes += tw__outq_at(queue, i)->len;
        }
    }
}

uint32_t tw__outq_conflate(tw__outq *queue, tw__pins *pins, uint64_t channel) {
    if (!is_worth_a_look(queue, channel)) {
        return 0;
    }
    newest *table = make_table(queue, channel);
    uint32_t dropped = 0;
    if (table != NULL) {
        dropped = tw__outq_sweep(queue, pins, TW__CONFLATED, is_newest, table);
        note_look(queue, channel);
    }
    tw__free(table);
    return dropped;
}
