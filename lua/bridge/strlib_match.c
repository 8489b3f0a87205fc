/* A pattern is a row of items: a single-character item (a character, a class,
 * a set) with a quantifier after it, or a structural one (a capture's edge, a
 * balanced pair, a frontier, a back reference). run() takes them one after the
 * other and calls itself only where a choice has to be tried out: its depth is
 * bounded by the pattern, its work by the budget.
 *
 * SPDX-License-Identifier: MIT */
#include "strlib_match.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "budget.h"

enum { STEPS_BETWEEN_CHECKS = 4096 };
enum { CAPTURE_OPEN = -1, CAPTURE_POSITION = -2 };

typedef unsigned char byte;

static const char *run(twl_match *m, const char *s, const char *p);

void twl_match_init(twl_match *m, lua_State *L, const char *subject,
                    size_t subject_len, const char *pattern,
                    size_t pattern_len) {
    m->L = L;
    m->subject = subject;
    m->subject_end = subject + subject_len;
    m->pattern_end = pattern + pattern_len;
    m->captures = 0;
    m->depth = 0;
    m->steps = 0;
}

static inline void step(twl_match *m) {
    if (++m->steps % STEPS_BETWEEN_CHECKS == 0) {
        twl_budget_check(m->L);
    }
}

/* --- single characters ------------------------------------------------ */

static bool in_class(int c, int letter) {
    bool is_in;
    switch (letter | 0x20) {
    case 'a':
        is_in = isalpha(c);
        break;
    case 'c':
        is_in = iscntrl(c);
        break;
    case 'd':
        is_in = isdigit(c);
        break;
    case 'g':
        is_in = isgraph(c);
        break;
    case 'l':
        is_in = islower(c);
        break;
    case 'p':
        is_in = ispunct(c);
        break;
    case 's':
        is_in = isspace(c);
        break;
    case 'u':
        is_in = isupper(c);
        break;
    case 'w':
        is_in = isalnum(c);
        break;
    case 'x':
        is_in = isxdigit(c);
        break;
    case 'z':
        is_in = c == 0;
        break;
    default:
        return c == letter;
    }
    /* An upper-case letter is the complement. */
    return (letter & 0x20) != 0 ? is_in : !is_in;
}

/* The first byte after the set that opens at `p`; a ] right after the opening
 * is a member. */
static const char *set_end(twl_match *m, const char *p) {
    const char *end = m->pattern_end;
    p++;
    if (p < end && *p == '^') {
        p++;
    }
    for (bool is_first = true; p < end; is_first = false) {
        if (*p == ']' && !is_first) {
            return p + 1;
        }
        if (*p == '%') {
            p++;
            if (p >= end) {
                break;
            }
        }
        p++;
    }
    luaL_error(m->L, "malformed pattern (missing ']')");
    return NULL;
}

/* `p` is at the opening bracket, `end` after the closing one. */
static bool in_set(int c, const char *p, const char *end) {
    bool found = true;
    end--;
    p++;
    if (*p == '^') {
        found = false;
        p++;
    }
    while (p < end) {
        if (*p == '%') {
            if (in_class(c, (byte)p[1])) {
                return found;
            }
            p += 2;
        } else if (p + 2 < end && p[1] == '-') {
            if ((byte)p[0] <= c && c <= (byte)p[2]) {
                return found;
            }
            p += 3;
        } else {
            if ((byte)*p == c) {
                return found;
            }
            p++;
        }
    }
    return !found;
}

/* The first byte after the single-character item at `p`. */
static const char *item_end(twl_match *m, const char *p) {
    switch (*p) {
    case '%':
        if (p + 1 >= m->pattern_end) {
            luaL_error(m->L, "malformed pattern (ends with '%%')");
        }
        return p + 2;
    case '[':
        return set_end(m, p);
    default:
        return p + 1;
    }
}

static bool item_takes(int c, const char *p, const char *end) {
    switch (*p) {
    case '.':
        return true;
    case '%':
        return in_class(c, (byte)p[1]);
    case '[':
        return in_set(c, p, end);
    default:
        return (byte)*p == c;
    }
}

static bool takes(twl_match *m, const char *s, const char *p, const char *end) {
    return s < m->subject_end && item_takes((byte)*s, p, end);
}

/* --- quantifiers ------------------------------------------------------ */

static const char *most_first(twl_match *m, const char *s, const char *p,
                              const char *end, ptrdiff_t least) {
    ptrdiff_t count = 0;
    while (takes(m, s + count, p, end)) {
        count++;
        step(m);
    }
    for (; count >= least; count--) {
        step(m);
        const char *matched = run(m, s + count, end + 1);
        if (matched != NULL) {
            return matched;
        }
    }
    return NULL;
}

static const char *least_first(twl_match *m, const char *s, const char *p,
                               const char *end) {
    for (;; s++) {
        step(m);
        const char *matched = run(m, s, end + 1);
        if (matched != NULL) {
            return matched;
        }
        if (!takes(m, s, p, end)) {
            return NULL;
        }
    }
}

/* --- structure -------------------------------------------------------- */

static const char *balanced(twl_match *m, const char *s, const char *p) {
    if (p + 1 >= m->pattern_end) {
        luaL_error(m->L, "unbalanced pattern");
    }
    if (s >= m->subject_end || *s != p[0]) {
        return NULL;
    }
    size_t open = 1;
    for (s++; s < m->subject_end; s++) {
        step(m);
        if (*s == p[1]) {
            if (--open == 0) {
                return s + 1;
            }
        } else if (*s == p[0]) {
            open++;
        }
    }
    return NULL;
}

