/* SPDX-License-Identifier: MIT */
#include "show.h"

#include <ctype.h>
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "budget.h"
#include "err.h"
#include "handle.h"
#include "json.h"

enum { DEEPEST = 5, FIELDS = 100, SORTED = 512, STRING_BYTES = 2000 };
/* A table of so few characters stands in one line. */
enum { LINE_BYTES = 68 };
/* Fields between two looks at the budget: C is not stopped by itself. */
enum { CHECK_EACH = 256 };

typedef struct shower {
    lua_State *L;
    twl_bytes *out;
    bool is_cut;
    int depth;
    const void *path[DEEPEST + 1]; /* the tables around */
} shower;

static void value(shower *s, int index);

static void put(shower *s, const char *text, size_t len) {
    if (!s->is_cut && twl_bytes_add(s->out, text, len) != 0) {
        s->is_cut = true;
    }
}

static void puts_(shower *s, const char *text) {
    put(s, text, strlen(text));
}

/* ---- plain values ------------------------------------------------------- */

static void character(shower *s, unsigned char c) {
    static const char names[] = "\aa\bb\ff\nn\rr\tt\vv\"\"\\\\";
    char text[8];
    for (const char *at = names; *at != '\0'; at += 2) {
        if ((unsigned char)*at == c) {
            snprintf(text, sizeof text, "\\%c", at[1]);
            puts_(s, text);
            return;
        }
    }
    if (c < 32 || c == 127) {
        snprintf(text, sizeof text, "\\%03u", c);
        puts_(s, text);
    } else {
        put(s, (const char *)&c, 1);
    }
}

static void string(shower *s, int index) {
    size_t len;
    const char *text = lua_tolstring(s->L, index, &len);
    size_t shown = len < STRING_BYTES ? len : STRING_BYTES;
    puts_(s, "\"");
    for (size_t i = 0; i < shown && !s->is_cut; i++) {
        character(s, (unsigned char)text[i]);
    }
    puts_(s, "\"");
    if (shown < len) {
        char more[48];
        snprintf(more, sizeof more, "... (%zu bytes)", len);
        puts_(s, more);
    }
}

static void number(shower *s, double n) {
    char text[40];
    bool is_whole = n == floor(n) && fabs(n) < 1e15;
    snprintf(text, sizeof text, is_whole ? "%.0f" : "%.14g", n);
    puts_(s, text);
}

/* What has a name of its own says it: handles, errors, objects of scripts. */
static bool named(shower *s, int index) {
    lua_State *L = s->L;
    if (twl_json_is_null(L, index)) {
        puts_(s, "null");
        return true;
    }
    if (twl_is_error(L, index)) {
        puts_(s, twl_push_error_text(L, index));
        lua_pop(L, 1);
        return true;
    }
    if (!luaL_callmeta(L, index, "__tostring")) {
        return false;
    }
    size_t len = 0;
    const char *text = lua_tolstring(L, -1, &len);
    put(s, text, len < STRING_BYTES ? len : STRING_BYTES);
    lua_pop(L, 1);
    return true;
}

static void object(shower *s, int index) {
    if (!named(s, index)) {
        char text[64];
        snprintf(text, sizeof text, "%s: %p", luaL_typename(s->L, index),
                 lua_topointer(s->L, index));
        puts_(s, text);
    }
}

/* ---- tables ------------------------------------------------------------- */

static bool is_name(const char *text, size_t len) {
    bool is_one = len > 0 && (isalpha((unsigned char)*text) || *text == '_');
    for (size_t i = 0; is_one && i < len; i++) {
        is_one = isalnum((unsigned char)text[i]) || text[i] == '_';
    }
    return is_one;
}

/* The key is at -2, its value at -1. */
static void field(shower *s) {
    lua_State *L = s->L;
    size_t len;
    if (lua_type(L, -2) == LUA_TSTRING) {
        const char *key = lua_tolstring(L, -2, &len);
        if (is_name(key, len)) {
            put(s, key, len);
        } else {
            puts_(s, "[");
            string(s, -2);
            puts_(s, "]");
        }
    } else {
        puts_(s, "[");
        value(s, lua_gettop(L) - 1);
        puts_(s, "]");
    }
    puts_(s, " = ");
    value(s, lua_gettop(L));
}

static void separate(shower *s, size_t shown) {
    puts_(s, shown > 0 ? ",\n" : "\n");
    for (int i = 0; i < s->depth; i++) {
        puts_(s, "  ");
    }
}

/* The list's part; answers how long it is. */
static size_t list(shower *s, int table, size_t *shown) {
    lua_State *L = s->L;
    size_t len = lua_objlen(L, table);
    for (size_t i = 1; i <= len && *shown < FIELDS && !s->is_cut; i++) {
        separate(s, (*shown)++);
        lua_rawgeti(L, table, (int)i);
        value(s, lua_gettop(L));
        lua_pop(L, 1);
    }
    return len;
}

