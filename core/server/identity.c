/* SPDX-License-Identifier: MIT */
#include "server/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tidewire/errors.h"

static int fail(char *detail, size_t size, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static int fail(char *detail, size_t size, int error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(detail, size, format, args);
    va_end(args);
    return error;
}

/* ---- looking up --------------------------------------------------------- */

/* (uid_t)-1 means "leave as it is" to the kernel, and so is no number. */
static bool read_number(const char *text, unsigned *number) {
    size_t digits = strspn(text, "0123456789");
    unsigned long value = strtoul(text, NULL, 10);
    if (digits == 0 || digits > 10 || text[digits] != '\0' ||
        value >= (unsigned)-1) {
        return false;
    }
    *number = (unsigned)value;
    return true;
}

/* A name first: a user may be called "1000". */
static int find_user(tw__identity *identity, const char *user, bool has_group,
                     char *detail, size_t size) {
    unsigned number;
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL && read_number(user, &number)) {
        entry = getpwuid(number);
        if (entry == NULL && has_group) {
            identity->uid = number;
            return 0;
        }
    }
    if (entry == NULL) {
        return fail(detail, size, TW_ENOT_FOUND, "there is no user '%s'%s",
                    user,
                    read_number(user, &number) ? "; a group would do" : "");
    }
    identity->uid = entry->pw_uid;
    identity->gid = entry->pw_gid;
    snprintf(identity->name, sizeof identity->name, "%s", entry->pw_name);
    return 0;
}

bool tw__identity_find_group(const char *group, gid_t *gid) {
    unsigned number;
    const struct group *entry = getgrnam(group);
    if (entry != NULL) {
        *gid = entry->gr_gid;
    } else if (read_number(group, &number)) {
        *gid = number;
    } else {
        return false;
    }
    return true;
}

static int find_group(tw__identity *identity, const char *group, char *detail,
                      size_t size) {
    return tw__identity_find_group(group, &identity->gid)
               ? 0
               : fail(detail, size, TW_ENOT_FOUND, "there is no group '%s'",
                      group);
}

/* Somebody who is not root may name himself, so that one configuration serves
 * both; the group is his already, or it is not his to take. */
static int check(tw__identity *identity, char *detail, size_t size) {
    bool is_self = identity->uid == geteuid() && identity->gid == getegid();
    if (geteuid() == 0) {
        identity->is_change = true;
        return identity->uid != 0 && identity->gid != 0
                   ? 0
                   : fail(detail, size, TW_EINVALID,
                          "root and its group are nobody to change to; name "
                          "no user to run as root");
    }
    return is_self ? 0
                   : fail(detail, size, TW_EDENIED,
                          "only root can become another user or group");
}

int tw__identity_find(tw__identity *identity, const char *user,
                      const char *group, char *detail, size_t size) {
    bool has_user = user != NULL && *user != '\0';
    bool has_group = group != NULL && *group != '\0';
    tw__identity found = {.uid = geteuid(), .gid = getegid()};
    if (!has_user && has_group) {
        return fail(detail, size, TW_EINVALID, "a group needs a user");
    }
    int error = 0;
    if (has_user) {
        error = find_user(&found, user, has_group, detail, size);
        if (error == 0 && has_group) {
            error = find_group(&found, group, detail, size);
        }
        if (error == 0) {
            error = check(&found, detail, size);
        }
    }
    if (error == 0) {
        *identity = found;
    }
    return error;
}

/* ---- becoming ----------------------------------------------------------- */

int tw__identity_borrow(const tw__identity *identity) {
    if (!identity->is_change) {
        return 0;
    }
    if (setegid(identity->gid) != 0) {
        return TW_EDENIED;
    }
    return seteuid(identity->uid) == 0 ? 0 : TW_EDENIED;
}

int tw__identity_return(const tw__identity *identity) {
    bool is_back = !identity->is_change || (seteuid(0) == 0 && setegid(0) == 0);
    return is_back ? 0 : TW_EDENIED;
}

/* The groups go first: without root nobody may change them. */
static int drop_groups(const tw__identity *identity) {
    return *identity->name != '\0' ? initgroups(identity->name, identity->gid)
                                   : setgroups(1, &identity->gid);
}

/* What the calls answered is one thing, what is so another. */
static bool is_dropped(const tw__identity *identity) {
    uid_t uid[3];
    gid_t gid[3];
    if (getresuid(&uid[0], &uid[1], &uid[2]) != 0 ||
        getresgid(&gid[0], &gid[1], &gid[2]) != 0) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        if (uid[i] != identity->uid || gid[i] != identity->gid) {
            return false;
        }
    }
    return setuid(0) != 0 && seteuid(0) != 0 && setgid(0) != 0 &&
           setegid(0) != 0;
}

int tw__identity_assume(const tw__identity *identity, char *detail,
                        size_t size) {
    if (!identity->is_change) {
        return 0;
    }
    if (drop_groups(identity) != 0 ||
        setresgid(identity->gid, identity->gid, identity->gid) != 0 ||
        setresuid(identity->uid, identity->uid, identity->uid) != 0) {
        return fail(detail, size, TW_EDENIED, "cannot become user %u: %s",
                    (unsigned)identity->uid, strerror(errno));
    }
    if (!is_dropped(identity)) {
        return fail(detail, size, TW_EDENIED,
                    "the rights of root could be had back");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return fail(detail, size, TW_EDENIED, "no_new_privs: %s",
                    strerror(errno));
    }
    return 0;
}
