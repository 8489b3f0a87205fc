/* Records for machines. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "log.h"

const char *twp_log_level_name(tw_log_level level) {
    static const char *const names[] = {"debug", "info", "warn", "error"};
    return level >= TW_LOG_DEBUG && level <= TW_LOG_ERROR ? names[level] : "?";
}

static void add_time(twp_text *out, int64_t time_ms) {
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;
    char text[32];
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    twp_text_printf(out, "%s.%03dZ", text, (int)(time_ms % 1000));
}

/* Whether the record itself has a field of this name. */
static bool has_field(const twp_record *record, const char *key) {
    for (size_t i = 0; i < record->count; i++) {
        if (strcmp(record->fields[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

bool twp_log_is_repeated(const twp_record *record, size_t i) {
    for (size_t before = 0; before < i; before++) {
        if (strcmp(record->fields[before].key, record->fields[i].key) == 0) {
            return true;
        }
    }
    return false;
}

/* "_" behind the names that every record has, "" otherwise. */
static const char *suffix_of(const char *key) {
    bool is_ours = strcmp(key, "time") == 0 || strcmp(key, "level") == 0 ||
                   strcmp(key, "msg") == 0;
    return is_ours ? "_" : "";
}

static const char *value_of(const tw_log_field *field) {
    return field->value != NULL ? field->value : "";
}

/* ---- logfmt ------------------------------------------------------------- */

static void add_key(twp_text *out, const char *key) {
    for (const char *c = key; *c != '\0'; c++) {
        bool is_plain = (unsigned char)*c > ' ' && (unsigned char)*c < 0x7F &&
                        strchr("=\"", *c) == NULL;
        twp_text_add(out, is_plain ? c : "_", 1);
    }
    if (*key == '\0') {
        twp_text_puts(out, "_");
    }
}

static bool is_bare(const char *value) {
    for (const char *c = value; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte <= ' ' || byte >= 0x7F || strchr("=\"\\", *c) != NULL) {
            return false;
        }
    }
    return *value != '\0';
}

static void add_value(twp_text *out, const char *value) {
    bool is_quoted = !is_bare(value);
    twp_text_puts(out, is_quoted ? "\"" : "");
    twp_escape_logfmt(out, value);
    twp_text_puts(out, is_quoted ? "\"" : "");
}

void twp_log_format_logfmt(twp_text *out, const twp_record *record) {
    twp_text_puts(out, "time=");
    add_time(out, record->time_ms);
    twp_text_printf(out, " level=%s msg=", twp_log_level_name(record->level));
    add_value(out, record->message);
    if (record->worker >= 0 && !has_field(record, "worker")) {
        twp_text_printf(out, " worker=%d", record->worker);
    }
    if (!has_field(record, "pid")) {
        twp_text_printf(out, " pid=%d", record->pid);
    }
    for (size_t i = 0; i < record->count; i++) {
        const tw_log_field *field = &record->fields[i];
        if (twp_log_is_repeated(record, i)) {
            continue;
        }
        twp_text_puts(out, " ");
        add_key(out, field->key);
        twp_text_printf(out, "%s=", suffix_of(field->key));
        add_value(out, value_of(field));
    }
    twp_text_puts(out, "\n");
}

/* ---- json --------------------------------------------------------------- */

static void add_string(twp_text *out, const char *text, const char *suffix) {
    twp_text_puts(out, "\"");
    twp_escape_json(out, text);
    twp_text_printf(out, "%s\"", suffix);
}

/* Elsewhere `pid` and `worker` are numbers; so they are here. */
static bool is_number(const tw_log_field *field) {
    bool is_ours =
        strcmp(field->key, "pid") == 0 || strcmp(field->key, "worker") == 0;
    const char *text = value_of(field);
    size_t digits = strspn(text, "0123456789");
    return is_ours && digits > 0 && digits < 10 && text[digits] == '\0' &&
           (text[0] != '0' || digits == 1);
}

void twp_log_format_json(twp_text *out, const twp_record *record) {
    twp_text_puts(out, "{\"time\":\"");
    add_time(out, record->time_ms);
    twp_text_printf(
        out, "\",\"level\":\"%s\",\"msg\":", twp_log_level_name(record->level));
    add_string(out, record->message, "");
    if (record->worker >= 0 && !has_field(record, "worker")) {
        twp_text_printf(out, ",\"worker\":%d", record->worker);
    }
    if (!has_field(record, "pid")) {
        twp_text_printf(out, ",\"pid\":%d", record->pid);
    }
    for (size_t i = 0; i < record->count; i++) {
        const tw_log_field *field = &record->fields[i];
        if (twp_log_is_repeated(record, i)) {
            continue;
        }
        twp_text_puts(out, ",");
        add_string(out, field->key, suffix_of(field->key));
        twp_text_puts(out, ":");
        if (is_number(field)) {
            twp_text_puts(out, field->value);
        } else {
            add_string(out, value_of(field), "");
        }
    }
    twp_text_puts(out, "}\n");
}
