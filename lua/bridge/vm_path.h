/* vm_path.h - where in a nested table one stands: "value.users[3].name".
 *
 * Places are chained on the C stack of a walk, the innermost first, and turned
 * into text only when something has to be reported.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_VM_PATH_H
#define TWL_VM_PATH_H

#include <stddef.h>

enum { TWL_PATH_MAX = 256 };

typedef struct twl_place {
    const struct twl_place *outer; /* NULL: in the root */
    const char *key;               /* NULL: `index` */
    size_t key_len;
    double index;
} twl_place;

/* Writes the path from `root`; what does not fit is cut in front. */
void twl_path_write(const twl_place *place, const char *root, char *text,
                    size_t room);

#endif
