/* SPDX-License-Identifier: MIT */
#include "board.h"

#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

tw__bench_board *tw__bench_board_create(void) {
    tw__bench_board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED) {
        return NULL;
    }
    board->gate = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (board->gate < 0) {
        munmap(board, sizeof *board);
        return NULL;
    }
    return board;
}

void tw__bench_board_destroy(tw__bench_board *board) {
    close(board->gate);
    munmap(board, sizeof *board);
}

void tw__bench_findings_fail(tw__bench_findings *findings, const char *why) {
    findings->failed++;
    if (findings->failure[0] == 0) {
        snprintf(findings->failure, sizeof findings->failure, "%s", why);
    }
}

void tw__bench_findings_offend(tw__bench_findings *findings,
                               const tw__bench_offence *offence) {
    findings->offenders++;
    if (findings->offences_len < TW__BENCH_OFFENCES_MAX) {
        findings->offences[findings->offences_len++] = *offence;
    }
}

static void merge_offences(tw__bench_findings *into,
                           const tw__bench_findings *from) {
    into->offenders += from->offenders;
    for (uint32_t i = 0;
         i < from->offences_len && into->offences_len < TW__BENCH_OFFENCES_MAX;
         i++) {
        into->offences[into->offences_len++] = from->offences[i];
    }
}

void tw__bench_endings_add(tw__bench_ending *endings, uint16_t code,
                           uint64_t count) {
    size_t at = 0;
    while (at < TW__BENCH_CODES_MAX - 1 && endings[at].code != 0 &&
           endings[at].code != code) {
        at++;
    }
    endings[at].code = code;
    endings[at].count += count;
}

static void merge_endings(tw__bench_ending *into,
                          const tw__bench_ending *from) {
    for (int i = 0; i < TW__BENCH_CODES_MAX && from[i].code != 0; i++) {
        tw__bench_endings_add(into, from[i].code, from[i].count);
    }
}

void tw__bench_findings_merge(tw__bench_findings *into,
                              const tw__bench_findings *from) {
    tw__bench_histogram_merge(&into->latency, &from->latency);
    tw__bench_sum_merge(&into->sum, &from->sum);
    tw__bench_sum_merge(&into->slow_sum, &from->slow_sum);
    into->sent += from->sent;
    into->foreign += from->foreign;
    into->disconnects += from->disconnects;
    into->reconnects += from->reconnects;
    into->slow_readers += from->slow_readers;
    into->slow_closed += from->slow_closed;
    into->publisher_breaks += from->publisher_breaks;
    into->stalls += from->stalls;
    into->late_ns =
        into->late_ns > from->late_ns ? into->late_ns : from->late_ns;
    merge_offences(into, from);
    merge_endings(into->endings, from->endings);
    merge_endings(into->slow_endings, from->slow_endings);
    if (from->failed > 0) {
        tw__bench_findings_fail(into, from->failure);
        into->failed += from->failed - 1;
    }
}
