/* The budget of all histories of a home. SPDX-License-Identifier: MIT */
#include <assert.h>

#include "hub/history_parts.h"

/* How many of those that keep nothing are asked for when nothing else is left:
 * whoever publishes pays for a few. */
enum { LAST_ASKED = 16 };

static tw__history *history_of(tw__list *use) {
    return TW__CONTAINER(use, tw__history, use);
}

void tw__archive_init(tw__archive *archive, size_t budget_bytes,
                      bool (*release)(void *arg, tw__history *history),
                      void *arg) {
    *archive = (tw__archive){
        .budget_bytes = budget_bytes, .release = release, .arg = arg};
    tw__list_init(&archive->_by_use);
    tw__list_init(&archive->_yielded);
    tw__list_init(&archive->_turns);
}

void tw__archive_deinit(tw__archive *archive) {
    assert(archive->_histories == 0 && archive->bytes == 0 &&
           archive->publications == 0);
    (void)archive;
}

void tw__archive_add(tw__archive *archive, tw__history *history) {
    history->archive = archive;
    tw__list_init(&history->use);
    tw__list_init(&history->turn);
    tw__list_push(&archive->_by_use, &history->use);
    tw__list_push(&archive->_turns, &history->turn);
    archive->bytes += tw__block_bytes(sizeof *history);
    archive->_histories++;
}

void tw__archive_remove(tw__history *history) {
    tw__archive *archive = history->archive;
    tw__list_remove(&history->use);
    tw__list_remove(&history->turn);
    archive->bytes -= tw__block_bytes(sizeof *history) + history->charged;
    archive->_histories--;
}

void tw__archive_use(tw__history *history) {
    tw__list_remove(&history->use);
    tw__list_push(&history->archive->_by_use, &history->use);
}

void tw__archive_sweep(tw__archive *archive, uint64_t now_ms, unsigned count) {
    for (uint64_t i = 0; i < count && i < archive->_histories; i++) {
        tw__list *turn = tw__list_shift(&archive->_turns);
        tw__list_push(&archive->_turns, turn);
        tw__history *history = TW__CONTAINER(turn, tw__history, turn);
        tw__ring_expire(history, now_ms);
        tw__retained_expire(history, now_ms);
        tw__ids_expire(history, now_ms);
        tw__ring_fit(history);
        tw__retained_fit(history);
        tw__ids_fit(history);
    }
}

/* ---- over the budget ---- */

static bool is_over(const tw__archive *archive) {
    return archive->bytes > archive->budget_bytes;
}

static bool keeps(const tw__history *history) {
    return history->ring.len > 0 || tw__retained_len(history) > 0;
}

/* Lets it go, or puts it among those that have nothing more to give. */
static bool let_go(tw__archive *archive, tw__history *history) {
    tw__list_remove(&history->use);
    tw__list_push(&archive->_yielded, &history->use);
    return archive->release != NULL && archive->release(archive->arg, history);
}

/* One of those that have yielded may not be needed any more. */
static bool ask_again(tw__archive *archive) {
    return !tw__list_is_empty(&archive->_yielded) &&
           let_go(archive, history_of(archive->_yielded.next));
}

static void yield(tw__archive *archive, tw__history *history) {
    archive->given_up += keeps(history);
    tw__retained_clear(history);
    tw__ring_clear(history);
    (void)let_go(archive, history);
}

/* It has the budget for itself: a log that is larger is kept shorter, rather
 * than emptied again and again. */
static void trim(tw__archive *archive, tw__history *history) {
    bool had = keeps(history);
    while (is_over(archive) && history->ring.len > 0) {
        tw__ring_pop(history);
    }
    while (is_over(archive) && tw__retained_len(history) > 0) {
        tw__retained_pop(history, 0);
    }
    if (had && !keeps(history)) {
        archive->given_up++;
        tw__ring_clear(history);
        tw__retained_clear(history);
    }
}

/* What is left are those that their owner needs and that keep nothing but ids:
 * a retry may double now, but the budget holds. */
static void give_up_ids(tw__archive *archive) {
    for (int i = 0; i < LAST_ASKED && is_over(archive) &&
                    !tw__list_is_empty(&archive->_yielded);
         i++) {
        if (!ask_again(archive)) {
            tw__ids_clear(history_of(archive->_yielded.prev));
        }
    }
}

/* With each that yields one is asked for again. So those that keep nothing do
 * not pile up until they have pushed out the others, and the one that publishes
 * does not ask for all of them at once. */
void tw__archive_fit(tw__archive *archive, tw__history *spared) {
    while (is_over(archive) && archive->_by_use.next != &spared->use) {
        if (!ask_again(archive) || is_over(archive)) {
            yield(archive, history_of(archive->_by_use.next));
        }
    }
    if (is_over(archive)) {
        trim(archive, spared);
        give_up_ids(archive);
    }
}
