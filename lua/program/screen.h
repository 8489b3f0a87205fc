/* screen.h - a terminal as a picture that is drawn again and again.
 *
 * Takes the terminal of standard input and output over with plain ANSI, and
 * gives it back as it was: at the end, when a signal ends the program, and
 * while it is stopped. One per process.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_SCREEN_H
#define TWP_SCREEN_H

#include <stdbool.h>

#include "text.h"

/* False: standard input or output is no terminal. */
bool twp_screen_open(void);
void twp_screen_close(void);

/* Draws the lines, cut to what the window is now. */
void twp_screen_draw(const twp_text *lines);

/* Waits for at most `ms` and answers the key that was pressed: 0 none,
 * TWP_SCREEN_RESIZED when it has to be drawn anew, TWP_SCREEN_END when a signal
 * asks for the end or the input is over. */
enum { TWP_SCREEN_RESIZED = -1, TWP_SCREEN_END = -2 };
int twp_screen_wait(int ms);

#endif
