/* tidewire/log.h - what the library has to say, as structured records.
 * SPDX-License-Identifier: MIT */
#ifndef TIDEWIRE_LOG_H
#define TIDEWIRE_LOG_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tw_log_level {
    TW_LOG_DEBUG,
    TW_LOG_INFO,
    TW_LOG_WARN,
    TW_LOG_ERROR
} tw_log_level;

typedef struct tw_log_field {
    const char *key;
    const char *value;
} tw_log_field;

/* Receives one record. Everything is borrowed. Called on the loop's thread. */
typedef void (*tw_log_cb)(tw_log_level level, const char *message,
                          const tw_log_field *fields, size_t count, void *arg);

#ifdef __cplusplus
}
#endif
#endif
