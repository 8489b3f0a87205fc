/* host.h - settings as the libraries want them.
 * SPDX-License-Identifier: MIT */
#ifndef TWP_HOST_H
#define TWP_HOST_H

#include "listen.h"
#include "log.h"
#include "settings.h"
#include "tidewire/lua.h"
#include "tidewire/master.h"
#include "trust.h"

/* A tw_lua_config with what it borrows. */
typedef struct twp_lua {
    tw_lua_config config;
    tw_lua_value *values;
    char *library_dir;
    twp_trust _trust;
    void *_table; /* owns the values' keys */
} twp_lua;

/* `script`, `settings` and `log` are borrowed and outlive it; it stays where it
 * is. */
void twp_lua_init(twp_lua *lua, const twp_settings *settings,
                  const char *script, twp_log *log);
void twp_lua_deinit(twp_lua *lua);

/* Fills all but hooks, members, the admin token and on_ready. Borrows from
 * settings and log. */
void twp_master_fill(tw_master_config *config, const twp_settings *settings,
                     const twp_listen *listen, twp_log *log);

/* The script to run: what the command line names, else what the settings say.
 * NULL, and told on stderr, when there is none or it cannot be read; *status is
 * the exit status then. */
const char *twp_script(const twp_settings *settings, const char *operand,
                       int *status);

/* The folder of the Lua library when no option names it: that of the
 * installation which the program is part of, else that of the sources it was
 * built from. Given (free). */
char *twp_library_dir(void);

#endif
