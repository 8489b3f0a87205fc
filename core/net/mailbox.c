/* SPDX-License-Identifier: MIT */
#include "net/mailbox.h"

#include <stdlib.h>
#include <string.h>

#include "tidewire/errors.h"

/* From malloc itself: base/alloc.h belongs to the loop's thread. */
struct tw__post {
    tw__post *next;
    void (*cb)(int status, void *arg);
    void *arg;
};

/* So that a flood of posts does not hold the loop. */
enum { MAX_RUN_A_TURN = 4096 };

/* Moves the box's posts behind those already taken. Under the lock. */
static void take_all(tw__mailbox *mailbox) {
    if (mailbox->_first == NULL) {
        return;
    }
    *mailbox->_taken_last = mailbox->_first;
    mailbox->_taken_last = mailbox->_last;
    mailbox->_first = NULL;
    mailbox->_last = &mailbox->_first;
}

static tw__post *shift_taken(tw__mailbox *mailbox) {
    tw__post *post = mailbox->_taken;
    if (post != NULL) {
        mailbox->_taken = post->next;
        if (mailbox->_taken == NULL) {
            mailbox->_taken_last = &mailbox->_taken;
        }
    }
    return post;
}

static bool run_next(tw__mailbox *mailbox, int status) {
    tw__post *post = shift_taken(mailbox);
    if (post == NULL) {
        return false;
    }
    struct tw__post copy = *post;
    free(post);
    copy.cb(status, copy.arg);
    return true;
}

/* When a callback closes the box, the close answers all that is left. */
static void on_async(uv_async_t *async) {
    tw__mailbox *mailbox = TW__CONTAINER(async, tw__mailbox, _async);
    pthread_mutex_lock(&mailbox->_lock);
    take_all(mailbox);
    pthread_mutex_unlock(&mailbox->_lock);
    for (int i = 0; i < MAX_RUN_A_TURN; i++) {
        if (!run_next(mailbox, 0)) {
            return;
        }
    }
    if (mailbox->_taken != NULL) {
        uv_async_send(async);
    }
}

int tw__mailbox_init(tw__mailbox *mailbox, tw__loop *loop) {
    memset(mailbox, 0, sizeof *mailbox);
    mailbox->_last = &mailbox->_first;
    mailbox->_taken_last = &mailbox->_taken;
    if (pthread_mutex_init(&mailbox->_lock, NULL) != 0) {
        return TW_ENOMEM;
    }
    int err = uv_async_init(loop->uv, &mailbox->_async, on_async);
    if (err != 0) {
        pthread_mutex_destroy(&mailbox->_lock);
        return err == UV_ENOMEM ? TW_ENOMEM : TW_EIO;
    }
    tw__loop_adopt(loop, (uv_handle_t *)&mailbox->_async);
    return 0;
}

/* The mutex is not destroyed: it holds nothing but its own bytes, and a thread
 * that posts too late shall find it. */
void tw__mailbox_close(tw__mailbox *mailbox) {
    pthread_mutex_lock(&mailbox->_lock);
    mailbox->_is_closed = true;
    take_all(mailbox);
    pthread_mutex_unlock(&mailbox->_lock);
    tw__loop_close_handle((uv_handle_t *)&mailbox->_async);
    while (run_next(mailbox, TW_ECLOSED)) {
    }
}

int tw__mailbox_post(tw__mailbox *mailbox, void (*cb)(int status, void *arg),
                     void *arg) {
    tw__post *post = malloc(sizeof *post);
    if (post == NULL) {
        return TW_ENOMEM;
    }
    *post = (struct tw__post){NULL, cb, arg};
    pthread_mutex_lock(&mailbox->_lock);
    bool is_closed = mailbox->_is_closed;
    if (!is_closed) {
        bool was_empty = mailbox->_first == NULL;
        *mailbox->_last = post;
        mailbox->_last = &post->next;
        if (was_empty) {
            /* Under the lock: afterwards the box may be closed. */
            uv_async_send(&mailbox->_async);
        }
    }
    pthread_mutex_unlock(&mailbox->_lock);
    if (is_closed) {
        free(post);
        return TW_ECLOSED;
    }
    return 0;
}
