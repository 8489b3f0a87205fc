/* app_settings.h - the settings of tw.app{...}: all that is no hook.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_APP_SETTINGS_H
#define TWL_APP_SETTINGS_H

#include <lua.h>

#include "app.h"

/* Reads them from the table at 1; raises for what is wrong. */
void twl_app_read_settings(lua_State *L, twl_app *app);

/* `over` of the rate in the table at `index`, "close" when it says nothing. */
tw_rate_over twl_rate_over(lua_State *L, int index, const char *where);

#endif
