/* What may stand in a log. SPDX-License-Identifier: MIT */
#include <string.h>

#include "log.h"

/* A value longer than this is cut: a log line is no place for a payload. */
enum { MAX_VALUE = 8192 };

typedef struct rune {
    size_t len;    /* bytes it takes */
    unsigned code; /* what it is; a byte when not is_valid */
    bool is_valid;
} rune;

static bool is_tail(unsigned char c) {
    return (c & 0xC0) == 0x80;
}

/* One character of UTF-8: no overlong forms, no surrogates. */
static rune read_rune(const unsigned char *s) {
    rune bad = {1, s[0], false};
    if (s[0] < 0x80) {
        return (rune){1, s[0], true};
    }
    if (s[0] >= 0xC2 && s[0] <= 0xDF && is_tail(s[1])) {
        return (rune){2, (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu), true};
    }
    if ((s[0] & 0xF0) == 0xE0 && is_tail(s[1]) && is_tail(s[2])) {
        unsigned code =
            (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
        bool is_good = code >= 0x800 && (code < 0xD800 || code > 0xDFFF);
        return is_good ? (rune){3, code, true} : bad;
    }
    if ((s[0] & 0xF8) == 0xF0 && is_tail(s[1]) && is_tail(s[2]) &&
        is_tail(s[3])) {
        unsigned code = (s[0] & 0x07u) << 18 | (s[1] & 0x3Fu) << 12 |
                        (s[2] & 0x3Fu) << 6 | (s[3] & 0x3Fu);
        bool is_good = code >= 0x10000 && code <= 0x10FFFF;
        return is_good ? (rune){4, code, true} : bad;
    }
    return bad;
}

/* C0 and C1 controls (the latter hold a terminal's one-byte escapes), DEL, and
 * what turns the direction of the text around it. */
static bool is_control(unsigned code) {
    return code < 0x20 || (code >= 0x7F && code < 0xA0) ||
           (code >= 0x202A && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0x2028 ||
           code == 0x2029;
}

static const char *short_escape(unsigned code) {
    switch (code) {
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    default:
        return NULL;
    }
}

typedef void (*escape_rune)(twp_text *out, const char *s, const rune *r);

static void logfmt_rune(twp_text *out, const char *s, const rune *r) {
    const char *escape = r->is_valid ? short_escape(r->code) : NULL;
    if (escape != NULL) {
        twp_text_puts(out, escape);
    } else if (!r->is_valid || (is_control(r->code) && r->code < 0x80)) {
        twp_text_printf(out, "\\x%02x", r->code);
    } else if (is_control(r->code)) {
        twp_text_printf(out, "\\u%04x", r->code);
    } else {
        twp_text_add(out, s, r->len);
    }
}

static void json_rune(twp_text *out, const char *s, const rune *r) {
    const char *escape = r->is_valid ? short_escape(r->code) : NULL;
    if (!r->is_valid) {
        twp_text_puts(out, "\\ufffd");
    } else if (escape != NULL) {
        twp_text_puts(out, escape);
    } else if (is_control(r->code)) {
        twp_text_printf(out, "\\u%04x", r->code);
    } else {
        twp_text_add(out, s, r->len);
    }
}

static void people_rune(twp_text *out, const char *s, const rune *r) {
    if (r->is_valid && (r->code == '"' || r->code == '\\')) {
        twp_text_add(out, s, r->len);
    } else {
        logfmt_rune(out, s, r);
    }
}

static void escape(twp_text *out, const char *text, escape_rune add) {
    size_t done = 0;
    while (text[done] != '\0' && done < MAX_VALUE) {
        rune r = read_rune((const unsigned char *)text + done);
        add(out, text + done, &r);
        done += r.len;
    }
    if (text[done] != '\0') {
        twp_text_puts(out, "...");
    }
}

void twp_escape_logfmt(twp_text *out, const char *text) {
    escape(out, text, logfmt_rune);
}

void twp_escape_json(twp_text *out, const char *text) {
    escape(out, text, json_rune);
}

void twp_escape_people(twp_text *out, const char *text) {
    escape(out, text, people_rune);
}
