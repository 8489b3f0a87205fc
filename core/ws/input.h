/* input.h - the receiving side of one WebSocket connection: bytes in, messages
 * and control frames out.
 *
 * A tw__ws_input is embedded in its connection, takes 24 bytes and owns
 * nothing while no frame and no message is begun. A begun header is kept
 * inside; only a begun payload or a fragmented message costs a block, its
 * message's bytes and, while the frame is partial, a context of the pool.
 * Whole frames of up to 4 KB pass without an allocation. Belongs to the
 * thread of its pool; no I/O, no clock.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_WS_INPUT_H
#define TW_WS_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ws/close.h"
#include "ws/deflate.h"
#include "ws/frame.h"
#include "ws/pool.h"

typedef struct tw__ws_input {
    struct tw__ws_partial *_partial;
    uint8_t _head[TW__WS_CLIENT_HEADER_MAX];
    uint8_t _head_len;
    bool _done; /* no more frames are taken */
} tw__ws_input;

/* A callback's answer. */
typedef enum tw__ws_verdict {
    TW__WS_CONTINUE, /* the next frame, please */
    TW__WS_PAUSE,    /* not now: the rest will be fed later */
    TW__WS_STOP      /* never: the connection has been closed */
} tw__ws_verdict;

/* What comes out, in the order of the wire. Data is borrowed until the
 * callback returns, and is never NULL.
 *
 * A callback may do anything to its connection, tw__ws_input_deinit included,
 * so long as the memory of the input itself and the pool stay until
 * tw__ws_input_feed has returned; it must not feed the same input. After a
 * deinit the answer does not matter: it is STOP. */
typedef struct tw__ws_events {
    /* A whole message; text is valid UTF-8. */
    tw__ws_verdict (*on_message)(void *owner, bool is_binary,
                                 const uint8_t *data, size_t len);
    /* At most 125 bytes. To be answered with a pong of the same bytes; of
     * several unanswered ones the latest is enough. */
    tw__ws_verdict (*on_ping)(void *owner, const uint8_t *data, size_t len);
    tw__ws_verdict (*on_pong)(void *owner, const uint8_t *data, size_t len);
    /* The peer's close frame: a checked code, TW__WS_CLOSE_NONE when it had
     * none, and at most 123 bytes of valid UTF-8. Nothing comes after it. */
    void (*on_close)(void *owner, int code, const char *reason, size_t len);
} tw__ws_events;

/* How an input is fed; may be shared by all connections of a route but for the
 * owner. Everything is borrowed for the call. */
typedef struct tw__ws_feed {
    tw__ws_pool *pool; /* the same one in all calls for an input */
    const tw__ws_events *events;
    void *owner;        /* handed to the events */
    size_t max_message; /* bytes; more is failed with 1009 */
    size_t max_frames;  /* begun in one call; 0 for no bound */
    /* NULL: compression is not negotiated. The same in all calls otherwise. */
    tw__inflater *inflater;
} tw__ws_feed;

typedef enum tw__ws_status {
    /* All bytes are used: feed the next ones when they come. */
    TW__WS_MORE,
    /* max_frames have been begun and bytes are left: feed them again, soon,
     * but let others have their turn. Each KiB that came out of a compressed
     * message counts as one, too. */
    TW__WS_BUDGET,
    /* A callback answered PAUSE: feed the rest, if any, when it is ready. */
    TW__WS_PAUSED,
    /* A callback answered STOP or deinitialised the input, which has not been
     * touched since: it may be given to tw__ws_input_deinit (again, too), and
     * is not to be fed. All bytes count as used. */
    TW__WS_STOPPED,
    /* A close frame has come, now or earlier, or the input failed earlier, or
     * is deinitialised: all bytes are used, those behind it ignored. */
    TW__WS_CLOSED,
    /* The connection is to be failed as *error says. What was begun has been
     * released, all bytes count as used, and the next call gives CLOSED. */
    TW__WS_FAILED
} tw__ws_status;

/* Makes an input at the start of a connection. Nothing is allocated. */
void tw__ws_input_init(tw__ws_input *in);

/* Releases what is begun; `pool` is the one it was fed with. The input takes
 * no more frames. May be called twice, and from inside a callback. */
void tw__ws_input_deinit(tw__ws_input *in, tw__ws_pool *pool);

/* Takes the next bytes of the connection, as many as there are, and calls the
 * events. *consumed says how many bytes were used: all of them, but for BUDGET
 * and PAUSED, where the rest is the caller's to keep and to feed first, before
 * newer bytes. `error` is written for FAILED only:
 *   1002 a frame or a close frame is against the RFC
 *   1007 a text or a close reason is not UTF-8: in the call that brings the
 *        first wrong byte, even in mid-frame; or a compressed message is not
 *        what it should be, expanded or not: when all of it is there
 *   1009 a message is over max_message: at the header that declares it, before
 *        anything is allocated for it; a compressed one, when it is expanded
 *   1011 there is no memory
 *   1013 a frame is partial, and the pool's cap of those is reached
 * The memory of a message grows with the bytes that have come, not with those
 * declared, and is at most twice its size so far (at least 256 bytes), and
 * never over max_message (a compressed one, as it comes: tw__inflate_bound of
 * that; expanded, while the event runs, max_message once more). */
tw__ws_status tw__ws_input_feed(tw__ws_input *in, const tw__ws_feed *how,
                                const uint8_t *data, size_t len,
                                size_t *consumed, tw__ws_error *error);

/* Whether a frame or a fragmented message is begun and not complete: what a
 * deadline for frames watches. */
static inline bool tw__ws_input_is_partial(const tw__ws_input *in) {
    return in->_partial != NULL || in->_head_len != 0;
}

/* The bytes allocated for what is begun, a bound context included. */
size_t tw__ws_input_memory(const tw__ws_input *in);

#endif
