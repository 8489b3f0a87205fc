/* scan_parts.h - the parser of scan.h, as its own files see it: words and
 * locals in scan_scope.c, expressions in scan_expression.c, statements in
 * scan.c. Whoever fails comes to the end of the text at once.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_SCAN_PARTS_H
#define TWL_SCAN_PARTS_H

#include "scan.h"
#include "scan_lex.h"

enum { TWL_SCAN_NAME = 128 };

typedef struct twl_scan_local {
    const char *name;
    size_t len;
    bool is_tw;
} twl_scan_local;

typedef struct twl_scan_state {
    twl_lexer lexer;
    twl_token now, ahead;
    bool has_ahead;
    twl_scan_local *locals;
    size_t count, cap;
    unsigned functions, nesting;
    bool is_broken, is_out_of_memory;
    bool is_tw_assigned; /* somewhere: then none of them is believed */
    twl_use_cb on_use;   /* NULL the first time */
    void *arg;
} twl_scan_state;

/* What an expression is, as long as it is but a name. */
typedef struct twl_scan_operand {
    bool is_name;
    twl_token name;
    twl_scan_local *of; /* NULL: a global */
} twl_scan_operand;

/* ---- scan_scope.c ---- */

void twl_scan_advance(twl_scan_state *s);
const twl_token *twl_scan_look_ahead(twl_scan_state *s);
/* Whether the word is this one; the same, and on to the next. */
bool twl_scan_is(const twl_scan_state *s, const char *text);
bool twl_scan_take(twl_scan_state *s, const char *text);
/* Fails without it. */
void twl_scan_expect(twl_scan_state *s, const char *text);
twl_token twl_scan_take_name(twl_scan_state *s);
void twl_scan_fail(twl_scan_state *s);

/* One level deeper. False: so deep that LuaJIT would not have taken it, and it
 * is over. */
bool twl_scan_enter(twl_scan_state *s);
void twl_scan_leave(twl_scan_state *s);

/* What is longer is cut. */
void twl_scan_copy(char out[TWL_SCAN_NAME], const twl_token *token);
void twl_scan_tell(twl_scan_state *s, const twl_use *use);
void twl_scan_tell_token(twl_scan_state *s, twl_use_kind kind,
                         const twl_token *token);

void twl_scan_declare(twl_scan_state *s, const twl_token *name, bool is_tw);
void twl_scan_declare_text(twl_scan_state *s, const char *name);
twl_scan_local *twl_scan_find(twl_scan_state *s, const twl_token *name);
/* The name turned out to be a value that is used, or to be assigned. */
void twl_scan_use_value(twl_scan_state *s, const twl_scan_operand *o);
void twl_scan_use_target(twl_scan_state *s, const twl_scan_operand *o);

/* ---- scan_expression.c ---- */

void twl_scan_expression(twl_scan_state *s);
void twl_scan_expressions(twl_scan_state *s);
/* A name or a value in brackets with what stands behind it. A name alone is
 * given back: whoever asked knows what becomes of it. */
twl_scan_operand twl_scan_suffixed(twl_scan_state *s);
/* From its arguments on. */
void twl_scan_function_body(twl_scan_state *s, bool is_method);

/* ---- scan.c ---- */

/* Statements up to the word that ends them. */
void twl_scan_block(twl_scan_state *s);

#endif
