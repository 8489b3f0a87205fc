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
#include "bus/locator.h"
#include "bus/outbox.h"
#include "bus/record.h"
#include "net/listener.h"
#include "net/wheel.h"

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

/* What an answer goes to. `reply` is NULL when `status` is an error. */
typedef void (*tw__reply_cb)(int status, const tw__record *reply, void *arg);

/* A question to another member, or to this one, kept until it is answered. */
typedef struct tw__ask {
    tw__list node;
    uint64_t token;
    tw__reply_cb cb;
    void *arg;
    uint32_t len;
    uint8_t bytes[]; /* its record */
} tw__ask;

/* A publisher who waits for the position. */
typedef struct tw__wait {
    tw__list node; /* in the order of tokens, which is that of publishing */
    uint64_t token;
    tw__interest_cb cb;
    void *arg;
} tw__wait;

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
    tw__list asks_due, asks_sent;
    size_t ask_bytes;      /* of both */
    tw__list publications; /* and what is ordered with them: not in the outbox
                              yet */
    size_t publication_bytes;
    tw__list waits; /* for some of them, and for some that have left */

    /* the other as a member, this slot the home */
    tw__inlet *inlet;
    tw__list wants;          /* its interests */
    tw__list confirms, gaps; /* of them: what is owed */
    bool is_congested;       /* deliveries are dropped until half has left */
    tw__list questions;      /* of its asks: those not answered yet */
    bool has_lost_answers;   /* a stream broke with some in it */
    bool is_fresh; /* it knows no more what this member entered: to be told */
};

