/* class.h - tw.channels{...}: the classes that channels belong to.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_CLASS_H
#define TWL_CLASS_H

#include "bridge.h"

int twl_channels_declare(lua_State *L); /* tw.channels{...} */

void twl_classes_free(twl_gen *gen);

#endif
