/* SPDX-License-Identifier: MIT */
#include "jwt.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../crypto/base64.h"
#include "../crypto/jwt_token.h"
#include "call_options.h"
#include "crypto.h"
#include "err.h"
#include "json.h"
#include "jwt_claims.h"
#include "jwt_fetch.h"
#include "jwt_keys.h"
#include "opts.h"
#include "sandbox.h"
#include "vm.h"

enum {
    TOKEN_BYTES = 8192, /* a browser's limit for all of its headers is near */
    TOKEN_BYTES_MAX = 65536,
    MESSAGE_BYTES = 256,
    STACK_SLOTS = 40 /* more than all steps leave on it together */
};

/* Where the arguments are on the stack. */
enum { TOKEN = 1, OPTIONS = 2, ARGUMENTS = 2 };

int twl_jwt_refuse(lua_State *L, int tw_code, const char *reason,
                   const char *format, ...) {
    char message[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    lua_pushnil(L);
    twl_push_error(L, tw_code, message);
    lua_pushstring(L, reason);
    lua_setfield(L, -2, "reason");
    return 2;
}

static int malformed(lua_State *L, const char *why) {
    return twl_jwt_refuse(L, TW_EINVALID, "malformed", "%s", why);
}

/* ---- options ------------------------------------------------------------ */

typedef struct settings {
    uint64_t max_bytes;
    unsigned algorithms; /* one bit each */
    twl_jwt_demands demands;
} settings;

/* The algorithms that the script allows; all that its keys have without. */
static unsigned read_algorithms(lua_State *L) {
    unsigned allowed = 0;
    lua_getfield(L, OPTIONS, "algorithms");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return ~0u;
    }
    twl_jwt_check_names(L, lua_gettop(L), "algorithms");
    int list = lua_gettop(L);
    for (int i = 1; i <= (int)lua_objlen(L, list); i++) {
        size_t len;
        lua_rawgeti(L, list, i);
        const char *name = lua_tolstring(L, -1, &len);
        twl_jwt_alg alg = twl_jwt_alg_find(name, len);
        if (alg == TWL_JWT_ALGS) {
            twl_raise(L,
                      TWL_JWT_VERIFY ": there is no algorithm '%s' here, "
                                     "only HS256, RS256 and ES256",
                      name);
        }
        allowed |= 1u << alg;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return allowed;
}

static const twl_name options[] = {
    {"secret", false},  {"key", false},        {"keys", false},
    {"jwks", false},    {"algorithms", false}, {"aud", false},
    {"iss", false},     {"leeway", false},     {"max_age", false},
    {"require", false}, {"max_bytes", false},  {"now", false},
    {NULL, false},
};

const twl_call_options twl_call_jwt_verify = {"jwt.verify", 2, TWL_JWT_VERIFY,
                                              options};

static void read_settings(lua_State *L, settings *s) {
    static const char what[] = TWL_JWT_VERIFY;
    if (!twl_arg_options(L, OPTIONS, what, options)) {
        twl_raise(L, "%s: options with a secret, key, keys or jwks are needed",
                  what);
    }
    *s = (settings){.max_bytes = TOKEN_BYTES};
    twl_opt_whole(L, OPTIONS, what, "max_bytes", 1, TOKEN_BYTES_MAX,
                  &s->max_bytes);
    s->algorithms = read_algorithms(L);
    twl_jwt_demands_read(L, OPTIONS, &s->demands);
    twl_jwt_keys_check(L, OPTIONS);
}

/* ---- the parts ---------------------------------------------------------- */

static size_t count_keys(lua_State *L, int table) {
    size_t count = 0;
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        count++;
    }
    return count;
}

/* Pushes the table that a part of the token is the JSON of. A name that comes
 * twice would mean one thing to us and another to who looked at the token
 * before. */
static int push_object(lua_State *L, const twl_jwt_part *part,
                       const char *name) {
    size_t len;
    twl_bytes *bytes = twl_vm_scratch(twl_vm_of(L));
    if (twl_bytes_reserve(bytes, twl_base64_decoded_max(part->len))) {
        return twl_nil_error(L, TW_EOVERLOADED, "no memory");
    }
    if (twl_base64_decode(TWL_BASE64URL, part->text, part->len, bytes->data,
                          &len)) {
        return twl_jwt_refuse(L, TW_EINVALID, "malformed",
                              "the token's %s is not base64url", name);
    }
    lua_pushlstring(L, bytes->data, len); /* decoding uses the scratch bytes */
    const char *json = lua_tostring(L, -1);
    if (twl_json_decode(L, json, len, false) || twl_json_is_array(L, -1)) {
        return twl_jwt_refuse(L, TW_EINVALID, "malformed",
                              "the token's %s is no JSON object", name);
    }
    if (twl_jwt_count_members(json, len) != count_keys(L, lua_gettop(L))) {
        return twl_jwt_refuse(L, TW_EINVALID, "malformed",
                              "the token's %s has a name twice", name);
    }
    lua_replace(L, -2);
    return 0;
}

