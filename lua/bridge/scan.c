/* A parser that keeps no tree: what it knows at any moment are the locals in
 * scope. The text is gone through twice. The first time tells whether all of
 * it is understood, and which locals are assigned; the second one tells.
 *
 * SPDX-License-Identifier: MIT */
#include "scan.h"

#include <string.h>

#include <tidewire/errors.h>

#include "scan_parts.h"
#include "vm_alloc.h"

static void scoped_block(twl_scan_state *s) {
    size_t count = s->count;
    twl_scan_block(s);
    s->count = count;
}

static void if_statement(twl_scan_state *s) {
    twl_scan_expression(s);
    twl_scan_expect(s, "then");
    scoped_block(s);
    while (twl_scan_take(s, "elseif")) {
        twl_scan_expression(s);
        twl_scan_expect(s, "then");
        scoped_block(s);
    }
    if (twl_scan_take(s, "else")) {
        scoped_block(s);
    }
    twl_scan_expect(s, "end");
}

/* The values are reckoned before the names exist. */
static void for_statement(twl_scan_state *s) {
    twl_token names[TWL_SCAN_NAME];
    size_t count = s->count, named = 0;
    do {
        names[named] = twl_scan_take_name(s);
        named += named + 1 < TWL_SCAN_NAME;
    } while (twl_scan_take(s, ","));
    if (!twl_scan_take(s, "=")) {
        twl_scan_expect(s, "in");
    }
    twl_scan_expressions(s);
    for (size_t i = 0; i < named; i++) {
        twl_scan_declare(s, &names[i], false);
    }
    twl_scan_expect(s, "do");
    twl_scan_block(s);
    twl_scan_expect(s, "end");
    s->count = count;
}

/* The condition still sees the locals of its block. */
static void repeat_statement(twl_scan_state *s) {
    size_t count = s->count;
    twl_scan_block(s);
    twl_scan_expect(s, "until");
    twl_scan_expression(s);
    s->count = count;
}

static void function_statement(twl_scan_state *s) {
    twl_scan_operand o = {.is_name = true, .name = twl_scan_take_name(s)};
    bool is_method = false;
    o.of = twl_scan_find(s, &o.name);
    if (!twl_scan_is(s, ".") && !twl_scan_is(s, ":")) {
        twl_scan_use_target(s, &o);
    } else {
        twl_scan_use_value(s, &o);
    }
    while (twl_scan_take(s, ".")) {
        twl_scan_take_name(s);
    }
    if (twl_scan_take(s, ":")) {
        is_method = true;
        twl_scan_take_name(s);
    }
    twl_scan_function_body(s, is_method);
}

/* Whether the value is require "tidewire", and nothing is done with it. */
static bool is_tidewire(twl_scan_state *s) {
    if (!twl_scan_is(s, "require") || twl_scan_find(s, &s->now) != NULL) {
        return false;
    }
    twl_lexer lexer = s->lexer; /* looked at only, not read */
    twl_token token = s->has_ahead ? s->ahead : twl_lexer_next(&lexer);
    bool is_bracket = twl_token_is(&token, "(");
    if (is_bracket) {
        token = twl_lexer_next(&lexer);
    }
    if (token.kind != TWL_TOKEN_STRING || token.len != 8 ||
        memcmp(token.begin, "tidewire", 8) != 0) {
        return false;
    }
    token = twl_lexer_next(&lexer);
    if (is_bracket && !twl_token_is(&token, ")")) {
        return false;
    }
    token = is_bracket ? twl_lexer_next(&lexer) : token;
    bool is_word =
        token.kind == TWL_TOKEN_NAME ||
        (token.kind == TWL_TOKEN_KEYWORD && !twl_token_is(&token, "and") &&
         !twl_token_is(&token, "or"));
    return is_word || token.kind == TWL_TOKEN_END || twl_token_is(&token, ";");
}

