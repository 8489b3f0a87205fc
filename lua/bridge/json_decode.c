/* One pass from bytes into Lua values. What is read stays on the Lua stack
 * until its table is made: so that has its right size from the start, and a
 * message of ordinary size needs no memory but that of its values.
 *
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

#include <tidewire/errors.h>

#include "budget.h"
#include "json.h"
#include "json_text.h"
#include "utf8.h"
#include "vm.h"

/* What a list or object gathers on the stack before it becomes a table; inside
 * of many others less, so that the deepest text fits onto any Lua stack. */
enum { GATHERED = 32, GATHERED_DEEP = 4, DEEP = 16 };

enum { VALUES_BETWEEN_CHECKS = 1024 };

typedef struct decoder {
    lua_State *L;
    const char *text, *at, *end;
    unsigned values;
    int depth;
    int array_mark; /* the stack index of the metatable of arrays */
    int err;
    const char *why;
} decoder;

static bool push_value(decoder *d);

static bool refuse(decoder *d, int err, const char *why) {
    d->err = err;
    d->why = why;
    return false;
}

static bool refuse_text(decoder *d, const char *why) {
    return refuse(d, TW_EINVALID, why);
}

/* The next byte that is no space; NUL at the end, where one in the text fits no
 * rule either. */
static char next(decoder *d) {
    while (d->at < d->end && (*d->at == ' ' || *d->at == '\n' ||
                              *d->at == '\r' || *d->at == '\t')) {
        d->at++;
    }
    return d->at < d->end ? *d->at : '\0';
}

/* --- strings ---------------------------------------------------------- */

static bool read_hex(decoder *d, unsigned *code) {
    *code = 0;
    if (d->end - d->at < 4) {
        return refuse_text(d, "a string without an end");
    }
    for (int i = 0; i < 4; i++, d->at++) {
        char c = *d->at;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                                : 16;
        if (digit == 16) {
            return refuse_text(d, "a bad \\u escape");
        }
        *code = *code << 4 | digit;
    }
    return true;
}

/* Behind "\u": one unit, or both of a surrogate pair. */
static bool read_unicode(decoder *d, unsigned *code) {
    unsigned low;
    if (!read_hex(d, code)) {
        return false;
    }
    if (*code < 0xD800 || *code > 0xDFFF) {
        return true;
    }
    if (*code > 0xDBFF || d->end - d->at < 2 || d->at[0] != '\\' ||
        d->at[1] != 'u') {
        return refuse_text(d, "half of a surrogate pair");
    }
    d->at += 2;
    if (!read_hex(d, &low)) {
        return false;
    }
    if (low < 0xDC00 || low > 0xDFFF) {
        return refuse_text(d, "half of a surrogate pair");
    }
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

static size_t write_utf8(unsigned code, char out[4]) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, code >>= 6) {
        out[i] = (char)(0x80 | (code & 0x3F));
    }
    out[0] = (char)((0xF0 << (4 - size) & 0xFF) | code);
    return size;
}

/* Behind a backslash. How many bytes it stands for; 0 when it is bad. */
static size_t read_escape(decoder *d, char out[4]) {
    static const char FROM[] = "\"\\/bfnrt";
    static const char TO[] = "\"\\/\b\f\n\r\t";
    if (d->at == d->end) {
        refuse_text(d, "a string without an end");
        return 0;
    }
    char c = *d->at++;
    if (c == 'u') {
        unsigned code;
        return read_unicode(d, &code) ? write_utf8(code, out) : 0;
    }
    const char *found = c != '\0' ? strchr(FROM, c) : NULL;
    if (found == NULL) {
        refuse_text(d, "an unknown escape");
        return 0;
    }
    out[0] = TO[found - FROM];
    return 1;
}

/* Goes over what stands for itself, up to a quote or backslash. */
static bool skip_plain(decoder *d) {
    for (;;) {
        d->at += twl_json_plain_run(d->at, (size_t)(d->end - d->at));
        if (d->at == d->end) {
            return refuse_text(d, "a string without an end");
        }
        if (*d->at == '"' || *d->at == '\\') {
            return true;
        }
        if ((unsigned char)*d->at < 0x20) {
            return refuse_text(d, "a control character in a string");
        }
        size_t size = twl_utf8_char(d->at, (size_t)(d->end - d->at));
        if (size == 0) {
            return refuse_text(d, "a string that is not UTF-8");
        }
        d->at += size;
    }
}

