/* stream.h - one connection to a Redis server, which comes back by itself.
 *
 *   WAITING    for the next attempt: exponential backoff with jitter
 *   RESOLVING, CONNECTING, SHAKING (TLS), GREETING (AUTH, CLIENT SETNAME,
 *              SELECT): an attempt, within connect_ms
 *   READY      requests are sent, at the end of each turn
 *   CLOSED     destroyed
 *
 * A request is one or more commands that are sent back to back and answered
 * together. Until the stream is ready they wait, in order and within limits;
 * when an attempt comes to nothing they all end with TW_EUNAVAILABLE, and so do
 * new ones until an attempt succeeds. A request that was handed over to be sent
 * when the connection breaks ends with TW_EUNAVAILABLE and is never sent again.
 * One whose time is over while its answer is under way ends with TW_ETIMEOUT,
 * and its answer is thrown away when it comes.
 *
 * A stream for subscriptions has `on_push`: what Redis says by itself goes
 * there, the confirmations of SUBSCRIBE and the like included; such commands
 * are given to tw__redis_stream_write, which expects no answer.
 *
 * With nothing said for ping_ms a PING is sent; dead_ms without a byte while an
 * answer is due, and the connection is taken for dead.
 *
 * Belongs to the loop's thread. Callbacks may send, write and destroy.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_REDIS_STREAM_H
#define TW_REDIS_STREAM_H

#include "base/bytes.h"
#include "base/log.h"
#include "net/clockwork.h"
#include "net/poller.h"
#include "net/resolve.h"
#include "redis/resp.h"
#include "redis/target.h"

typedef struct tw__redis_stream tw__redis_stream;

/* What is counted. */
enum tw__redis_figure {
    TW__REDIS_SENT,        /* commands of hosts */
    TW__REDIS_ANSWERED,    /* those answered, by an error also */
    TW__REDIS_ERRORS,      /* answers that are errors */
    TW__REDIS_UNAVAILABLE, /* commands that ended so */
    TW__REDIS_TIMEOUTS,    /* likewise */
    TW__REDIS_REFUSED,     /* because a queue was full */
    TW__REDIS_CONNECTED,   /* connections that became ready */
    TW__REDIS_BROKEN,      /* those of them that broke */
    TW__REDIS_FAILED,      /* attempts that came to nothing */
    TW__REDIS_FIGURES
};

/* What a stream stands on; outlives it. */
typedef struct tw__redis_env {
    tw__loop *loop;
    tw__poller *poller;
    tw__clockwork *clock;
    const tw__log *log;
    volatile uint64_t
        *figures[TW__REDIS_FIGURES]; /* where each is counted, or NULL */
    /* For tests: in place of connecting, gives a connected descriptor. 0 or
     * TW_EIO. NULL as a rule. */
    int (*dial)(void *arg, const tw__redis_target *target, int *fd);
    void *dial_arg;
    /* For tests: asked before each call, which ends with what it answers unless
     * that is 0. NULL as a rule. */
    int (*fault)(void *arg, const tw__redis_target *target);
    bool is_held; /* the clock moves by hand: what takes no time needs no
                     deadline */
} tw__redis_env;

typedef struct tw__redis_events {
    /* Each NULL, or told... */
    void (*on_ready)(tw__redis_stream *stream, void *arg);
    /* ... when a ready one broke, after its requests ended ... */
    void (*on_broken)(tw__redis_stream *stream, void *arg);
    /* ... what is no answer; borrowed. */
    void (*on_push)(tw__redis_stream *stream, const tw_redis_value *value,
                    void *arg);
    void *arg;
} tw__redis_events;

/* Begins to connect in the next turn. `events` is copied. NULL without memory.
 */
tw__redis_stream *tw__redis_stream_create(tw__redis_env *env,
                                          const tw__redis_target *target,
                                          const tw__redis_events *events);

/* Every request ends with TW_ECLOSED within the call. */
void tw__redis_stream_destroy(tw__redis_stream *stream);

/* 0, TW_EOVERLOADED, TW_EUNAVAILABLE or TW_ENOMEM; see tw_redis_call. */
int tw__redis_stream_send(tw__redis_stream *stream,
                          const tw_redis_command *commands, size_t count,
                          uint32_t timeout_ms, tw_redis_cb cb, void *arg);

/* A command without an answer of its own: its effects come by on_push. Only
 * while it is ready, else TW_EUNAVAILABLE; TW_EOVERLOADED, TW_ENOMEM. */
int tw__redis_stream_write(tw__redis_stream *stream,
                           const tw_redis_command *command);

bool tw__redis_stream_is_ready(const tw__redis_stream *stream);
/* The last attempt came to nothing: new requests are refused. */
bool tw__redis_stream_is_down(const tw__redis_stream *stream);
/* Commands that are not answered. */
size_t tw__redis_stream_pending(const tw__redis_stream *stream);

/* How long to wait before an attempt after so many that came to nothing in a
 * row: 0 to 50 ms after none, then half of 100 ms doubled each time up to 10 s
 * and a random part of the other half. */
uint32_t tw__redis_backoff_ms(uint32_t failures);

#endif
