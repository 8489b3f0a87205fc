/* fate.h - what became of deliveries, counted per channel class.
 *
 * A delivery is a publication meant for one subscriber present. Each ends in
 * one of the fates, or is still on its way: intended = delivered + conflated +
 * dropped + expired + closed + queued now A class has a row; row 0 is that of
 * channels without a class and of classes beyond the table's size.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HUB_FATE_H
#define TW_HUB_FATE_H

#include <stddef.h>
#include <stdint.h>

enum tw__fate {
    TW__INTENDED,
    TW__DELIVERED, /* taken by the kernel */
    TW__CONFLATED, /* replaced by a newer one of the same key */
    TW__DROPPED,   /* by a slow policy, or without memory */
    TW__EXPIRED,
    TW__CLOSED, /* the subscription or its connection ended */
    TW__FATES
};

enum { TW__FATE_ROWS = 32, TW__FATE_NAME = 64 };

/* Lies in the shared page: counts outlive a worker. */
typedef struct tw__fate_row {
    char class[TW__FATE_NAME]; /* the pattern, cut; "" where unused */
    volatile uint64_t counts[TW__FATES];
} tw__fate_row;

/* NULL rows count nothing. */
static inline void tw__fate_count(tw__fate_row *rows, uint8_t row,
                                  enum tw__fate fate, uint64_t n) {
    if (rows != NULL) {
        rows[row].counts[fate] += n;
    }
}

/* The row of a class, taken when there is none yet; 0 when all are taken. */
uint8_t tw__fate_row_of(tw__fate_row *rows, const char *pattern);

#endif
