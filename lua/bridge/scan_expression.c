/* Expressions, and what is called and indexed in them.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "scan_parts.h"

static void operators(twl_scan_state *s);

void twl_scan_function_body(twl_scan_state *s, bool is_method) {
    size_t count = s->count;
    s->functions++;
    if (is_method) {
        twl_scan_declare_text(s, "self");
    }
    twl_scan_expect(s, "(");
    while (!twl_scan_is(s, ")") && !s->is_broken) {
        if (!twl_scan_take(s, "...")) {
            twl_token name = twl_scan_take_name(s);
            twl_scan_declare(s, &name, false);
        }
        if (!twl_scan_take(s, ",")) {
            break;
        }
    }
    twl_scan_expect(s, ")");
    twl_scan_block(s);
    twl_scan_expect(s, "end");
    s->functions--;
    s->count = count;
}

/* A table that is an argument, in this place, of what `owner` names; "" for
 * others. */
static void table(twl_scan_state *s, const char *owner, int place) {
    twl_scan_expect(s, "{");
    while (!twl_scan_is(s, "}") && !s->is_broken) {
        if (twl_scan_take(s, "[")) {
            twl_scan_expression(s);
            twl_scan_expect(s, "]");
            twl_scan_expect(s, "=");
        } else if (s->now.kind == TWL_TOKEN_NAME &&
                   twl_token_is(twl_scan_look_ahead(s), "=")) {
            char name[TWL_SCAN_NAME];
            twl_scan_copy(name, &s->now);
            if (*owner != '\0') {
                twl_scan_tell(s, &(twl_use){.kind = TWL_USE_KEY,
                                            .line = s->now.line,
                                            .name = name,
                                            .owner = owner,
                                            .place = place});
            }
            twl_scan_advance(s);
            twl_scan_advance(s);
        }
        twl_scan_expression(s);
        if (!twl_scan_take(s, ",") && !twl_scan_take(s, ";")) {
            break;
        }
    }
    twl_scan_expect(s, "}");
}

void twl_scan_expressions(twl_scan_state *s) {
    do {
        twl_scan_expression(s);
    } while (twl_scan_take(s, ","));
}

static void argument(twl_scan_state *s, const char *owner, int place) {
    if (*owner != '\0' && twl_scan_is(s, "{")) {
        table(s, owner, place);
        operators(s);
    } else {
        twl_scan_expression(s);
    }
}

static void arguments(twl_scan_state *s, const char *owner) {
    int place = 0;
    if (s->now.kind == TWL_TOKEN_STRING) {
        twl_scan_advance(s);
    } else if (twl_scan_is(s, "{")) {
        table(s, owner, 1);
    } else {
        twl_scan_expect(s, "(");
        if (!twl_scan_is(s, ")")) {
            do {
                argument(s, owner, ++place);
            } while (twl_scan_take(s, ","));
        }
        twl_scan_expect(s, ")");
    }
}

static bool is_call(const twl_scan_state *s) {
    return s->now.kind == TWL_TOKEN_STRING || twl_scan_is(s, "(") ||
           twl_scan_is(s, "{");
}

/* `require` is a global and a text follows: a module that is wanted only when
 * the function runs. */
static void look_at_require(twl_scan_state *s, const twl_scan_operand *o) {
    if (!o->is_name || o->of != NULL || s->functions == 0 ||
        !twl_token_is(&o->name, "require")) {
        return;
    }
    const twl_token *module = &s->now;
    if (twl_scan_is(s, "(")) {
        module = twl_scan_look_ahead(s);
    }
    if (module->kind == TWL_TOKEN_STRING) {
        twl_scan_tell_token(s, TWL_USE_REQUIRE, module);
    }
}

/* Steps behind `tw`: all names up to what is no name. */
static void tw_chain(twl_scan_state *s, char path[TWL_SCAN_NAME]) {
    int line = s->now.line;
    path[0] = '\0';
    while (twl_scan_take(s, ".")) {
        char step[TWL_SCAN_NAME];
        twl_token name = twl_scan_take_name(s);
        twl_scan_copy(step, &name);
        line = *path == '\0' ? name.line : line;
        if (strlen(path) + strlen(step) + 2 > TWL_SCAN_NAME) {
            twl_scan_fail(s);
            return;
        }
        strcat(path, *path != '\0' ? "." : "");
        strcat(path, step);
    }
    if (*path != '\0') {
        twl_scan_tell(s, &(twl_use){.kind = TWL_USE_FIELD,
                                    .line = line,
                                    .name = path,
                                    .owner = ""});
    }
}

