/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

enum { MAX_FIELDS = 16, MAX_MESSAGE = 1024 };

static bool is_wanted(const tw__log *log, tw_log_level level) {
    return log != NULL && log->cb != NULL && level >= log->level;
}

void tw__log_write(const tw__log *log, tw_log_level level, const char *message,
                   ...) {
    if (!is_wanted(log, level)) {
        return;
    }
    tw_log_field fields[MAX_FIELDS];
    size_t count = 0;
    va_list args;
    va_start(args, message);
    const char *key;
    while (count < MAX_FIELDS && (key = va_arg(args, const char *)) != NULL) {
        fields[count].key = key;
        fields[count++].value = va_arg(args, const char *);
    }
    va_end(args);
    log->cb(level, message, fields, count, log->arg);
}

void tw__log_printf(const tw__log *log, tw_log_level level, const char *format,
                    ...) {
    if (!is_wanted(log, level)) {
        return;
    }
    char message[MAX_MESSAGE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    log->cb(level, message, NULL, 0, log->arg);
}
