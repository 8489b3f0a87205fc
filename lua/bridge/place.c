/* SPDX-License-Identifier: MIT */
#include "place.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "bridge.h"
#include "err.h"
#include "loader_sources.h"

enum { MAX_WORD = 128 };

/* Whether the caller is still there to tell its line. */
static bool has_caller(lua_State *L) {
    lua_Debug ar;
    if (!lua_getstack(L, 1, &ar)) {
        return false;
    }
    lua_getinfo(L, "S", &ar);
    return *ar.what != 'C';
}

/* ---- what the message is about ------------------------------------------ */

static bool take(const char *begin, size_t len, char word[MAX_WORD]) {
    if (len == 0 || len >= MAX_WORD) {
        return false;
    }
    memcpy(word, begin, len);
    word[len] = '\0';
    return true;
}

/* What a message like "tw.app: errors must be 'close' or 'ignore'" may be
 * about, the likeliest first: what stands in quotes, the word behind the
 * colon, the call. */
static bool subject(const char *message, int nth, char word[MAX_WORD]) {
    const char *quote = strchr(message, '\'');
    const char *end = quote ? strchr(quote + 1, '\'') : NULL;
    const char *colon = strstr(message, ": ");
    switch (nth) {
    case 0:
        return end && take(quote + 1, (size_t)(end - quote - 1), word);
    case 1:
        return colon && take(colon + 2, strcspn(colon + 2, " :."), word);
    default:
        return colon && take(message, (size_t)(colon - message), word);
    }
}

static bool is_inner(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* A whole word, not in a comment. */
static bool is_use(const char *text, const char *at, const char *word,
                   const char *end) {
    size_t len = strlen(word);
    if ((at > text && is_inner(at[-1]) && is_inner(word[0])) ||
        (at + len < end && is_inner(at[len]) && is_inner(word[len - 1]))) {
        return false;
    }
    for (const char *c = at; c > text && c[-1] != '\n'; c--) {
        if (c[-1] == '-' && c - 1 > text && c[-2] == '-') {
            return false;
        }
    }
    return true;
}

/* The line of the first use of the word, 0 when there is none. */
static int line_of(const char *text, size_t len, const char *word) {
    const char *end = text + len, *counted = text;
    int line = 1;
    for (const char *at = text;
         (at = memmem(at, (size_t)(end - at), word, strlen(word))) != NULL;
         at++) {
        for (; counted < at; counted++) {
            line += *counted == '\n';
        }
        if (is_use(text, at, word, end)) {
            return line;
        }
    }
    return 0;
}

/* ---- where it is -------------------------------------------------------- */

/* The file that a function in the table comes from: "" when there is none. */
static void file_of_hooks(lua_State *L, int table, char *file, size_t size) {
    file[0] = '\0';
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_Debug ar;
        if (lua_isfunction(L, -1) && !lua_iscfunction(L, -1) && !*file) {
            lua_pushvalue(L, -1);
            lua_getinfo(L, ">S", &ar);
            snprintf(file, size, "%s",
                     ar.source[0] == '@' ? ar.source + 1 : ar.source);
        }
        lua_pop(L, 1);
    }
}

/* Pushes "file:line: "; false, and nothing is pushed, when there is none. */
static bool push_place(lua_State *L, const char *word, const char *only) {
    twl_sources *sources = twl_gen_of(L)->sources;
    for (size_t i = 0; i < twl_sources_count(sources); i++) {
        const char *path = twl_sources_path(sources, i), *text;
        size_t len;
        if ((*only && strcmp(only, path) != 0) ||
            strstr(path, "/tidewire/task.lua") ||
            twl_sources_read(sources, path, &text, &len)) {
            continue;
        }
        int line = line_of(text, len, word);
        if (line) {
            lua_pushfstring(L, "%s:%d: ", path, line);
            return true;
        }
    }
    return false;
}

int twl_place_call(lua_State *L, lua_CFunction check) {
    bool is_located = has_caller(L);
    lua_settop(L, 1);
    lua_pushcfunction(L, check);
    lua_pushvalue(L, 1);
    int status = lua_pcall(L, 1, 1, 0);
    if (status == 0) {
        return 1;
    }
    char word[MAX_WORD], file[512] = "";
    if (is_located || lua_type(L, -1) != LUA_TSTRING) {
        return lua_error(L);
    }
    /* Where twl_raise thought it was: whoever required this file. */
    const char *message = lua_tostring(L, -1);
    const char *where = twl_push_where(L, L);
    if (strncmp(message, where, strlen(where)) == 0) {
        message += strlen(where);
    }
    if (lua_istable(L, 1)) {
        file_of_hooks(L, 1, file, sizeof file);
    }
    bool is_found = false;
    for (int nth = 0; nth < 3 && !is_found; nth++) {
        is_found = subject(message, nth, word) && push_place(L, word, file);
    }
    if (!is_found) {
        lua_pushliteral(L, "");
    }
    lua_pushstring(L, message);
    lua_concat(L, 2);
    return lua_error(L);
}
