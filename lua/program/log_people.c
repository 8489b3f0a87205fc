/* Records for people at a terminal. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"

typedef struct style {
    const char *dim, *key, *end;
    const char *level[4];
} style;

static const style plain = {"", "", "", {"", "", "", ""}};
static const style coloured = {
    "\033[2m",
    "\033[36m",
    "\033[0m",
    {"\033[35m", "\033[32m", "\033[33m", "\033[1;31m"}};

static const char *const level_names[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};

static bool is_multiline(const tw_log_field *field) {
    return field->value != NULL && strchr(field->value, '\n') != NULL;
}

static void add_head(twp_text *out, const twp_record *record, const style *s) {
    time_t seconds = (time_t)(record->time_ms / 1000);
    struct tm tm;
    char text[16];
    localtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%H:%M:%S", &tm);
    twp_text_printf(
        out, "%s%s.%03d%s %s%s%s ", s->dim, text, (int)(record->time_ms % 1000),
        s->end, s->level[record->level], level_names[record->level], s->end);
    if (record->worker >= 0) {
        twp_text_printf(out, "%s[%d]%s ", s->dim, record->worker, s->end);
    }
}

static void add_field(twp_text *out, const tw_log_field *field,
                      const style *s) {
    const char *value = field->value != NULL ? field->value : "";
    bool is_quoted = *value == '\0' || strchr(value, ' ') != NULL;
    twp_text_printf(out, "  %s", s->key);
    twp_escape_people(out, field->key);
    twp_text_printf(out, "=%s%s", s->end, is_quoted ? "\"" : "");
    twp_escape_people(out, value);
    twp_text_puts(out, is_quoted ? "\"" : "");
}

/* Each line of the text, indented. */
static void add_lines(twp_text *out, const char *text) {
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        char line[512];
        snprintf(line, sizeof line, "%.*s", (int)len, text);
        /* A tab is as harmless as the newline that was taken out. */
        char *start = line + strspn(line, "\t");
        twp_text_printf(out, "    %*s", 4 * (int)(start - line), "");
        twp_escape_people(out, start);
        twp_text_puts(out, "\n");
        text += len + (text[len] == '\n');
    }
}

/* A message of several lines: its first one stands in the head. */
static const char *add_message(twp_text *out, const char *message) {
    size_t len = strcspn(message, "\n");
    if (message[len] == '\0') {
        twp_escape_people(out, message);
        return "";
    }
    char *first = strndup(message, len);
    twp_escape_people(out, first != NULL ? first : "");
    free(first);
    return message + len + 1;
}

void twp_log_format_people(twp_text *out, const twp_record *record,
                           bool has_colour) {
    const style *s = has_colour ? &coloured : &plain;
    add_head(out, record, s);
    const char *rest = add_message(out, record->message);
    for (size_t i = 0; i < record->count; i++) {
        if (!is_multiline(&record->fields[i]) &&
            !twp_log_is_repeated(record, i)) {
            add_field(out, &record->fields[i], s);
        }
    }
    twp_text_puts(out, "\n");
    add_lines(out, rest);
    for (size_t i = 0; i < record->count; i++) {
        const tw_log_field *field = &record->fields[i];
        if (is_multiline(field) && !twp_log_is_repeated(record, i)) {
            twp_text_printf(out, "  %s", s->key);
            twp_escape_people(out, field->key);
            twp_text_printf(out, "%s\n", s->end);
            add_lines(out, field->value);
        }
    }
}
