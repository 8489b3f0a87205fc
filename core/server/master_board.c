/* SPDX-License-Identifier: MIT */
#include "server/master_board.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "server/hook_stats.h"

/* The board and each slot begin on memory pages of their own: what one
 * process writes all the time shares no cache line with another's. */
enum { STRIDE = 12288 };

_Static_assert(sizeof(tw__board) <= STRIDE, "the board fits its page");
_Static_assert(sizeof(tw__board_slot) <= STRIDE, "a slot fits its page");

static size_t board_size(uint32_t slots) {
    return (size_t)STRIDE * (slots + 1);
}

tw__board *tw__board_create(uint32_t slots) {
    void *memory = mmap(NULL, board_size(slots), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    tw__board *board = memory;
    board->slots = slots;
    return board;
}

void tw__board_destroy(tw__board *board) {
    if (board != NULL) {
        tw__dict_region_destroy(board->dicts);
        tw__metric_regions_unmap(&board->metrics);
        munmap(board, board_size(board->slots));
    }
}

tw__board_slot *tw__board_at(const tw__board *board, uint32_t slot) {
    char *base = (char *)(uintptr_t)board;
    return (tw__board_slot *)(void *)(base + (size_t)STRIDE * (slot + 1));
}

void tw__board_pages(const tw__board *board, tw__page **pages) {
    for (uint32_t i = 0; i < board->slots; i++) {
        pages[i] = &tw__board_at(board, i)->page;
    }
}

size_t tw__board_hook_stats(const tw__board *board, tw_hook_stats *stats) {
    tw__page *pages[TW__SLOTS_MAX];
    tw__board_pages(board, pages);
    return tw__hook_stats_sum(pages, board->slots, stats);
}

void tw__board_clear_slot(const tw__board *board, uint32_t slot) {
    tw__page *page = &tw__board_at(board, slot)->page;
    page->is_ready = 0;
    page->pid = 0;
    for (int i = 0; i < TW_GAUGE_COUNT; i++) {
        page->gauges[i] = 0;
    }
    if (board->metrics.memory != NULL) {
        tw__metric_clear_gauges(&board->metrics, slot);
    }
}

uint64_t tw__board_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
