/* SPDX-License-Identifier: MIT */
#include "heard.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "vm_alloc.h"

enum { LOG_EVERY_MS = 1000 };

typedef struct heard {
    twl_link node;
    tw_msg msg; /* its data, and the key behind that, are one block of ours */
    size_t key_len;
    uint64_t offset;
} heard;

/* ---- dropping ------------------------------------------------------------ */

static void forget(twl_listener *listener, heard *first) {
    twl_link_remove(&first->node);
    listener->waiting--;
    listener->bytes -= first->msg.len + first->key_len;
}

static void free_heard(heard *h) {
    twl_free((void *)h->msg.data);
    twl_free(h);
}

/* One line a second, however many there are. */
static void count_dropped(twl_listener *listener) {
    tw_server *server = listener->gen->lua->server;
    tw_server_count(server, TW_COUNTER_LISTEN_DROPPED, 1);
    listener->dropped++;
    if (tw_server_now(server) < listener->next_log_ms) {
        return;
    }
    char count[24];
    snprintf(count, sizeof count, "%" PRIu64, listener->dropped);
    tw_log_field fields[] = {{"channel", listener->channel},
                             {"dropped", count}};
    twl_log_write(listener->gen->vm, TW_LOG_WARN,
                  "a function of tw.subscribe is too slow", fields, 2);
    listener->dropped = 0;
    listener->next_log_ms = tw_server_now(server) + LOG_EVERY_MS;
}

static void drop_first(twl_listener *listener) {
    heard *first = TWL_OF(listener->queue.next, heard, node);
    forget(listener, first);
    free_heard(first);
    count_dropped(listener);
}

static void make_room(twl_listener *listener, size_t bytes) {
    while (listener->waiting > 0 &&
           (listener->waiting >= TWL_HEARD_MAX ||
            listener->bytes + bytes > TWL_HEARD_BYTES_MAX)) {
        drop_first(listener);
    }
}

/* ---- the queue ----------------------------------------------------------- */

static heard *copy(const tw_publication *publication) {
    size_t key_len = publication->key.len;
    heard *h = twl_zalloc(sizeof *h);
    char *block = twl_malloc(publication->len + key_len + 1);
    if (!h || !block) {
        twl_free(h);
        twl_free(block);
        return NULL;
    }
    if (publication->len > 0) {
        memcpy(block, publication->data, publication->len);
    }
    if (key_len > 0) {
        memcpy(block + publication->len, publication->key.data, key_len);
    }
    h->msg = (tw_msg){
        .data = block, .len = publication->len, .binary = publication->binary};
    h->key_len = key_len;
    h->offset = publication->offset;
    return h;
}

void twl_heard_add(twl_listener *listener, const tw_publication *publication) {
    size_t bytes = publication->len + publication->key.len;
    make_room(listener, bytes);
    heard *h = copy(publication);
    if (!h) {
        count_dropped(listener);
        return;
    }
    twl_link_append(&listener->queue, &h->node);
    listener->waiting++;
    listener->bytes += bytes;
}

bool twl_heard_take(twl_listener *listener, twl_job *job) {
    if (listener->waiting == 0) {
        return false;
    }
    heard *first = TWL_OF(listener->queue.next, heard, node);
    forget(listener, first);
    job->copy = first->msg; /* taken: freed with the job */
    job->msg = &job->copy;
    job->offset = first->offset;
    job->key = (tw_str){(const char *)first->msg.data + first->msg.len,
                        first->key_len};
    twl_free(first);
    return true;
}

void twl_heard_move(twl_listener *to, twl_listener *from) {
    twl_link_splice(&to->queue, &from->queue);
    to->waiting = from->waiting;
    to->bytes = from->bytes;
    from->waiting = from->bytes = 0;
}

void twl_heard_clear(twl_listener *listener) {
    while (listener->waiting > 0) {
        heard *first = TWL_OF(listener->queue.next, heard, node);
        forget(listener, first);
        free_heard(first);
    }
}