/* Pushes a field of the header: a string, or nil where there is none. */
static bool push_text(lua_State *L, int header, const char *name) {
    lua_getfield(L, header, name);
    return lua_type(L, -1) == LUA_TSTRING || lua_isnil(L, -1);
}

/* Pushes the header, and two of its fields, which stay on the stack for as long
 * as `ask` borrows from them. */
static int read_header(lua_State *L, const twl_jwt_token *token,
                       unsigned allowed, twl_jwt_ask *ask) {
    int results = push_object(L, &token->header, "header");
    if (results) {
        return results;
    }
    int header = lua_gettop(L);
    lua_getfield(L, header, "crit");
    if (!lua_isnil(L, -1)) {
        return malformed(L, "the token wants extensions that are not known");
    }
    if (!push_text(L, header, "alg") || lua_isnil(L, -1)) {
        return malformed(L, "the token's header has no algorithm");
    }
    size_t len;
    const char *alg = lua_tolstring(L, -1, &len);
    ask->alg = twl_jwt_alg_find(alg, len);
    if (ask->alg == TWL_JWT_ALGS || !(allowed >> ask->alg & 1)) {
        return twl_jwt_refuse(L, TW_EDENIED, "algorithm",
                              "the token's algorithm is not allowed");
    }
    if (!push_text(L, header, "kid")) {
        return malformed(L, "the token's key id is no text");
    }
    ask->kid = lua_isnil(L, -1) ? 0 : lua_gettop(L);
    return 0;
}

static int check_signature(lua_State *L, const twl_jwt_token *token,
                           twl_jwt_key *key) {
    uint8_t signature[TWL_JWT_SIGNATURE_MAX + 3];
    const twl_jwt_part *part = &token->signature;
    size_t len;
    if (twl_base64_decoded_max(part->len) > sizeof signature ||
        twl_base64_decode(TWL_BASE64URL, part->text, part->len, signature,
                          &len)) {
        return malformed(L, "the token's signature is not base64url, or too "
                            "long");
    }
    int err =
        twl_jwt_key_verify(key, twl_crypto_digest(L), token->is_signed.text,
                           token->is_signed.len, signature, len);
    if (err == TW_ENOMEM) {
        return twl_nil_error(L, TW_EOVERLOADED, "no memory");
    }
    return err ? twl_jwt_refuse(L, TW_EDENIED, "signature",
                                "the token's signature is wrong")
               : 0;
}

/* ---- tw.jwt.verify ------------------------------------------------------ */

static int split(lua_State *L, uint64_t max_bytes, twl_jwt_token *token) {
    const char *why;
    size_t len;
    if (lua_isnil(L, TOKEN)) {
        return malformed(L, "there is no token");
    }
    const char *text = lua_tolstring(L, TOKEN, &len);
    if (len > max_bytes) {
        return twl_jwt_refuse(L, TW_EINVALID, "malformed",
                              "the token is longer than %llu bytes",
                              (unsigned long long)max_bytes);
    }
    return twl_jwt_token_split(token, text, len, &why) ? malformed(L, why) : 0;
}

/* try(token, options). It needs nothing but its two arguments and changes
 * nothing but what is remembered of keys. So one that had to wait for a key,
 * whose result is AGAIN then, begins anew when the key is there. */
static int jwt_try(lua_State *L) {
    settings s;
    twl_jwt_token token;
    twl_jwt_ask ask;
    twl_jwt_key *key;
    lua_settop(L, ARGUMENTS);
    luaL_checkstack(L, STACK_SLOTS, "tw.jwt");
    if (!lua_isnil(L, TOKEN)) { /* a client that sends none did no wrong here */
        twl_arg_string(L, TOKEN, TWL_JWT_VERIFY, "token");
    }
    read_settings(L, &s);
    int results = split(L, s.max_bytes, &token);
    results = results ? results : read_header(L, &token, s.algorithms, &ask);
    results = results ? results : twl_jwt_keys_find(L, OPTIONS, &ask, &key);
    results = results ? results : check_signature(L, &token, key);
    results = results ? results : push_object(L, &token.claims, "content");
    results = results
                  ? results
                  : twl_jwt_claims_check(L, lua_gettop(L), OPTIONS, &s.demands);
    return results ? results : 1;
}

static const char VERIFY[] = "local try, AGAIN = ...\n"
                             "return function(token, options)\n"
                             "  local claims, err = try(token, options)\n"
                             "  while claims == AGAIN do\n"
                             "    claims, err = try(token, options)\n"
                             "  end\n"
                             "  if err then return nil, err end\n"
                             "  return claims\n"
                             "end\n";

void twl_jwt_open(lua_State *L) {
    lua_createtable(L, 0, 1);
    if (luaL_loadbuffer(L, VERIFY, sizeof VERIFY - 1, TWL_GLUE_NAME) != 0) {
        lua_error(L);
    }
    lua_pushcfunction(L, jwt_try);
    twl_jwt_push_again(L);
    lua_call(L, 2, 1);
    lua_setfield(L, -2, "verify");
    lua_setfield(L, -2, "jwt");
}
