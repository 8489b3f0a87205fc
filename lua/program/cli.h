/* cli.h - reads a command's line, its environment and its file.
 * SPDX-License-Identifier: MIT */
#ifndef TWP_CLI_H
#define TWP_CLI_H

#include "settings.h"

/* What the command line said besides options. */
typedef struct twp_line {
    const char *operand; /* SCRIPT.lua, or NULL */
    const char *help; /* "" for --help, "markdown" for --help=markdown, NULL */
    bool wants_version;
} twp_line;

/* Reads flags ("--flag value" or "--flag=value") and at most one operand that
 * `operand_name` names (NULL: none is allowed). Every mistake becomes a line in
 * `problems`. */
void twp_cli_flags(twp_settings *settings, unsigned commands,
                   const char *operand_name, int argc, char *const *argv,
                   twp_line *line, twp_text *problems);

/* Reads the TIDEWIRE_ variables of `environment` (as environ) that the commands
 * know; an empty one counts as unset. A variable that looks like a misspelt one
 * becomes a line in `warnings`. */
void twp_cli_environment(twp_settings *settings, unsigned commands,
                         char *const *environment, twp_text *problems,
                         twp_text *warnings);

/* One of the program's commands. */
typedef struct twp_command {
    const char *name;
    unsigned commands;   /* whose options it takes */
    const char *operand; /* "SCRIPT.lua" or NULL */
    const char *summary;
    const char *help; /* more of it, for --help */
    int (*run)(twp_settings *settings, const char *operand);
} twp_command;

/* Reads everything for a command whose arguments follow argv[0], and runs it;
 * or prints help or what is wrong. Answers the exit status. */
int twp_cli_run(const twp_command *command, int argc, char *const *argv);

#endif
