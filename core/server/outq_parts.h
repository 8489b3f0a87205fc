/* outq_parts.h - pieces, as the files of the queue see them.
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_OUTQ_PARTS_H
#define TW_SERVER_OUTQ_PARTS_H

#include "server/outq.h"

static inline bool tw__piece_is_frame(const tw__piece *piece) {
    return piece->frame != TW__NO_FRAME;
}

/* Of a frame. */
static inline const tw__frame *tw__piece_frame(const tw__piece *piece) {
    return &((tw__batch *)piece->block)->frames[piece->frame];
}

/* A frame of that channel; 0: of any. */
static inline bool tw__piece_is_of(const tw__piece *piece, uint64_t channel) {
    return tw__piece_is_frame(piece) &&
           (channel == 0 || ((tw__batch *)piece->block)->channel == channel);
}

/* Keeps, in order, the pieces that are not loose and those that `keep` wants;
 * the others go for that reason. Returns how many. */
uint32_t tw__outq_sweep(tw__outq *queue, tw__pins *pins, enum tw__fate fate,
                        bool (*keep)(const tw__piece *piece, void *arg),
                        void *arg);

#endif
