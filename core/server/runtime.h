/* runtime.h - the runtime folder of one running server, and how to find it.
 *
 * By default `$XDG_RUNTIME_DIR/tidewire-<uid>/<pid>` (or below /tmp), mode
 * 0700. It holds
 *   master.pid       the pid; locked as long as the master lives
 *   admin.sock       the admin member's Unix socket
 *   bus.<slot>       the workers' bus sockets
 *   gen-<n>.snapshot what generation n was loaded from
 * A folder chosen by the operator is found through a link of that name in the
 * default place. The lock, not the number, tells whether a master lives: pids
 * come again.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_RUNTIME_H
#define TW_SERVER_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A path in the folder must fit into a Unix socket's address. */
enum { TW__RUNTIME_DIR = 80, TW__RUNTIME_PATH = 108 };

typedef struct tw__runtime {
    char dir[TW__RUNTIME_DIR];
    char _link[TW__RUNTIME_PATH]; /* in the default place; "" when none */
    int _lock;
    bool _made;
} tw__runtime;

/* Makes and locks the folder; removes those of masters that are gone. `wanted`
 * NULL or "": the default place. 0, TW_EEXISTS (another master has it),
 * TW_EDENIED (not ours alone), TW_EINVALID (the path is too long) or TW_EIO;
 * `detail` gets a sentence then. */
int tw__runtime_open(tw__runtime *runtime, const char *wanted, char *detail,
                     size_t detail_size);

/* As root, for a server that will run as somebody else and so could not make
 * the folder himself in a place like /run: makes it and gives it away. One that
 * is there is left as it is. Whether it was made. */
bool tw__runtime_grant(const char *wanted, uid_t uid, gid_t gid);

/* The open folder was made for us: closing removes it, too. */
void tw__runtime_take(tw__runtime *runtime);

/* Removes the folder with what is in it. */
void tw__runtime_close(tw__runtime *runtime);

/* In a child: forgets the folder, which stays the master's. */
void tw__runtime_leave(tw__runtime *runtime);

/* A path in the folder `dir`, by printf. */
void tw__runtime_path(const char *dir, char out[TW__RUNTIME_PATH],
                      const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Calls `found` for the folder of each master of this user that lives, until it
 * answers false. */
void tw__runtime_each(bool (*found)(const char *dir, int pid, void *arg),
                      void *arg);

/* Whether a master lives in `dir`. */
bool tw__runtime_is_alive(const char *dir);

#endif
