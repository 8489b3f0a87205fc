/* log.h - tw.log, print, and what the bridge itself logs.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_LOG_H
#define TWL_LOG_H

#include <lua.h>
#include <tidewire/log.h>

#include "vm.h"

enum { TWL_LOG_MAX_FIELDS = 24, TWL_LOG_MAX_CONTEXT = 8 };

/* Adds the context of the running call (connection, user, generation): fills
 * at most `room` fields and returns how many. Texts are borrowed until the
 * record has been written. Must not touch Lua. */
typedef size_t (*twl_log_context_cb)(twl_vm *vm, tw_log_field *fields,
                                     size_t room, void *arg);
void twl_log_set_context(twl_vm *vm, twl_log_context_cb context, void *arg);

/* Writes one record of the bridge's own with the context's fields. `fields`
 * may be NULL. Does not touch Lua. */
void twl_log_write(twl_vm *vm, tw_log_level level, const char *message,
                   const tw_log_field *fields, size_t count);
void twl_log_printf(twl_vm *vm, tw_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Logs twl_vm_failure as the fields call, kind, error and traceback, with the
 * context's. */
void twl_log_failure(twl_vm *vm, tw_log_level level, const char *message);

/* Sets `log` in the table on top: debug, info, warn, error(message, fields). */
void twl_log_open(lua_State *L);

/* print(...): one info record, tabs between the values; tables as JSON unless
 * they have a __tostring. */
int twl_log_print(lua_State *L);

#endif
