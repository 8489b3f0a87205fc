/* SPDX-License-Identifier: MIT */
#include "server/outq.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "server/outq_parts.h"
#include "tidewire/errors.h"

enum { FIRST_CAP = 8 };

tw__outq *tw__outq_create(void) {
    return tw__calloc(1, sizeof(tw__outq));
}

static void pin(tw__pins *pins, tw__batch *batch) {
    if (batch->pins++ == 0) {
        pins->bytes += batch->len;
    }
    pins->frames++;
    tw__batch_ref(batch);
}

static void unpin(tw__pins *pins, tw__batch *batch, enum tw__fate fate) {
    tw__fate_count(pins->rows, batch->row, fate, 1);
    if (--batch->pins == 0) {
        pins->bytes -= batch->len;
    }
    pins->frames--;
    tw__batch_unref(batch);
}

/* Chunks of replies are referred to by their piece alone, so one that was
 * written can be filled again. */
static void put_chunk(tw__outq *queue, tw__buf *chunk) {
    if (queue->_chunk == NULL && tw__buf_len(chunk) == TW__CHUNK_BYTES) {
        queue->_chunk = chunk;
    } else {
        tw__buf_unref(chunk);
    }
}

static tw__buf *take_chunk(tw__outq *queue, size_t len) {
    tw__buf *chunk = queue->_chunk;
    if (chunk == NULL || len > TW__CHUNK_BYTES) {
        return tw__buf_create(len > TW__CHUNK_BYTES ? len : TW__CHUNK_BYTES);
    }
    queue->_chunk = NULL;
    return chunk;
}

static void release(tw__outq *queue, tw__pins *pins, tw__piece *piece,
                    size_t unwritten, enum tw__fate fate) {
    if (tw__piece_is_frame(piece)) {
        queue->frames--;
        queue->frame_bytes -= unwritten;
        if (queue->allowed_bytes > queue->frame_bytes) {
            queue->allowed_bytes = queue->frame_bytes;
        }
        unpin(pins, piece->block, fate);
    } else {
        queue->reply_bytes -= unwritten;
        put_chunk(queue, piece->block);
    }
}

static void shift(tw__outq *queue) {
    queue->_head = (queue->_head + 1) & (queue->_cap - 1);
    queue->count--;
    queue->begun = 0;
}

void tw__outq_reset(tw__outq *queue, tw__pins *pins) {
    while (queue->count > 0) {
        tw__piece *piece = tw__outq_at(queue, 0);
        release(queue, pins, piece, piece->len - queue->begun, TW__CLOSED);
        shift(queue);
    }
    queue->conflated = 0;
    queue->sealed = queue->sealed_bytes = 0;
    queue->allowed_bytes = 0;
    if (queue->_cap > FIRST_CAP * 8) {
        tw__free(queue->_pieces);
        queue->_pieces = NULL;
        queue->_cap = 0;
    }
}

void tw__outq_destroy(tw__outq *queue, tw__pins *pins) {
    if (queue != NULL) {
        tw__outq_reset(queue, pins);
        tw__buf_unref(queue->_chunk);
        tw__free(queue->_pieces);
        tw__free(queue);
    }
}

static int reserve_piece(tw__outq *queue) {
    if (queue->count < queue->_cap) {
        return 0;
    }
    uint32_t cap = queue->_cap ? queue->_cap * 2 : FIRST_CAP;
    tw__piece *pieces = tw__malloc(cap * sizeof *pieces);
    if (pieces == NULL) {
        return TW_ENOMEM;
    }
    for (uint32_t i = 0; i < queue->count; i++) {
        pieces[i] = *tw__outq_at(queue, i);
    }
    tw__free(queue->_pieces);
    queue->_pieces = pieces;
    queue->_cap = cap;
    queue->_head = 0;
    return 0;
}

static void push(tw__outq *queue, tw__piece piece) {
    queue->count++;
    *tw__outq_at(queue, queue->count - 1) = piece;
}

