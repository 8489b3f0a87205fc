/* module.h - `require "tidewire"`: the table of everything scripts call.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_MODULE_H
#define TWL_MODULE_H

#include "bridge.h"

/* Registers the module and the handles' metatables in a new VM. 0 or an error
 * of twl_vm_protect. */
int twl_module_install(twl_gen *gen);

#endif
