/* SPDX-License-Identifier: MIT */
#include "dict/lock.h"

#include <errno.h>
#include <time.h>

#include "tidewire/errors.h"

/* Tries before one goes to sleep: about as long as a holder takes. */
enum { TRIES = 64 };

int tw__dict_lock_init(pthread_mutex_t *mutex) {
    pthread_mutexattr_t attributes;
    if (pthread_mutexattr_init(&attributes) != 0) {
        return TW_ENOMEM;
    }
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    int error = pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return error == 0 ? 0 : TW_ENOMEM;
}

static void rest(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* A wall clock that is set must not make one wait for a day, hence this one. */
static int wait_for(pthread_mutex_t *mutex) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TW__DICT_WAIT_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
}

tw__dict_locked tw__dict_lock(pthread_mutex_t *mutex) {
    int error = pthread_mutex_trylock(mutex);
    for (int i = 0; error == EBUSY && i < TRIES; i++) {
        rest();
        error = pthread_mutex_trylock(mutex);
    }
    if (error == EBUSY) {
        error = wait_for(mutex);
    }
    return error == 0            ? TW__DICT_LOCKED
           : error == EOWNERDEAD ? TW__DICT_ORPHANED
                                 : TW__DICT_BUSY;
}

void tw__dict_lock_mend(pthread_mutex_t *mutex) {
    pthread_mutex_consistent(mutex);
}

void tw__dict_unlock(pthread_mutex_t *mutex) {
    pthread_mutex_unlock(mutex);
}
