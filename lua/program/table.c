/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <stdlib.h>
#include <string.h>

void twp_table_init(twp_table *table, const char *const *names) {
    *table = (twp_table){.names = names};
    while (names[table->columns] != NULL &&
           table->columns < TWP_TABLE_COLUMNS) {
        table->columns++;
    }
}

void twp_table_deinit(twp_table *table) {
    free(table->rows);
}

char (*twp_table_add(twp_table *table))[TWP_CELL] {
    void *rows = realloc(table->rows, (table->count + 1) * sizeof *table->rows);
    if (rows == NULL) {
        return NULL;
    }
    table->rows = rows;
    memset(table->rows[table->count], 0, sizeof *table->rows);
    return table->rows[table->count++];
}

static int width_of(const twp_table *table, size_t column) {
    size_t width = strlen(table->names[column]);
    for (size_t i = 0; i < table->count; i++) {
        size_t len = strlen(table->rows[i][column]);
        width = len > width ? len : width;
    }
    return (int)width;
}

static void add_cell(const twp_table *table, twp_text *out, size_t column,
                     const char *text) {
    int width = width_of(table, column);
    twp_text_printf(out, "%s%*s", column > 0 ? "  " : "",
                    column > 0 ? width : -width, text);
}

void twp_table_print(const twp_table *table, twp_text *out) {
    for (size_t c = 0; c < table->columns; c++) {
        add_cell(table, out, c, table->names[c]);
    }
    twp_text_puts(out, "\n");
    for (size_t i = 0; i < table->count; i++) {
        for (size_t c = 0; c < table->columns; c++) {
            add_cell(table, out, c, table->rows[i][c]);
        }
        twp_text_puts(out, "\n");
    }
}
