/* A parser that keeps no tree: what it knows at any moment are the locals in
 * scope. The text is gone through twice. The first time tells whether all of
 * it is understood, and which locals are assigned; the second one tells.
 *
 * SPDX-License-Identifier: MIT */
#include "scan.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <tidewire/errors.h>

#include "names.h"
#include "scan_lex.h"
#include "vm_alloc.h"

/* LuaJIT allows 200 levels of syntax, and 200 locals of one function. */
enum { MAX_NESTING = 400, MAX_NAME = 128, MAX_LOCALS = 1 << 16 };

/* Everything is like a name of one or two letters. */
enum { LEAST_MEANT = 3 };

typedef struct local {
    const char *name;
    size_t len;
    bool is_tw;
} local;

typedef struct scan {
    twl_lexer lexer;
    twl_token now, ahead;
    bool has_ahead;
    local *locals;
    size_t count, cap;
    unsigned functions, nesting;
    bool is_broken, is_out_of_memory;
    bool is_tw_assigned; /* somewhere: then none of them is believed */
    twl_use_cb on_use;   /* NULL the first time */
    void *arg;
} scan;

/* What an expression is, as long as it is but a name. */
typedef struct operand {
    bool is_name;
    twl_token name;
    local *of; /* NULL: a global */
} operand;

static void expression(scan *s);
static void operators(scan *s);
static void block(scan *s);

/* ---- words -------------------------------------------------------------- */

static void advance(scan *s) {
    s->now = s->has_ahead ? s->ahead : twl_lexer_next(&s->lexer);
    s->has_ahead = false;
    if (s->now.kind == TWL_TOKEN_BROKEN) {
        s->is_broken = true;
    }
    if (s->is_broken) {
        s->now.kind = TWL_TOKEN_END;
        s->now.len = 0;
    }
}

static const twl_token *look_ahead(scan *s) {
    if (!s->has_ahead) {
        s->ahead = twl_lexer_next(&s->lexer);
        s->has_ahead = true;
    }
    return &s->ahead;
}

static bool is(const scan *s, const char *text) {
    return twl_token_is(&s->now, text);
}

static bool take(scan *s, const char *text) {
    bool is_there = is(s, text);
    if (is_there) {
        advance(s);
    }
    return is_there;
}

static void fail(scan *s) {
    s->is_broken = true;
    s->now.kind = TWL_TOKEN_END;
    s->now.len = 0;
}

static void expect(scan *s, const char *text) {
    if (!take(s, text)) {
        fail(s);
    }
}

static twl_token take_name(scan *s) {
    twl_token name = s->now;
    if (name.kind == TWL_TOKEN_NAME) {
        advance(s);
    } else {
        fail(s);
    }
    return name;
}

/* So deep that LuaJIT would not have taken it; false, and it is over. */
static bool enter(scan *s) {
    if (++s->nesting > MAX_NESTING) {
        fail(s);
    }
    return !s->is_broken;
}

static void leave(scan *s) {
    s->nesting--;
}

/* ---- telling ------------------------------------------------------------ */

static void copy(char out[MAX_NAME], const twl_token *token) {
    size_t len = token->len < MAX_NAME - 1 ? token->len : MAX_NAME - 1;
    memcpy(out, token->begin, len);
    out[len] = '\0';
}

/* The local in scope that is most like it. */
static void nearest(const scan *s, const char *name, char out[MAX_NAME]) {
    int least = twl_names_limit(name);
    out[0] = '\0';
    for (size_t i = strlen(name) < LEAST_MEANT ? 0 : s->count; i-- > 0;) {
        twl_token token = {.begin = s->locals[i].name, .len = s->locals[i].len};
        char word[MAX_NAME];
        copy(word, &token);
        int likeness = twl_names_likeness(name, word);
        if (likeness <= least) {
            least = likeness - 1;
            memcpy(out, word, sizeof word);
        }
    }
}

static void tell(scan *s, twl_use_kind kind, int line, const char *name,
                 const char *owner) {
    char near[MAX_NAME] = "";
    if (s->on_use == NULL || s->is_broken) {
        return;
    }
    if (kind == TWL_USE_READ) {
        nearest(s, name, near);
    }
    twl_use use = {kind, line, name, owner, near};
    s->on_use(&use, s->arg);
}

