/* engine.h - the parts of the bus, as its own files see them.
 *
 * A member has, for each other member, one outgoing stream that it opened
 * itself and on which it only writes (peer.c), and takes an incoming one on
 * which it only reads (inlet.c). Three rules make the two independent of each
 * other, so that no break of either needs a handshake:
 *
 * 1. What a home knows of a member's interests came on that member's current
 *    incoming stream, and goes when that stream ends.
 * 2. A member tells a home all its interests again whenever its outgoing stream
 *    was opened anew; each request has a new token, and only a confirmation of
 *    the newest counts.
 * 3. A greeting (HELLO) says the how manieth stream of its sender it opens. Not
 *    the first: what the sender had written on an earlier one may be lost, so
 *    the receiver tells gaps, and asks again for what it still waits for.
 *
 * A higher incarnation, heard of in a greeting or in the answer to one,
 * replaces the member: its old incoming stream is closed unread, and what waits
 * for it, but for publications, is thrown away.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BUS_ENGINE_H
#define TW_BUS_ENGINE_H

#include "bus/bus.h"
#include "bus/home.h"
#include "bus/outbox.h"
#include "bus/record.h"
#include "net/listener.h"

typedef struct tw__peer tw__peer;
typedef struct tw__inlet tw__inlet;

/* This member's interest in one channel. One that is dropped lives on until
 * the home has been told and the caller answered. */
typedef struct tw__interest {
    tw__list in_home;           /* peer.interests; when dropped: bus.dropped */
    tw__list due;               /* peer.due, or bus.own_due */
    tw__peer *home;             /* NULL: this slot */
    tw__home_interest *at_home; /* when it is this slot */
    uint64_t token;             /* of the newest request */
    tw__interest_cb cb;
    void *arg;
    uint32_t count;
    bool is_told;        /* requested on the current stream */
    bool is_awaited;     /* the newest request is not confirmed */
    bool is_asked_again; /* to be requested though it was told */
    bool is_confirmed;   /* `cb` was called */
    bool is_dropped;
    uint8_t len;
    char channel[];
} tw__interest;

typedef struct tw__count_request {
    tw__list node;
    uint64_t token;
    tw__count_cb cb;
    void *arg;
    uint8_t len;
    char channel[];
} tw__count_request;

enum tw__peer_state {
    TW__PEER_OFF,      /* no stream, none wanted */
    TW__PEER_RESTING,  /* waits before it connects again */
    TW__PEER_GREETING, /* connected, HELLO is not answered */
    TW__PEER_OPEN
};

struct tw__peer {
    tw__bus *bus;
    uint16_t slot;
    bool is_known;        /* a greeting or an answer was heard */
    uint32_t incarnation; /* the highest heard of */

    /* the outgoing stream */
    tw__io io;
    enum tw__peer_state state;
    bool is_blocked;     /* the kernel's buffer is full */
    bool is_unavailable; /* away for longer than away_ms */
    uint8_t answer[TW__RECORD_HEADER];
    size_t answer_len;
    uint64_t streams; /* opened so far */
    uint64_t opened_ms;
    uint32_t backoff_ms;
    tw__wheel_entry retry, away;
    tw__outbox outbox;
    tw__list active; /* in bus.active: something is to be written */

    /* the other as home of channels */
    tw__list interests;   /* all that it is home of */
    tw__list due;         /* of them, and of dropped ones: to be told */
    size_t dropped_bytes; /* the DROP records in `due` */
    tw__list counts_due, counts_sent;
    size_t count_bytes;    /* of both */
    tw__list publications; /* not in the outbox yet */
    size_t publication_bytes;

    /* the other as a member, this slot the home */
    tw__inlet *inlet;
    tw__list wants;          /* its interests */
    tw__list confirms, gaps; /* of them: what is owed */
    bool is_congested;       /* deliveries are dropped until half has left */
};

struct tw__bus {
    tw__broker broker;
    tw__bus_config config;
    char *dir;
    tw__bus_stats stats;
    tw__turn_hook turn_hook, link_hook, close_hook;
    tw__listener listener;
    bool is_closing;
    uint64_t last_token;
    tw__map interests; /* by channel; not the dropped ones */
    tw__list own_due;  /* own interests in channels of this slot */
    tw__list dropped;  /* not confirmed, to be answered TW_ECLOSED */
    tw__list own_counts;
    tw__list publications; /* to channels of this slot */
    size_t publication_bytes;
    tw__home home;
    tw__list own_wants; /* what the home knows of this member */
    tw__list active;
    tw__list inlets, dead_inlets;
    uint8_t *read_buffer;
    tw__bytes scratch; /* one record, while it is forwarded */
    uint16_t members;  /* in `peers`; the own slot's is not used */
    tw__peer peers[];
};

struct tw__inlet {
    tw__io io;
    tw__bus *bus;
    tw__peer *peer; /* NULL until it has entered */
    tw__list node;
    tw__bytes partial; /* the beginning of a record */
    uint16_t slot;     /* these three from the greeting */
    uint32_t incarnation;
    uint64_t number; /* 0: not greeted yet */
    bool is_closed;
};

/* peer.c: the outgoing stream. None of these calls out, nor does flush.c. */

/* Opens the stream of a peer that is off. */
void tw__peer_open(tw__peer *peer);

void tw__peer_init(tw__peer *peer, tw__bus *bus, uint16_t slot);

/* Closes the stream and clears the timers; publications come back out of the
 * outbox. */
void tw__peer_close(tw__peer *peer);

/* Something is to be written: at the end of the turn it will be, or the stream
 * be opened. */
void tw__peer_use(tw__peer *peer);

/* The stream is over; it is opened again when it is needed. */
void tw__peer_reset(tw__peer *peer);

