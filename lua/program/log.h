/* log.h - structured logs to standard error.
 *
 * One record is one line and one write(2): the processes of a server share the
 * descriptor, and lines must not mix. Formats:
 *
 *   logfmt   time=2030-01-02T03:04:05.678Z level=info msg="..." worker=0 pid=7
 * k=v json {"time":"...","level":"info","msg":"...","worker":0,"pid":7,"k":"v"}
 *   people   03:04:05.678 INFO  [0] ...  k=v      coloured; on a terminal
 *
 * `worker` is there in workers only. Fields of a record called time, level or
 * msg get a "_" behind; those called worker or pid (the master's records speak
 * of its children) stand in place of the process's own. Of two fields of one
 * name the first is shown: a script's `user` before that of its connection. No
 * control character gets through, so that nothing a client sends can forge a
 * line or move a terminal's cursor; what is not UTF-8 is shown as \xNN, in JSON
 * as U+FFFD.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_LOG_H
#define TWP_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log_sink.h"
#include "text.h"
#include "tidewire/log.h"
#include "tidewire/tidewire.h"

typedef enum twp_log_format {
    TWP_LOG_LOGFMT,
    TWP_LOG_JSON,
    TWP_LOG_PEOPLE
} twp_log_format;

typedef struct twp_log {
    twp_log_format format;
    tw_log_level level; /* records below it are dropped */
    bool has_colour;
    int worker; /* -1: this process is none */
    int _pid;
    twp_sink _sink;
    uint64_t _told, _counted; /* of the lost records */
    tw_server *_server;       /* NULL: not attached */
    tw_timer *_retry;         /* set while something waits */
} twp_log;

/* `level` and `format` as the options have them; NULL: their defaults. Looks
 * whether standard error is a terminal. */
void twp_log_init(twp_log *log, const char *level, const char *format);

/* Waits for half a second at most for what waits to be written. */
void twp_log_deinit(twp_log *log);

/* From here on no record is waited for, see log_sink.h. How many were lost is
 * told by a record as soon as one gets through. */
void twp_log_unblock(twp_log *log);

/* A server that runs counts what is lost (TW_COUNTER_LOG_LOST), and has the
 * time to try again; without one that is left to the next record. Until detach,
 * which must come before the server ends. */
void twp_log_attach(twp_log *log, tw_server *server);
void twp_log_detach(twp_log *log);

/* A tw_log_cb; `arg` is the twp_log. */
void twp_log_write(tw_log_level level, const char *message,
                   const tw_log_field *fields, size_t count, void *arg);

/* Text that is not a record, as it is. */
void twp_log_put(twp_log *log, const twp_text *text);

/* ---- log_format.c: pure -------------------------------------------------- */

typedef struct twp_record {
    int64_t time_ms; /* since 1970 */
    tw_log_level level;
    const char *message;
    const tw_log_field *fields;
    size_t count;
    int worker, pid; /* worker -1: none */
} twp_record;

/* Appends the record and a newline. */
void twp_log_format_logfmt(twp_text *out, const twp_record *record);
void twp_log_format_json(twp_text *out, const twp_record *record);

/* The same in log_people.c. Times are local; values of several lines (a
 * traceback) follow indented. */
void twp_log_format_people(twp_text *out, const twp_record *record,
                           bool has_colour);

/* Whether a field before the ith has the same name. */
bool twp_log_is_repeated(const twp_record *record, size_t i);

const char *twp_log_level_name(tw_log_level level);

/* ---- log_escape.c: pure -------------------------------------------------- */

/* Text for a quoted string of logfmt, without the quotes. */
void twp_escape_logfmt(twp_text *out, const char *text);
/* Text for a JSON string, without the quotes. */
void twp_escape_json(twp_text *out, const char *text);
/* Text for a terminal: only what is dangerous is escaped. */
void twp_escape_people(twp_text *out, const char *text);

#endif