static twl_scan_operand primary(twl_scan_state *s) {
    twl_scan_operand o = {.is_name = true, .name = s->now};
    if (twl_scan_take(s, "(")) {
        o.is_name = false;
        twl_scan_expression(s);
        twl_scan_expect(s, ")");
        return o;
    }
    o.name = twl_scan_take_name(s);
    o.of = twl_scan_find(s, &o.name);
    return o;
}

/* Of tw.NAME(...) more is known than that it is a value: "NAME()". */
static void note_call(char path[TWL_SCAN_NAME]) {
    size_t len = strlen(path);
    if (len > 0 && len + 3 <= TWL_SCAN_NAME && strpbrk(path, ":(") == NULL) {
        memcpy(path + len, "()", 3);
    } else {
        path[0] = '\0';
    }
}

/* The method of such a value: "NAME():METHOD"; "" of others. */
static void note_method(char path[TWL_SCAN_NAME], const twl_token *name) {
    size_t len = strlen(path);
    bool is_called = len > 0 && path[len - 1] == ')';
    if (is_called && len + name->len + 2 <= TWL_SCAN_NAME) {
        snprintf(path + len, TWL_SCAN_NAME - len, ":%.*s", (int)name->len,
                 name->begin);
    } else {
        path[0] = '\0';
    }
}

/* One step behind a value; false when there is none. `path` is what is known of
 * the value, then of the next. */
static bool suffix(twl_scan_state *s, char path[TWL_SCAN_NAME]) {
    if (twl_scan_take(s, ":")) {
        twl_token name = twl_scan_take_name(s);
        note_method(path, &name);
        arguments(s, path);
        path[0] = '\0';
    } else if (is_call(s)) {
        arguments(s, path);
        note_call(path);
    } else if (twl_scan_take(s, ".")) {
        twl_scan_take_name(s);
        path[0] = '\0';
    } else if (twl_scan_take(s, "[")) {
        twl_scan_expression(s);
        twl_scan_expect(s, "]");
        path[0] = '\0';
    } else {
        return false;
    }
    return true;
}

/* A name or a value in brackets with what stands behind it. A name alone is
 * given back: whoever asked knows what becomes of it. */
twl_scan_operand twl_scan_suffixed(twl_scan_state *s) {
    twl_scan_operand o = primary(s);
    char path[TWL_SCAN_NAME] = "";
    look_at_require(s, &o);
    if (o.is_name && o.of != NULL && o.of->is_tw && twl_scan_is(s, ".")) {
        o.is_name = false;
        tw_chain(s, path);
    }
    bool is_suffix = twl_scan_is(s, ".") || twl_scan_is(s, "[") ||
                     twl_scan_is(s, ":") || is_call(s);
    if (is_suffix) {
        twl_scan_use_value(s, &o);
        o.is_name = false;
    }
    while (is_suffix && suffix(s, path)) {
    }
    return o;
}

static bool is_unary(const twl_scan_state *s) {
    return twl_scan_is(s, "not") || twl_scan_is(s, "-") || twl_scan_is(s, "#");
}

static bool is_binary(const twl_scan_state *s) {
    static const char *const signs[] = {
        "+",  "-", "*",  "/",  "%",  "^",   "..", "<",
        "<=", ">", ">=", "==", "~=", "and", "or", NULL};
    for (const char *const *sign = signs; *sign != NULL; sign++) {
        if (twl_scan_is(s, *sign)) {
            return true;
        }
    }
    return false;
}

static bool is_constant(const twl_scan_state *s) {
    return s->now.kind == TWL_TOKEN_STRING || s->now.kind == TWL_TOKEN_NUMBER ||
           twl_scan_is(s, "nil") || twl_scan_is(s, "true") ||
           twl_scan_is(s, "false") || twl_scan_is(s, "...");
}

static void simple(twl_scan_state *s) {
    while (is_unary(s)) {
        twl_scan_advance(s);
    }
    if (is_constant(s)) {
        twl_scan_advance(s);
    } else if (twl_scan_is(s, "{")) {
        table(s, "", 0);
    } else if (twl_scan_take(s, "function")) {
        twl_scan_function_body(s, false);
    } else {
        twl_scan_operand o = twl_scan_suffixed(s);
        twl_scan_use_value(s, &o);
    }
}

static void operators(twl_scan_state *s) {
    while (is_binary(s)) {
        twl_scan_advance(s);
        simple(s);
    }
}

void twl_scan_expression(twl_scan_state *s) {
    if (twl_scan_enter(s)) {
        simple(s);
        operators(s);
    }
    twl_scan_leave(s);
}
