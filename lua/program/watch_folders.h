/* watch_folders.h - tells when a Lua file in a tree of folders changes.
 *
 * inotify watches folders: an editor that writes a new file and renames it over
 * the old one is seen as well as one that writes in place, and so is a file
 * that was not there before. Folders that begin with a dot, node_modules and
 * what is beyond a limit are left out. A file that is a link is watched where
 * it leads to, too.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_WATCH_FOLDERS_H
#define TWP_WATCH_FOLDERS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { TWP_WATCHED_MAX = 1024 };

typedef struct twp_folders {
    int fd; /* readable when something happened */
    bool is_full;
    char root[PATH_MAX];
    struct {
        int id;
        char *path;
    } list[TWP_WATCHED_MAX];
    size_t count;
} twp_folders;

typedef enum twp_change {
    TWP_NO_CHANGE,
    TWP_GONE,   /* a file is not there any more; maybe for a moment */
    TWP_CHANGED /* a file is complete and new */
} twp_change;

/* 0, or -1 with errno set and nothing to clean up. */
int twp_folders_init(twp_folders *folders, const char *root);
void twp_folders_deinit(twp_folders *folders);

/* Takes up all that happened, without waiting. `file` gets the path of one that
 * changed, when there is one. */
twp_change twp_folders_read(twp_folders *folders, char file[PATH_MAX]);

/* Whether a file of that name is a script: "x.lua", but no editor's own
 * ".#x.lua". Pure. */
bool twp_is_script_name(const char *name);

#endif
