/* task.h - tw.spawn: functions that run by themselves.
 *
 * A task begins in the next turn of the loop and belongs to its generation. It
 * lives until it has ended and no script holds its handle; what it returned is
 * kept meanwhile. task:wait and tw.all are finished in Lua (tidewire/task.lua),
 * because a failure of a task is raised in those who wait for it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_TASK_H
#define TWL_TASK_H

#include "bridge.h"

int twl_task_spawn(lua_State *L); /* tw.spawn(fn) */

/* Begins the tasks that were spawned since the last turn. */
void twl_tasks_begin(tw_lua *lua);

/* Ends the tasks of the generation that have not begun; those that wait end
 * with their jobs. */
void twl_tasks_forget(twl_gen *gen);

/* Pops task:wait as Lua finishes it and defines the handle. */
void twl_task_define(lua_State *L);

/* Pushes the raw wait for tidewire/task.lua: wait(task, name) -> true and the
 * results, false and the failure's text, or nil and an error object. */
void twl_task_push_wait(lua_State *L);

#endif