static bool is_listed(lua_State *L, int key, size_t len) {
    double n = lua_type(L, key) == LUA_TNUMBER ? lua_tonumber(L, key) : 0;
    return n >= 1 && n <= (double)len && n == floor(n);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names in the order of the alphabet, when they are not too many: the strings
 * stay, being the table's keys. Answers how many fields there are besides the
 * list. */
static size_t names(shower *s, int table, size_t len, size_t *shown) {
    lua_State *L = s->L;
    const char *keys[SORTED];
    size_t count = 0, named_count = 0;
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
        if (count % CHECK_EACH == 0) {
            twl_budget_check(L);
        }
        if (is_listed(L, lua_gettop(L) - 1, len)) {
            continue;
        }
        count++;
        size_t key_len = 0;
        const char *key = lua_type(L, -2) == LUA_TSTRING
                              ? lua_tolstring(L, -2, &key_len)
                              : NULL;
        if (key != NULL && named_count < SORTED && strlen(key) == key_len) {
            keys[named_count++] = key;
        }
    }
    qsort(keys, named_count, sizeof *keys, by_text);
    for (size_t i = 0; i < named_count && *shown < FIELDS && !s->is_cut; i++) {
        separate(s, (*shown)++);
        lua_pushstring(L, keys[i]);
        lua_pushvalue(L, -1);
        lua_rawget(L, table);
        field(s);
        lua_pop(L, 2);
    }
    return count;
}

static void others(shower *s, int table, size_t len, size_t *shown) {
    lua_State *L = s->L;
    lua_pushnil(L);
    for (size_t seen = 0; lua_next(L, table) != 0; seen++) {
        if (seen % CHECK_EACH == 0) {
            twl_budget_check(L);
        }
        bool is_over = *shown >= FIELDS || s->is_cut;
        if (is_over) {
            lua_pop(L, 2);
            return;
        }
        if (!is_listed(L, lua_gettop(L) - 1, len) &&
            lua_type(L, -2) != LUA_TSTRING) {
            separate(s, (*shown)++);
            field(s);
        }
        lua_pop(L, 1);
    }
}

/* What is short after all becomes one line. */
static void join(shower *s, size_t start) {
    char line[LINE_BYTES + 1];
    size_t n = 0;
    for (size_t i = start; i < s->out->len; i++) {
        char c = s->out->data[i];
        bool is_break = c == '\n';
        if (n == LINE_BYTES || (is_break && s->is_cut)) {
            return;
        }
        if (is_break) {
            c = ' ';
            while (i + 1 < s->out->len && s->out->data[i + 1] == ' ') {
                i++;
            }
        }
        line[n++] = c;
    }
    memcpy(s->out->data + start, line, n);
    s->out->len = start + n;
}

static void fields(shower *s, int table) {
    size_t start = s->out->len, shown = 0;
    puts_(s, "{");
    s->path[s->depth++] = lua_topointer(s->L, table);
    size_t len = list(s, table, &shown);
    size_t more = names(s, table, len, &shown);
    others(s, table, len, &shown);
    if (shown < len + more) {
        char text[48];
        snprintf(text, sizeof text, "... (%zu more)", len + more - shown);
        separate(s, shown);
        puts_(s, text);
    }
    s->depth--;
    if (shown > 0) {
        separate(s, 0);
    }
    puts_(s, "}");
    join(s, start);
}

static void table(shower *s, int index) {
    const void *pointer = lua_topointer(s->L, index);
    for (int i = 0; i < s->depth; i++) {
        if (s->path[i] == pointer) {
            puts_(s, "(a table around this)");
            return;
        }
    }
    if (named(s, index)) {
        return;
    }
    if (s->depth == DEEPEST) {
        puts_(s, "{...}");
    } else {
        luaL_checkstack(s->L, 12, "too deep");
        fields(s, index);
    }
}

static void value(shower *s, int index) {
    lua_State *L = s->L;
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        puts_(s, "nil");
        break;
    case LUA_TBOOLEAN:
        puts_(s, lua_toboolean(L, index) ? "true" : "false");
        break;
    case LUA_TNUMBER:
        number(s, lua_tonumber(L, index));
        break;
    case LUA_TSTRING:
        string(s, index);
        break;
    case LUA_TTABLE:
        table(s, index);
        break;
    default:
        object(s, index);
    }
}

bool twl_show(lua_State *L, int index, twl_bytes *out) {
    shower s = {.L = L, .out = out};
    value(&s, index);
    return !s.is_cut;
}
