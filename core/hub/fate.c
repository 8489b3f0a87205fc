/* SPDX-License-Identifier: MIT */
#include "hub/fate.h"

#include <stdio.h>
#include <string.h>

uint8_t tw__fate_row_of(tw__fate_row *rows, const char *pattern) {
    char name[TW__FATE_NAME];
    snprintf(name, sizeof name, "%s", pattern);
    for (uint8_t i = 1; rows != NULL && i < TW__FATE_ROWS; i++) {
        if (rows[i].class[0] == '\0') {
            memcpy(rows[i].class, name, sizeof name);
        }
        if (strcmp(rows[i].class, name) == 0) {
            return i;
        }
    }
    return 0;
}
