/* loader_sources.h - the files that one generation is made of.
 *
 * Sources either read the disk and remember each file they read, so that a
 * generation can be digested and written down, or they are such a record read
 * back, and then nothing but the record is seen. Paths are compared as given.
 * Plain C: no Lua. Loop's thread.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_LOADER_SOURCES_H
#define TWL_LOADER_SOURCES_H

#include <stddef.h>

#include <tidewire/lua_config.h>

#include "vm_bytes.h"

typedef struct twl_sources twl_sources;

enum {
    TWL_SOURCE_MAX_BYTES = 8 << 20,    /* one file */
    TWL_SOURCES_MAX_BYTES = 256 << 20, /* all files of a generation */
    TWL_SOURCES_MAX_FILES = 16384,
    TWL_DIGEST_TEXT = 65 /* SHA-256 in hex and a NUL */
};

/* Sources that read the disk. NULL when there is no memory; given. */
twl_sources *twl_sources_create_disk(void);

/* From now on only files that it allows are read from the disk. */
void twl_sources_set_check(twl_sources *sources, tw_lua_may_read_cb may_read,
                           void *arg);

/* What the last failed twl_sources_read is to be told as: why the file was
 * denied, else the text of the error. Borrowed, until the next read. */
const char *twl_sources_why(const twl_sources *sources, int error);

/* Sources read back from what twl_sources_write wrote. Every length is
 * checked. 0, TW_EINVALID for malformed bytes, TW_ENOMEM. *sources is given. */
int twl_sources_create_snapshot(twl_sources **sources, const void *data,
                                size_t len);

/* The same from a file. Also TW_ENOT_FOUND and TW_EIO. */
int twl_sources_open_snapshot(twl_sources **sources, const char *path);

void twl_sources_destroy(twl_sources *sources);

/* The same sources for another owner, who destroys them, too. */
twl_sources *twl_sources_ref(twl_sources *sources);

/* The bytes of the file at `path`, borrowed from the sources for their life; a
 * second read of a path gives the same bytes, whatever the disk says by then.
 * 0, TW_ENOT_FOUND, TW_EIO, TW_ELIMIT (too large), TW_EINVALID (no regular
 * file), TW_EDENIED (the check said no), TW_ENOMEM. */
int twl_sources_read(twl_sources *sources, const char *path, const char **data,
                     size_t *len);

/* How many files have been read, and the nth one's path. */
size_t twl_sources_count(const twl_sources *sources);
const char *twl_sources_path(const twl_sources *sources, size_t index);

/* SHA-256 over paths and contents in the order of the paths: equal for the
 * same files whatever the order they were read in. Hex with a NUL. 0 or
 * TW_ENOMEM. */
int twl_sources_digest(const twl_sources *sources, char text[TWL_DIGEST_TEXT]);

/* Appends the record of all files to `out`. 0, TW_ENOMEM, TW_ELIMIT. */
int twl_sources_write(const twl_sources *sources, twl_bytes *out);

/* Writes it to a file, whole or not at all (a temporary file beside it, then
 * renamed), readable by the owner only. 0, TW_EIO, TW_ENOMEM. */
int twl_sources_save(const twl_sources *sources, const char *path);

#endif
