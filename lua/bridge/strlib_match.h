/* strlib_match.h - Lua patterns, matched by backtracking that can be stopped.
 *
 * Pure but for one thing: every few thousand steps it asks the CPU budget,
 * which may raise. It owns nothing, so that is safe.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_STRLIB_MATCH_H
#define TWL_STRLIB_MATCH_H

#include <lua.h>
#include <stddef.h>

/* Captures of one pattern, and how deep its parts may nest, as in Lua. */
enum { TWL_MATCH_MAX_CAPTURES = 32, TWL_MATCH_MAX_DEPTH = 200 };

typedef struct twl_capture {
    const char *start;
    ptrdiff_t len; /* or CAPTURE_OPEN, CAPTURE_POSITION */
} twl_capture;

typedef struct twl_match {
    lua_State *L;
    const char *subject;
    const char *subject_end;
    const char *pattern_end;
    int captures;
    int depth;
    unsigned steps;
    twl_capture capture[TWL_MATCH_MAX_CAPTURES];
} twl_match;

void twl_match_init(twl_match *match, lua_State *L, const char *subject,
                    size_t subject_len, const char *pattern,
                    size_t pattern_len);

/* Matches `pattern` (without its anchor) exactly at `at`: the end of the match
 * or NULL. Raises for a malformed pattern and over the budget. */
const char *twl_match_at(twl_match *match, const char *at, const char *pattern);

/* Pushes the nth capture; the whole match for n = 0 without captures. Raises
 * "invalid capture index". */
void twl_match_push(const twl_match *match, int n, const char *start,
                    const char *end);

/* Pushes all captures, or the whole match (`start` NULL: none then) when the
 * pattern has none. Returns how many. */
int twl_match_push_all(const twl_match *match, const char *start,
                       const char *end);

#endif
