/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static tw_log_level level_of(const char *name) {
    for (int i = TW_LOG_DEBUG; name != NULL && i <= TW_LOG_ERROR; i++) {
        if (strcmp(name, twp_log_level_name((tw_log_level)i)) == 0) {
            return (tw_log_level)i;
        }
    }
    return TW_LOG_INFO;
}

static bool is_terminal(void) {
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) == 1 && term != NULL &&
           strcmp(term, "dumb") != 0;
}

void twp_log_init(twp_log *log, const char *level, const char *format) {
    const char *no_colour = getenv("NO_COLOR"); /* no-color.org */
    *log = (twp_log){.level = level_of(level), .worker = -1};
    if (format != NULL && strcmp(format, "json") == 0) {
        log->format = TWP_LOG_JSON;
    } else if (format == NULL || strcmp(format, "auto") == 0) {
        log->format = is_terminal() ? TWP_LOG_PEOPLE : TWP_LOG_LOGFMT;
    }
    log->has_colour = no_colour == NULL || *no_colour == '\0';
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void twp_log_write(tw_log_level level, const char *message,
                   const tw_log_field *fields, size_t count, void *arg) {
    const twp_log *log = arg;
    if (level < log->level) {
        return;
    }
    int error = errno; /* whoever logs a failure may still look at it */
    twp_record record = {now_ms(), level,       message,      fields,
                         count,    log->worker, (int)getpid()};
    twp_text line = {0};
    if (log->format == TWP_LOG_JSON) {
        twp_log_format_json(&line, &record);
    } else if (log->format == TWP_LOG_LOGFMT) {
        twp_log_format_logfmt(&line, &record);
    } else {
        twp_log_format_people(&line, &record, log->has_colour);
    }
    twp_text_write(&line, STDERR_FILENO);
    twp_text_deinit(&line);
    errno = error;
}
