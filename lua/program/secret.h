/* secret.h - texts that nobody else is to see.
 * SPDX-License-Identifier: MIT */
#ifndef TWP_SECRET_H
#define TWP_SECRET_H

#include "settings.h"

/* The admin's bearer token, from its option or the file that an option names.
 * True and *token is given (free; NULL: there is none); false when the file has
 * none or both are set, told on stderr without the token. */
bool twp_secret_token(const twp_settings *settings, char **token);

/* The first line of a file, in the same way: true and *secret is given; else
 * *why is a static text or errno's. */
bool twp_secret_read(const char *path, char **secret, const char **why);

/* Overwrites and frees; NULL is allowed. */
void twp_secret_free(char *secret);

/* A syntax error of Lua quotes the token it stumbled upon. One that is a text
 * or begins with a digit, and so may be a misspelt secret, is taken out. */
void twp_secret_hide(char *report);

#endif
