/* stream_parts.h - what the files of redis/stream* have between them.
 * SPDX-License-Identifier: MIT */
#ifndef TW_REDIS_STREAM_PARTS_H
#define TW_REDIS_STREAM_PARTS_H

#include "redis/stream.h"

typedef enum tw__redis_state {
    TW__REDIS_WAITING,
    TW__REDIS_RESOLVING,
    TW__REDIS_CONNECTING,
    TW__REDIS_SHAKING,
    TW__REDIS_GREETING,
    TW__REDIS_READY,
    TW__REDIS_CLOSED
} tw__redis_state;

/* One block with the places for its values and, until it is sent, its bytes. */
typedef struct tw__redis_request {
    tw__list node; /* waiting or sent */
    tw__wheel_entry deadline;
    tw__redis_stream *stream;
    tw_redis_cb cb; /* NULL: given up, or ours: the answer is thrown away */
    void *arg;
    size_t count, answered, len;
    bool is_ours, is_sent;
    char *bytes;
    tw_redis_value values[];
} tw__redis_request;

struct tw__redis_stream {
    tw__redis_env *env;
    const tw__redis_target *target;
    tw__redis_events events;
    tw__redis_state state;
    tw__io io;
    tw__tls_conn *tls;
    tw__resolve resolve;
    tw__address addresses[TW__RESOLVED_MAX];
    size_t address_count, address_at;
    bool is_due;           /* connects at the end of the turn */
    tw__wheel_entry timer; /* the next attempt, its end, or the watch */
    tw__turn_hook flush_hook, free_hook;
    tw__list waiting, sent; /* requests, in order */
    size_t pending;         /* commands of both lists */
    size_t waiting_bytes;
    tw__bytes out;
    size_t record; /* bytes of a TLS record that is made but not sent */
    tw__resp resp;
    uint64_t heard_ms, owed_ms; /* the latter: since an answer is due */
    uint64_t ready_ms;
    uint32_t failures;
    uint32_t life;          /* changes when the connection or the stream ends */
    tw__redis_request *due; /* whose time is over, while looking for news */
    bool is_down, is_told, wants_write;
};

/* stream_connect.c */
void tw__redis_connect_later(tw__redis_stream *stream, uint64_t delay_ms);
void tw__redis_connect_event(tw__redis_stream *stream);

/* stream.c: the connection, or the attempt, is over; `why` is for the log. The
 * stream may be destroyed when it returns: look at `life`. */
void tw__redis_break(tw__redis_stream *stream, const char *why);
void tw__redis_ready(tw__redis_stream *stream);
void tw__redis_hang_up(tw__redis_stream *stream);
void tw__redis_count(tw__redis_stream *stream, enum tw__redis_figure figure,
                     uint64_t n);

/* stream_io.c */
void tw__redis_flush(tw__redis_stream *stream);
void tw__redis_read(tw__redis_stream *stream);
void tw__redis_on_watch(tw__redis_stream *stream);

/* stream_request.c: makes one and puts it in the list of those that are sent,
 * its bytes into `out`. 0 or TW_ENOMEM. */
int tw__redis_send_own(tw__redis_stream *stream,
                       const tw_redis_command *commands, size_t count,
                       tw_redis_cb cb);
/* Those that wait go into `out`. */
void tw__redis_hand_over(tw__redis_stream *stream);
/* The next answer. False: nobody waits for one. */
bool tw__redis_take_answer(tw__redis_stream *stream,
                           const tw_redis_value *value);
/* A wheel's callback: its time is over. */
void tw__redis_on_due(tw__wheel_entry *entry);
/* All of a list end with `status`. */
void tw__redis_end_all(tw__redis_stream *stream, tw__list *list, int status);

#endif