static void tell_token(scan *s, twl_use_kind kind, const twl_token *token) {
    char name[MAX_NAME];
    copy(name, token);
    tell(s, kind, token->line, name, "");
}

/* ---- locals ------------------------------------------------------------- */

static void declare(scan *s, const twl_token *name, bool is_tw) {
    if (s->count == s->cap) {
        size_t cap = s->cap != 0 ? 2 * s->cap : 64;
        local *grown = cap <= MAX_LOCALS
                           ? twl_realloc(s->locals, cap * sizeof *grown)
                           : NULL;
        if (grown == NULL) {
            s->is_out_of_memory = true;
            fail(s);
            return;
        }
        s->locals = grown;
        s->cap = cap;
    }
    s->locals[s->count++] = (local){name->begin, name->len, is_tw};
}

static void declare_text(scan *s, const char *name) {
    twl_token token = {.begin = name, .len = strlen(name)};
    declare(s, &token, false);
}

static local *find(scan *s, const twl_token *name) {
    for (size_t i = s->count; i-- > 0;) {
        local *l = &s->locals[i];
        if (l->len == name->len && memcmp(l->name, name->begin, l->len) == 0) {
            return l;
        }
    }
    return NULL;
}

/* The name turned out to be a value that is used. */
static void use_value(scan *s, const operand *o) {
    if (o->is_name && o->of == NULL) {
        tell_token(s, TWL_USE_READ, &o->name);
    }
}

/* ... or to be assigned. */
static void use_target(scan *s, const operand *o) {
    if (o->is_name && o->of == NULL) {
        tell_token(s, TWL_USE_WRITE, &o->name);
    } else if (o->is_name && o->of->is_tw) {
        s->is_tw_assigned = true;
    }
}

/* ---- expressions -------------------------------------------------------- */

static void function_body(scan *s, bool is_method) {
    size_t count = s->count;
    s->functions++;
    if (is_method) {
        declare_text(s, "self");
    }
    expect(s, "(");
    while (!is(s, ")") && !s->is_broken) {
        if (!take(s, "...")) {
            twl_token name = take_name(s);
            declare(s, &name, false);
        }
        if (!take(s, ",")) {
            break;
        }
    }
    expect(s, ")");
    block(s);
    expect(s, "end");
    s->functions--;
    s->count = count;
}

/* `owner` is what tw.OWNER is called with it, "" for other tables. */
static void table(scan *s, const char *owner) {
    expect(s, "{");
    while (!is(s, "}") && !s->is_broken) {
        if (take(s, "[")) {
            expression(s);
            expect(s, "]");
            expect(s, "=");
        } else if (s->now.kind == TWL_TOKEN_NAME &&
                   twl_token_is(look_ahead(s), "=")) {
            char name[MAX_NAME];
            copy(name, &s->now);
            if (*owner != '\0') {
                tell(s, TWL_USE_KEY, s->now.line, name, owner);
            }
            advance(s);
            advance(s);
        }
        expression(s);
        if (!take(s, ",") && !take(s, ";")) {
            break;
        }
    }
    expect(s, "}");
}

static void expressions(scan *s) {
    do {
        expression(s);
    } while (take(s, ","));
}

static void arguments(scan *s, const char *owner) {
    if (s->now.kind == TWL_TOKEN_STRING) {
        advance(s);
    } else if (is(s, "{")) {
        table(s, owner);
    } else {
        expect(s, "(");
        if (*owner != '\0' && is(s, "{")) {
            table(s, owner);
            operators(s);
            if (take(s, ",")) {
                expressions(s);
            }
        } else if (!is(s, ")")) {
            expressions(s);
        }
        expect(s, ")");
    }
}

static bool is_call(const scan *s) {
    return s->now.kind == TWL_TOKEN_STRING || is(s, "(") || is(s, "{");
}

/* `require` is a global and a text follows: a module that is wanted only when
 * the function runs. */
static void look_at_require(scan *s, const operand *o) {
    if (!o->is_name || o->of != NULL || s->functions == 0 ||
        !twl_token_is(&o->name, "require")) {
        return;
    }
    const twl_token *module = &s->now;
    if (is(s, "(")) {
        module = look_ahead(s);
    }
    if (module->kind == TWL_TOKEN_STRING) {
        tell_token(s, TWL_USE_REQUIRE, module);
    }
}