/* The same, by our own decision: counted and logged. */
void tw__peer_give_up(tw__peer *peer, const char *why);

/* An incarnation of the other was heard of. */
void tw__peer_learn(tw__peer *peer, uint32_t incarnation);

/* Bytes of publications that wait for this home. */
size_t tw__peer_publish_level(const tw__peer *peer);

/* flush.c: writing to it. */

/* Writes what there is. True when it should go on in another turn. */
bool tw__peer_flush(tw__peer *peer);

bool tw__peer_has_something(const tw__peer *peer); /* to be written */

/* interest.c: this member and the homes of its channels. */

int tw__interest_add(tw__bus *bus, const char *channel, size_t len,
                     tw__interest_cb cb, void *arg);
void tw__interest_drop(tw__bus *bus, const char *channel, size_t len);
bool tw__interest_set_count(tw__bus *bus, const char *channel, size_t len,
                            uint32_t count);

/* Answers what needs no other member. Calls out. */
void tw__interest_answer_own(tw__bus *bus);

/* Calls out. */
void tw__interest_answer(tw__interest *interest, int status,
                         const tw__position *position);

/* Something of it is to be told to its home. */
void tw__interest_make_due(tw__interest *interest);

/* Frees one that was dropped when nothing of it waits any more. */
void tw__interest_free_if_done(tw__interest *interest);

static inline size_t tw__interest_size(const tw__interest *interest) {
    return (size_t)TW__RECORD_HEADER + interest->len; /* of its requests */
}

/* The engine ends: answers all with TW_ECLOSED and frees them. Calls out. */
void tw__interest_close_all(tw__bus *bus);

/* request.c: what homes are told of them, and what comes back. */

/* Moves requests into the outbox while there is room. 0 or TW_ENOMEM. */
int tw__interest_tell(tw__peer *peer);

/* The stream to the home broke: everything is due again. */
void tw__interest_untell(tw__peer *peer);

/* A stream from the home broke: what came on it may not be all. Calls out. */
void tw__interest_suspect(tw__peer *peer);

void tw__interest_on_confirm(tw__peer *peer, const tw__record *record);
void tw__interest_on_deliver(tw__peer *peer, const tw__record *record);
void tw__interest_on_gap(tw__peer *peer, const tw__record *record);

/* count.c: questions for the subscribers of all members. */

int tw__count_ask(tw__bus *bus, const char *channel, size_t len,
                  tw__count_cb cb, void *arg);
void tw__count_answer_own(tw__bus *bus); /* calls out */
int tw__count_tell(tw__peer *peer);      /* 0 or TW_ENOMEM */
void tw__count_untell(tw__peer *peer);   /* all will be asked again */
void tw__count_on_reply(tw__peer *peer, const tw__record *record);
void tw__count_fail(tw__peer *peer, int status); /* calls out */
void tw__count_close_all(tw__bus *bus);          /* calls out */

/* publish.c: publications on their way to their home. */

int tw__publish_accept(tw__bus *bus, tw__pub *pub);
int tw__publish_tell(tw__peer *peer); /* 0 or TW_ENOMEM */
void tw__publish_recover(
    tw__peer *peer); /* from the outbox, which is cleared */
void tw__publish_fail(tw__peer *peer, int status); /* calls out */
void tw__publish_close_all(tw__bus *bus);          /* calls out */

/* Sequences what was published to channels of this slot, within a limit; true
 * when some is left. Calls out. */
bool tw__publish_run_own(tw__bus *bus);

/* deliver.c: this slot as home. */

/* Puts a publication in order: forwards it and hands it to this member, when
 * they want it. The reference is taken. Calls out. */
void tw__deliver_pub(tw__bus *bus, tw__pub *pub);

/* Requests of a member. `bytes` are the whole record's and may be changed.
 * on_interest: 0, TW_ENOMEM, or TW_EINVALID for a channel of another home.
 * on_publish calls out. */
void tw__deliver_on_publish(tw__peer *peer, const tw__record *record,
                            uint8_t *bytes, size_t len);
int tw__deliver_on_interest(tw__peer *peer, const tw__record *record);
void tw__deliver_on_count(tw__peer *peer, const tw__record *record);
void tw__deliver_on_drop(tw__peer *peer, const tw__record *record);
void tw__deliver_on_count_request(tw__peer *peer, const tw__record *record);

/* Moves confirmations and gaps into the outbox while there is room. 0 or
 * TW_ENOMEM. */
int tw__deliver_tell(tw__peer *peer);

/* The member's interests are gone with its stream. */
void tw__deliver_forget(tw__peer *peer);

/* inlet.c: incoming streams. */

/* All incoming streams share one buffer; one of them may take so much of a
 * turn. What is left of a record at its end is kept with the stream; only a
 * record longer than this gets memory of its own while it comes in. */
enum { TW__INLET_READ_BYTES = 256 * 1024 };

void tw__inlet_accept(tw__bus *bus, int fd); /* the descriptor is taken */
void tw__inlet_close(tw__inlet *inlet);
void tw__inlet_free_dead(tw__bus *bus);

/* Makes the loop go through another end of turn. */
static inline void tw__bus_wake(tw__bus *bus) {
    tw__loop_wake(bus->config.loop);
}

/* Room for requests and answers that can wait where they are: half the budget,
 * so that those that cannot find the other half. An empty outbox takes one of
 * any size. */
static inline bool tw__peer_has_control_room(const tw__peer *peer, size_t len) {
    size_t level = peer->outbox.level[TW__OUTBOX_CONTROL];
    return level == 0 ||
           level + len <= peer->bus->config.control_budget_bytes / 2;
}

#endif
