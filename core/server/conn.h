/* conn.h - a connection: the place where socket, framing, queue, channels and
 * hooks meet.
 *
 * Lives in the server's slab. Its life: HTTP (requests; no hooks of its own) ->
 * OPEN -> CLOSING (the close frame is queued or sent) -> LINGER (write side
 * shut, input drained) -> GONE (descriptor closed; a hook may still run), then
 * the slab takes it back. From OPEN it goes to ENDED when the peer hangs up
 * while it is not read, and from there to GONE when all that the peer had said
 * is heard. It is small on purpose: what only busy, slow or
 * talkative connections need hangs on pointers that are NULL for the others.
 *
 * Hooks of a connection never overlap. They start from two places only, both at
 * the top of a turn and never inside another hook: the read of the socket
 * (messages) and the run queue (all else). BUSY is set from a hook's start to
 * its end, also while it waits.
 *
 * The one table of fields, TW__CONN_FIELDS, says of each what becomes of it
 * when a connection will be handed to another process; a unit test walks it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_CONN_H
#define TW_SERVER_CONN_H

#include "base/bytes.h"
#include "hub/hub.h"
#include "net/poller.h"
#include "net/socket.h"
#include "net/wheel.h"
#include "server/outq.h"
#include "tidewire/tidewire.h"
#include "ws/input.h"

typedef struct tw__codec tw__codec;

typedef struct tw__http_conn tw__http_conn;

enum tw__conn_state {
    TW__CONN_FREE,
    TW__CONN_HTTP,
    TW__CONN_OPEN,
    TW__CONN_ENDED,
    TW__CONN_CLOSING,
    TW__CONN_LINGER,
    TW__CONN_GONE
};

enum tw__conn_flag {
    TW__BUSY = 1 << 0,     /* a hook runs or waits */
    TW__IN_HOOK = 1 << 1,  /* ... and is on the stack */
    TW__OPENED = 1 << 2,   /* on_open was called or is due */
    TW__DUE_OPEN = 1 << 3, /* hooks that are due, in the order they run */
    TW__DUE_SLOW = 1 << 4,
    TW__DUE_ALARM = 1 << 5,
    TW__DUE_CLOSE = 1 << 6,
    TW__DUE_PONG = 1 << 7,   /* extra->ping holds an unanswered ping */
    TW__WANT_WRITE = 1 << 8, /* the kernel was full: the poller tells */
    TW__NO_READ = 1 << 9,    /* the poller does not watch for input */
    TW__PINGED = 1 << 10,    /* a heartbeat is out */
    TW__CLOSE_SENT = 1 << 11,
    TW__CLOSE_SEEN = 1 << 12, /* the peer's close frame, or its end, came */
    TW__RATED = 1 << 13,      /* not read until the rate's bucket refills */
    TW__SHUT = 1 << 14,       /* write side is shut */
    TW__MANY = 1 << 15,       /* server-wide count includes it */
    TW__TLS = 1 << 16,        /* its TLS state is in the server's side table */
    TW__SHAKING = 1 << 17,    /* ... and is not ready yet */
    TW__CROSSED = 1 << 18,    /* TLS has to write before it can read */
    TW__MORE = 1 << 19,     /* TLS has input that the poller knows nothing of */
    TW__GREETING = 1 << 20, /* its PROXY header has not come yet */
    TW__ADDRESS_COUNTED = 1 << 21,  /* among those of its address */
    TW__DUE_UNSUBSCRIBE = 1 << 22,  /* subscriptions ended, see unsubscribed.c */
    TW__USER_ENTERED = 1 << 23,     /* its user's home knows of it */
    TW__DUE_LAPSE = 1 << 25,        /* see lapse.c */
    TW__USER_CHANNEL = 1 << 24      /* the library has subscribed it to that */
};

/* The intrusive queues a connection can stand in. */
enum { TW__QUEUE_DIRTY, TW__QUEUE_RUN, TW__QUEUE_DEAD, TW__QUEUES };

/* What a connection writes into a subscription's mark: whether it is confirmed,
 * whether the channel's home was told who it is (presence.c), and the number of
 * who waits for the confirmation, 0: nobody. */
#define TW__SUB_CONFIRMED (UINT32_C(1) << 31)
#define TW__SUB_PRESENT (UINT32_C(1) << 30)
#define TW__SUB_FLAGS (TW__SUB_CONFIRMED | TW__SUB_PRESENT)

/* Who is behind it; one block, texts are NUL-terminated. */
typedef struct tw__identity {
    tw_str user, info, subprotocol;
    int64_t since_ms; /* of the user, since 1970 */
    char bytes[];
} tw__identity;

/* Token buckets of the route's rate; times in ms. */
typedef struct tw__bucket {
    double messages, bytes;
    uint64_t filled_ms;
} tw__bucket;

