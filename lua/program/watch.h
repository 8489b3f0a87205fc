/* watch.h - tidewire run --watch: reloads when a script changes.
 *
 * A process of its own beside the master, which runs no Lua and opens no
 * scripts: it watches the script's folder and all below, asks the server for a
 * reload as `tidewire reload` does, and shows what is wrong with the code
 * around it. What does not load changes nothing: the old generation goes on.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_WATCH_H
#define TWP_WATCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "log.h"

typedef struct twp_watch {
    pid_t _pid;    /* of the watcher; 0: none */
    pid_t _master; /* who started it */
    char *_dir;    /* shared: the server's runtime folder, "" until ready */
} twp_watch;

/* Starts it for the folder of the script, before the server starts; the
 * strings and the log are borrowed for its life. False: it could not be, and
 * that was logged. `config` is the configuration file or NULL: of a change in
 * it is only told. */
bool twp_watch_start(twp_watch *watch, const char *script, const char *config,
                     twp_log *log);

/* The server is ready to be asked. */
void twp_watch_ready(twp_watch *watch, const char *runtime_dir);

/* Ends it. Only in the process that started it; in others, and without one,
 * nothing happens. */
void twp_watch_stop(twp_watch *watch);

#endif
