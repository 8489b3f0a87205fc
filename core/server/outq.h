/* outq.h - what a connection still has to write.
 *
 * A ring of pieces in order. A piece is bytes of a reply chunk (replies,
 * control frames, HTTP) or one frame of a batch (a publication). Replies of one
 * turn lie side by side in one chunk, so that they leave as one piece; frames
 * of one batch that lie side by side leave as one, too. A queue exists only
 * while something waits; the server keeps a few for the next who needs one.
 *
 * Pure but for the counters: no descriptor is touched here.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_OUTQ_H
#define TW_SERVER_OUTQ_H

#include <stdbool.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "hub/batch.h"
#include "hub/fate.h"

enum { TW__CHUNK_BYTES = 2048, TW__NO_FRAME = UINT32_MAX };

typedef struct tw__piece {
    void *block; /* tw__buf, or tw__batch when `frame` is not TW__NO_FRAME */
    uint32_t off, len;
    uint32_t frame;
} tw__piece;

typedef struct tw__outq {
    tw__piece *_pieces;
    uint32_t _head, _cap;
    uint32_t count;
    uint32_t begun;  /* bytes of the first piece that are written */
    uint32_t frames; /* pieces that are publications */
    /* Pieces at the front, and how many bytes of them, that stand encrypted in a
     * record which waits for the kernel: they stay as they are. */
    uint32_t sealed;
    uint32_t sealed_bytes;
    /* The channel that was conflated last (0: none), what it was left, and what
     * was appended of it since then. */
    uint64_t conflated;
    uint32_t left_frames, fresh_frames;
    size_t left_bytes, fresh_bytes;
    size_t reply_bytes, frame_bytes; /* not written yet */
    /* Of those, what may wait beyond the budget: what a recovery has brought
     * and is not written yet. */
    size_t allowed_bytes;
    uint64_t progress_ms;            /* when the kernel last took something */
    tw__buf *_chunk; /* empty, for the next replies; NULL: none */
} tw__outq;

/* Shared by all queues of a server. */
typedef struct tw__pins {
    size_t bytes; /* of batches that some queue refers to */
    size_t limit;
    uint64_t frames;    /* publications in all queues */
    tw__fate_row *rows; /* where their ends are counted; may be NULL */
} tw__pins;

tw__outq *tw__outq_create(void); /* NULL without memory */
void tw__outq_destroy(tw__outq *queue, tw__pins *pins);
/* Empties it for another owner. */
void tw__outq_reset(tw__outq *queue, tw__pins *pins);

static inline tw__piece *tw__outq_at(const tw__outq *queue, uint32_t i) {
    return &queue->_pieces[(queue->_head + i) & (queue->_cap - 1)];
}

/* Room for `len` bytes of a reply behind the last piece; they count at once and
 * are to be filled before anything else is done. NULL without memory. */
uint8_t *tw__outq_reserve(tw__outq *queue, size_t len);

/* Gives back the last `len` bytes of the last reservation. */
void tw__outq_trim(tw__outq *queue, size_t len);

/* Appends one frame of a batch, less `skip` bytes that were written already
 * (only into an empty queue). Refers to the batch, or, when too much is pinned,
 * to a copy. 0 or TW_ENOMEM. */
int tw__outq_push_frame(tw__outq *queue, tw__pins *pins, tw__batch *batch,
                        uint32_t frame, uint32_t skip);

/* Whether the ith piece is a publication of which nothing is written or sealed.
 */
bool tw__outq_is_loose(const tw__outq *queue, uint32_t i);

/* Takes a loose piece out, for that reason. */
void tw__outq_remove(tw__outq *queue, tw__pins *pins, uint32_t i,
                     enum tw__fate fate);

/* Removes loose frames of the channel that a newer one of the same key follows.
 * Returns how many; 0 without looking when little has come since it looked
 * last.
 */
uint32_t tw__outq_conflate(tw__outq *queue, tw__pins *pins, uint64_t channel);

/* Removes the oldest loose frame of the channel; false when there is none. */
bool tw__outq_drop_oldest(tw__outq *queue, tw__pins *pins, uint64_t channel);

/* Removes all loose frames (of one channel, 0: of all), whose subscription
 * ended. Returns how many. */
uint32_t tw__outq_drop_frames(tw__outq *queue, tw__pins *pins,
                              uint64_t channel);
/* The same for a slow policy. */
uint32_t tw__outq_give_up(tw__outq *queue, tw__pins *pins, uint64_t channel);

/* The lowest offset of the channel's loose frames; 0: none has one. */
uint64_t tw__outq_first_offset(const tw__outq *queue, uint64_t channel);

/* Removes loose frames whose deadline passed. Returns how many. */
uint32_t tw__outq_expire(tw__outq *queue, tw__pins *pins, uint64_t now_ms);

/* The front as up to `max` vectors; *total is their length. Returns how many.
 */
int tw__outq_gather(const tw__outq *queue, struct iovec *vectors, int max,
                    size_t *total);

/* The first `len` bytes, not 0, cannot be changed until they are consumed. */
void tw__outq_seal(tw__outq *queue, size_t len);

/* The kernel took `len` bytes off the front. Returns the publications that are
 * written completely with them. */
uint32_t tw__outq_consume(tw__outq *queue, tw__pins *pins, size_t len);

#endif