typedef struct tw__alarm {
    tw__list node;
    tw__wheel_entry entry;
    tw_conn *conn;
    bool is_due;
    uint8_t name_len;
    char name[];
} tw__alarm;

/* What few connections have at a time. */
typedef struct tw__extra {
    tw__bytes stash; /* bytes read and not parsed yet */
    tw__list alarms;
    uint8_t alarm_count;
    tw__bucket bucket;
    tw_rate rate; /* instead of the route's, if */
    bool has_rate;
    uint8_t ping[125];
    uint8_t ping_len;
    uint16_t close_code;
    uint8_t close_len;
    char close_reason[TW__WS_CLOSE_REASON_MAX + 1];
    uint8_t slow_len;
    char slow_channel[TW__CHANNEL_MAX + 1];
    uint64_t slow_dropped;
    uint64_t expires_ms; /* 0: never */
    uint64_t frame_ms;   /* since when a frame or message is begun; 0: none */
    uint64_t closing_ms; /* when closing, or lingering, began */
    tw__list lapses;       /* subscribers to be told that they missed something */
    tw__list unsubscribed; /* what on_unsubscribe is still to be told of */
    uint32_t unsubscribed_count;
    uint16_t closed_next; /* the same of a closed one: an index of its subs */
} tw__extra;

struct tw_conn {
    tw__io io;
    tw_server *server;
    tw_route *route;
    void *data; /* the host's */
    tw__wheel_node timer;
    tw__ws_input input;
    tw__outq *out;
    tw__http_conn *http; /* until on_open ended */
    tw__identity *identity;
    tw__extra *extra;
    union {
        tw__sub one; /* most connections are in one channel only */
        tw__sub *many;
    } subs;
    uint16_t sub_count;
    uint8_t sub_bits; /* room for 1 << sub_bits; 0: it is `one` */
    uint8_t codec;    /* 1 + its number; 0: not chosen yet */
    uint32_t serial;  /* with the index in the slab: the handle */
    uint32_t next[TW__QUEUES];
    uint32_t heard_ms; /* when life was last seen, since the server's start */
    uint8_t in_queue;  /* set of 1 << TW__QUEUE_... */
    uint8_t state;
    uint8_t colour;
    uint8_t family; /* of the address: AF_INET, AF_INET6 or AF_UNIX */
    uint32_t flags;
    uint8_t id[16];
    uint8_t ip[16];
};

/* X(field, what a handover does with it) */
#define TW__CONN_FIELDS(X)                                                     \
    X(io, "descriptor passed; watched anew")                                   \
    X(server, "the receiver's")                                                \
    X(route, "by kind, method and pattern")                                    \
    X(codec, "by name, and whether it deflates")                               \
    X(data, "the host's: carried by its own save")                             \
    X(timer, "set anew from the deadlines")                                    \
    X(input, "partial header, frame and message as bytes")                     \
    X(out, "unsent bytes in order, with the offset into the first piece")      \
    X(http, "not handed over while it exists")                                 \
    X(identity, "as bytes")                                                    \
    X(extra, "as bytes: stash, alarms, buckets, close, deadlines, ends")       \
    X(subs, "channel names with position")                                     \
    X(sub_count, "with subs")                                                  \
    X(sub_bits, "with subs")                                                   \
    X(serial, "given anew")                                                    \
    X(next, "of this process")                                                 \
    X(heard_ms, "as a deadline")                                               \
    X(in_queue, "of this process")                                             \
    X(state, "as it is; OPEN, ENDED and CLOSING only")                         \
    X(colour, "as it is")                                                      \
    X(family, "as it is")                                                      \
    X(flags, "as they are; not while BUSY")                                    \
    X(id, "as it is")                                                          \
    X(ip, "as it is")

/* ---- life (conn.c, close.c) --------------------------------------------- */

/* A connection for a descriptor (taken) that this listener accepted, in HTTP.
 * NULL when there is no memory or a limit is reached, or its peer is no trusted
 * proxy where only those may come: the descriptor is closed. */
tw_conn *tw__conn_create(tw_server *server, int fd, const tw__address *peer,
                         size_t listener);

/* The extra block, made on first use; NULL without memory. */
tw__extra *tw__conn_extra(tw_conn *conn);

/* From HTTP to OPEN: identity and id are set, the answer is queued; whether it
 * grants compression. */
void tw__conn_upgrade(tw_conn *conn, tw_route *route, bool deflates);

/* For codecs that open later: the connection is open for its wire now. */
void tw__conn_opened(tw_conn *conn);

/* Begins closing with a close frame. Nothing when it closes already; in ENDED
 * what is not heard yet is dropped. */
void tw__conn_close(tw_conn *conn, int code, const char *reason, size_t len);
/* So much of a reason fits into a close frame. */
size_t tw__conn_cut_reason(const char *reason, size_t len);
/* The same for a static reason, as a peer's fault: does not wait for its close.
 */
