/* SPDX-License-Identifier: MIT */
#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tidewire/errors.h"

/* Shared by two: the one that comes last frees it. Of a foreign thread, so not
 * from base/alloc.h. */
struct tw__resolve_job {
    atomic_int holders;
    int fd;
    size_t count;
    tw__address addresses[TW__RESOLVED_MAX];
    char host[256];
    char port[8];
};

static void let_go(tw__resolve_job *job) {
    if (atomic_fetch_sub(&job->holders, 1) == 1) {
        close(job->fd);
        free(job);
    }
}

static void keep(tw__resolve_job *job, const struct addrinfo *found) {
    for (; found != NULL && job->count < TW__RESOLVED_MAX;
         found = found->ai_next) {
        tw__address *address = &job->addresses[job->count];
        if (found->ai_addrlen <= sizeof address->_storage) {
            memcpy(&address->_storage, found->ai_addr, found->ai_addrlen);
            address->_len = found->ai_addrlen;
            job->count++;
        }
    }
}

static void *look_up(void *arg) {
    tw__resolve_job *job = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    uint64_t one = 1;
    if (getaddrinfo(job->host, job->port, &hints, &found) == 0) {
        keep(job, found);
        freeaddrinfo(found);
    }
    while (write(job->fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
    let_go(job);
    return NULL;
}

/* Signals are for the loop's thread. */
static int start_thread(tw__resolve_job *job) {
    sigset_t all, before;
    pthread_attr_t attr;
    pthread_t thread;
    if (pthread_attr_init(&attr) != 0) {
        return TW_ENOMEM;
    }
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&thread, &attr, look_up, job);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return err == 0 ? 0 : TW_EIO;
}

static void on_io(tw__io *io, unsigned events) {
    tw__resolve *resolve = TW__CONTAINER(io, tw__resolve, _io);
    tw__resolve_job *job = resolve->_job;
    (void)events;
    tw__poller_remove(resolve->_poller, io);
    io->fd = -1;
    resolve->_job = NULL;
    tw__address addresses[TW__RESOLVED_MAX];
    size_t count = job->count;
    memcpy(addresses, job->addresses, count * sizeof *addresses);
    let_go(job);
    resolve->cb(resolve, addresses, count);
}

int tw__resolve_start(tw__resolve *resolve, tw__poller *poller,
                      const char *host, const char *port) {
    tw__resolve_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        return TW_ENOMEM;
    }
    if (strlen(host) >= sizeof job->host || strlen(port) >= sizeof job->port) {
        free(job);
        return TW_EINVALID;
    }
    strcpy(job->host, host);
    strcpy(job->port, port);
    job->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (job->fd < 0) {
        free(job);
        return TW_EIO;
    }
    atomic_init(&job->holders, 2);
    resolve->_io = (tw__io){on_io, job->fd};
    int err = tw__poller_add(poller, &resolve->_io, TW__READ);
    if (err == 0 && (err = start_thread(job)) != 0) {
        tw__poller_remove(poller, &resolve->_io);
    }
    if (err != 0) {
        resolve->_io.fd = -1;
        close(job->fd);
        free(job);
        return err;
    }
    resolve->_poller = poller;
    resolve->_job = job;
    return 0;
}

void tw__resolve_cancel(tw__resolve *resolve) {
    if (resolve->_job != NULL) {
        tw__poller_remove(resolve->_poller, &resolve->_io);
        resolve->_io.fd = -1;
        let_go(resolve->_job);
        resolve->_job = NULL;
    }
}
