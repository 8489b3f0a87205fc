/* top.c - what of this worker is largest: queues and channels.
 *
 * Both are looked for among all that there are, a slice at each turn's end, so
 * that a million of them make no turn long. What changes meanwhile may be
 * missed, or a channel be seen twice; it is a picture, not a count.
 *
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "http/response.h"
#include "server/question.h"
#include "server/server.h"

enum { LISTED = 10, SLICE = 2000 };

typedef struct fullest {
    uint64_t handle; /* 0: none */
    size_t queued;
} fullest;

typedef struct largest {
    uint64_t number; /* of the channel; 0: none */
    uint64_t key;    /* what it is sorted by */
    uint64_t publications;
    uint32_t subscribers;
    uint8_t name_len;
    char name[255];
} largest;

typedef struct top {
    tw__turn_hook hook;
    tw_server *server;
    tw_question *question;
    uint32_t cursor;
    size_t pos;
    bool are_conns_done;
    uint64_t conns, channels; /* that were looked at */
    fullest queues[LISTED];
    largest crowds[LISTED], streams[LISTED];
} top;

/* ---- the largest -------------------------------------------------------- */

static void offer_conn(top *t, const tw_conn *conn) {
    size_t queued = tw_conn_queued(conn);
    int at = LISTED;
    while (at > 0 && queued > t->queues[at - 1].queued) {
        at--;
    }
    if (at < LISTED) {
        memmove(&t->queues[at + 1], &t->queues[at],
                (size_t)(LISTED - 1 - at) * sizeof *t->queues);
        t->queues[at] = (fullest){tw_conn_handle(conn), queued};
    }
}

static void offer_channel(largest *list, const tw__channel *channel,
                          uint64_t key) {
    int at = LISTED;
    while (at > 0 && key > list[at - 1].key) {
        at--;
    }
    for (int i = 0; i < LISTED; i++) {
        if (list[i].number == channel->number) {
            return; /* its place has changed under the walk */
        }
    }
    if (at == LISTED) {
        return;
    }
    memmove(&list[at + 1], &list[at], (size_t)(LISTED - 1 - at) * sizeof *list);
    list[at] = (largest){.number = channel->number,
                         .key = key,
                         .publications = channel->arrived,
                         .subscribers = tw__channel_len(channel),
                         .name_len = channel->name_len};
    memcpy(list[at].name, channel->name, channel->name_len);
}

/* ---- the answer --------------------------------------------------------- */

static int add_string(tw__bytes *out, const char *name, tw_str text) {
    int error = tw__bytes_printf(out, "\"%s\":", name);
    return error == 0 ? tw__http_json_string(out, text.data, text.len) : error;
}

static int add_conn(tw__bytes *out, const tw_conn *conn, bool is_first) {
    char id[TW_ID_TEXT];
    tw_str user = tw_conn_user(conn);
    tw_conn_id(conn, id);
    int error =
        tw__bytes_printf(out, "%s{\"id\":\"%s\",", is_first ? "" : ",", id);
    if (error == 0 && user.data != NULL) {
        error = add_string(out, "user", user);
        error = error == 0 ? tw__bytes_printf(out, ",") : error;
    }
    error = error == 0 ? add_string(out, "ip", tw_conn_ip(conn)) : error;
    return error == 0 ? tw__bytes_printf(out, ",\"queued_bytes\":%zu}",
                                         tw_conn_queued(conn))
                      : error;
}

static int add_conns(tw__bytes *out, const top *t) {
    bool is_first = true;
    int error = tw__bytes_printf(out, "\"queues\":[");
    for (int i = 0; error == 0 && i < LISTED && t->queues[i].handle; i++) {
        const tw_conn *conn = tw_server_find(t->server, t->queues[i].handle);
        if (conn != NULL) {
            error = add_conn(out, conn, is_first);
            is_first = false;
        }
    }
    return error == 0 ? tw__bytes_printf(out, "]") : error;
}

static int add_channels(tw__bytes *out, const char *name, const largest *list) {
    int error = tw__bytes_printf(out, ",\"%s\":[", name);
    for (int i = 0; error == 0 && i < LISTED && list[i].number != 0; i++) {
        tw_str text = {list[i].name, list[i].name_len};
        error = tw__bytes_printf(out, "%s{", i > 0 ? "," : "");
        error = error == 0 ? add_string(out, "name", text) : error;
        error = error == 0 ? tw__bytes_printf(out,
                                              ",\"subscribers\":%" PRIu32
                                              ",\"publications\":%" PRIu64 "}",
                                              list[i].subscribers,
                                              list[i].publications)
                           : error;
    }
    return error == 0 ? tw__bytes_printf(out, "]") : error;
}

static void answer(top *t) {
    tw__bytes out = {0};
    int error = add_conns(&out, t);
    error = error == 0 ? add_channels(&out, "crowds", t->crowds) : error;
    error = error == 0 ? add_channels(&out, "streams", t->streams) : error;
    error = error == 0 ? tw__bytes_printf(&out,
                                          ",\"walked_connections\":%" PRIu64
                                          ",\"walked_channels\":%" PRIu64,
                                          t->conns, t->channels)
                       : error;
    tw_question_answer(t->question, error == 0 ? "done" : "failed",
                       (const char *)tw__bytes_data(&out),
                       error == 0 ? tw__bytes_len(&out) : 0);
    tw__bytes_deinit(&out);
}

/* ---- the walk ----------------------------------------------------------- */

static void end(top *t) {
    tw__loop_remove_hook(&t->hook);
    tw__free(t);
}

static void on_gone(void *arg) {
    end(arg);
}

/* Answers how much of the slice is left. */
static int walk_conns(top *t, int left) {
    tw_conn *conn = NULL;
    while (left > 0 && (conn = tw_server_next(t->server, &t->cursor))) {
        t->conns++;
        left--;
        offer_conn(t, conn);
    }
    t->are_conns_done = conn == NULL && left > 0;
    return left;
}

/* True: there are more. */
static bool walk_channels(top *t, int left) {
    tw__channel *channel = NULL;
    while (left > 0 &&
           (channel = tw__map_next(&t->server->hub.channels, &t->pos))) {
        t->channels++;
        left--;
        offer_channel(t->crowds, channel, tw__channel_len(channel));
        offer_channel(t->streams, channel, channel->arrived);
    }
    return channel != NULL || left == 0;
}

static bool on_turn(tw__turn_hook *hook) {
    top *t = TW__CONTAINER(hook, top, hook);
    int left = SLICE;
    if (!t->are_conns_done) {
        left = walk_conns(t, left);
    }
    if (!t->are_conns_done || walk_channels(t, left)) {
        return true;
    }
    answer(t);
    end(t);
    return false;
}

void tw__top_begin(tw_server *server, tw_question *question) {
    top *t = tw__calloc(1, sizeof *t);
    if (t == NULL) {
        tw_question_answer(question, "failed", "", 0);
        return;
    }
    t->server = server;
    t->question = question;
    tw_question_on_gone(question, on_gone, t);
    tw__loop_add_hook(&server->loop, &t->hook, on_turn, TW__TURN_HUB);
}
