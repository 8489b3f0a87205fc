/* help.h - help, made from the tables of commands and options.
 * SPDX-License-Identifier: MIT */
#ifndef TWP_HELP_H
#define TWP_HELP_H

#include "cli.h"

/* One command: its usage and the flags that it takes. */
void twp_help_command(twp_text *out, const twp_command *command);

/* The program: its commands, up to one with a NULL name. */
void twp_help_program(twp_text *out, const twp_command *commands);

/* Every option with its key in the file, flag, variable and default. */
void twp_help_options(twp_text *out);
/* The same as a Markdown table, which the reference is checked against; a row
 * is | key | flag | variable | type | default | help |. */
void twp_help_markdown(twp_text *out);

#endif
