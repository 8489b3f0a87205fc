/* identity.h - the user that a server started by root becomes.
 *
 * Root is needed to bind low ports and for nothing else. The master gives it
 * up for good before its first fork, so no member and no script ever runs with
 * it. Calls of the whole process: the master, before it forks.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_IDENTITY_H
#define TW_SERVER_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct tw__identity {
    uid_t uid;
    gid_t gid;
    char name[64];  /* of the user; "" when the system knows none */
    bool is_change; /* false: we are this user already, nothing to give up */
} tw__identity;

/* Looks up a user and a group (NULL or "": the user's own), by name or number.
 * A user of NULL or "" stays who we are. 0; TW_ENOT_FOUND; TW_EINVALID (root,
 * or a group without a user); TW_EDENIED (somebody else, and we are not root).
 * `detail` gets a sentence then. */
int tw__identity_find(tw__identity *identity, const char *user,
                      const char *group, char *detail, size_t size);

/* A group by name or number. False: there is none. */
bool tw__identity_find_group(const char *group, gid_t *gid);

/* Become the user for a while, as far as files are concerned, and root again.
 * Nothing happens when there is no change. 0 or TW_EDENIED. */
int tw__identity_borrow(const tw__identity *identity);
int tw__identity_return(const tw__identity *identity);

/* Becomes the user for good: groups, group, user; then tries to get back, which
 * must fail. Nothing that is executed later can gain rights either. 0, or
 * TW_EDENIED with a sentence in `detail`: then the process must not go on. */
int tw__identity_assume(const tw__identity *identity, char *detail,
                        size_t size);

#endif