/* The rest of a string with escapes in it, from `from` on. */
static bool push_escaped(decoder *d, const char *from) {
    twl_bytes *out = twl_vm_scratch(twl_vm_of(d->L));
    while (*d->at == '\\') {
        char piece[4];
        int err = twl_bytes_add(out, from, (size_t)(d->at - from));
        d->at++;
        size_t size = read_escape(d, piece);
        if (size == 0) {
            return false;
        }
        err = err ? err : twl_bytes_add(out, piece, size);
        if (err) {
            return refuse(d, err, "no memory for a string");
        }
        from = d->at;
        if (!skip_plain(d)) {
            return false;
        }
    }
    int err = twl_bytes_add(out, from, (size_t)(d->at - from));
    if (err) {
        return refuse(d, err, "no memory for a string");
    }
    lua_pushlstring(d->L, out->data, out->len);
    return true;
}

/* At the opening quote. */
static bool push_string(decoder *d) {
    const char *from = ++d->at;
    if (!skip_plain(d)) {
        return false;
    }
    if (*d->at == '"') {
        lua_pushlstring(d->L, from, (size_t)(d->at - from));
    } else if (!push_escaped(d, from)) {
        return false;
    }
    d->at++;
    return true;
}

/* --- lists and objects ------------------------------------------------ */

/* One list or object on its way: the values gathered are on the stack, above
 * the place of their table. */
typedef struct gathering {
    int table;    /* its stack index; nil until the first flush */
    int gathered; /* values, or pairs of key and value */
    int stored;
    int most; /* of gathered */
} gathering;

/* Makes the table when what it gathers does not fit any longer, or is all. */
static void make_table(decoder *d, gathering *g, bool is_list, bool is_all) {
    if (g->stored > 0) {
        return;
    }
    int room = is_all ? g->gathered : 2 * g->most;
    lua_createtable(d->L, is_list ? room : 0, is_list ? 0 : room);
    if (is_list) {
        lua_pushvalue(d->L, d->array_mark);
        lua_setmetatable(d->L, -2);
    }
    lua_replace(d->L, g->table);
}

static void store_list(decoder *d, gathering *g, bool is_all) {
    make_table(d, g, true, is_all);
    for (int i = g->gathered; i > 0; i--) {
        lua_rawseti(d->L, g->table, g->stored + i);
    }
    g->stored += g->gathered;
    g->gathered = 0;
}

/* In their order: of a key that comes twice the last value counts. */
static void store_object(decoder *d, gathering *g, bool is_all) {
    lua_State *L = d->L;
    make_table(d, g, false, is_all);
    for (int i = 1; i <= g->gathered; i++) {
        lua_pushvalue(L, g->table + 2 * i - 1);
        lua_pushvalue(L, g->table + 2 * i);
        lua_rawset(L, g->table);
    }
    lua_settop(L, g->table);
    g->stored += g->gathered;
    g->gathered = 0;
}

/* At an opening bracket: room on the stack, and the table's place. */
static bool begin(decoder *d, gathering *g) {
    if (d->depth == TWL_JSON_MAX_DEPTH) {
        return refuse(d, TW_ELIMIT, "JSON text is nested too deep");
    }
    int most = d->depth++ < DEEP ? GATHERED : GATHERED_DEEP;
    d->at++;
    luaL_checkstack(d->L, 2 * most + 8, "nested too deep");
    lua_pushnil(d->L);
    *g = (gathering){.table = lua_gettop(d->L), .most = most};
    return true;
}

/* Behind a value: true when there is another one. */
static bool has_more(decoder *d, char close, bool *ok) {
    char c = next(d);
    *ok = c == ',' || c == close;
    if (!*ok) {
        return refuse_text(d, close == ']' ? "expected ',' or ']'"
                                           : "expected ',' or '}'");
    }
    d->at++;
    return c == ',';
}

static bool push_list(decoder *d) {
    gathering g;
    if (!begin(d, &g)) {
        return false;
    }
    bool ok = true;
    bool is_empty = next(d) == ']';
    if (is_empty) {
        d->at++;
    } else {
        do {
            if (g.gathered == g.most) {
                store_list(d, &g, false);
            }
            if (!push_value(d)) {
                return false;
            }
            g.gathered++;
        } while (has_more(d, ']', &ok));
    }
    store_list(d, &g, true);
    d->depth--;
    return ok;
}

