/* table.h - rows of text in columns as wide as they need.
 *
 * Pure; a cell is at most 31 bytes of ASCII and cut beyond. Without memory rows
 * are left out.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_TABLE_H
#define TWP_TABLE_H

#include "text.h"

enum { TWP_TABLE_COLUMNS = 12, TWP_CELL = 32 };

typedef struct twp_table {
    const char *const *names; /* ends with NULL; borrowed */
    char (*rows)[TWP_TABLE_COLUMNS][TWP_CELL];
    size_t count, columns;
} twp_table;

void twp_table_init(twp_table *table, const char *const *names);
void twp_table_deinit(twp_table *table);

/* A new, empty row's cells; NULL without memory. Valid until the next one. */
char (*twp_table_add(twp_table *table))[TWP_CELL];

/* Head and rows; all columns but the first lean right. */
void twp_table_print(const twp_table *table, twp_text *out);

#endif
