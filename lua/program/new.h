/* new.h - tidewire new TEMPLATE NAME: a project to begin with.
 * SPDX-License-Identifier: MIT */
#ifndef TWP_NEW_H
#define TWP_NEW_H

#include "cli.h"

/* Reads its own line: argv[1] on are the template and the name. Makes the
 * folder NAME with everything of the template in it, or nothing. Answers the
 * exit status. */
int twp_new(const twp_command *command, int argc, char *const *argv);

/* Whether it can be the name of a project: a letter, then letters, digits, "-",
 * "_" and ".", 64 bytes at most. Pure. */
bool twp_new_is_name(const char *name);

/* Appends the text with the name for each @NAME@. Pure. */
void twp_new_fill(twp_text *out, const char *text, size_t len,
                  const char *name);

#endif
