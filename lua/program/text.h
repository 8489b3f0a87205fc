/* text.h - text that grows, and memory for a program that ends without it.
 *
 * A twp_text is owned by whoever holds it; `{0}` is an empty one. Without
 * memory it stays as it was and the rest is left out: what it is for, log lines
 * and messages, is better cut than the end of a worker.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_TEXT_H
#define TWP_TEXT_H

#include <stddef.h>

typedef struct twp_text {
    char *data; /* NUL-terminated, or NULL while empty */
    size_t len;
    size_t _cap;
} twp_text;

void twp_text_deinit(twp_text *text);
void twp_text_add(twp_text *text, const char *data, size_t len);
void twp_text_puts(twp_text *text, const char *string);
void twp_text_printf(twp_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes all of it to a descriptor, in one system call where the system takes
 * it whole. */
void twp_text_write(const twp_text *text, int fd);

/* As malloc and friends, zeroed, but the program ends with status 1 when there
 * is no memory. For what is set up before a server runs. */
void *twp_alloc(size_t size);
void *twp_grow(void *block, size_t size);
char *twp_copy(const char *text);
char *twp_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
