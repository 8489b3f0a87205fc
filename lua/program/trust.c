/* SPDX-License-Identifier: MIT */
#include "trust.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- whom --------------------------------------------------------------- */

static bool has_user(const twp_trust *trust, uid_t user) {
    for (unsigned i = 0; i < trust->user_count; i++) {
        if (trust->users[i] == user) {
            return true;
        }
    }
    return false;
}

static bool has_group(const twp_trust *trust, gid_t group) {
    for (unsigned i = 0; i < trust->group_count; i++) {
        if (trust->groups[i] == group) {
            return true;
        }
    }
    return false;
}

/* Beyond the room there is, nobody is added: that is the safe side. */
static void add_user(twp_trust *trust, uid_t user) {
    if (trust->user_count < TWP_TRUST_MAX && !has_user(trust, user)) {
        trust->users[trust->user_count++] = user;
    }
}

static void add_group(twp_trust *trust, gid_t group) {
    if (trust->group_count < TWP_TRUST_MAX && !has_group(trust, group)) {
        trust->groups[trust->group_count++] = group;
    }
}

/* In a folder with the sticky bit only the owner of a file replaces it. */
static bool is_sticky(const struct stat *facts) {
    return S_ISDIR(facts->st_mode) && (facts->st_mode & S_ISVTX) != 0;
}

static void add_writers(twp_trust *trust, const char *path) {
    struct stat facts;
    if (lstat(path, &facts) != 0) {
        return;
    }
    add_user(trust, facts.st_uid);
    if (!is_sticky(&facts) && (facts.st_mode & S_IWGRP) != 0) {
        add_group(trust, facts.st_gid);
    }
    if (!is_sticky(&facts) && (facts.st_mode & S_IWOTH) != 0) {
        trust->has_everybody = true;
    }
}

/* Cuts the last name off "/a/b", which gives "/a" and then "/"; false when
 * there is none. */
static bool go_up(char *path) {
    char *slash = strrchr(path, '/');
    if (slash == NULL || path[1] == '\0') {
        return false;
    }
    slash[slash == path ? 1 : 0] = '\0';
    return true;
}

void twp_trust_init(twp_trust *trust, const twp_settings *settings) {
    char path[PATH_MAX];
    *trust = (twp_trust){.is_on = geteuid() == 0 ||
                                  twp_settings_has(settings, TWP_USER_OPTION)};
    add_user(trust, 0);
    add_user(trust, getuid());
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    if (len <= 0 || path[0] != '/') {
        return;
    }
    path[len] = '\0';
    do {
        add_writers(trust, path);
    } while (go_up(path));
}

/* ---- what --------------------------------------------------------------- */

static bool is_ours(const twp_trust *trust, const char *path,
                    const struct stat *facts, char *why, size_t size) {
    const char *what = S_ISDIR(facts->st_mode) ? "the folder " : "";
    if (!has_user(trust, facts->st_uid)) {
        snprintf(why, size,
                 "refused: %s%s belongs to user %u, who is neither root nor "
                 "who started the server",
                 what, path, (unsigned)facts->st_uid);
        return false;
    }
    if (is_sticky(facts)) {
        return true;
    }
    if ((facts->st_mode & S_IWOTH) != 0) {
        snprintf(why, size, "refused: everybody may write to %s%s", what, path);
        return false;
    }
    if ((facts->st_mode & S_IWGRP) != 0 && !has_group(trust, facts->st_gid)) {
        snprintf(why, size, "refused: group %u may write to %s%s",
                 (unsigned)facts->st_gid, what, path);
        return false;
    }
    return true;
}

/* All folders above the path, which has no links in it. */
static bool are_folders_ours(const twp_trust *trust, char *path, char *why,
                             size_t size) {
    struct stat facts;
    while (go_up(path)) {
        if (lstat(path, &facts) != 0) {
            snprintf(why, size, "refused: the folder %s cannot be looked at",
                     path);
            return false;
        }
        if (!is_ours(trust, path, &facts, why, size)) {
            return false;
        }
    }
    return true;
}

/* The folder in which the name stands, when that is a link to elsewhere: who
 * can change the link chooses the file. */
static bool is_link_ours(const twp_trust *trust, const char *path, char *why,
                         size_t size) {
    char folder[PATH_MAX + 2], copy[PATH_MAX];
    struct stat facts;
    if (lstat(path, &facts) != 0 || !S_ISLNK(facts.st_mode)) {
        return true;
    }
    const char *slash = strrchr(path, '/');
    snprintf(copy, sizeof copy, "%.*s", slash != NULL ? (int)(slash - path) : 1,
             slash != NULL ? path : ".");
    if (realpath(*copy != '\0' ? copy : "/", folder) == NULL) {
        snprintf(why, size, "refused: its folder cannot be looked at");
        return false;
    }
    strcat(folder, folder[1] != '\0' ? "/x" : "x");
    return are_folders_ours(trust, folder, why, size);
}

bool twp_may_read(int fd, const char *path, char *why, size_t size, void *arg) {
    const twp_trust *trust = arg;
    char real[PATH_MAX];
    struct stat open, named;
    if (!trust->is_on || trust->has_everybody) {
        return true;
    }
    if (fstat(fd, &open) != 0 || realpath(path, real) == NULL ||
        lstat(real, &named) != 0 || open.st_dev != named.st_dev ||
        open.st_ino != named.st_ino) {
        snprintf(why, size, "refused: it changed while it was read");
        return false;
    }
    return is_ours(trust, real, &open, why, size) &&
           are_folders_ours(trust, real, why, size) &&
           is_link_ours(trust, path, why, size);
}