/* Steps behind `tw`: all names up to what is no name. */
static void tw_chain(scan *s, char path[MAX_NAME]) {
    int line = s->now.line;
    path[0] = '\0';
    while (take(s, ".")) {
        char step[MAX_NAME];
        twl_token name = take_name(s);
        copy(step, &name);
        line = *path == '\0' ? name.line : line;
        if (strlen(path) + strlen(step) + 2 > MAX_NAME) {
            fail(s);
            return;
        }
        strcat(path, *path != '\0' ? "." : "");
        strcat(path, step);
    }
    if (*path != '\0') {
        tell(s, TWL_USE_FIELD, line, path, "");
    }
}

static operand primary(scan *s) {
    operand o = {.is_name = true, .name = s->now};
    if (take(s, "(")) {
        o.is_name = false;
        expression(s);
        expect(s, ")");
        return o;
    }
    o.name = take_name(s);
    o.of = find(s, &o.name);
    return o;
}

/* One step behind a value; false when there is none. */
static bool suffix(scan *s, const char *owner) {
    if (take(s, ".")) {
        take_name(s);
    } else if (take(s, "[")) {
        expression(s);
        expect(s, "]");
    } else if (take(s, ":")) {
        take_name(s);
        arguments(s, "");
    } else if (is_call(s)) {
        arguments(s, owner);
    } else {
        return false;
    }
    return true;
}

/* A name or a value in brackets with what stands behind it. A name alone is
 * given back: whoever asked knows what becomes of it. */
static operand suffixed(scan *s) {
    operand o = primary(s);
    char owner[MAX_NAME] = "";
    look_at_require(s, &o);
    if (o.is_name && o.of != NULL && o.of->is_tw && is(s, ".")) {
        o.is_name = false;
        tw_chain(s, owner);
    }
    bool is_suffix = is(s, ".") || is(s, "[") || is(s, ":") || is_call(s);
    if (is_suffix) {
        use_value(s, &o);
        o.is_name = false;
    }
    while (is_suffix && suffix(s, owner)) {
        owner[0] = '\0';
    }
    return o;
}

static bool is_unary(const scan *s) {
    return is(s, "not") || is(s, "-") || is(s, "#");
}

static bool is_binary(const scan *s) {
    static const char *const signs[] = {
        "+",  "-", "*",  "/",  "%",  "^",   "..", "<",
        "<=", ">", ">=", "==", "~=", "and", "or", NULL};
    for (const char *const *sign = signs; *sign != NULL; sign++) {
        if (is(s, *sign)) {
            return true;
        }
    }
    return false;
}

static bool is_constant(const scan *s) {
    return s->now.kind == TWL_TOKEN_STRING || s->now.kind == TWL_TOKEN_NUMBER ||
           is(s, "nil") || is(s, "true") || is(s, "false") || is(s, "...");
}

static void simple(scan *s) {
    while (is_unary(s)) {
        advance(s);
    }
    if (is_constant(s)) {
        advance(s);
    } else if (is(s, "{")) {
        table(s, "");
    } else if (take(s, "function")) {
        function_body(s, false);
    } else {
        operand o = suffixed(s);
        use_value(s, &o);
    }
}

static void operators(scan *s) {
    while (is_binary(s)) {
        advance(s);
        simple(s);
    }
}

static void expression(scan *s) {
    if (enter(s)) {
        simple(s);
        operators(s);
    }
    leave(s);
}

/* ---- statements --------------------------------------------------------- */

static void scoped_block(scan *s) {
    size_t count = s->count;
    block(s);
    s->count = count;
}

static void if_statement(scan *s) {
    expression(s);
    expect(s, "then");
    scoped_block(s);
    while (take(s, "elseif")) {
        expression(s);
        expect(s, "then");
        scoped_block(s);
    }
    if (take(s, "else")) {
        scoped_block(s);
    }
    expect(s, "end");
}

/* The values are reckoned before the names exist. */
static void for_statement(scan *s) {
    twl_token names[MAX_NAME];
    size_t count = s->count, named = 0;
    do {
        names[named] = take_name(s);
        named += named + 1 < MAX_NAME;
    } while (take(s, ","));
    if (!take(s, "=")) {
        expect(s, "in");
    }
    expressions(s);
    for (size_t i = 0; i < named; i++) {
        declare(s, &names[i], false);
    }
    expect(s, "do");
    block(s);
    expect(s, "end");
    s->count = count;
}

