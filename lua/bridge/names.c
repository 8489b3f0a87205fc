/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <limits.h>
#include <string.h>

#include "err.h"

enum { MAX_WORD = 48 };

const twl_name *twl_names_find(const twl_name *names, const char *word) {
    for (; names->name; names++) {
        if (strcmp(names->name, word) == 0) {
            return names;
        }
    }
    return NULL;
}

static int min3(int a, int b, int c) {
    int least = a < b ? a : b;
    return least < c ? least : c;
}

/* Edit distance; a swap of neighbours, the commonest slip, counts once. */
static int distance(const char *a, const char *b) {
    int rows[3][MAX_WORD + 1];
    int n = (int)strlen(b);
    if (n > MAX_WORD || strlen(a) > MAX_WORD) {
        return INT_MAX;
    }
    for (int j = 0; j <= n; j++) {
        rows[0][j] = j;
    }
    for (int i = 1; a[i - 1]; i++) {
        int *row = rows[i % 3], *up = rows[(i + 2) % 3];
        const int *up2 = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int cost = a[i - 1] != b[j - 1];
            row[j] = min3(up[j] + 1, row[j - 1] + 1, up[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && up2[j - 2] + 1 < row[j]) {
                row[j] = up2[j - 2] + 1;
            }
        }
    }
    return rows[strlen(a) % 3][n];
}

/* A word cut short ("bin") is near whatever its distance says. */
int twl_names_likeness(const char *word, const char *name) {
    size_t len = strlen(word);
    return len >= 3 && strncmp(word, name, len) == 0 ? 1 : distance(word, name);
}

int twl_names_limit(const char *word) {
    int limit = (int)strlen(word) / 3;
    return limit < 1 ? 1 : limit > 3 ? 3 : limit;
}

const char *twl_names_nearest(const twl_name *names, const char *word) {
    const char *nearest = NULL;
    int least = twl_names_limit(word) + 1;
    for (; names->name; names++) {
        int d = names->is_reserved ? INT_MAX
                                   : twl_names_likeness(word, names->name);
        if (d < least) {
            least = d;
            nearest = names->name;
        }
    }
    return nearest;
}

int twl_names_raise(lua_State *L, const char *what, const char *kind,
                    const twl_name *names, const char *word) {
    const char *colon = what ? ": " : "";
    const twl_name *found = twl_names_find(names, word);
    if (found && found->is_reserved) {
        return twl_raise(L, "%s%s%s '%s' is not available in this version",
                         what ? what : "", colon, kind, word);
    }
    const char *nearest = twl_names_nearest(names, word);
    if (nearest) {
        return twl_raise(L, "%s%sunknown %s '%s' (did you mean '%s'?)",
                         what ? what : "", colon, kind, word, nearest);
    }
    return twl_raise(L, "%s%sunknown %s '%s'", what ? what : "", colon, kind,
                     word);
}

int twl_names_next(lua_State *L, int index, const char *what, const char *kind,
                   const twl_name *names) {
    if (!lua_next(L, index)) {
        return -1;
    }
    if (lua_type(L, -2) != LUA_TSTRING) {
        twl_raise(L, "%s: a %s is named by a string, not by a %s", what, kind,
                  lua_typename(L, lua_type(L, -2)));
        return -1;
    }
    const char *word = lua_tostring(L, -2);
    const twl_name *found = twl_names_find(names, word);
    if (!found || found->is_reserved) {
        twl_names_raise(L, what, kind, names, word);
        return -1;
    }
    return (int)(found - names);
}

void twl_names_check(lua_State *L, int index, const char *what,
                     const char *kind, const twl_name *names) {
    lua_pushnil(L);
    while (twl_names_next(L, index, what, kind, names) >= 0) {
        lua_pop(L, 1);
    }
}