void tw__conn_fail(tw_conn *conn, int code, const char *reason);
/* The peer's close frame came. */
void tw__conn_peer_closed(tw_conn *conn, int code, const char *reason,
                          size_t len);
/* The peer's stream ended, or is broken: nothing can be written. */
void tw__conn_lost(tw_conn *conn);
/* The same of an OPEN one whose input rests: to ENDED, and on to GONE when
 * nothing is left to be heard (hangup.c). */
void tw__conn_hung_up(tw_conn *conn);
/* In ENDED, when its input does not rest and the stash is taken: the next part,
 * or the end. */
void tw__conn_hear_out(tw_conn *conn);
/* From OPEN to ENDED: no channels, no queue, no alarms; on_close is not due
 * yet. */
void tw__conn_end(tw_conn *conn);
/* An HTTP connection is done: flush, shut, linger. */
void tw__conn_finish(tw_conn *conn);
/* Goes on with closing when the queue is empty: shut, linger, close. */
void tw__conn_advance_close(tw_conn *conn);
/* Closes the descriptor at once. */
void tw__conn_cut(tw_conn *conn);
/* After a hook ended or the descriptor went: frees at the turn's end if nothing
 * is left. */
void tw__conn_settle(tw_conn *conn);
/* Frees what stands in the dead queue. */
void tw__conn_free_dead(tw_server *server);

/* ---- queues (conn.c) ------------------------------------------------------
 */

void tw__conn_enqueue(tw_conn *conn, int queue);
tw_conn *tw__conn_dequeue(tw_server *server, int queue);

/* ---- reading (read.c), writing (write.c), running (run.c) ------------------
 */

void tw__conn_on_io(tw__io *io, unsigned events);
/* Takes bytes that arrived: to HTTP or WebSocket. What may not be parsed yet
 * goes to the stash. */
void tw__conn_take(tw_conn *conn, const uint8_t *data, size_t len);
/* Keeps bytes that may not be parsed yet, behind those it has; cuts the
 * connection when there is no memory. */
void tw__conn_stash(tw_conn *conn, const uint8_t *data, size_t len);
/* Half of the reply budget, or more than one recovery, waits to be written: it
 * is not read until then. */
bool tw__conn_is_full(const tw_conn *conn);
/* Its messages are for hooks. */
static inline bool tw__conn_is_heard(const tw_conn *conn) {
    return conn->state == TW__CONN_OPEN || conn->state == TW__CONN_ENDED;
}

/* May its input be parsed now? */
bool tw__conn_may_read(const tw_conn *conn);
/* Parses the stash, then watches for input again. */
void tw__conn_resume(tw_conn *conn);
void tw__conn_heard(tw_conn *conn);
/* It was not read or could not be written for a while: that time counts neither
 * as silence nor for a frame begun. */
void tw__conn_rested(tw_conn *conn);

/* The queue, made when there is none; NULL without memory. The connection is
 * then written at the turn's end. */
tw__outq *tw__conn_out(tw_conn *conn);
/* Writes what the kernel takes now. */
void tw__conn_flush(tw_conn *conn);
/* Tells its channels whether it can take a whole batch by itself. */
void tw__conn_refresh_fast(tw_conn *conn);
void tw__conn_watch(tw_conn *conn);

/* A hook returned: ends it, or leaves it waiting. */
void tw__conn_end_hook(tw_conn *conn, int result);
/* Runs due hooks and the stash, in order. */
void tw__conn_run(tw_conn *conn);
void tw__conn_schedule(tw_conn *conn);

/* ---- time (heartbeat.c, alarm.c, rate.c) -----------------------------------
 */

/* Sets the timer to the earliest deadline. */
void tw__conn_set_timer(tw_conn *conn);
void tw__conn_on_timer(tw__wheel_node *node);
void tw__conn_drop_alarms(tw_conn *conn);
/* Calls the next due alarm's hook; the result of the hook. */
int tw__conn_run_alarm(tw_conn *conn);

typedef enum tw__rate_verdict {
    TW__RATE_PASS,
    TW__RATE_DROP,
    TW__RATE_CLOSE,
    TW__RATE_WAIT /* pass this one, then rest */
} tw__rate_verdict;
tw__rate_verdict tw__conn_rate(tw_conn *conn, size_t len);
/* When a resting connection may be read again. */
uint64_t tw__conn_rate_ready_ms(const tw_conn *conn);

/* ---- channels (subscribe.c, deliver.c) -------------------------------------
 */

static inline tw__sub *tw__conn_subs(const tw_conn *conn) {
    return conn->sub_bits == 0 ? (tw__sub *)&conn->subs.one : conn->subs.many;
}

/* Leaves all channels; the names stay readable until tw__conn_drop_subs. */
void tw__conn_leave_all(tw_conn *conn);
void tw__conn_drop_subs(tw_conn *conn);

#endif
