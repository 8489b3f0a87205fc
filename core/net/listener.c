/* SPDX-License-Identifier: MIT */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tidewire/errors.h"

enum {
    MAX_ACCEPTED_A_TURN = 64,
    MAX_QUEUED = 8192, /* above every queue; who comes meanwhile counts */
    REST_MS = 100
};

static bool is_started(const tw__listener *listener) {
    return listener->_poller != NULL;
}

static int open_reserve(void) {
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Not while it rests or is paused. */
static void watch(tw__listener *listener) {
    bool is_on = !listener->_is_paused && !tw__wheel_is_set(&listener->_rest);
    tw__poller_modify(listener->_poller, &listener->_io, is_on ? TW__READ : 0);
}

static void on_rested(tw__wheel_entry *entry) {
    tw__listener *listener = TW__CONTAINER(entry, tw__listener, _rest);
    if (listener->_reserve < 0) {
        listener->_reserve = open_reserve();
    }
    watch(listener);
}

/* The socket stays ready while nobody accepts: not watching it for a while is
 * what keeps the loop from spinning. */
static void rest(tw__listener *listener) {
    tw__clockwork_set(listener->_clockwork, &listener->_rest, REST_MS);
    watch(listener);
}

static bool refuse_one(tw__listener *listener, int error) {
    if (listener->_reserve < 0) {
        return false;
    }
    close(listener->_reserve);
    int fd = tw__socket_accept(listener->_io.fd, NULL);
    if (fd >= 0) {
        close(fd);
    }
    listener->_reserve = open_reserve();
    if (fd >= 0) {
        listener->on_refused(listener, error);
    }
    return fd >= 0;
}

/* Whoever waits in the queue now is sent away at once rather than left to his
 * own timeout; `budget` bounds how many. */
static void refuse_queued(tw__listener *listener, int error, int budget) {
    while (budget > 0 && refuse_one(listener, error)) {
        budget--;
    }
    if (is_started(listener)) {
        rest(listener);
    }
}

/* True when the next accept may succeed at once. accept(2): an error of the
 * newcomer's network is reported here and means nothing for the next one. */
static bool on_accept_error(tw__listener *listener, int error, int budget) {
    switch (error) {
    case EMFILE:
    case ENFILE:
        refuse_queued(listener, error, budget);
        return false;
    case EAGAIN:
        return false;
    case ENOBUFS:
    case ENOMEM:
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
        rest(listener);
        return false;
    default:
        return true;
    }
}

/* False: nobody is there, or nobody can be accepted. */
static bool accept_one(tw__listener *listener, int budget) {
    tw__address peer;
    int fd = tw__socket_accept(listener->_io.fd, &peer);
    if (fd < 0) {
        return on_accept_error(listener, errno, budget);
    }
    listener->on_accept(listener, fd, &peer);
    return true;
}

static void on_io(tw__io *io, unsigned events) {
    tw__listener *listener = TW__CONTAINER(io, tw__listener, _io);
    (void)events;
    for (int left = MAX_ACCEPTED_A_TURN; left > 0; left--) {
        if (!is_started(listener) || listener->_is_paused ||
            !accept_one(listener, left)) {
            return;
        }
    }
}

void tw__listener_accept_queued(tw__listener *listener) {
    for (int left = MAX_QUEUED; left > 0; left--) {
        if (!is_started(listener) || !accept_one(listener, left)) {
            return;
        }
    }
}

static int set_non_blocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int tw__listener_start(tw__listener *listener, tw__poller *poller,
                       tw__clockwork *clockwork, int fd) {
    int reserve = open_reserve();
    if (reserve < 0 || set_non_blocking(fd) != 0) {
        goto fail;
    }
    listener->_io = (tw__io){on_io, fd};
    if (tw__poller_add(poller, &listener->_io, TW__READ) != 0) {
        goto fail;
    }
    listener->_rest.cb = on_rested;
    listener->_poller = poller;
    listener->_clockwork = clockwork;
    listener->_reserve = reserve;
    listener->_is_paused = false;
    return 0;

fail:;
    int error = errno;
    if (reserve >= 0) {
        close(reserve);
    }
    close(fd);
    listener->_io.fd = -1;
    errno = error;
    return error == ENOMEM ? TW_ENOMEM : TW_EIO;
}

static void set_paused(tw__listener *listener, bool is_paused) {
    if (is_started(listener)) {
        listener->_is_paused = is_paused;
        watch(listener);
    }
}

void tw__listener_pause(tw__listener *listener) {
    set_paused(listener, true);
}

void tw__listener_resume(tw__listener *listener) {
    set_paused(listener, false);
}

void tw__listener_stop(tw__listener *listener, bool keep_fd) {
    if (!is_started(listener)) {
        return;
    }
    tw__poller_remove(listener->_poller, &listener->_io);
    tw__clockwork_clear(listener->_clockwork, &listener->_rest);
    listener->_poller = NULL;
    if (listener->_reserve >= 0) {
        close(listener->_reserve);
    }
    listener->_reserve = -1;
    if (!keep_fd) {
        close(listener->_io.fd);
    }
    listener->_io.fd = -1;
}
