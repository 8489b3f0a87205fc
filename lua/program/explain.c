/* SPDX-License-Identifier: MIT */
#include "explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

enum { MAX_LINE = 160 };

/* ---- places ------------------------------------------------------------- */

/* The first ":123: ": a path may have colons of its own. */
bool twp_where_read(twp_where *where, const char *report) {
    size_t end = strcspn(report, "\n");
    for (size_t i = 1; i < end; i++) {
        char *rest;
        if (report[i] != ':' || report[i + 1] < '0' || report[i + 1] > '9') {
            continue;
        }
        unsigned long line = strtoul(report + i + 1, &rest, 10);
        if (strncmp(rest, ": ", 2) == 0 && i < sizeof where->file && line > 0 &&
            line < 1u << 30) {
            memcpy(where->file, report, i);
            where->file[i] = '\0';
            where->line = (unsigned)line;
            where->what = rest + 2;
            return true;
        }
    }
    return false;
}

const char *twp_line_of(const char *text, size_t len, unsigned line,
                        size_t *line_len) {
    const char *end = text + len;
    for (; line > 1 && text != NULL; line--) {
        text = memchr(text, '\n', (size_t)(end - text));
        text = text != NULL ? text + 1 : NULL;
    }
    if (text == NULL || text == end) {
        return NULL;
    }
    const char *stop = memchr(text, '\n', (size_t)(end - text));
    *line_len = (size_t)((stop != NULL ? stop : end) - text);
    return text;
}

/* ---- lines -------------------------------------------------------------- */

/* Tabs become spaces, as they are harmless; long lines are cut. */
static void add_source(twp_text *out, const char *text, size_t len) {
    char line[MAX_LINE * 4 + 1];
    size_t n = 0;
    for (size_t i = 0; i < len && n < MAX_LINE; i++) {
        for (int left = text[i] == '\t' ? 4 : 1; left > 0; left--) {
            line[n++] = text[i] == '\t' || text[i] == '\0' ? ' ' : text[i];
        }
    }
    while (n > 0 && (line[n - 1] == '\r' || line[n - 1] == ' ')) {
        n--;
    }
    line[n] = '\0';
    twp_escape_people(out, line);
}

static void add_line(twp_text *out, const char *text, size_t len, unsigned line,
                     bool is_meant, bool has_colour) {
    size_t line_len;
    const char *begin = twp_line_of(text, len, line, &line_len);
    if (begin == NULL) {
        return;
    }
    const char *on = has_colour ? is_meant ? "\033[1;31m" : "\033[2m" : "";
    twp_text_printf(out, "  %s%s %4u |%s ", on, is_meant ? ">" : " ", line,
                    has_colour ? "\033[0m" : "");
    add_source(out, begin, line_len);
    twp_text_puts(out, "\n");
}

static void add_report(twp_text *out, const char *report) {
    while (*report != '\0') {
        size_t len = strcspn(report, "\n");
        char *line = strndup(report, len);
        twp_text_puts(out, "  ");
        add_source(out, line != NULL ? line : "",
                   line != NULL ? strlen(line) : 0);
        twp_text_puts(out, "\n");
        free(line);
        report += len + (report[len] == '\n');
    }
}

void twp_explain(twp_text *out, const char *report, const char *text,
                 size_t len, unsigned line, bool has_colour) {
    size_t unused;
    add_report(out, report);
    if (text == NULL || twp_line_of(text, len, line, &unused) == NULL) {
        return;
    }
    twp_text_puts(out, "\n");
    for (unsigned i = line > 1 ? line - 1 : line; i <= line + 1; i++) {
        add_line(out, text, len, i, i == line, has_colour);
    }
}