/* The condition still sees the locals of its block. */
static void repeat_statement(scan *s) {
    size_t count = s->count;
    block(s);
    expect(s, "until");
    expression(s);
    s->count = count;
}

static void function_statement(scan *s) {
    operand o = {.is_name = true, .name = take_name(s)};
    bool is_method = false;
    o.of = find(s, &o.name);
    if (!is(s, ".") && !is(s, ":")) {
        use_target(s, &o);
    } else {
        use_value(s, &o);
    }
    while (take(s, ".")) {
        take_name(s);
    }
    if (take(s, ":")) {
        is_method = true;
        take_name(s);
    }
    function_body(s, is_method);
}

/* Whether the value is require "tidewire", and nothing is done with it. */
static bool is_tidewire(scan *s) {
    if (!is(s, "require") || find(s, &s->now) != NULL) {
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

static void local_statement(scan *s) {
    twl_token names[MAX_NAME];
    size_t named = 0;
    if (take(s, "function")) {
        twl_token name = take_name(s);
        declare(s, &name, false);
        function_body(s, false);
        return;
    }
    do {
        names[named] = take_name(s);
        named += named + 1 < MAX_NAME;
    } while (take(s, ","));
    bool is_tw = false;
    if (take(s, "=")) {
        is_tw = named == 1 && is_tidewire(s);
        expressions(s);
    }
    for (size_t i = 0; i < named; i++) {
        declare(s, &names[i], is_tw && !s->is_tw_assigned);
    }
}

/* A call or an assignment. */
static void expression_statement(scan *s) {
    operand o = suffixed(s);
    if (!is(s, "=") && !is(s, ",")) {
        if (o.is_name) {
            fail(s);
        }
        return;
    }
    use_target(s, &o);
    while (take(s, ",")) {
        o = suffixed(s);
        use_target(s, &o);
    }
    expect(s, "=");
    expressions(s);
}

static bool ends_block(const scan *s) {
    return s->now.kind == TWL_TOKEN_END || is(s, "end") || is(s, "else") ||
           is(s, "elseif") || is(s, "until");
}

static void return_statement(scan *s) {
    if (!ends_block(s) && !is(s, ";")) {
        expressions(s);
    }
}

static void label(scan *s) {
    take_name(s);
    expect(s, "::");
}

static void statement(scan *s) {
    if (take(s, ";") || take(s, "break")) {
        return;
    }
    if (is(s, "goto") && look_ahead(s)->kind == TWL_TOKEN_NAME) {
        advance(s);
        advance(s);
    } else if (take(s, "::")) {
        label(s);
    } else if (take(s, "if")) {
        if_statement(s);
    } else if (take(s, "while")) {
        expression(s);
        expect(s, "do");
        scoped_block(s);
        expect(s, "end");
    } else if (take(s, "do")) {
        scoped_block(s);
        expect(s, "end");
    } else if (take(s, "for")) {
        for_statement(s);
    } else if (take(s, "repeat")) {
        repeat_statement(s);
    } else if (take(s, "function")) {
        function_statement(s);
    } else if (take(s, "local")) {
        local_statement(s);
    } else if (take(s, "return")) {
        return_statement(s);
    } else {
        expression_statement(s);
    }
}

static void block(scan *s) {
    if (enter(s)) {
        while (!ends_block(s)) {
            statement(s);
        }
    }
    leave(s);
}

/* ---- the whole ---------------------------------------------------------- */

static void go_through(scan *s, const char *text, size_t len) {
    twl_lexer_init(&s->lexer, text, len);
    s->count = s->functions = s->nesting = 0;
    s->has_ahead = false;
    advance(s);
    block(s);
    if (s->now.kind != TWL_TOKEN_END) {
        s->is_broken = true;
    }
}

int twl_scan(const char *text, size_t len, twl_use_cb on_use, void *arg) {
    scan s = {.arg = arg};
    go_through(&s, text, len);
    if (!s.is_broken) {
        s.on_use = on_use;
        go_through(&s, text, len);
    }
    twl_free(s.locals);
    return s.is_out_of_memory ? TW_ENOMEM : s.is_broken ? TW_EINVALID : 0;
}
