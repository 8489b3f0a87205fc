/* trust.h - whether somebody else could change what the program runs.
 *
 * A server that root starts reads its configuration as root and decides there
 * whom to become; a script that others can write to would be theirs, not the
 * operator's. So each file must belong to root or to whoever started the
 * program, and so must the folders above it; and neither may be open to the
 * writing of a group or of everybody (a folder with the sticky bit, as /tmp, is
 * none in which others can replace a file).
 *
 * Who can replace the program itself, its file or a folder above it, needs no
 * script to do harm: such users and groups are trusted like root. So sources
 * run from their own build folder whoever owns them.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_TRUST_H
#define TWP_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "settings.h"

enum { TWP_TRUST_MAX = 32 };

typedef struct twp_trust {
    bool is_on; /* false: nothing is looked at */
    bool has_everybody;
    uid_t users[TWP_TRUST_MAX];
    gid_t groups[TWP_TRUST_MAX];
    unsigned user_count, group_count;
} twp_trust;

/* On for root, and for a server that has a user to run as. To be called before
 * the program becomes somebody else. */
void twp_trust_init(twp_trust *trust, const twp_settings *settings);

/* A tw_lua_may_read_cb; `trust` is a twp_trust. */
bool twp_may_read(int fd, const char *path, char *why, size_t size,
                  void *trust);

#endif
