/* SPDX-License-Identifier: MIT */
#include "ws/extension.h"

#include <stddef.h>
#include <string.h>

#define SHARED                                                                 \
    "permessage-deflate; server_no_context_takeover; "                         \
    "client_no_context_takeover"

typedef struct text {
    const char *at, *end;
} text;

/* A parameter's value without quotes and backslashes. No value that means
 * something is longer than two characters: of others the start is kept. */
typedef struct value {
    bool is_there;
    size_t len;
    char start[3];
} value;

enum parameter {
    SERVER_NO_TAKEOVER = 1,
    CLIENT_NO_TAKEOVER = 2,
    SERVER_WINDOW = 4,
    CLIENT_WINDOW = 8
};

typedef struct offer {
    bool is_deflate;
    bool is_declined;
    unsigned seen; /* of enum parameter */
} offer;

/* ---- the grammar -------------------------------------------------------- */

static void skip_blanks(text *t) {
    while (t->at != t->end && (*t->at == ' ' || *t->at == '\t')) {
        t->at++;
    }
}

static bool skip(text *t, char c) {
    if (t->at != t->end && *t->at == c) {
        t->at++;
        return true;
    }
    return false;
}

static bool is_separator(char c) {
    return c == ',' || c == ';' || c == '=' || c == '"' || c == ' ' ||
           c == '\t';
}

/* What is neither in a token nor a separator here may stand nowhere. */
static bool take_token(text *t, text *token) {
    token->at = t->at;
    while (t->at != t->end && !is_separator(*t->at)) {
        t->at++;
    }
    token->end = t->at;
    return tw__ws_is_token(token->at, (size_t)(token->end - token->at));
}

static void add(value *v, char c) {
    if (v->len < sizeof v->start) {
        v->start[v->len] = c;
    }
    v->len++;
}

/* What is within quotes must be a token once they are off. */
static bool take_quoted(text *t, value *v) {
    while (t->at != t->end && *t->at != '"') {
        skip(t, '\\');
        if (t->at == t->end || !tw__ws_is_token(t->at, 1)) {
            return false;
        }
        add(v, *t->at++);
    }
    return skip(t, '"') && v->len > 0;
}

static bool take_value(text *t, value *v) {
    text token;
    v->is_there = true;
    if (skip(t, '"')) {
        return take_quoted(t, v);
    }
    if (!take_token(t, &token)) {
        return false;
    }
    while (token.at != token.end) {
        add(v, *token.at++);
    }
    return true;
}

/* ---- an offer ----------------------------------------------------------- */

static unsigned parameter_of(text name) {
    static const struct {
        const char *name;
        enum parameter parameter;
    } known[] = {
        {"server_no_context_takeover", SERVER_NO_TAKEOVER},
        {"client_no_context_takeover", CLIENT_NO_TAKEOVER},
        {"server_max_window_bits", SERVER_WINDOW},
        {"client_max_window_bits", CLIENT_WINDOW},
    };
    size_t len = (size_t)(name.end - name.at);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i].name) == len &&
            memcmp(known[i].name, name.at, len) == 0) {
            return known[i].parameter;
        }
    }
    return 0;
}

/* 8 to 15, without leading zeros; 0 for all else. */
static int window_of(const value *v) {
    const char *c = v->start;
    if (v->len == 1 && (c[0] == '8' || c[0] == '9')) {
        return c[0] - '0';
    }
    bool is_two = v->len == 2 && c[0] == '1' && c[1] >= '0' && c[1] <= '5';
    return is_two ? 10 + c[1] - '0' : 0;
}

/* Whether the parameter can be met. The client's window may be any: messages
 * of a smaller one are inflated like all others. */
static bool can_meet(unsigned parameter, const value *v) {
    switch (parameter) {
    case SERVER_NO_TAKEOVER:
    case CLIENT_NO_TAKEOVER:
        return !v->is_there;
    case SERVER_WINDOW:
        return window_of(v) == 15;
    case CLIENT_WINDOW:
        return !v->is_there || window_of(v) != 0;
    default:
        return false;
    }
}

static bool take_parameter(text *t, offer *o) {
    text name;
    value v = {0};
    skip_blanks(t);
    if (!take_token(t, &name)) {
        return false;
    }
    skip_blanks(t);
    if (skip(t, '=')) {
        skip_blanks(t);
        if (!take_value(t, &v)) {
            return false;
        }
        skip_blanks(t);
    }
    unsigned parameter = parameter_of(name);
    o->is_declined |= (o->seen & parameter) != 0 || !can_meet(parameter, &v);
    o->seen |= parameter;
    return true;
}

static bool take_offer(text *t, offer *o) {
    static const char name[] = "permessage-deflate";
    text token;
    *o = (offer){0};
    if (!take_token(t, &token)) {
        return false;
    }
    o->is_deflate = (size_t)(token.end - token.at) == sizeof name - 1 &&
                    memcmp(token.at, name, sizeof name - 1) == 0;
    skip_blanks(t);
    while (skip(t, ';')) {
        if (!take_parameter(t, o)) {
            return false;
        }
    }
    return t->at == t->end || *t->at == ',';
}

/* ---- all offers --------------------------------------------------------- */

/* A window that was named must be named in the answer. */
static const char *answer_to(const offer *o) {
    if (!o->is_deflate || o->is_declined) {
        return NULL;
    }
    return o->seen & SERVER_WINDOW ? SHARED "; server_max_window_bits=15"
                                   : SHARED;
}

/* False when the line is malformed. */
static bool read_line(text line, const char **answer) {
    offer o;
    for (;;) {
        skip_blanks(&line);
        if (line.at == line.end) {
            return true;
        }
        if (skip(&line, ',')) {
            continue;
        }
        if (!take_offer(&line, &o)) {
            return false;
        }
        if (*answer == NULL) {
            *answer = answer_to(&o);
        }
    }
}

/* Most requests have no such line: its length tells most others apart. */
static bool is_named(const tw__ws_header *header) {
    static const char name[] = "Sec-WebSocket-Extensions";
    return header->name_len == sizeof name - 1 && header->value_len > 0 &&
           tw__ws_equals(header->name, header->name_len, name);
}

static bool read_lines(const tw__ws_request *req, const char **answer) {
    *answer = NULL;
    for (size_t i = 0; i < req->header_count; i++) {
        const tw__ws_header *header = &req->headers[i];
        if (!is_named(header)) {
            continue;
        }
        text line = {header->value, header->value + header->value_len};
        if (!read_line(line, answer)) {
            return false;
        }
    }
    return true;
}

bool tw__ws_extensions_are_sound(const tw__ws_request *req) {
    const char *answer;
    return read_lines(req, &answer);
}

const char *tw__ws_extensions_answer(const tw__ws_request *req) {
    const char *answer;
    return read_lines(req, &answer) ? answer : NULL;
}
