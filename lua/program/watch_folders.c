/* SPDX-License-Identifier: MIT */
#include "watch_folders.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"

enum { MAX_DEPTH = 16 };

static const uint32_t EVENTS = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE |
                               IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;

bool twp_is_script_name(const char *name) {
    size_t len = strlen(name);
    return len > 4 && *name != '.' && *name != '#' &&
           strcmp(name + len - 4, ".lua") == 0;
}

static bool is_left_out(const char *name) {
    return *name == '.' || strcmp(name, "node_modules") == 0;
}

/* ---- the folders -------------------------------------------------------- */

/* Again is harmless: inotify knows a folder by what it is, not by its name. */
static void add_folder(twp_folders *f, const char *path) {
    int id = inotify_add_watch(f->fd, path, EVENTS);
    for (size_t i = 0; id >= 0 && i < f->count; i++) {
        if (f->list[i].id == id) {
            return;
        }
    }
    if (id >= 0 && f->count < TWP_WATCHED_MAX) {
        f->list[f->count].id = id;
        f->list[f->count++].path = twp_copy(path);
    } else {
        f->is_full = true;
    }
}

/* Where a link leads to, its folder is watched. */
static void follow(twp_folders *f, const char *path) {
    char target[PATH_MAX], *slash;
    struct stat facts;
    if (lstat(path, &facts) == 0 && S_ISLNK(facts.st_mode) &&
        realpath(path, target) != NULL &&
        (slash = strrchr(target, '/')) != NULL) {
        *slash = '\0';
        add_folder(f, *target != '\0' ? target : "/");
    }
}

static void add_tree(twp_folders *f, const char *path, int depth) {
    DIR *dir =
        depth < MAX_DEPTH && f->count < TWP_WATCHED_MAX ? opendir(path) : NULL;
    if (dir == NULL) {
        return;
    }
    add_folder(f, path);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char inner[PATH_MAX];
        struct stat facts;
        int len = snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (len < 0 || (size_t)len >= sizeof inner ||
            is_left_out(entry->d_name) || stat(inner, &facts) != 0) {
            continue;
        }
        if (S_ISDIR(facts.st_mode)) {
            add_tree(f, inner, depth + 1);
        } else if (twp_is_script_name(entry->d_name)) {
            follow(f, inner);
        }
    }
    closedir(dir);
}

int twp_folders_init(twp_folders *f, const char *root) {
    *f = (twp_folders){.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
    if (f->fd < 0) {
        return -1;
    }
    snprintf(f->root, sizeof f->root, "%s", root);
    add_tree(f, root, 0);
    return 0;
}

void twp_folders_deinit(twp_folders *f) {
    close(f->fd);
    for (size_t i = 0; i < f->count; i++) {
        free(f->list[i].path);
    }
}

/* ---- events ------------------------------------------------------------- */

static const char *folder_of(const twp_folders *f, int id) {
    for (size_t i = 0; i < f->count; i++) {
        if (f->list[i].id == id) {
            return f->list[i].path;
        }
    }
    return f->root;
}

/* The folder is gone, and its number may be used again. */
static void forget(twp_folders *f, int id) {
    for (size_t i = 0; i < f->count; i++) {
        if (f->list[i].id == id) {
            free(f->list[i].path);
            f->list[i] = f->list[--f->count];
            return;
        }
    }
}

/* A file that was only just made is about to be written and closed; a link is
 * complete. */
static twp_change change_of(const struct inotify_event *e, const char *path) {
    struct stat facts;
    if ((e->mask & (IN_DELETE | IN_MOVED_FROM)) != 0) {
        return TWP_GONE;
    }
    if ((e->mask & IN_CREATE) != 0) {
        bool is_link = lstat(path, &facts) == 0 &&
                       (S_ISLNK(facts.st_mode) || facts.st_nlink > 1);
        return is_link ? TWP_CHANGED : TWP_NO_CHANGE;
    }
    return TWP_CHANGED;
}

static twp_change take(twp_folders *f, const struct inotify_event *e,
                       char file[PATH_MAX]) {
    const char *name = e->len > 0 ? e->name : "";
    if ((e->mask & IN_IGNORED) != 0) {
        forget(f, e->wd);
        return TWP_NO_CHANGE;
    }
    char path[PATH_MAX + NAME_MAX + 2];
    snprintf(path, sizeof path, "%s/%s", folder_of(f, e->wd), name);
    if ((e->mask & IN_ISDIR) != 0 && !is_left_out(name)) {
        /* What came with it was there before it was watched. */
        add_tree(f, path, 0);
        return (e->mask & (IN_CREATE | IN_MOVED_TO)) != 0 ? TWP_CHANGED
                                                          : TWP_GONE;
    }
    if ((e->mask & IN_Q_OVERFLOW) != 0) {
        add_tree(f, f->root, 0);
        return TWP_CHANGED;
    }
    if (!twp_is_script_name(name)) {
        return TWP_NO_CHANGE;
    }
    bool is_here = strncmp(path, "./", 2) == 0;
    snprintf(file, PATH_MAX, "%.*s", PATH_MAX - 1, path + (is_here ? 2 : 0));
    follow(f, path);
    return change_of(e, path);
}

twp_change twp_folders_read(twp_folders *f, char file[PATH_MAX]) {
    _Alignas(struct inotify_event) char buffer[8192];
    twp_change change = TWP_NO_CHANGE;
    ssize_t len;
    while ((len = read(f->fd, buffer, sizeof buffer)) > 0) {
        for (char *at = buffer; at < buffer + len;) {
            const struct inotify_event *e = (const void *)at;
            twp_change one = take(f, e, file);
            change = one > change ? one : change;
            at += sizeof *e + e->len;
        }
    }
    return change;
}
