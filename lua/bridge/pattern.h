/* pattern.h - checks the patterns of routes and classes when a script loads.
 *
 * The server checks them again; by then a reload has been agreed on and must
 * not fail any more, hence the check here.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_PATTERN_H
#define TWL_PATTERN_H

#include <stdbool.h>

/* "GET", "POST": capital letters. */
bool twl_pattern_method_is_valid(const char *method);

/* "/chat", "/doc/:id", a last segment "*". *why says what is wrong. */
bool twl_pattern_is_valid(const char *pattern, const char **why);

/* Whether both stand for the same paths: names make no difference. */
bool twl_pattern_is_same(const char *a, const char *b);

/* A channel's name, or one that ends in its only "*". */
bool twl_pattern_channel_is_valid(const char *pattern, const char **why);

#endif
