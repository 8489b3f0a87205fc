/* kept.c - what a home keeps of a channel, for those who ask.
 *
 * A KEPT_REQUEST: channel; key: of the latest; id: epoch of `since`, number:
 * its offset; second: most publications of the log; deadline: most bytes of
 * them; flags: what. Its REPLY: number: the channel's offset; id: its epoch;
 * second: the floor; payload: the publications as DELIVER records, the log
 * first; those that are retained have the token 1.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "bus/engine.h"
#include "tidewire/errors.h"

static int put_pub(tw__bus *bus, tw__pub *pub, uint64_t token) {
    tw__record record;
    tw__record_of_pub(&record, TW__RECORD_DELIVER, pub);
    record.token = token;
    record.id_len = 0; /* the publisher's word to the home */
    return tw__answer_put(bus, &record);
}

/* Which of the log are sent: offsets first .. last. */
typedef struct range {
    uint64_t first, last; /* none when first > last */
} range;

static size_t size_at(tw__history *history, uint64_t offset) {
    tw__pub *pub = tw__history_at(history, offset);
    return pub == NULL ? 0 : tw__record_pub_size(pub);
}

/* Cuts what is over the limits: behind `first` of a page that goes forward, or
 * else before `last`, since the newest are the ones to keep. A page has at
 * least one, or whoever reads page by page would never come to the end. */
static void cut(tw__history *history, const tw__record *asked, size_t bytes,
                range *all) {
    uint64_t limit = asked->header.except;
    bool is_backward = (asked->header.flags & TW__KEPT_REVERSE) != 0;
    bool is_forward = limit > 0 && !is_backward;
    uint64_t count = 0, used = 0;
    while (count < all->last + 1 - all->first) {
        uint64_t at = is_forward ? all->first + count : all->last - count;
        bool is_spared = count == 0 && (is_forward || is_backward);
        used += size_at(history, at);
        if ((limit > 0 && count == limit) || (used > bytes && !is_spared)) {
            break;
        }
        count++;
    }
    if (is_forward) {
        all->last = all->first + count - 1;
    } else {
        all->first = all->last + 1 - count;
    }
}

/* With `since` that is not of the future. */
static range choose(const tw__record *asked, const tw__position *position,
                    uint64_t floor) {
    unsigned what = asked->header.flags;
    uint64_t since = asked->header.offset;
    range all = {floor + 1, position->offset};
    bool is_backward = (what & TW__KEPT_REVERSE) != 0;
    if ((what & TW__KEPT_SINCE) && is_backward) {
        all.last = since > 0 ? since - 1 : 0;
    } else if ((what & TW__KEPT_SINCE) && since + 1 > all.first) {
        all.first = since + 1;
    }
    return all;
}

static bool is_timely(const tw__pub *pub, uint64_t now_ms) {
    return pub->header.deadline_ms == 0 || pub->header.deadline_ms > now_ms;
}

static int put_range(tw__bus *bus, tw__history *history, const range *all,
                     bool is_backward) {
    uint64_t now_ms = tw__loop_now(bus->config.loop);
    int err = 0;
    for (uint64_t n = all->first; err == 0 && n <= all->last; n++) {
        uint64_t at = is_backward ? all->last - (n - all->first) : n;
        tw__pub *pub = tw__history_at(history, at);
        bool is_sent = pub != NULL && is_timely(pub, now_ms);
        err = is_sent ? put_pub(bus, pub, 0) : 0;
    }
    return err;
}

/* What is not sent lies at or before the floor, also when nothing is sent. */
static int put_log(tw__bus *bus, tw__history *history, const tw__record *asked,
                   const tw__position *position, uint64_t *floor) {
    range all = choose(asked, position, *floor);
    bool is_backward = (asked->header.flags & TW__KEPT_REVERSE) != 0;
    size_t bytes = tw__answer_room(bus);
    if (asked->header.deadline_ms > 0 && asked->header.deadline_ms < bytes) {
        bytes = (size_t)asked->header.deadline_ms;
    }
    if (all.first <= all.last) {
        cut(history, asked, bytes, &all);
    }
    if (!is_backward) {
        *floor = all.first - 1;
    }
    return put_range(bus, history, &all, is_backward);
}

