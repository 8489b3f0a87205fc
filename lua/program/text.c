/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- text --------------------------------------------------------------- */

void twp_text_deinit(twp_text *text) {
    free(text->data);
    *text = (twp_text){0};
}

/* Room for `more` bytes and a NUL; NULL without memory. */
static char *reserve(twp_text *text, size_t more) {
    size_t need = text->len + more + 1;
    if (need > text->_cap) {
        size_t cap = need < 256 ? 256 : need + need / 2;
        char *data = realloc(text->data, cap);
        if (data == NULL) {
            return NULL;
        }
        text->data = data;
        text->_cap = cap;
    }
    return text->data + text->len;
}

void twp_text_add(twp_text *text, const char *data, size_t len) {
    char *room = reserve(text, len);
    if (room != NULL) {
        memcpy(room, data, len);
        room[len] = '\0';
        text->len += len;
    }
}

void twp_text_puts(twp_text *text, const char *string) {
    twp_text_add(text, string, strlen(string));
}

void twp_text_printf(twp_text *text, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *room = len >= 0 ? reserve(text, (size_t)len) : NULL;
    if (room != NULL) {
        vsnprintf(room, (size_t)len + 1, format, again);
        text->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
}

void twp_text_write(const twp_text *text, int fd) {
    size_t done = 0;
    while (done < text->len) {
        ssize_t wrote = write(fd, text->data + done, text->len - done);
        if (wrote < 0 && errno != EINTR) {
            return; /* nowhere to say so */
        }
        done += wrote > 0 ? (size_t)wrote : 0;
    }
}

/* ---- memory ------------------------------------------------------------- */

static void *check(void *block) {
    if (block == NULL) {
        static const char why[] = "tidewire: out of memory\n";
        ssize_t ignored = write(STDERR_FILENO, why, sizeof why - 1);
        (void)ignored;
        exit(1);
    }
    return block;
}

void *twp_alloc(size_t size) {
    return check(calloc(1, size > 0 ? size : 1));
}

void *twp_grow(void *block, size_t size) {
    return check(realloc(block, size));
}

char *twp_copy(const char *text) {
    return check(strdup(text));
}

char *twp_print(const char *format, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0) {
        text = NULL;
    }
    va_end(args);
    return check(text);
}
