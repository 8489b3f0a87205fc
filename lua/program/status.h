/* status.h - the server's status for people. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef TWP_STATUS_H
#define TWP_STATUS_H

#include <jansson.h>

#include "text.h"

/* Appends what the answer of /api/status says: a head and a row per worker. */
void twp_status_format(twp_text *out, const json_t *status);

/* "3d 4h", "2h 5m", "7m 1s", "12s". */
void twp_format_duration(char *out, size_t size, double seconds);
/* "12.3 MiB". */
void twp_format_bytes(char *out, size_t size, double bytes);

#endif
