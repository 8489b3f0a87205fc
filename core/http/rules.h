/* rules.h - what a head means beyond its grammar.
 *
 * Exactly one Host, one unambiguous way to tell where the body ends, an
 * expectation that is understood, and whether the connection is kept or
 * upgraded. Pure.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_RULES_H
#define TW_HTTP_RULES_H

#include "http/parser.h"

/* Checks `request`, whose method, version, target and headers are set, and
 * fills in host, content_length and the flags. Status 0 when it is good. */
tw__http_error tw__http_rules_check(tw__http_request *request);

#endif
