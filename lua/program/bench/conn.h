/* conn.h - a client connection of the load generator.
 *
 * Connections live in groups: all of one group speak to the same path and call
 * the same functions. They belong to one loop and thread, are never freed
 * before it, and can be opened again after they have closed, also from within
 * on_close.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_CONN_H
#define TW_BENCH_CONN_H

#include "frame.h"
#include "handshake.h"
#include "loop.h"
#include "target.h"

/* The code of a connection that went without a close frame. */
#define TW__BENCH_LOST 1006

typedef struct tw__bench_conn tw__bench_conn;

/* What a group wants to know. All are called from the loop. */
typedef struct tw__bench_events {
    void (*on_open)(tw__bench_conn *conn);
    /* `data` is borrowed; `now` is the time of the read. What is written is
     * sent in one go after the last message of the read. */
    void (*on_message)(tw__bench_conn *conn, int opcode, const uint8_t *data,
                       size_t len, uint64_t now);
    /* It was open and is closed: by either side, with the code that the server
     * gave, or TW__BENCH_LOST. */
    void (*on_close)(tw__bench_conn *conn, uint16_t code);
    /* An attempt to open failed; `why` is borrowed. */
    void (*on_fail)(tw__bench_conn *conn, const char *why);
} tw__bench_events;

typedef struct tw__bench_group {
    tw__bench_loop *loop;
    const tw__bench_target *target;
    const char *path;
    const tw__bench_events *events;
    void *arg; /* the owner's */
    tw__bench_conn *conns;
    uint32_t len;
    uint32_t sources;      /* 127.0.0.x addresses to come from; 0: no choice */
    uint32_t first_number; /* of conns[0] within the run */
    uint32_t receive_buffer; /* SO_RCVBUF; 0: the system's */
    uint32_t _next;
    uint32_t _opening;
} tw__bench_group;

typedef enum tw__bench_state {
    TW__BENCH_CLOSED,
    TW__BENCH_WAITING, /* to be opened again at its deadline */
    TW__BENCH_CONNECTING,
    TW__BENCH_SHAKING, /* hands, for wss:// */
    TW__BENCH_UPGRADING,
    TW__BENCH_OPEN,
    TW__BENCH_CLOSING /* our close frame has been written */
} tw__bench_state;

struct tw__bench_conn {
    tw__bench_fd _ready; /* first */
    tw__bench_group *group;
    int fd; /* -1 when there is none */
    uint32_t index;
    struct ssl_st *_tls; /* NULL without */
    uint8_t state;       /* tw__bench_state */
    bool paused;
    /* The server's close code, 0: none; while connecting, the errno of an
     * attempt that failed at once. */
    uint16_t _code;
    uint32_t _waiting;  /* place in the loop's list + 1; 0: not in it */
    uint64_t deadline;  /* of the state it is in */
    uint64_t opened_at; /* when the attempt began */
    uint8_t *_unsent;
    size_t _unsent_len;
    tw__bench_reader _reader;
    char _accept[TW__BENCH_ACCEPT_SIZE];
};

/* Allocates `len` closed connections for a group whose public fields up to
 * `arg` are set. */
void tw__bench_group_init(tw__bench_group *group, uint32_t len);
void tw__bench_group_deinit(tw__bench_group *group); /* drops all silently */

/* Begins to open those of the first `limit` that never were, as long as fewer
 * than `concurrency` are in the middle of it. */
void tw__bench_group_pump(tw__bench_group *group, uint32_t limit,
                          uint32_t concurrency);

/* Opens a closed connection; failure is told by on_fail, later. */
void tw__bench_conn_open(tw__bench_conn *conn);

/* The same after a while. */
void tw__bench_conn_open_at(tw__bench_conn *conn, uint64_t when);

/* Writes a message or control frame into the loop's buffer. Whoever writes
 * outside of on_message flushes before another connection writes. */
void tw__bench_conn_write(tw__bench_conn *conn, int opcode, const void *data,
                          size_t len);
void tw__bench_conn_flush(tw__bench_conn *conn);

/* Bytes which the kernel did not take yet. */
static inline size_t tw__bench_conn_unsent(const tw__bench_conn *conn) {
    return conn->_unsent_len;
}

/* Starts the closing handshake of an open connection. */
void tw__bench_conn_close(tw__bench_conn *conn, uint16_t code);

/* Stops or resumes reading. */
void tw__bench_conn_pause(tw__bench_conn *conn, bool paused);

/* Reads at most `bytes` from a paused connection. */
void tw__bench_conn_sip(tw__bench_conn *conn, size_t bytes);

/* For the loop: opens and gives up what is due. */
void tw__bench_conn_deadlines(tw__bench_loop *loop);

#endif
