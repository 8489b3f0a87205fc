/* SPDX-License-Identifier: MIT */
#include "folded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODULES = 64, PATH = 300 };

typedef struct module {
    char path[PATH];
    bool is_program;
} module;

typedef struct reader {
    twp_folded *out;
    const char *root;
    twp_name_cb name;
    void *arg;
    module modules[MODULES];
} reader;

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* "m3+4f2a": false when it is something else. */
static bool is_address(const char *text, size_t len, unsigned long *number,
                       unsigned long long *offset) {
    char copy[64], *end;
    if (len < 4 || len >= sizeof copy || *text != 'm') {
        return false;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (strspn(copy + 1, "0123456789abcdef+") != len - 1) {
        return false;
    }
    *number = strtoul(copy + 1, &end, 10);
    if (end == copy + 1 || *end != '+' || *number >= MODULES) {
        return false;
    }
    const char *digits = end + 1;
    *offset = strtoull(digits, &end, 16);
    return end != digits && *end == '\0';
}

/* Our own functions by their names alone, those of libraries with it. */
static void put_frame(reader *r, const char *text, size_t len) {
    unsigned long number;
    unsigned long long offset;
    if (!is_address(text, len, &number, &offset)) {
        twp_text_add(&r->out->lines, text, len);
        return;
    }
    const module *m = &r->modules[number];
    const char *file = *m->path != '\0' ? base_name(m->path) : "unknown";
    const char *name = r->name(r->arg, m->path, m->is_program, offset);
    if (name == NULL) {
        twp_text_printf(&r->out->lines, "[%s]", file);
    } else if (m->is_program) {
        twp_text_puts(&r->out->lines, name);
    } else {
        twp_text_printf(&r->out->lines, "%s [%s]", name, file);
    }
}

static void take_stack(reader *r, const char *text, size_t len) {
    char *end;
    unsigned long long weight = strtoull(text, &end, 10);
    if (end == text || *end != ' ' || weight == 0 || weight > 1u << 30) {
        return;
    }
    const char *stop = text + len;
    twp_text_puts(&r->out->lines, r->root);
    for (const char *at = end + 1; at < stop;) {
        const char *next = memchr(at, ';', (size_t)(stop - at));
        size_t frame = (size_t)((next != NULL ? next : stop) - at);
        twp_text_puts(&r->out->lines, ";");
        put_frame(r, at, frame);
        at += frame + 1;
    }
    twp_text_printf(&r->out->lines, " %llu\n", weight);
    r->out->samples += weight;
}

static void take_module(reader *r, const char *text, size_t len) {
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    size_t rest = len - (size_t)(end - text);
    if (end == text || *end != ' ' || number >= MODULES || rest < 10) {
        return;
    }
    module *m = &r->modules[number];
    m->is_program = strncmp(end, " program ", 9) == 0;
    snprintf(m->path, sizeof m->path, "%.*s", (int)(rest - 9), end + 9);
}

static bool begins(const char *line, size_t len, const char *word) {
    size_t n = strlen(word);
    return len > n && memcmp(line, word, n) == 0;
}

static void take_line(reader *r, const char *line, size_t len) {
    if (begins(line, len, "stack ")) {
        take_stack(r, line + 6, len - 6);
    } else if (begins(line, len, "module ")) {
        take_module(r, line + 7, len - 7);
    } else if (begins(line, len, "lost ")) {
        r->out->lost += strtoull(line + 5, NULL, 10);
    } else if (begins(line, len, "tick ")) {
        r->out->tick_ms = (unsigned)strtoul(line + 5, NULL, 10);
    }
}

bool twp_folded_add(twp_folded *folded, const char *text, const char *root,
                    twp_name_cb name, void *arg) {
    static const char head[] = "tidewire-profile 1\n";
    if (strncmp(text, head, sizeof head - 1) != 0) {
        return false;
    }
    reader *r = twp_alloc(sizeof *r);
    r->out = folded;
    r->root = root;
    r->name = name;
    r->arg = arg;
    for (text += sizeof head - 1; *text != '\0';) {
        size_t len = strcspn(text, "\n");
        take_line(r, text, len);
        text += len + (text[len] == '\n');
    }
    free(r);
    return true;
}

/* ---- merging ------------------------------------------------------------ */

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Cuts the text into stacks; each count, and a zero byte, follows its stack. */
static char **cut_lines(twp_text *lines, size_t *count) {
    char **list = NULL;
    *count = 0;
    for (char *at = lines->data; at != NULL && *at != '\0';) {
        char *end = at + strcspn(at, "\n");
        char *space = memrchr(at, ' ', (size_t)(end - at));
        if (space == NULL) {
            break; /* memory was short, and the text is cut here */
        }
        if (*count % 1024 == 0) {
            list = twp_grow(list, (*count + 1024) * sizeof *list);
        }
        list[(*count)++] = at;
        *space = '\0';
        at = *end != '\0' ? end + 1 : end;
    }
    return list;
}

static unsigned long long count_of(const char *stack) {
    return strtoull(stack + strlen(stack) + 1, NULL, 10);
}

void twp_folded_merge(twp_folded *folded) {
    twp_text out = {0};
    size_t count;
    char **list = cut_lines(&folded->lines, &count);
    if (count > 0) {
        qsort(list, count, sizeof *list, by_text);
    }
    for (size_t i = 0; i < count;) {
        const char *stack = list[i];
        unsigned long long weight = 0;
        for (; i < count && strcmp(list[i], stack) == 0; i++) {
            weight += count_of(list[i]);
        }
        twp_text_printf(&out, "%s %llu\n", stack, weight);
    }
    free(list);
    twp_text_deinit(&folded->lines);
    folded->lines = out;
}

void twp_folded_deinit(twp_folded *folded) {
    twp_text_deinit(&folded->lines);
}
