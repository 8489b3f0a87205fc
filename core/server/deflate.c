/* deflate.c - frames of those who negotiated compression.
 *
 * A publication is compressed once for all of a worker's subscribers that want
 * it so, a direct send for one. What does not get shorter is sent as it is,
 * which the RFC leaves to the sender for every message anew.
 *
 * SPDX-License-Identifier: MIT */
#include "ws/deflate.h"

#include <string.h>

#include "server/codec.h"
#include "server/server.h"
#include "ws/frame.h"

static void note(tw_server *server, size_t before, size_t after) {
    tw__count(server, TW_COUNTER_DEFLATED, 1);
    tw__count(server, TW_COUNTER_DEFLATE_IN, before);
    tw__count(server, TW_COUNTER_DEFLATE_OUT, after);
}

static size_t header_len(const uint8_t *frame) {
    return frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10;
}

/* The header of the shorter frame is at most as long as that of the frame. */
size_t tw__codec_pack(void *arg, uint8_t *frame, size_t len) {
    tw_server *server = arg;
    size_t head = header_len(frame);
    size_t payload = len - head;
    const uint8_t *packed;
    if (payload < TW__DEFLATE_PUBLICATION_MIN) {
        return len;
    }
    size_t packed_len =
        tw__deflate(&server->deflater, frame + head, payload, &packed);
    if (packed_len != 0) {
        head = tw__ws_frame_header(frame, frame[0] & 0x0F, packed_len);
        frame[0] |= TW__WS_RSV1;
        memcpy(frame + head, packed, packed_len);
        len = head + packed_len;
        note(server, payload, packed_len);
    }
    tw__deflater_trim(&server->deflater);
    return len;
}

int tw__codec_frame_deflated(tw_conn *conn, tw__outq *queue, int opcode,
                             const void *data, size_t len) {
    tw_server *server = conn->server;
    const uint8_t *packed = NULL;
    size_t packed_len = len >= TW__DEFLATE_SEND_MIN
                            ? tw__deflate(&server->deflater, data, len, &packed)
                            : 0;
    server->deflated_now += len >= TW__DEFLATE_SEND_MIN ? len : 0;
    if (packed_len == 0) {
        return tw__codec_frame(queue, opcode, data, len);
    }
    int err = tw__codec_frame(queue, opcode | TW__WS_RSV1, packed, packed_len);
    if (err == 0) {
        note(server, len, packed_len);
    }
    tw__deflater_trim(&server->deflater);
    return err;
}
