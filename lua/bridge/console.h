/* console.h - lines of Lua that the operator runs, see tidewire console.
 *
 * A line runs as a job of the current generation, in an environment of its
 * session: what it reads is what scripts see, with `tw`; globals that it sets
 * are the session's and no script's. It may wait, is under a hook's budget, and
 * is logged with who asked.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_CONSOLE_H
#define TWL_CONSOLE_H

#include "bridge.h"

/* Answers a question of the kind "console", now or later. Outcomes: "done",
 * with what was printed and the results; "incomplete": more has to follow;
 * "failed", with what was printed and why; "unavailable": no script runs. */
void twl_console_ask(tw_lua *lua, tw_question *question);

#endif
