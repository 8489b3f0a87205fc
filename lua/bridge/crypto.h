/* crypto.h - tw.crypto: hashes, HMAC, random bytes, comparison, encodings.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_CRYPTO_H
#define TWL_CRYPTO_H

#include <lua.h>

#include "../crypto/digest.h"

/* The VM's digest, made when first asked for. It is borrowed, and stays until
 * the VM ends. Raises without memory: protected code only. */
twl_digest *twl_crypto_digest(lua_State *L);

/* Sets `crypto` in the table on top. */
void twl_crypto_open(lua_State *L);

#endif
