/* beneath.h - opens files that are certainly inside a folder.
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_BENEATH_H
#define TW_HTTP_BENEATH_H

#include <stdbool.h>

/* Whether the kernel resolves names beneath a folder by itself: openat2 came
 * with Linux 5.6, and the filters of some containers refuse it. */
bool tw__http_has_openat2(int root);

/* Opens `name`, relative to the folder `root`, for reading; never blocks on
 * what it finds. By openat2 with RESOLVE_BENEATH, or else (`walk`) segment by
 * segment, where a symbolic link is ELOOP. `name` has no empty, "." or ".."
 * segment. A descriptor, given, or -errno: EXDEV for a link that leads out. */
int tw__http_open_beneath(int root, const char *name, bool walk);

#endif