/* The offset behind which what is retained fits into an answer. */
static uint64_t fit_retained(tw__bus *bus, tw__history *history, uint64_t since,
                             uint64_t now_ms) {
    size_t room = TW__ANSWER_MAX - tw__bytes_len(&bus->reply), total = 0;
    tw__pub *pub;
    void *pos = NULL;
    while ((pub = tw__history_next_retained(history, now_ms, &pos)) != NULL) {
        total += pub->header.offset > since ? tw__record_pub_size(pub) : 0;
    }
    pos = NULL;
    while (total > room &&
           (pub = tw__history_next_retained(history, now_ms, &pos)) != NULL) {
        if (pub->header.offset > since) {
            total -= tw__record_pub_size(pub);
            since = pub->header.offset;
        }
    }
    return since;
}

static int put_retained(tw__bus *bus, tw__history *history, uint64_t since,
                        uint64_t now_ms) {
    void *pos = NULL;
    tw__pub *pub;
    int err = 0;
    while (err == 0 &&
           (pub = tw__history_next_retained(history, now_ms, &pos)) != NULL) {
        err = pub->header.offset > since ? put_pub(bus, pub, 1) : 0;
    }
    return err;
}

static int put_latest(tw__bus *bus, tw__history *history,
                      const tw__record *asked, uint64_t now_ms) {
    tw__pub *pub =
        tw__history_latest(history, asked->key, asked->key_len, now_ms);
    return pub == NULL ? 0 : put_pub(bus, pub, 1);
}

static bool is_epoch(const tw__record *asked, const tw__position *position) {
    return strlen(position->epoch) == asked->id_len &&
           memcmp(asked->id, position->epoch, asked->id_len) == 0;
}

/* A position of the future is none of this channel's, as is one of another
 * epoch: nothing of the log is sent. */
static bool fits(const tw__record *asked, const tw__position *position) {
    return !(asked->header.flags & TW__KEPT_SINCE) ||
           (is_epoch(asked, position) &&
            asked->header.offset <= position->offset);
}

/* Those behind `since`; where no log is kept they say what is missing. */
static int put_all_retained(tw__bus *bus, tw__home_channel *channel,
                            uint64_t since, uint64_t *floor) {
    uint64_t now_ms = tw__loop_now(bus->config.loop);
    uint64_t from = fit_retained(bus, channel->history, since, now_ms);
    if (from > since && from > *floor && channel->class.history.size == 0) {
        *floor = from;
    }
    return put_retained(bus, channel->history, from, now_ms);
}

static int put_kept(tw__bus *bus, tw__home_channel *channel,
                    const tw__record *asked, tw__record *reply,
                    const tw__position *position) {
    uint64_t now_ms = tw__loop_now(bus->config.loop);
    unsigned what = asked->header.flags;
    tw__history *history = channel->history;
    uint64_t *floor = &reply->header.except;
    bool is_here = fits(asked, position);
    int err = 0;
    *floor = tw__history_floor(history, now_ms);
    if ((what & TW__KEPT_LOG) && channel->class.history.size > 0 && is_here) {
        err = put_log(bus, history, asked, position, floor);
    }
    if (err == 0 && (what & TW__KEPT_RETAINED)) {
        bool has_since = (what & TW__KEPT_SINCE) && is_here;
        err = put_all_retained(bus, channel,
                               has_since ? asked->header.offset : 0, floor);
    }
    if (err == 0 && (what & TW__KEPT_LATEST)) {
        err = put_latest(bus, history, asked, now_ms);
    }
    return err;
}

int tw__kept_answer(tw__bus *bus, const tw__record *asked, tw__record *reply) {
    tw__position *position = &bus->replied; /* the reply points into it */
    tw__home_channel *channel =
        tw__home_find(&bus->home, asked->channel, asked->channel_len);
    memset(position, 0, sizeof *position);
    if (channel != NULL) {
        tw__home_position(channel, position);
    }
    reply->header.offset = position->offset;
    reply->id = position->epoch;
    reply->id_len = (uint8_t)strlen(position->epoch);
    return position->epoch[0] == '\0'
               ? 0
               : put_kept(bus, channel, asked, reply, position);
}
