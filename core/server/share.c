/* SPDX-License-Identifier: MIT */
#include "server/share.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server/identity.h"

enum { OWNER_MODE = 0600, GROUP_MODE = 0660, ALL_MODE = 0777 };

static int complain(int error, const char *text, const char *why, char *detail,
                    size_t size) {
    snprintf(detail, size, "%s: %s", text, why);
    return error;
}

/* Whom the group belongs to does not matter, but whether we may give it. */
static int complain_errno(int error, const char *text,
                          const tw_listen_options *options, char *detail,
                          size_t size) {
    if (errno == EPERM && options->group != NULL) {
        snprintf(detail, size,
                 "%s: may not be given to group '%s': the user of the server "
                 "is not in it",
                 text, options->group);
    } else {
        complain(error, text, strerror(errno), detail, size);
    }
    return error;
}

int tw__share_socket(const char *text, const tw__address *address,
                     const tw_listen_options *options, char *detail,
                     size_t size) {
    gid_t gid = (gid_t)-1;
    if (options == NULL || (options->mode == 0 && options->group == NULL)) {
        return 0;
    }
    if (address->_storage.ss_family != AF_UNIX) {
        return complain(TW_EINVALID, text,
                        "a mode and a group are for Unix sockets", detail,
                        size);
    }
    unsigned standard = options->group != NULL ? GROUP_MODE : OWNER_MODE;
    unsigned mode = options->mode != 0 ? options->mode : standard;
    if ((mode & OWNER_MODE) != OWNER_MODE || mode > ALL_MODE) {
        return complain(TW_EINVALID, text, "not a mode for a socket", detail,
                        size);
    }
    if (options->group != NULL &&
        !tw__identity_find_group(options->group, &gid)) {
        snprintf(detail, size, "%s: there is no group '%s'", text,
                 options->group);
        return TW_ENOT_FOUND;
    }
    int error = tw__socket_share(address, (mode_t)mode, gid);
    return error == 0 ? 0 : complain_errno(error, text, options, detail, size);
}
