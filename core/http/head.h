/* head.h - makes a request of a whole head.
 *
 * llhttp reads it; the target is decoded here, and rules.h decides what the
 * headers mean.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_HEAD_H
#define TW_HTTP_HEAD_H

#include <stddef.h>

#include "http/parser.h"

/* Parses `head` (borrowed, from the method to the empty line, passed by
 * tw__http_scan) with `lines` header lines. On success *out is a request with
 * one reference, given, and the status in the result is 0. */
tw__http_error tw__http_head_parse(const char *head, size_t len, size_t lines,
                                   tw__http_request **out);

#endif
