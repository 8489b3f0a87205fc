/* SPDX-License-Identifier: MIT */
#include "net/poller.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tidewire/errors.h"

/* A batch is what one epoll_wait may fetch; a turn takes further batches only
 * while they come back full, so that much is merged into one turn's writes and
 * timers and other handles still get theirs. */
enum { BATCH = 256, MAX_BATCHES_A_TURN = 4 };

static uint32_t to_epoll(unsigned interest) {
    return (interest & TW__READ ? EPOLLIN : 0u) |
           (interest & TW__WRITE ? EPOLLOUT : 0u) |
           (interest & TW__HANGUP ? EPOLLRDHUP : 0u);
}

static unsigned from_epoll(uint32_t events) {
    if (events & (EPOLLERR | EPOLLHUP)) {
        events |= EPOLLIN | EPOLLRDHUP;
    }
    return (events & EPOLLIN ? TW__READ : 0u) |
           (events & EPOLLOUT ? TW__WRITE : 0u) |
           (events & EPOLLRDHUP ? TW__HANGUP : 0u);
}

static void deliver(const struct epoll_event *event) {
    tw__io *io = event->data.ptr;
    if (event->events != 0 && io->fd >= 0) {
        io->on_io(io, from_epoll(event->events));
    }
}

/* Whoever closes, removes or modifies from a callback edits what is left of the
 * batch: the pointer and length kept in the poller. */
static bool run_batch(tw__poller *poller) {
    struct epoll_event events[BATCH];
    int count = epoll_wait(poller->_epoll, events, BATCH, 0);
    if (count <= 0) {
        return false;
    }
    poller->_batch = events;
    poller->_batch_len = (unsigned)count;
    while (poller->_batch_len > 0) {
        poller->_batch_len--;
        deliver(poller->_batch++);
    }
    poller->_batch = NULL;
    return count == BATCH;
}

static void on_readable(uv_poll_t *handle, int status, int events) {
    tw__poller *poller = TW__CONTAINER(handle, tw__poller, _handle);
    (void)status;
    (void)events;
    for (int i = 0; i < MAX_BATCHES_A_TURN; i++) {
        if (!run_batch(poller) || !poller->_is_open) {
            break;
        }
    }
}

/* Narrows what was already fetched for `io`. */
static void mask_batch(tw__poller *poller, const tw__io *io, uint32_t keep) {
    for (unsigned i = 0; i < poller->_batch_len; i++) {
        if (poller->_batch[i].data.ptr == io) {
            poller->_batch[i].events &= keep;
        }
    }
}

int tw__poller_init(tw__poller *poller, tw__loop *loop) {
    memset(poller, 0, sizeof *poller);
    poller->loop = loop;
    poller->_epoll = epoll_create1(EPOLL_CLOEXEC);
    if (poller->_epoll < 0) {
        return errno == ENOMEM ? TW_ENOMEM : TW_EIO;
    }
    int err = uv_poll_init(loop->uv, &poller->_handle, poller->_epoll);
    if (err != 0) {
        close(poller->_epoll);
        return err == UV_ENOMEM ? TW_ENOMEM : TW_EIO;
    }
    tw__loop_adopt(loop, (uv_handle_t *)&poller->_handle);
    uv_poll_start(&poller->_handle, UV_READABLE, on_readable);
    poller->_is_open = true;
    return 0;
}

void tw__poller_close(tw__poller *poller) {
    poller->_is_open = false;
    poller->_batch_len = 0;
    tw__loop_close_handle((uv_handle_t *)&poller->_handle);
    close(poller->_epoll);
    poller->_epoll = -1;
}

static int control(tw__poller *poller, int op, tw__io *io, unsigned interest) {
    struct epoll_event event = {.events = to_epoll(interest), .data.ptr = io};
    return epoll_ctl(poller->_epoll, op, io->fd, &event) == 0 ? 0 : TW_EIO;
}

int tw__poller_add(tw__poller *poller, tw__io *io, unsigned interest) {
    return control(poller, EPOLL_CTL_ADD, io, interest);
}

int tw__poller_modify(tw__poller *poller, tw__io *io, unsigned interest) {
    int err = control(poller, EPOLL_CTL_MOD, io, interest);
    if (err == 0) {
        mask_batch(poller, io, to_epoll(interest) | EPOLLERR | EPOLLHUP);
    }
    return err;
}

void tw__poller_remove(tw__poller *poller, tw__io *io) {
    mask_batch(poller, io, 0);
    if (io->fd >= 0 && poller->_epoll >= 0) {
        control(poller, EPOLL_CTL_DEL, io, 0);
    }
}
