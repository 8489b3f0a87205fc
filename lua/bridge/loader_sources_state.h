/* loader_sources_state.h - inside of the sources. For loader_s*.c only.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_LOADER_SOURCES_STATE_H
#define TWL_LOADER_SOURCES_STATE_H

#include <stdbool.h>

#include "loader_sources.h"

typedef struct source {
    char *path;
    char *data;
    size_t len;
} source;

struct twl_sources {
    unsigned refs; /* besides the first */
    bool reads_disk;
    tw_lua_may_read_cb may_read; /* NULL: any file */
    void *may_read_arg;
    char why[512]; /* of the last denial; "" when it was no denial */
    source *list;
    size_t count;
    size_t cap;
    size_t bytes;
};

/* Adds a file; `path` and `data` are taken (NULL: there was no memory for it).
 * 0, TW_ENOMEM, TW_ELIMIT. */
int twl_sources_add(twl_sources *sources, char *path, char *data, size_t len);

/* The whole of a regular file, given, with a NUL behind it; `sources` (or NULL)
 * may have a check. Errors as in twl_sources_read. */
int twl_read_file(twl_sources *sources, const char *path, size_t limit,
                  char **data, size_t *len);

#endif
