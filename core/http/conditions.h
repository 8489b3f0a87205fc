/* conditions.h - preconditions and ranges of RFC 9110 sections 13 and 14.
 * Pure functions. SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_CONDITIONS_H
#define TW_HTTP_CONDITIONS_H

#include <stdint.h>

#include "http/request.h"

/* What stands for a representation: a strong ETag with its quotes, and the
 * second of its last change. */
typedef struct tw__http_validators {
    const char *etag;
    int64_t modified_s;
} tw__http_validators;

/* 0: go on; 304 or 412: answer that. In the order of RFC 9110 13.2.2; a date
 * that is no IMF-fixdate counts as absent. */
int tw__http_precondition(const tw__http_request *request,
                          const tw__http_validators *validators);

/* 200: the whole, *offset and *length untouched; 206: that part; 416. Looks at
 * Range and If-Range. Several ranges, and anything malformed, are 200. */
int tw__http_range(const tw__http_request *request,
                   const tw__http_validators *validators, uint64_t size,
                   uint64_t *offset, uint64_t *length);

#endif
