/* log.h - structured log records handed to the host.
 *
 * The library never prints. A record is a level, a message and fields; the
 * host's function does the rest. Without one, records vanish.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BASE_LOG_H
#define TW_BASE_LOG_H

#include "tidewire/log.h"

typedef struct tw__log {
    tw_log_cb cb;
    void *arg;
    tw_log_level level; /* records below it are not made */
} tw__log;

/* Logs `message` with fields given as pairs of C strings, ended by NULL:
 *   tw__log_write(log, TW_LOG_WARN, "worker died", "slot", "3", NULL); */
void tw__log_write(const tw__log *log, tw_log_level level, const char *message,
                   ...) __attribute__((sentinel));

/* The same with a message made by printf and no fields. */
void tw__log_printf(const tw__log *log, tw_log_level level, const char *format,
                    ...) __attribute__((format(printf, 3, 4)));

#endif