static bool push_member(decoder *d) {
    if (next(d) != '"') {
        return refuse_text(d, "expected a key in quotes");
    }
    if (!push_string(d)) {
        return false;
    }
    if (next(d) != ':') {
        return refuse_text(d, "expected ':'");
    }
    d->at++;
    return push_value(d);
}

static bool push_object(decoder *d) {
    gathering g;
    if (!begin(d, &g)) {
        return false;
    }
    bool ok = true;
    bool is_empty = next(d) == '}';
    if (is_empty) {
        d->at++;
    } else {
        do {
            if (g.gathered == g.most) {
                store_object(d, &g, false);
            }
            if (!push_member(d)) {
                return false;
            }
            g.gathered++;
        } while (has_more(d, '}', &ok));
    }
    store_object(d, &g, true);
    d->depth--;
    return ok;
}

/* --- values ----------------------------------------------------------- */

static bool push_number(decoder *d) {
    double value;
    size_t len = (size_t)(d->end - d->at);
    size_t used = twl_json_read_number(d->at, len, &value);
    if (used == 0) {
        return refuse_text(d, "a bad number");
    }
    d->at += used;
    lua_pushnumber(d->L, value);
    return true;
}

static bool take_word(decoder *d, const char *word, size_t len) {
    if ((size_t)(d->end - d->at) < len || memcmp(d->at, word, len) != 0) {
        return refuse_text(d, "expected a value");
    }
    d->at += len;
    return true;
}

static bool push_word(decoder *d, char c) {
    bool is_it = c == 't'   ? take_word(d, "true", 4)
                 : c == 'f' ? take_word(d, "false", 5)
                            : take_word(d, "null", 4);
    if (is_it && c == 'n') {
        twl_json_push_null(d->L);
    } else if (is_it) {
        lua_pushboolean(d->L, c == 't');
    }
    return is_it;
}

static bool count_value(decoder *d) {
    if (++d->values > TWL_JSON_MAX_VALUES) {
        return refuse(d, TW_ELIMIT, "JSON text has too many values");
    }
    if (d->values % VALUES_BETWEEN_CHECKS == 0) {
        twl_budget_check(d->L);
    }
    return true;
}

static bool push_value(decoder *d) {
    if (!count_value(d)) {
        return false;
    }
    char c = next(d);
    switch (c) {
    case '{':
        return push_object(d);
    case '[':
        return push_list(d);
    case '"':
        return push_string(d);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return push_number(d);
    case 't':
    case 'f':
    case 'n':
        return push_word(d, c);
    default:
        return refuse_text(d, d->at == d->end ? "the text ends too early"
                                              : "expected a value");
    }
}

/* --- decoding --------------------------------------------------------- */

/* The whole text; its value is on top then. */
static bool push_text(decoder *d, bool scalars) {
    char first = next(d);
    if (!push_value(d)) {
        return false;
    }
    next(d);
    if (d->at != d->end) {
        return refuse_text(d, "something behind the value");
    }
    if (!scalars && first != '{' && first != '[') {
        return refuse(d, TW_EINVALID, "JSON text is no object or array");
    }
    return true;
}

int twl_json_decode(lua_State *L, const char *text, size_t len, bool scalars) {
    if (len > TWL_JSON_MAX_BYTES) {
        lua_pushliteral(L, "JSON text too long");
        return TW_ELIMIT;
    }
    luaL_checkstack(L, 8, "JSON");
    twl_json_push_array_mark(L);
    decoder d = {.L = L,
                 .text = text,
                 .at = text,
                 .end = text + len,
                 .array_mark = lua_gettop(L)};
    if (push_text(&d, scalars)) {
        lua_replace(L, d.array_mark);
        return 0;
    }
    lua_settop(L, d.array_mark - 1);
    if (strncmp(d.why, "JSON", 4) == 0) {
        lua_pushstring(L, d.why);
    } else {
        lua_pushfstring(L, "invalid JSON at byte %d: %s",
                        (int)(d.at - d.text) + 1, d.why);
    }
    return d.err;
}