static void local_statement(twl_scan_state *s) {
    twl_token names[TWL_SCAN_NAME];
    size_t named = 0;
    if (twl_scan_take(s, "function")) {
        twl_token name = twl_scan_take_name(s);
        twl_scan_declare(s, &name, false);
        twl_scan_function_body(s, false);
        return;
    }
    do {
        names[named] = twl_scan_take_name(s);
        named += named + 1 < TWL_SCAN_NAME;
    } while (twl_scan_take(s, ","));
    bool is_tw = false;
    if (twl_scan_take(s, "=")) {
        is_tw = named == 1 && is_tidewire(s);
        twl_scan_expressions(s);
    }
    for (size_t i = 0; i < named; i++) {
        twl_scan_declare(s, &names[i], is_tw && !s->is_tw_assigned);
    }
}

/* A call or an assignment. */
static void expression_statement(twl_scan_state *s) {
    twl_scan_operand o = twl_scan_suffixed(s);
    if (!twl_scan_is(s, "=") && !twl_scan_is(s, ",")) {
        if (o.is_name) {
            twl_scan_fail(s);
        }
        return;
    }
    twl_scan_use_target(s, &o);
    while (twl_scan_take(s, ",")) {
        o = twl_scan_suffixed(s);
        twl_scan_use_target(s, &o);
    }
    twl_scan_expect(s, "=");
    twl_scan_expressions(s);
}

static bool ends_block(const twl_scan_state *s) {
    return s->now.kind == TWL_TOKEN_END || twl_scan_is(s, "end") ||
           twl_scan_is(s, "else") || twl_scan_is(s, "elseif") ||
           twl_scan_is(s, "until");
}

static void return_statement(twl_scan_state *s) {
    if (!ends_block(s) && !twl_scan_is(s, ";")) {
        twl_scan_expressions(s);
    }
}

static void label(twl_scan_state *s) {
    twl_scan_take_name(s);
    twl_scan_expect(s, "::");
}

static void statement(twl_scan_state *s) {
    if (twl_scan_take(s, ";") || twl_scan_take(s, "break")) {
        return;
    }
    if (twl_scan_is(s, "goto") &&
        twl_scan_look_ahead(s)->kind == TWL_TOKEN_NAME) {
        twl_scan_advance(s);
        twl_scan_advance(s);
    } else if (twl_scan_take(s, "::")) {
        label(s);
    } else if (twl_scan_take(s, "if")) {
        if_statement(s);
    } else if (twl_scan_take(s, "while")) {
        twl_scan_expression(s);
        twl_scan_expect(s, "do");
        scoped_block(s);
        twl_scan_expect(s, "end");
    } else if (twl_scan_take(s, "do")) {
        scoped_block(s);
        twl_scan_expect(s, "end");
    } else if (twl_scan_take(s, "for")) {
        for_statement(s);
    } else if (twl_scan_take(s, "repeat")) {
        repeat_statement(s);
    } else if (twl_scan_take(s, "function")) {
        function_statement(s);
    } else if (twl_scan_take(s, "local")) {
        local_statement(s);
    } else if (twl_scan_take(s, "return")) {
        return_statement(s);
    } else {
        expression_statement(s);
    }
}

void twl_scan_block(twl_scan_state *s) {
    if (twl_scan_enter(s)) {
        while (!ends_block(s)) {
            statement(s);
        }
    }
    twl_scan_leave(s);
}

/* ---- the whole ---------------------------------------------------------- */

static void go_through(twl_scan_state *s, const char *text, size_t len) {
    twl_lexer_init(&s->lexer, text, len);
    s->count = s->functions = s->nesting = 0;
    s->has_ahead = false;
    twl_scan_advance(s);
    twl_scan_block(s);
    if (s->now.kind != TWL_TOKEN_END) {
        s->is_broken = true;
    }
}

int twl_scan(const char *text, size_t len, twl_use_cb on_use, void *arg) {
    twl_scan_state s = {.arg = arg};
    go_through(&s, text, len);
    if (!s.is_broken) {
        s.on_use = on_use;
        go_through(&s, text, len);
    }
    twl_free(s.locals);
    return s.is_out_of_memory ? TW_ENOMEM : s.is_broken ? TW_EINVALID : 0;
}
