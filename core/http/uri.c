/* SPDX-License-Identifier: MIT */
#include "http/uri.h"

#include <string.h>

#include "base/alloc.h"
#include "http/chars.h"

/* The byte that "%XY" at `raw` stands for, or -1. */
static int escape_at(const char *raw, size_t left) {
    if (left < 3 || tw__http_hex(raw[1]) < 0 || tw__http_hex(raw[2]) < 0) {
        return -1;
    }
    return tw__http_hex(raw[1]) * 16 + tw__http_hex(raw[2]);
}

static bool is_dots(const char *segment, size_t len) {
    return (len == 1 && segment[0] == '.') ||
           (len == 2 && segment[0] == '.' && segment[1] == '.');
}

/* Dot segments are refused, not resolved: every client resolves them before
 * it sends, and whoever does not is looking for a way out. */
static bool has_dots(const char *path, size_t len) {
    size_t start = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i == len || path[i] == '/') {
            if (is_dots(path + start, i - start)) {
                return true;
            }
            start = i + 1;
        }
    }
    return false;
}

const char *tw__http_path_decode(const char *raw, size_t len, char *out,
                                 size_t *out_len) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int byte = (unsigned char)raw[i];
        if (byte == '%') {
            byte = escape_at(raw + i, len - i);
            if (byte < 0) {
                return "invalid escape in the path";
            }
            if (byte == '/') {
                return "escaped slash in the path";
            }
            i += 2;
        }
        if (byte == '\\') { /* a slash to some clients and proxies */
            return "backslash in the path";
        }
        if (byte < 0x20 || byte == 0x7F) {
            return "control byte in the path";
        }
        out[n++] = (char)byte;
    }
    if (has_dots(out, n)) {
        return "dot segment in the path";
    }
    out[n] = '\0';
    *out_len = n;
    return NULL;
}

/* As forms are decoded everywhere: '+' is a blank, and a '%' that begins no
 * escape stands for itself. Writes at most `len` bytes and a zero. */
static size_t form_decode(const char *raw, size_t len, char *out) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int byte = raw[i] == '%' ? escape_at(raw + i, len - i) : -1;
        if (byte >= 0) {
            out[n++] = (char)byte;
            i += 2;
        } else {
            out[n++] = raw[i] == '+' ? ' ' : raw[i];
        }
    }
    out[n] = '\0';
    return n;
}

static size_t copy_text(const char *raw, size_t len, char *out) {
    memcpy(out, raw, len);
    out[len] = '\0';
    return len;
}

/* A block for the pairs of `raw` and, behind them, their text: a piece of n
 * bytes needs no more than n + 2 with the zeros, and its separator pays for
 * one of them. */
static tw__http_pairs *pairs_create(const char *raw, size_t len, char separator,
                                    char **text) {
    size_t most = 1;
    for (size_t i = 0; i < len; i++) {
        most += raw[i] == separator;
    }
    size_t head = sizeof(tw__http_pairs) + most * sizeof(tw__http_field);
    tw__http_pairs *pairs = tw__malloc(head + len + 2 * most);
    if (pairs != NULL) {
        pairs->count = 0;
        *text = (char *)pairs + head;
    }
    return pairs;
}

static void add_pair(tw__http_pairs *pairs, char **text,
                     const tw__http_field *raw,
                     size_t (*put)(const char *, size_t, char *)) {
    tw__http_field *field = &pairs->fields[pairs->count++];
    field->name = *text;
    field->name_len = put(raw->name, raw->name_len, *text);
    *text += field->name_len + 1;
    field->value = *text;
    field->value_len = put(raw->value, raw->value_len, *text);
    *text += field->value_len + 1;
}

/* Takes the piece up to the next separator and splits it at its first '='.
 * Without one the value is empty; *has_equals tells. */
static tw__http_field next_piece(const char **raw, size_t *len, char separator,
                                 bool *has_equals) {
    const char *end = memchr(*raw, separator, *len);
    size_t taken = end != NULL ? (size_t)(end - *raw) : *len;
    const char *equals = memchr(*raw, '=', taken);
    *has_equals = equals != NULL;
    tw__http_field field = {*raw, taken, *raw + taken, 0};
    if (equals != NULL) {
        field.name_len = (size_t)(equals - *raw);
        field.value = equals + 1;
        field.value_len = taken - field.name_len - 1;
    }
    taken += end != NULL;
    *raw += taken;
    *len -= taken;
    return field;
}

tw__http_pairs *tw__http_query_parse(const char *raw, size_t len) {
    char *text = NULL;
    tw__http_pairs *pairs = pairs_create(raw, len, '&', &text);
    while (pairs != NULL && len > 0) {
        bool has_equals;
        tw__http_field piece = next_piece(&raw, &len, '&', &has_equals);
        if (piece.name_len > 0 || has_equals) {
            add_pair(pairs, &text, &piece, form_decode);
        }
    }
    return pairs;
}

tw__http_pairs *tw__http_cookies_parse(const char *raw, size_t len) {
    char *text = NULL;
    tw__http_pairs *pairs = pairs_create(raw, len, ';', &text);
    while (pairs != NULL && len > 0) {
        bool has_equals;
        tw__http_field piece = next_piece(&raw, &len, ';', &has_equals);
        tw__http_trim(&piece.name, &piece.name_len);
        tw__http_trim(&piece.value, &piece.value_len);
        if (piece.value_len >= 2 && piece.value[0] == '"' &&
            piece.value[piece.value_len - 1] == '"') {
            piece.value++;
            piece.value_len -= 2;
        }
        if (has_equals && piece.name_len > 0) {
            add_pair(pairs, &text, &piece, copy_text);
        }
    }
    return pairs;
}
