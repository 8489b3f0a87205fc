/* command.h - what the program's commands do.
 *
 * Each gets checked settings and its operand (NULL when it was not given), and
 * answers the exit status: 0 done, 1 failed, 2 wrong usage.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_COMMAND_H
#define TWP_COMMAND_H

#include "settings.h"

int twp_run(twp_settings *settings, const char *operand);
int twp_check(twp_settings *settings, const char *operand);
int twp_reload(twp_settings *settings, const char *operand);
int twp_drain(twp_settings *settings, const char *operand);
int twp_status(twp_settings *settings, const char *operand);
int twp_top(twp_settings *settings, const char *operand);
int twp_console(twp_settings *settings, const char *operand);
int twp_profile(twp_settings *settings, const char *operand);

#endif
