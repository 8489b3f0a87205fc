/* log_sink.h - standard error as a place that keeps nobody waiting.
 *
 * A worker that waited for whoever reads its log would serve nobody meanwhile.
 * So what is not taken at once waits here, whole records up to a limit, and
 * what goes beyond it is lost and counted.
 *
 *   a pipe, a terminal   are written to through an open file description of our
 *                        own, which never waits: to change the one that we were
 *                        given would change it for the shell and all others
 *   a socket             is told with each call not to wait
 *   all else             files and devices, takes what it is given or fails
 *
 * Belongs to a process: after a fork twp_sink_forget is for the child to call.
 * Errors are counted, and there is no other report: this is where they go.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_LOG_SINK_H
#define TWP_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

/* So many bytes may wait. */
enum { TWP_SINK_LIMIT = 1 << 20 };

typedef enum twp_sink_kind {
    TWP_SINK_PLAIN, /* write(2) does what is wanted */
    TWP_SINK_SOCKET,
    TWP_SINK_SHARED /* a pipe or terminal that could not be opened anew */
} twp_sink_kind;

typedef struct twp_sink {
    uint64_t lost; /* records, since the beginning or twp_sink_forget */
    twp_sink_kind _kind;
    int _fd;
    twp_text _waiting; /* not yet taken; may begin within a record */
    bool _is_cut;      /* a record was cut, and its line has no end yet */
} twp_sink;

/* Standard error as it is: writing waits where that does. */
void twp_sink_init(twp_sink *sink);

/* From here on nothing waits. */
void twp_sink_unblock(twp_sink *sink);

/* Tries what waits once more, then gives up what is left of it, and closes a
 * descriptor of its own. */
void twp_sink_deinit(twp_sink *sink);

/* Writes a record, which ends with a newline, behind those that wait; it may
 * have to wait with them. False: it is lost. */
bool twp_sink_put(twp_sink *sink, const twp_text *record);

/* Writes what waits, as far as it is taken. */
void twp_sink_flush(twp_sink *sink);

/* The same, but stays for up to `ms` while nothing is taken: for a process that
 * ends. */
void twp_sink_drain(twp_sink *sink, int ms);

bool twp_sink_is_waiting(const twp_sink *sink);
/* A record more or less is far from the limit. */
bool twp_sink_has_room(const twp_sink *sink);

/* Nothing waits and nothing is lost: that was another process. */
void twp_sink_forget(twp_sink *sink);

#endif