/* The chunk of the last piece, when that is a reply with room behind it. */
static tw__piece *open_chunk(const tw__outq *queue, size_t len) {
    if (queue->count == 0) {
        return NULL;
    }
    tw__piece *last = tw__outq_at(queue, queue->count - 1);
    bool has_room = !tw__piece_is_frame(last) &&
                    tw__buf_len(last->block) - last->off - last->len >= len;
    return has_room ? last : NULL;
}

uint8_t *tw__outq_reserve(tw__outq *queue, size_t len) {
    tw__piece *last = open_chunk(queue, len);
    if (last == NULL) {
        if (reserve_piece(queue) != 0) {
            return NULL;
        }
        tw__buf *chunk = take_chunk(queue, len);
        if (chunk == NULL) {
            return NULL;
        }
        push(queue, (tw__piece){chunk, 0, 0, TW__NO_FRAME});
        last = tw__outq_at(queue, queue->count - 1);
    }
    uint8_t *place = tw__buf_data(last->block) + last->off + last->len;
    last->len += (uint32_t)len;
    queue->reply_bytes += len;
    return place;
}

void tw__outq_trim(tw__outq *queue, size_t len) {
    tw__piece *last = tw__outq_at(queue, queue->count - 1);
    assert(!tw__piece_is_frame(last) && last->len >= len);
    last->len -= (uint32_t)len;
    queue->reply_bytes -= len;
    if (last->len == 0) {
        put_chunk(queue, last->block);
        queue->count--;
    }
}

int tw__outq_push_frame(tw__outq *queue, tw__pins *pins, tw__batch *batch,
                        uint32_t frame, uint32_t skip) {
    assert(skip == 0 || queue->count == 0);
    if (reserve_piece(queue) != 0) {
        return TW_ENOMEM;
    }
    tw__batch *copy = NULL;
    if (batch->pins == 0 && batch->count > 1 &&
        pins->bytes + batch->len > pins->limit) {
        copy = tw__batch_copy_frame(batch, frame);
        if (copy == NULL) {
            return TW_ENOMEM;
        }
        batch = copy;
        frame = 0;
    }
    pin(pins, batch);
    tw__batch_unref(copy);
    const tw__frame *from = &batch->frames[frame];
    push(queue, (tw__piece){batch, from->off, from->len, frame});
    queue->begun = skip > 0 ? skip : queue->begun;
    queue->frames++;
    queue->frame_bytes += from->len - skip;
    if (batch->channel == queue->conflated) {
        queue->fresh_frames++;
        queue->fresh_bytes += from->len;
    }
    return 0;
}

bool tw__outq_is_loose(const tw__outq *queue, uint32_t i) {
    return tw__piece_is_frame(tw__outq_at(queue, i)) && i >= queue->sealed &&
           (i > 0 || queue->begun == 0);
}

/* Pieces in front of the gap move back by one: what is removed is mostly near
 * the head. */
void tw__outq_remove(tw__outq *queue, tw__pins *pins, uint32_t i,
                     enum tw__fate fate) {
    assert(tw__outq_is_loose(queue, i));
    tw__piece *gone = tw__outq_at(queue, i);
    uint32_t begun = queue->begun;
    release(queue, pins, gone, gone->len, fate);
    for (uint32_t at = i; at > 0; at--) {
        *tw__outq_at(queue, at) = *tw__outq_at(queue, at - 1);
    }
    shift(queue);
    queue->begun = i > 0 ? begun : 0;
}

uint32_t tw__outq_sweep(tw__outq *queue, tw__pins *pins, enum tw__fate fate,
                        bool (*keep)(const tw__piece *piece, void *arg),
                        void *arg) {
    uint32_t kept = 0, count = queue->count;
    for (uint32_t i = 0; i < count; i++) {
        tw__piece *piece = tw__outq_at(queue, i);
        if (!tw__outq_is_loose(queue, i) || keep(piece, arg)) {
            *tw__outq_at(queue, kept++) = *piece;
        } else {
            release(queue, pins, piece, piece->len, fate);
        }
    }
    queue->count = kept;
    return count - kept;
}

static bool is_other_channel(const tw__piece *piece, void *arg) {
    return !tw__piece_is_of(piece, *(uint64_t *)arg);
}

