/* SPDX-License-Identifier: MIT */
#include "hub/class.h"

#include <string.h>

#include "base/alloc.h"
#include "hub/pub.h"

typedef struct row {
    char *pattern;
    size_t len; /* of the name or the prefix, without the star */
    bool is_exact;
    tw__class class;
} row;

/* Sorted by falling weight, so that the first match is the best. A class table
 * has a handful of rows and is asked once per channel, not per message. */
struct tw__classes {
    size_t count;
    row rows[];
};

static int read_pattern(row *out, const tw_class_config *config) {
    const char *pattern = config->pattern;
    size_t len = pattern == NULL ? 0 : strlen(pattern);
    if (len == 0 || len > TW__CHANNEL_MAX) {
        return TW_EINVALID;
    }
    const char *star = memchr(pattern, '*', len);
    if ((star != NULL && star != pattern + len - 1) ||
        config->history > TW_HISTORY_MAX || config->retain > TW_RETAIN_MAX ||
        (unsigned)config->presence > TW_PRESENCE_EVENTS) {
        return TW_EINVALID;
    }
    out->is_exact = star == NULL;
    out->len = len - (star != NULL);
    out->class = (tw__class){.slow = config->slow,
                             .batch_ms = config->batch_ms,
                             .history = config->history,
                             .retain = config->retain,
                             .ttl_ms = config->ttl_ms,
                             .presence = config->presence,
                             .is_for_users = strncmp(pattern, "user:", 5) == 0,
                             .data = config->data};
    out->pattern = tw__strndup(pattern, len);
    return out->pattern == NULL ? TW_ENOMEM : 0;
}

static bool is_before(const row *a, const row *b) {
    return a->is_exact != b->is_exact ? a->is_exact : a->len > b->len;
}

static bool is_same(const row *a, const row *b) {
    return a->is_exact == b->is_exact && a->len == b->len &&
           memcmp(a->pattern, b->pattern, a->len) == 0;
}

static int insert(tw__classes *classes, row new) {
    size_t place = classes->count;
    for (size_t i = 0; i < classes->count; i++) {
        if (is_same(&classes->rows[i], &new)) {
            tw__free(new.pattern);
            return TW_EINVALID;
        }
    }
    while (place > 0 && is_before(&new, &classes->rows[place - 1])) {
        classes->rows[place] = classes->rows[place - 1];
        place--;
    }
    classes->rows[place] = new;
    classes->count++;
    return 0;
}

int tw__classes_create(tw__classes **classes, const tw_class_config *configs,
                       size_t count, tw__fate_row *rows, size_t *bad) {
    tw__classes *made = tw__calloc(1, sizeof *made + count * sizeof(row));
    if (made == NULL) {
        return TW_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        row new;
        int err = read_pattern(&new, &configs[i]);
        if (err == 0) {
            err = insert(made, new);
        }
        if (err != 0) {
            *bad = i;
            tw__classes_destroy(made);
            return err;
        }
    }
    for (size_t i = 0; i < made->count; i++) {
        made->rows[i].class.row = tw__fate_row_of(rows, made->rows[i].pattern);
    }
    *classes = made;
    return 0;
}

void tw__classes_destroy(tw__classes *classes) {
    for (size_t i = 0; classes != NULL && i < classes->count; i++) {
        tw__free(classes->rows[i].pattern);
    }
    tw__free(classes);
}

tw__class tw__classes_find(const tw__classes *classes, const char *name,
                           size_t len) {
    for (size_t i = 0; classes != NULL && i < classes->count; i++) {
        const row *r = &classes->rows[i];
        if ((r->is_exact ? len == r->len : len >= r->len) &&
            memcmp(name, r->pattern, r->len) == 0) {
            return r->class;
        }
    }
    return (tw__class){.slow = TW_SLOW_CLOSE};
}
