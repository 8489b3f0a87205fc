/* The words of a text, what is told of them, and the locals in scope.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "names.h"
#include "scan_parts.h"
#include "vm_alloc.h"

/* LuaJIT allows 200 levels of syntax, and 200 locals of one function. */
enum { MAX_NESTING = 400, MAX_LOCALS = 1 << 16 };

/* Everything is like a name of one or two letters. */
enum { LEAST_MEANT = 3 };

void twl_scan_advance(twl_scan_state *s) {
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

const twl_token *twl_scan_look_ahead(twl_scan_state *s) {
    if (!s->has_ahead) {
        s->ahead = twl_lexer_next(&s->lexer);
        s->has_ahead = true;
    }
    return &s->ahead;
}

bool twl_scan_is(const twl_scan_state *s, const char *text) {
    return twl_token_is(&s->now, text);
}

bool twl_scan_take(twl_scan_state *s, const char *text) {
    bool is_there = twl_scan_is(s, text);
    if (is_there) {
        twl_scan_advance(s);
    }
    return is_there;
}

void twl_scan_fail(twl_scan_state *s) {
    s->is_broken = true;
    s->now.kind = TWL_TOKEN_END;
    s->now.len = 0;
}

void twl_scan_expect(twl_scan_state *s, const char *text) {
    if (!twl_scan_take(s, text)) {
        twl_scan_fail(s);
    }
}

twl_token twl_scan_take_name(twl_scan_state *s) {
    twl_token name = s->now;
    if (name.kind == TWL_TOKEN_NAME) {
        twl_scan_advance(s);
    } else {
        twl_scan_fail(s);
    }
    return name;
}

/* So deep that LuaJIT would not have taken it; false, and it is over. */
bool twl_scan_enter(twl_scan_state *s) {
    if (++s->nesting > MAX_NESTING) {
        twl_scan_fail(s);
    }
    return !s->is_broken;
}

void twl_scan_leave(twl_scan_state *s) {
    s->nesting--;
}

/* ---- telling ------------------------------------------------------------ */

void twl_scan_copy(char out[TWL_SCAN_NAME], const twl_token *token) {
    size_t len =
        token->len < TWL_SCAN_NAME - 1 ? token->len : TWL_SCAN_NAME - 1;
    memcpy(out, token->begin, len);
    out[len] = '\0';
}

/* The local in scope that is most like it. */
static void nearest(const twl_scan_state *s, const char *name,
                    char out[TWL_SCAN_NAME]) {
    int least = twl_names_limit(name);
    out[0] = '\0';
    for (size_t i = strlen(name) < LEAST_MEANT ? 0 : s->count; i-- > 0;) {
        twl_token token = {.begin = s->locals[i].name, .len = s->locals[i].len};
        char word[TWL_SCAN_NAME];
        twl_scan_copy(word, &token);
        int likeness = twl_names_likeness(name, word);
        if (likeness <= least) {
            least = likeness - 1;
            memcpy(out, word, sizeof word);
        }
    }
}

void twl_scan_tell(twl_scan_state *s, const twl_use *use) {
    char near[TWL_SCAN_NAME] = "";
    twl_use told = *use;
    if (s->on_use == NULL || s->is_broken) {
        return;
    }
    if (use->kind == TWL_USE_READ) {
        nearest(s, use->name, near);
    }
    told.near = near;
    s->on_use(&told, s->arg);
}

void twl_scan_tell_token(twl_scan_state *s, twl_use_kind kind,
                         const twl_token *token) {
    char name[TWL_SCAN_NAME];
    twl_scan_copy(name, token);
    twl_scan_tell(
        s, &(twl_use){
               .kind = kind, .line = token->line, .name = name, .owner = ""});
}

/* ---- locals ------------------------------------------------------------- */

void twl_scan_declare(twl_scan_state *s, const twl_token *name, bool is_tw) {
    if (s->count == s->cap) {
        size_t cap = s->cap != 0 ? 2 * s->cap : 64;
        twl_scan_local *grown =
            cap <= MAX_LOCALS ? twl_realloc(s->locals, cap * sizeof *grown)
                              : NULL;
        if (grown == NULL) {
            s->is_out_of_memory = true;
            twl_scan_fail(s);
            return;
        }
        s->locals = grown;
        s->cap = cap;
    }
    s->locals[s->count++] = (twl_scan_local){name->begin, name->len, is_tw};
}

void twl_scan_declare_text(twl_scan_state *s, const char *name) {
    twl_token token = {.begin = name, .len = strlen(name)};
    twl_scan_declare(s, &token, false);
}

twl_scan_local *twl_scan_find(twl_scan_state *s, const twl_token *name) {
    for (size_t i = s->count; i-- > 0;) {
        twl_scan_local *l = &s->locals[i];
        if (l->len == name->len && memcmp(l->name, name->begin, l->len) == 0) {
            return l;
        }
    }
    return NULL;
}

/* The name turned out to be a value that is used. */
void twl_scan_use_value(twl_scan_state *s, const twl_scan_operand *o) {
    if (o->is_name && o->of == NULL) {
        twl_scan_tell_token(s, TWL_USE_READ, &o->name);
    }
}

/* ... or to be assigned. */
void twl_scan_use_target(twl_scan_state *s, const twl_scan_operand *o) {
    if (o->is_name && o->of == NULL) {
        twl_scan_tell_token(s, TWL_USE_WRITE, &o->name);
    } else if (o->is_name && o->of->is_tw) {
        s->is_tw_assigned = true;
    }
}
