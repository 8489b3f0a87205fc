/* dispatch.h - the server's hooks, answered by the scripts'.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_DISPATCH_H
#define TWL_DISPATCH_H

#include <tidewire/tidewire.h>

extern const tw_hooks twl_hooks;

#endif