struct tw__bus {
    tw__broker broker;
    tw__locator locator;
    tw__bus_config config;
    char *dir;
    tw__bus_stats stats;
    tw__turn_hook turn_hook, link_hook, close_hook;
    tw__listener listener;
    bool is_closing;
    bool has_fresh; /* some peer is */
    uint64_t last_token;
    tw__map interests; /* by channel; not the dropped ones */
    tw__list own_due;  /* own interests in channels of this slot */
    tw__list dropped;  /* not confirmed, to be answered TW_ECLOSED */
    tw__list own_asks;
    size_t own_ask_bytes;
    tw__list publications; /* and the like, to homes in this slot */
    size_t publication_bytes;
    tw__list waits;  /* for those */
    tw__list failed; /* waits whose answer will not come */
    tw__home home;
    tw__wheel_entry sweep; /* of what the home keeps */
    bool is_sweep_slow;    /* it was set for what is kept alone */
    tw__list own_wants;    /* what the home knows of this member */
    tw__list active;
    tw__list inlets, dead_inlets;
    uint8_t *read_buffer;
    tw__bytes scratch;    /* one record, while it is forwarded */
    tw__bytes reply;      /* the payload of an answer, while it is made */
    tw__position replied; /* the position in it */
    uint16_t members;     /* in `peers`; the own slot's is not used */
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
void tw__interest_on_presence(tw__peer *peer, const tw__record *record);

/* ask.c: questions for homes and other members. */

/* Asks the member; the record's token is filled in. 0, TW_EOVERLOADED,
 * TW_EUNAVAILABLE, TW_ECLOSED or TW_ENOMEM. */
int tw__ask_member(tw__bus *bus, uint16_t member, tw__record *record,
                   tw__reply_cb cb, void *arg);
/* The same for the home of the record's channel. */
int tw__ask_home(tw__bus *bus, tw__record *record, tw__reply_cb cb, void *arg);
/* Within a limit; true when some are left. Calls out. */
bool tw__ask_answer_own(tw__bus *bus);
int tw__ask_tell(tw__peer *peer);    /* 0 or TW_ENOMEM */
void tw__ask_untell(tw__peer *peer); /* all will be asked again */
void tw__ask_on_reply(tw__peer *peer, const tw__record *record);
void tw__ask_fail(tw__peer *peer, int status); /* calls out */
void tw__ask_close_all(tw__bus *bus);          /* calls out */

/* answer.c: those that others ask of this one. */

/* 0, TW_ENOMEM, or TW_EINVALID for what is not for this member. */
int tw__answer_on_ask(tw__peer *peer, const tw__record *record,
                      const uint8_t *bytes, size_t len);
/* Answers what waits, while there is room. 0 or TW_ENOMEM. */
int tw__answer_tell(tw__peer *peer);
void tw__answer_forget(tw__peer *peer);
/* Makes the answer to a question, its payload in bus.reply. A failure is in its
 * status. */
void tw__answer_make(tw__bus *bus, const tw__record *question,
                     tw__record *reply);
/* What the payload of an answer can hold, and what one should that can do with
 * less: half of what a member may be owed. */
enum { TW__ANSWER_MAX = TW__RECORD_MAX - 1024 };
size_t tw__answer_room(const tw__bus *bus);
/* Appends a record to the payload of the answer. 0, TW_ENOMEM or TW_ELIMIT. */
int tw__answer_put(tw__bus *bus, const tw__record *record);
/* The answer is needed no more: gives back the memory of a long one. */
void tw__answer_done(tw__bus *bus);

/* kept_ask.c and kept.c */
int tw__kept_ask(tw__bus *bus, const char *channel, size_t len,
                 const tw__kept_query *query, tw__kept_cb cb, void *arg);
int tw__kept_answer(tw__bus *bus, const tw__record *question,
                    tw__record *reply); /* 0 or TW_ENOMEM */

/* persons.c: who is in a channel. Member numbers are those of who tells. */
int tw__persons_on_enter(tw__bus *bus, uint16_t member,
                         const tw__record *record); /* 0 or TW_ENOMEM */
void tw__persons_on_leave(tw__bus *bus, const tw__record *record);
void tw__persons_drop_member(tw__bus *bus, uint16_t member);
void tw__persons_sweep(tw__bus *bus);
void tw__persons_settle(tw__bus *bus, tw__home_channel *channel);
/* A member may have missed news of the channel, or this home have missed some:
 * when a grace time has gone, all is told to be new. */
void tw__persons_doubt(tw__bus *bus, tw__home_channel *channel);
void tw__person_record(tw__record *record, const tw__person *person);
/* The persons in records of a type, up to what is no record; *persons is given,
 * and its texts borrowed of `data`. 0 or TW_ENOMEM (there are none then). */
int tw__persons_read(const uint8_t *data, size_t len, uint8_t type,
                     tw__person **persons, size_t *count);
int tw__persons_ask(tw__bus *bus, const char *channel, size_t len,
                    uint32_t limit, tw__persons_cb cb, void *arg);
int tw__persons_answer(tw__bus *bus, const tw__record *question,
                       tw__record *reply);

/* news.c: who came and went, told to the members. */
void tw__news_are_due(tw__bus *bus, tw__home_channel *channel);
void tw__news_tell(tw__bus *bus); /* calls out */
void tw__news_on_record(tw__bus *bus, const tw__record *record);

/* users.c: the home of users. */
void tw__users_on_enter(tw__bus *bus, uint16_t member,
                        const tw__record *record);
void tw__users_on_leave(tw__bus *bus, const tw__record *record);
void tw__users_on_act(tw__bus *bus, const tw__record *record);
int tw__users_ask(tw__bus *bus, const char *user, size_t len, tw__conns_cb cb,
                  void *arg);
int tw__users_answer(tw__bus *bus, const tw__record *question,
                     tw__record *reply);
int tw__conns_answer(tw__bus *bus, const tw__record *question,
                     tw__record *reply);

/* locator.c */
extern const tw__locator_ops tw__bus_locator_ops;
/* The member that an id names; it need not exist. */
static inline uint16_t tw__member_of_id(const uint8_t *id) {
    return (uint16_t)(id[0] | id[1] << 8);
}

/* publish.c: publications, and what is ordered with them, on their way. */

int tw__publish_accept(tw__bus *bus, tw__pub *pub);
int tw__publish_wait(tw__bus *bus, tw__pub *pub, tw__interest_cb cb, void *arg);
/* The same of a record that is no publication, to a member. */
int tw__publish_record(tw__bus *bus, uint16_t member, const tw__record *record);
int tw__publish_tell(tw__peer *peer); /* 0 or TW_ENOMEM */
void tw__publish_recover(
    tw__peer *peer); /* from the outbox, which is cleared */
uint64_t tw__publish_first_token(const tw__peer *peer);
void tw__publish_fail(tw__peer *peer, int status); /* calls out */
void tw__publish_close_all(tw__bus *bus);          /* calls out */

/* count.c */
int tw__count_ask(tw__bus *bus, const char *channel, size_t len,
                  tw__count_cb cb, void *arg);

/* wait.c: those who wait for a position. */
int tw__wait_add(tw__list *waits, uint64_t token, tw__interest_cb cb,
                 void *arg); /* 0 or TW_ENOMEM */
/* Answers the one with that token, if there still is one. Calls out. */
void tw__wait_end(tw__list *waits, uint64_t token, int status,
                  const tw__position *position);
/* One of a peer's will not be answered: it was lost here. */
void tw__wait_lose(tw__peer *peer, uint64_t token);
/* What has left of a peer is not answered any more, but for what is before
 * `token`. */
void tw__wait_give_up(tw__peer *peer, uint64_t token);
void tw__wait_answer_failed(tw__bus *bus); /* calls out */
void tw__wait_close_all(tw__bus *bus);     /* calls out */

/* Handles what was published to homes of this slot, within a limit; true when
 * some is left. Calls out. */
bool tw__publish_run_own(tw__bus *bus);

/* act.c: what is ordered with publications and is none. Calls out. */
void tw__act_run(tw__bus *bus, uint16_t member, const tw__record *record);
/* The same of another member's. 0, or TW_EINVALID for what is not for this one
 * or malformed. */
int tw__act_on_record(tw__peer *peer, const tw__record *record);

/* deliver.c: this slot as home. */

/* Puts a publication in order: keeps it, forwards it and hands it to this
 * member, when they want it. The reference is taken. Calls out. */
void tw__deliver_pub(tw__bus *bus, tw__pub *pub);

/* The same of another member's. `bytes` are the whole record's and may be
 * changed. Calls out. */
void tw__deliver_on_publish(tw__peer *peer, const tw__record *record,
                            uint8_t *bytes, size_t len);

/* forward.c: what it owes the other members. */

/* Tells those who are owed a confirmation where the channel stands, which is
 * about to change. */
void tw__deliver_confirm(tw__bus *bus, tw__home_channel *channel);
/* Forwards a publication to all who want the channel, or owes them a gap.
 * `bytes` are NULL when there was no memory to make them. */
void tw__deliver_forward(tw__bus *bus, tw__home_channel *channel,
                         const uint8_t *bytes, size_t len);
/* The same for news of persons. */
void tw__deliver_news(tw__bus *bus, tw__home_channel *channel,
                      const uint8_t *bytes, size_t len);
void tw__deliver_owe_confirm(tw__peer *peer, tw__home_interest *interest);
void tw__deliver_untell(tw__peer *peer); /* the stream broke */

/* Moves confirmations and gaps into the outbox while there is room. 0 or
 * TW_ENOMEM. */
int tw__deliver_tell(tw__peer *peer);

/* want.c: what members want. */

/* 0, TW_ENOMEM, or TW_EINVALID for a channel of another home. */
int tw__want_on_interest(tw__peer *peer, const tw__record *record);
void tw__want_on_count(tw__peer *peer, const tw__record *record);
void tw__want_on_drop(tw__peer *peer, const tw__record *record);

/* The position of a channel has changed, otherwise than by publications. Calls
 * out. */
void tw__want_reposition(tw__bus *bus, tw__home_channel *channel);

/* What the member told is gone with its stream. */
void tw__want_forget(tw__peer *peer);

/* bus_ops.c */
extern const tw__broker_ops tw__bus_broker_ops;

/* home_time.c: what a home does by itself. */
void tw__home_time_run(tw__bus *bus); /* in each turn; calls out */
enum { TW__BUS_SWEEP_MS = 250 };
void tw__home_time_start(tw__bus *bus); /* when there is something to sweep */
void tw__home_time_sweep(tw__wheel_entry *entry);

/* dispatch.c: a record that came in. `bytes` are the whole record's and may be
 * changed. 0, or TW_EINVALID or TW_ENOMEM, which both end the stream. Calls
 * out. */
int tw__dispatch(tw__peer *peer, const tw__record *record, uint8_t *bytes,
                 size_t len);

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
