/* explain.h - a report with the lines of source that it speaks of. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef TWP_EXPLAIN_H
#define TWP_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

/* Where "file:line: what" points to. */
typedef struct twp_where {
    char file[4096];
    unsigned line;
    const char *what; /* in the report */
} twp_where;

/* False, and *where is unspecified, when the report names no place. */
bool twp_where_read(twp_where *where, const char *report);

/* The line of the text without its end, and its length; NULL: there is none. */
const char *twp_line_of(const char *text, size_t len, unsigned line,
                        size_t *line_len);

/* Appends the report, and below it the line with its neighbours:
 *
 *     main.lua:3: unknown hook 'on_mesage' (did you mean 'on_message'?)
 *
 *       2 | return tw.app {
 *     > 3 |     on_mesage = function() end,
 *       4 | }
 *
 * `text` is the file, NULL when it could not be read: then the report alone. */
void twp_explain(twp_text *out, const char *report, const char *text,
                 size_t len, unsigned line, bool has_colour);

#endif
