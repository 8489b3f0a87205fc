/* SPDX-License-Identifier: MIT */
#include "server/act.h"

#include "server/conn_id.h"
#include "server/people.h"
#include "server/server.h"
#include "ws/close.h"
#include "ws/utf8.h"

/* ---- making ---- */

int tw__act_send(tw__act *act, const void *data, size_t len, bool binary,
                 bool is_utf8) {
    if (len > UINT32_MAX / 2 ||
        !(binary || is_utf8 || tw__utf8_valid(data, len))) {
        return TW_EINVALID;
    }
    *act = (tw__act){
        .what = TW__ACT_SEND, .is_binary = binary, .data = data, .len = len};
    return 0;
}

int tw__act_close(tw__act *act, int code, tw_str reason) {
    if (!tw__ws_close_is_sendable(code) ||
        !tw__utf8_valid((const uint8_t *)reason.data, reason.len)) {
        return TW_EINVALID;
    }
    *act = (tw__act){.what = TW__ACT_CLOSE,
                     .code = (uint16_t)code,
                     .text = reason.data != NULL ? reason.data : "",
                     .text_len = tw__conn_cut_reason(reason.data, reason.len)};
    return 0;
}

int tw__act_channel(tw__act *act, enum tw__act_what what, tw_str channel) {
    if (channel.len == 0 || channel.len > TW__CHANNEL_MAX) {
        return TW_EINVALID;
    }
    *act = (tw__act){
        .what = (uint8_t)what, .text = channel.data, .text_len = channel.len};
    return 0;
}

/* ---- doing ---- */

static void send_to(tw_conn *conn, const tw__act *act) {
    const tw_msg msg = {.data = act->data,
                        .len = act->len,
                        .binary = act->is_binary,
                        .colour = conn->colour};
    tw_conn_forward(conn, &msg); /* who sent it has looked at it */
}

static void close_it(tw_conn *conn, const tw__act *act) {
    tw__count(conn->server, TW_COUNTER_USERS_CLOSED,
              act->code == TW__CLOSE_USER_LIMIT);
    tw__conn_close(conn, act->code, act->text, act->text_len);
}

/* There is nobody who could be told of a failure. */
void tw__server_on_act(void *arg, const uint8_t id[TW__CONN_ID_BYTES],
                       const tw__act *act) {
    tw_server *server = arg;
    tw_conn *conn = tw__server_find_id(server, id);
    tw_str text = {act->text, act->text_len};
    if (conn == NULL || conn->state != TW__CONN_OPEN) {
        return;
    }
    tw__count(server, TW_COUNTER_REMOTE_ACTS, 1);
    switch (act->what) {
    case TW__ACT_SEND:
        send_to(conn, act);
        break;
    case TW__ACT_CLOSE:
        close_it(conn, act);
        break;
    case TW__ACT_SUBSCRIBE:
        tw_conn_subscribe(conn, text, NULL, NULL, NULL);
        break;
    case TW__ACT_UNSUBSCRIBE:
        tw__conn_unsubscribe(conn, text, TW__BY_REMOTE);
        break;
    default: /* of a member that knows more than this one */
        break;
    }
    tw__loop_wake(&server->loop);
}
