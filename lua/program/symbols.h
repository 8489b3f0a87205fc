/* symbols.h - the functions of an ELF file by their place in it.
 *
 * Reads .symtab, or .dynsym of a file that was stripped; 64 bits, of this
 * machine's byte order. Nothing in the file is believed: what does not add up
 * is as if it were not there.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_SYMBOLS_H
#define TWP_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

typedef struct twp_symbols twp_symbols;

/* From the file's bytes, which are borrowed. Never fails: there may be no
 * symbols. The program ends without memory. */
twp_symbols *twp_symbols_read(const void *data, size_t len);

/* From a file, or NULL when it cannot be read. */
twp_symbols *twp_symbols_open(const char *path);

void twp_symbols_free(twp_symbols *symbols); /* NULL is allowed */

/* The function at that offset of the file, or NULL. As long as the symbols. */
const char *twp_symbols_find(const twp_symbols *symbols, uint64_t offset);

#endif
