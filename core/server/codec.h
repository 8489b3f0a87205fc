/* codec.h - what a connection speaks above WebSocket.
 *
 * The seam for client protocols. A codec turns publications into frames (once
 * for all its connections), direct sends into frames, says how a connection is
 * pinged and with what it is closed, and gets the messages that arrive. The
 * first one is `raw`: a publication or a send is a message, a message is a
 * hook.
 *
 * Where compression is negotiated a wire is another codec, which differs in how
 * frames are written: so compressed frames are made only when a subscriber of
 * the channel has that codec, and no connection is asked what it negotiated.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_CODEC_H
#define TW_SERVER_CODEC_H

#include "hub/batch.h"
#include "server/conn.h"

struct tw__codec {
    const char *name;
    uint8_t number; /* index into the hub's encoders */
    bool deflates;  /* permessage-deflate is negotiated */
    tw__encoder publication;
    /* A whole message from the peer. */
    tw__ws_verdict (*on_data)(tw_conn *conn, bool is_binary,
                              const uint8_t *data, size_t len);
    /* A direct send: appends to the queue. 0 or TW_ENOMEM. */
    int (*send)(tw_conn *conn, tw__outq *queue, const void *data, size_t len,
                bool is_binary);
    /* Tells a positioned subscriber of a gap; 0 when the wire has no word for
     * it, as raw. */
    int (*encode_gap)(tw__outq *queue, const char *channel, size_t len,
                      uint64_t lost);
    int (*ping)(tw__outq *queue);
    /* Appends what announces the end: the close frame. */
    int (*close)(tw__outq *queue, int code, const char *reason, size_t len);
    /* When the connection is open for its wire: at once, or (false) when the
     * codec says so later, by tw__conn_opened. */
    bool opens_at_once;
};

extern const tw__codec tw__codec_raw;
extern const tw__codec tw__codec_raw_deflate;

enum { TW__CODECS = 2 };
extern const tw__codec *const tw__codecs[TW__CODECS]; /* by number */

/* The codec of a wire's name, plain or compressing, or NULL. */
const tw__codec *tw__codec_find(const char *wire, bool deflates);

/* What the connection speaks; not before it is chosen. */
static inline const tw__codec *tw__conn_codec(const tw_conn *conn) {
    return tw__codecs[conn->codec - 1];
}

/* Appends one WebSocket frame. 0 or TW_ENOMEM. For codecs. */
int tw__codec_frame(tw__outq *queue, int opcode, const void *data, size_t len);

/* ---- compression (deflate.c) ----------------------------------------------
 */

enum {
    /* Shorter messages are not compressed. At 256 bytes a publication of JSON
     * becomes shorter by a third; a direct send, whose cost nobody shares, has
     * to be worth more: at 1 KiB it is half. */
    TW__DEFLATE_PUBLICATION_MIN = 256,
    TW__DEFLATE_SEND_MIN = 1024,
    /* What is compressed for the input of one connection in a turn, about a
     * quarter of a millisecond: then the rest of it waits. */
    TW__DEFLATE_TURN_BYTES = 16384
};

/* As tw__codec_frame, compressed when that is worth while. */
int tw__codec_frame_deflated(tw_conn *conn, tw__outq *queue, int opcode,
                             const void *data, size_t len);

/* The `pack` of an encoder; `arg` is the server. */
size_t tw__codec_pack(void *arg, uint8_t *frame, size_t len);

#endif