uint32_t tw__outq_drop_frames(tw__outq *queue, tw__pins *pins,
                              uint64_t channel) {
    return tw__outq_sweep(queue, pins, TW__CLOSED, is_other_channel, &channel);
}

uint32_t tw__outq_give_up(tw__outq *queue, tw__pins *pins, uint64_t channel) {
    return tw__outq_sweep(queue, pins, TW__DROPPED, is_other_channel, &channel);
}

uint64_t tw__outq_first_offset(const tw__outq *queue, uint64_t channel) {
    uint64_t first = 0;
    for (uint32_t i = 0; i < queue->count; i++) {
        const tw__piece *piece = tw__outq_at(queue, i);
        if (tw__outq_is_loose(queue, i) && tw__piece_is_of(piece, channel)) {
            uint64_t offset = tw__piece_frame(piece)->offset;
            first =
                offset != 0 && (first == 0 || offset < first) ? offset : first;
        }
    }
    return first;
}

static bool is_timely(const tw__piece *piece, void *arg) {
    uint64_t deadline = tw__piece_frame(piece)->deadline_ms;
    return deadline == 0 || deadline > *(uint64_t *)arg;
}

uint32_t tw__outq_expire(tw__outq *queue, tw__pins *pins, uint64_t now_ms) {
    return tw__outq_sweep(queue, pins, TW__EXPIRED, is_timely, &now_ms);
}

bool tw__outq_drop_oldest(tw__outq *queue, tw__pins *pins, uint64_t channel) {
    for (uint32_t i = 0; i < queue->count; i++) {
        if (tw__outq_is_loose(queue, i) &&
            tw__piece_is_of(tw__outq_at(queue, i), channel)) {
            tw__outq_remove(queue, pins, i, TW__DROPPED);
            return true;
        }
    }
    return false;
}

int tw__outq_gather(const tw__outq *queue, struct iovec *vectors, int max,
                    size_t *total) {
    int used = 0;
    *total = 0;
    for (uint32_t i = 0; i < queue->count; i++) {
        const tw__piece *piece = tw__outq_at(queue, i);
        uint32_t skip = i == 0 ? queue->begun : 0;
        uint8_t *data = tw__piece_is_frame(piece)
                            ? ((tw__batch *)piece->block)->data
                            : tw__buf_data(piece->block);
        data += piece->off + skip;
        struct iovec *last = used > 0 ? &vectors[used - 1] : NULL;
        if (last != NULL && (uint8_t *)last->iov_base + last->iov_len == data) {
            last->iov_len += piece->len - skip;
        } else if (used < max) {
            vectors[used++] = (struct iovec){data, piece->len - skip};
        } else {
            break;
        }
        *total += piece->len - skip;
    }
    return used;
}

void tw__outq_seal(tw__outq *queue, size_t len) {
    size_t reach = 0;
    queue->sealed = 0;
    queue->sealed_bytes = (uint32_t)len;
    while (reach < len + queue->begun) {
        reach += tw__outq_at(queue, queue->sealed++)->len;
    }
}

/* A recovery stands before what is live. */
static void note_written(tw__outq *queue, size_t len) {
    queue->allowed_bytes -=
        len < queue->allowed_bytes ? len : queue->allowed_bytes;
}

uint32_t tw__outq_consume(tw__outq *queue, tw__pins *pins, size_t len) {
    uint32_t delivered = 0;
    queue->sealed = queue->sealed_bytes = 0;
    while (len > 0) {
        tw__piece *piece = tw__outq_at(queue, 0);
        size_t left = piece->len - queue->begun;
        if (tw__piece_is_frame(piece)) {
            note_written(queue, len < left ? len : left);
        }
        if (len < left) {
            queue->begun += (uint32_t)len;
            *(tw__piece_is_frame(piece) ? &queue->frame_bytes
                                        : &queue->reply_bytes) -= len;
            break;
        }
        delivered += tw__piece_is_frame(piece);
        release(queue, pins, piece, left, TW__DELIVERED);
        shift(queue);
        len -= left;
    }
    return delivered;
}
