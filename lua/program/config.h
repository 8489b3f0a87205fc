/* config.h - reads the configuration file into settings.
 * SPDX-License-Identifier: MIT */
#ifndef TWP_CONFIG_H
#define TWP_CONFIG_H

#include "settings.h"

/* Runs the Lua file and takes its table. Every mistake in it becomes a line in
 * `problems`, with the file and the key. */
void twp_config_read(twp_settings *settings, const char *path,
                     twp_text *problems);

/* A path of the file as the program takes it: relative ones start at the file's
 * folder. Free it. */
char *twp_config_resolve(const char *file, const char *path);

/* The second half of it: takes JSON text that came from `path`. */
void twp_config_take(twp_settings *settings, const char *path, const char *json,
                     twp_text *problems);

#endif