static const char *start_capture(twl_match *m, const char *s, const char *p,
                                 ptrdiff_t kind) {
    if (m->captures >= TWL_MATCH_MAX_CAPTURES) {
        luaL_error(m->L, "too many captures");
    }
    m->capture[m->captures++] = (twl_capture){.start = s, .len = kind};
    const char *matched = run(m, s, p);
    if (matched == NULL) {
        m->captures--;
    }
    return matched;
}

static const char *end_capture(twl_match *m, const char *s, const char *p) {
    int n = m->captures - 1;
    while (n >= 0 && m->capture[n].len != CAPTURE_OPEN) {
        n--;
    }
    if (n < 0) {
        luaL_error(m->L, "invalid pattern capture");
    }
    m->capture[n].len = s - m->capture[n].start;
    const char *matched = run(m, s, p);
    if (matched == NULL) {
        m->capture[n].len = CAPTURE_OPEN;
    }
    return matched;
}

static const char *back_reference(twl_match *m, const char *s, int digit) {
    int n = digit - '1';
    if (n < 0 || n >= m->captures || m->capture[n].len == CAPTURE_OPEN) {
        luaL_error(m->L, "invalid capture index");
    }
    ptrdiff_t len = m->capture[n].len > 0 ? m->capture[n].len : 0;
    if (m->subject_end - s < len ||
        memcmp(m->capture[n].start, s, (size_t)len) != 0) {
        return NULL;
    }
    m->steps += (unsigned)(len / 64);
    return s + len;
}

/* A place between a character outside the set and one inside it; both edges
 * of the subject count as '\0'. */
static bool at_frontier(twl_match *m, const char *s, const char *p,
                        const char *end) {
    int before = s == m->subject ? 0 : (byte)s[-1];
    int here = s == m->subject_end ? 0 : (byte)*s;
    return !in_set(before, p, end) && in_set(here, p, end);
}

/* --- the row ---------------------------------------------------------- */

/* A structural item that begins with %: *s and *p move on behind it. False
 * when it does not match; *is_one says whether it was one at all. */
static bool percent(twl_match *m, const char **s, const char **p,
                    bool *is_one) {
    int kind = *p + 1 < m->pattern_end ? (byte)(*p)[1] : 0;
    *is_one = true;
    if (kind == 'b') {
        *s = balanced(m, *s, *p + 2);
        *p += 4;
        return *s != NULL;
    }
    if (kind == 'f') {
        const char *set = *p + 2;
        if (set >= m->pattern_end || *set != '[') {
            luaL_error(m->L, "missing '[' after '%%f' in pattern");
        }
        *p = set_end(m, set);
        return at_frontier(m, *s, set, *p);
    }
    if (isdigit(kind)) {
        *s = back_reference(m, *s, kind);
        *p += 2;
        return *s != NULL;
    }
    *is_one = false;
    return true;
}

static const char *walk(twl_match *m, const char *s, const char *p) {
    while (p < m->pattern_end) {
        step(m);
        if (*p == '(') {
            bool is_position = p + 1 < m->pattern_end && p[1] == ')';
            return start_capture(m, s, p + (is_position ? 2 : 1),
                                 is_position ? CAPTURE_POSITION : CAPTURE_OPEN);
        }
        if (*p == ')') {
            return end_capture(m, s, p + 1);
        }
        if (*p == '$' && p + 1 == m->pattern_end) {
            return s == m->subject_end ? s : NULL;
        }
        if (*p == '%') {
            bool is_structure;
            if (!percent(m, &s, &p, &is_structure)) {
                return NULL;
            }
            if (is_structure) {
                continue;
            }
        }
        const char *end = item_end(m, p);
        switch (end < m->pattern_end ? *end : '\0') {
        case '*':
            return most_first(m, s, p, end, 0);
        case '+':
            return most_first(m, s, p, end, 1);
        case '-':
            return least_first(m, s, p, end);
        case '?': {
            if (takes(m, s, p, end)) {
                const char *matched = run(m, s + 1, end + 1);
                if (matched != NULL) {
                    return matched;
                }
            }
            p = end + 1;
            break;
        }
        default:
            if (!takes(m, s, p, end)) {
                return NULL;
            }
            s++;
            p = end;
        }
    }
    return s;
}

static const char *run(twl_match *m, const char *s, const char *p) {
    if (++m->depth > TWL_MATCH_MAX_DEPTH) {
        luaL_error(m->L, "pattern too complex");
    }
    const char *matched = walk(m, s, p);
    m->depth--;
    return matched;
}

const char *twl_match_at(twl_match *m, const char *at, const char *pattern) {
    m->captures = 0;
    m->depth = 0;
    step(m);
    return run(m, at, pattern);
}

/* --- captures --------------------------------------------------------- */

void twl_match_push(const twl_match *m, int n, const char *start,
                    const char *end) {
    if (n >= m->captures) {
        if (n != 0) {
            luaL_error(m->L, "invalid capture index");
        }
        lua_pushlstring(m->L, start, (size_t)(end - start));
        return;
    }
    const twl_capture *capture = &m->capture[n];
    if (capture->len == CAPTURE_POSITION) {
        lua_pushinteger(m->L, capture->start - m->subject + 1);
    } else if (capture->len == CAPTURE_OPEN) {
        luaL_error(m->L, "unfinished capture");
    } else {
        lua_pushlstring(m->L, capture->start, (size_t)capture->len);
    }
}

int twl_match_push_all(const twl_match *m, const char *start, const char *end) {
    int count = m->captures == 0 && start != NULL ? 1 : m->captures;
    luaL_checkstack(m->L, count, "too many captures");
    for (int i = 0; i < count; i++) {
        twl_match_push(m, i, start, end);
    }
    return count;
}
