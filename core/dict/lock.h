/* lock.h - a mutex in shared memory that outlives its holder.
 *
 * Process-shared and robust: when a process dies while it holds one, the kernel
 * says so to the next who wants it. Waiting is short and bounded, on the
 * monotonic clock: the loop of a worker stands still meanwhile.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_DICT_LOCK_H
#define TW_DICT_LOCK_H

#include <pthread.h>

/* How long one waits for a holder, which is done within a microsecond unless
 * the system took the processor from it. */
enum { TW__DICT_WAIT_MS = 5 };

typedef enum tw__dict_locked {
    TW__DICT_LOCKED,
    TW__DICT_ORPHANED, /* locked, but the last holder died in the middle: make
                          good, then tw__dict_lock_mend */
    TW__DICT_BUSY      /* not locked */
} tw__dict_locked;

/* 0 or TW_ENOMEM. */
int tw__dict_lock_init(pthread_mutex_t *mutex);

tw__dict_locked tw__dict_lock(pthread_mutex_t *mutex);
void tw__dict_lock_mend(pthread_mutex_t *mutex);
void tw__dict_unlock(pthread_mutex_t *mutex);

#endif
