/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What waits is tried again so often, and for so long when a process ends. */
enum { RETRY_MS = 50, LAST_MS = 500 };

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
    *log = (twp_log){
        .level = level_of(level), .worker = -1, ._pid = (int)getpid()};
    if (format != NULL && strcmp(format, "json") == 0) {
        log->format = TWP_LOG_JSON;
    } else if (format == NULL || strcmp(format, "auto") == 0) {
        log->format = is_terminal() ? TWP_LOG_PEOPLE : TWP_LOG_LOGFMT;
    }
    log->has_colour = no_colour == NULL || *no_colour == '\0';
    twp_sink_init(&log->_sink);
}

void twp_log_unblock(twp_log *log) {
    twp_sink_unblock(&log->_sink);
}

/* ---- records ------------------------------------------------------------ */

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool put_record(twp_log *log, tw_log_level level, const char *message,
                       const tw_log_field *fields, size_t count) {
    twp_record record = {wall_ms(), level,       message,  fields,
                         count,     log->worker, log->_pid};
    twp_text line = {0};
    if (log->format == TWP_LOG_JSON) {
        twp_log_format_json(&line, &record);
    } else if (log->format == TWP_LOG_LOGFMT) {
        twp_log_format_logfmt(&line, &record);
    } else {
        twp_log_format_people(&line, &record, log->has_colour);
    }
    bool is_taken = twp_sink_put(&log->_sink, &line);
    twp_text_deinit(&line);
    return is_taken;
}

/* Says how many are missing, in the place where they are. This record is none
 * of them, whatever becomes of it. */
static void tell_lost(twp_log *log) {
    uint64_t lost = log->_sink.lost - log->_told;
    if (lost == 0 || !twp_sink_has_room(&log->_sink)) {
        return;
    }
    char records[24];
    snprintf(records, sizeof records, "%" PRIu64, lost);
    tw_log_field field = {"records", records};
    if (put_record(log, TW_LOG_WARN, "log records were lost", &field, 1)) {
        log->_told += lost;
    } else {
        log->_sink.lost--;
    }
}

/* ---- what waits --------------------------------------------------------- */

static void count_lost(twp_log *log) {
    if (log->_server != NULL && log->_sink.lost > log->_counted) {
        tw_server_count(log->_server, TW_COUNTER_LOG_LOST,
                        log->_sink.lost - log->_counted);
        log->_counted = log->_sink.lost;
    }
}

static void settle(twp_log *log);

static void on_retry(tw_timer *timer, void *arg) {
    twp_log *log = arg;
    (void)timer;
    log->_retry = NULL;
    twp_sink_flush(&log->_sink);
    if (!twp_sink_is_waiting(&log->_sink)) {
        tell_lost(log);
    }
    settle(log);
}

/* After every attempt to write. */
static void settle(twp_log *log) {
    count_lost(log);
    if (log->_server != NULL && log->_retry == NULL &&
        twp_sink_is_waiting(&log->_sink)) {
        log->_retry = tw_timer_start(log->_server, RETRY_MS, on_retry, log);
    }
}

void twp_log_attach(twp_log *log, tw_server *server) {
    log->_server = server;
    settle(log);
}

void twp_log_detach(twp_log *log) {
    if (log->_retry != NULL) {
        tw_timer_stop(log->_retry);
        log->_retry = NULL;
    }
    log->_server = NULL;
}

/* A process does not write, nor count, what another one has left. */
static void look_who_we_are(twp_log *log) {
    int pid = (int)getpid();
    if (log->_pid != pid) {
        log->_pid = pid;
        log->_told = log->_counted = 0;
        twp_sink_forget(&log->_sink);
    }
}

/* ---- writing ------------------------------------------------------------ */

void twp_log_write(tw_log_level level, const char *message,
                   const tw_log_field *fields, size_t count, void *arg) {
    twp_log *log = arg;
    if (level < log->level) {
        return;
    }
    int error = errno; /* whoever logs a failure may still look at it */
    look_who_we_are(log);
    tell_lost(log);
    put_record(log, level, message, fields, count);
    settle(log);
    errno = error;
}

void twp_log_put(twp_log *log, const twp_text *text) {
    look_who_we_are(log);
    twp_sink_put(&log->_sink, text);
    settle(log);
}

void twp_log_deinit(twp_log *log) {
    look_who_we_are(log);
    twp_log_detach(log);
    twp_sink_drain(&log->_sink, LAST_MS);
    if (!twp_sink_is_waiting(&log->_sink)) {
        tell_lost(log);
    }
    twp_sink_deinit(&log->_sink);
}
