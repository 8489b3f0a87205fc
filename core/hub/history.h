/* history.h - what a channel's home keeps: the log, the retained, the ids.
 *
 * A history gives out offsets from 1 on, within an epoch: text that no other
 * history has had, so that an offset of another life is recognised. It keeps
 *
 *   - the log: the newest `size` publications, none older than `ttl_ms`. Their
 *     offsets have no holes. One that is past its own deadline goes when it is
 *     the oldest; behind one that is not it stays, with its deadline in its
 *     header: whoever delivers it leaves it out;
 *   - the retained: the newest publication of each key, `retain` keys at most;
 *     the key that was published longest ago makes room. One that is past its
 *     own deadline is not given out and takes up its place until it is the
 *     oldest or its key is published again;
 *   - ids: which publication a publisher's id stands for, for the newest 1,024
 *     ids that are not older than five minutes, also where no log is kept.
 *
 * An archive holds all histories of a home within a budget of bytes, names and
 * bookkeeping included. Over it, the channel that was published to longest ago
 * gives up its log and its retained, whole, and the next one, until it is
 * enough. Its owner is asked to let it go; if that needs it, epoch and newest
 * offset stay, so what is missing can be told, and it is asked for again later.
 * The one that is published to comes last; it loses no more than it must, from
 * the oldest on. When even that is not enough, those that are needed lose their
 * ids, too.
 *
 * Pure: no I/O, no clock. Belongs to the thread that created it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HUB_HISTORY_H
#define TW_HUB_HISTORY_H

#include <stdbool.h>

#include "base/list.h"
#include "base/map.h"
#include "hub/pub.h"

enum {
    TW__EPOCH_MAX = 16,
    TW__HISTORY_MAX = 100000, /* publications a log may be asked to keep */
    TW__RETAIN_MAX = 100000,
    TW__IDS_MAX = 1024,
    TW__IDS_MS = 300000,
};

/* Where a channel stands; all zero for a channel without history. */
typedef struct tw__position {
    uint64_t offset;
    char epoch[TW__EPOCH_MAX + 1];
} tw__position;

/* What is kept; all zero: only ids. */
typedef struct tw__history_class {
    uint32_t size;
    uint32_t retain;
    uint64_t ttl_ms; /* 0: as long as there is room */
} tw__history_class;

typedef struct tw__history tw__history;
typedef struct tw__archive tw__archive;

struct tw__archive {
    size_t budget_bytes, bytes; /* read only */
    uint64_t publications;      /* in logs and retained, each once; read only */
    uint64_t given_up;          /* histories emptied by the budget; read only */
    /* Asks the owner to destroy a history that it does not need. False: it
     * does need it. */
    bool (*release)(void *arg, tw__history *history);
    void *arg;
    tw__list _by_use;  /* least recently published first */
    tw__list _yielded; /* have nothing more to give, but were needed */
    tw__list _turns;   /* all, in the order of the next sweeps */
    uint64_t _histories;
};

void tw__archive_init(tw__archive *archive, size_t budget_bytes,
                      bool (*release)(void *arg, tw__history *history),
                      void *arg);
/* All histories are destroyed before. */
void tw__archive_deinit(tw__archive *archive);

static inline uint64_t tw__archive_len(const tw__archive *archive) {
    return archive->_histories;
}

/* Drops what is past its time in the next `count` histories, in turn, and gives
 * back memory that they do not need any more. */
void tw__archive_sweep(tw__archive *archive, uint64_t now_ms, unsigned count);

/* An empty history with a new random epoch. `owner` is given back by
 * tw__history_owner. Others may be asked for, as in append. NULL without
 * memory. */
tw__history *tw__history_create(tw__archive *archive,
                                const tw__history_class *class, void *owner);
void tw__history_destroy(tw__history *history); /* NULL is allowed */
void *tw__history_owner(const tw__history *history);

/* Counts `bytes` of the owner's that live as long as the history, such as the
 * channel's name, among those of the archive. */
void tw__history_charge(tw__history *history, uint32_t bytes);

/* The class changed: what is too much by the new one goes at once. When
 * publications passed by while a class kept nothing, the next one that keeps
 * something leaves out an offset for them: nobody from before is told that he
 * misses nothing. */
void tw__history_set_class(tw__history *history, const tw__history_class *class,
                           uint64_t now_ms);

/* Takes the publication into the history: gives it the next offset (in its
 * header), unless it has TW__PUB_NO_HISTORY or neither log nor retained are
 * kept, and keeps a reference. Its id, when there is one, is remembered with
 * that offset. 0; TW_EEXISTS when its id is known: *offset is then that of the
 * first (0: that had none), nothing changed; TW_ENOMEM: log, retained or ids
 * could not take it, but it has an offset and may be delivered; a log that
 * could not is empty then, so that it has no hole. *offset is that of the
 * publication, 0: none. The same publication is not appended twice.
 *
 * Over the budget the owners of others are asked to let them go, never that of
 * this one; what others keep may be gone afterwards.
 *
 * What is kept of a short publication is a copy: a block of a tw__pub_store is
 * larger, and shall go back to it. */
int tw__history_append(tw__history *history, tw__pub *pub, uint64_t now_ms,
                       uint64_t *offset);

/* Where it stands: the epoch, and the newest offset. */
void tw__history_position(const tw__history *history, tw__position *position);

/* The newest offset that is not in the log any more: whoever has it misses
 * nothing that is behind it, but what is past its own deadline. Equal to the
 * newest offset when the log is empty. With a log of size 0 and retained ones
 * it is the newest offset whose key was given up, removed or is past `ttl_ms`:
 * whoever has that, and gets the retained ones behind it, knows the newest of
 * every key that has one. */
uint64_t tw__history_floor(tw__history *history, uint64_t now_ms);

/* The publication with that offset in the log; NULL: it is not there. It may
 * be past its own deadline. Borrowed until the next append, floor, sweep or
 * change of class. */
tw__pub *tw__history_at(tw__history *history, uint64_t offset);

/* Walks the retained ones by rising offset: start with *pos = NULL; NULL at the
 * end. What is past its time is left out. Nothing changes meanwhile. Borrowed,
 * as above. */
tw__pub *tw__history_next_retained(tw__history *history, uint64_t now_ms,
                                   void **pos);

/* The retained publication of a key ("" is one, too), or NULL. */
tw__pub *tw__history_latest(tw__history *history, const char *key, size_t len,
                            uint64_t now_ms);
/* Removes it; false: there was none. One past its time may still count. */
bool tw__history_remove(tw__history *history, const char *key, size_t len);

#endif
