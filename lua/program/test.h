/* test.h - tidewire test FILE...: runs tests of scripts.
 * SPDX-License-Identifier: MIT */
#ifndef TWP_TEST_H
#define TWP_TEST_H

#include "cli.h"

/* Reads its own line: options and files. Answers the exit status: 0 all passed,
 * 1 something did not, 2 wrong usage. */
int twp_test(const twp_command *command, int argc, char *const *argv);

#endif
