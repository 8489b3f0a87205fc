/* codec_raw.c - the wire `raw`: messages as they are, WebSocket heartbeats.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "server/codec.h"
#include "server/server.h"
#include "ws/frame.h"

static size_t size_of_publication(const tw__pub *pub) {
    return TW__WS_SERVER_HEADER_MAX + pub->len;
}

static size_t write_publication(tw__pub *pub, uint8_t *out) {
    bool is_binary = (pub->header.flags & TW__PUB_BINARY) != 0;
    size_t head = tw__ws_frame_header(
        out, is_binary ? TW__WS_BINARY : TW__WS_TEXT, pub->len);
    memcpy(out + head, tw__pub_data(pub), pub->len);
    return head + pub->len;
}

int tw__codec_frame(tw__outq *queue, int opcode, const void *data, size_t len) {
    uint8_t head[TW__WS_SERVER_HEADER_MAX];
    size_t head_len = tw__ws_frame_header(head, opcode, len);
    uint8_t *place = tw__outq_reserve(queue, head_len + len);
    if (place == NULL) {
        return TW_ENOMEM;
    }
    memcpy(place, head, head_len);
    if (len > 0) {
        memcpy(place + head_len, data, len);
    }
    return 0;
}

static int send_message(tw_conn *conn, tw__outq *queue, const void *data,
                        size_t len, bool is_binary) {
    (void)conn;
    return tw__codec_frame(queue, is_binary ? TW__WS_BINARY : TW__WS_TEXT, data,
                           len);
}

static int send_deflated(tw_conn *conn, tw__outq *queue, const void *data,
                         size_t len, bool is_binary) {
    return tw__codec_frame_deflated(
        conn, queue, is_binary ? TW__WS_BINARY : TW__WS_TEXT, data, len);
}

/* The raw wire carries data only: it has no word for a gap. */
static int encode_gap(tw__outq *queue, const char *channel, size_t len,
                      uint64_t lost) {
    (void)queue;
    (void)channel;
    (void)len;
    (void)lost;
    return 0;
}

static int ping(tw__outq *queue) {
    return tw__codec_frame(queue, TW__WS_PING, NULL, 0);
}

static int send_close(tw__outq *queue, int code, const char *reason,
                      size_t len) {
    uint8_t body[TW__WS_CLOSE_BODY_MAX];
    size_t body_len;
    if (tw__ws_close_build(code, reason, len, body, &body_len) != 0) {
        body_len = 0;
    }
    return tw__codec_frame(queue, TW__WS_CLOSE, body, body_len);
}

/* After a close of ours frames are still looked at: the peer's close is among
 * them. */
static tw__ws_verdict verdict(const tw_conn *conn) {
    if (conn->state == TW__CONN_GONE) {
        return TW__WS_STOP;
    }
    return tw__conn_may_read(conn) ? TW__WS_CONTINUE : TW__WS_PAUSE;
}

static tw__ws_verdict on_data(tw_conn *conn, bool is_binary,
                              const uint8_t *data, size_t len) {
    tw_server *server = conn->server;
    if ((conn->route->config.hooks & TW_HOOK_MESSAGE) == 0) {
        return TW__WS_CONTINUE;
    }
    tw_msg msg = {data, len, is_binary, conn->colour};
    conn->flags |= TW__BUSY | TW__IN_HOOK;
    int result =
        server->config.hooks.on_message(conn, &msg, server->config.hook_user);
    tw__conn_end_hook(conn, result);
    return verdict(conn);
}

/* To compress what a read asks for takes much longer than to read it: whoever
 * had much compressed leaves the rest of its input to its next turn. */
static tw__ws_verdict on_data_deflating(tw_conn *conn, bool is_binary,
                                        const uint8_t *data, size_t len) {
    tw__ws_verdict said = on_data(conn, is_binary, data, len);
    bool is_much = conn->server->deflated_now >= TW__DEFLATE_TURN_BYTES;
    return said == TW__WS_CONTINUE && is_much ? TW__WS_PAUSE : said;
}

const tw__codec tw__codec_raw = {
    .name = "raw",
    .number = 0,
    .publication = {size_of_publication, write_publication, NULL, NULL},
    .on_data = on_data,
    .send = send_message,
    .encode_gap = encode_gap,
    .ping = ping,
    .close = send_close,
    .opens_at_once = true,
};

const tw__codec tw__codec_raw_deflate = {
    .name = "raw",
    .number = 1,
    .deflates = true,
    .publication = {size_of_publication, write_publication, NULL, NULL},
    .on_data = on_data_deflating,
    .send = send_deflated,
    .encode_gap = encode_gap,
    .ping = ping,
    .close = send_close,
    .opens_at_once = true,
};

const tw__codec *const tw__codecs[TW__CODECS] = {&tw__codec_raw,
                                                 &tw__codec_raw_deflate};

const tw__codec *tw__codec_find(const char *wire, bool deflates) {
    bool is_raw = wire == NULL || strcmp(wire, tw__codec_raw.name) == 0;
    const tw__codec *raw = deflates ? &tw__codec_raw_deflate : &tw__codec_raw;
    return is_raw ? raw : NULL;
}
