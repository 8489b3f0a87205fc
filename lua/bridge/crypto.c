/* SPDX-License-Identifier: MIT */
#include "crypto.h"

#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

#include "../crypto/base64.h"
#include "budget.h"
#include "call_options.h"
#include "err.h"
#include "opts.h"
#include "vm.h"

enum {
    PIECE_BYTES = 1 << 20, /* what is hashed between two looks at the budget */
    TEXT_BYTES = 16 << 20, /* what is turned into text or back at once */
    RANDOM_BYTES = 65536
};

static const twl_name form_options[] = {{"as", false}, {NULL, false}};

static const twl_name hmac_options[] = {
    {"hash", false}, {"as", false}, {NULL, false}};

const twl_call_options twl_call_sha256 = {"crypto.sha256", 2,
                                          "tw.crypto.sha256", form_options};
const twl_call_options twl_call_hmac = {"crypto.hmac", 3, "tw.crypto.hmac",
                                        hmac_options};
const twl_call_options twl_call_random = {"crypto.random", 2,
                                          "tw.crypto.random", form_options};

static const char digest_key;

static int collect_digest(lua_State *L) {
    twl_digest_deinit(lua_touserdata(L, 1));
    return 0;
}

twl_digest *twl_crypto_digest(lua_State *L) {
    twl_reg_get(L, &digest_key);
    twl_digest *digest = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (digest != NULL) {
        return digest;
    }
    digest = lua_newuserdata(L, sizeof *digest);
    memset(digest, 0, sizeof *digest);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, collect_digest);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    if (twl_digest_init(digest) != 0) {
        twl_raise(L, "tw.crypto: no memory");
    }
    twl_reg_set(L, &digest_key);
    return digest;
}

/* ---- how bytes are returned --------------------------------------------- */

typedef enum form { RAW, HEX, BASE64, BASE64URL } form;

/* The option `as`; raw bytes without it. */
static form read_form(lua_State *L, int index, const char *what) {
    tw_str as;
    if (!twl_opt_string(L, index, what, "as", &as)) {
        return RAW;
    }
    if (strcmp(as.data, "hex") == 0) {
        return HEX;
    }
    if (strcmp(as.data, "base64") == 0) {
        return BASE64;
    }
    if (strcmp(as.data, "base64url") != 0) {
        twl_raise(L, "%s: as must be \"hex\", \"base64\" or \"base64url\"",
                  what);
    }
    return BASE64URL;
}

/* Writes what pushing that form needs, and returns its length; `out` has room
 * for twice the bytes and 4 more. */
static size_t write_form(form as, const void *data, size_t len, char *out) {
    if (as == HEX) {
        twl_hex_encode(data, len, out);
        return 2 * len;
    }
    return twl_base64_encode(as == BASE64 ? TWL_BASE64 : TWL_BASE64URL, data,
                             len, out);
}

static int push_form(lua_State *L, form as, const void *data, size_t len) {
    char text[2 * TWL_DIGEST_MAX + 4];
    if (as == RAW) {
        lua_pushlstring(L, data, len);
    } else {
        lua_pushlstring(L, text, write_form(as, data, len, text));
    }
    return 1;
}

/* ---- hashes ------------------------------------------------------------- */

static int fail(lua_State *L) {
    return twl_nil_error(L, TW_EOVERLOADED, "no memory");
}

/* Goes on with what has begun and pushes what it comes to. A raise over the
 * budget leaves it to the next begin. */
static int finish(lua_State *L, twl_digest *digest, tw_str data, form as) {
    uint8_t bytes[TWL_DIGEST_MAX];
    size_t len;
    for (size_t at = 0; at < data.len; at += PIECE_BYTES) {
        size_t left = data.len - at;
        if (twl_digest_add(digest, data.data + at,
                           left < PIECE_BYTES ? left : PIECE_BYTES)) {
            return fail(L);
        }
        twl_budget_check(L);
    }
    if (twl_digest_end(digest, bytes, &len)) {
        return fail(L);
    }
    return push_form(L, as, bytes, len);
}

/* sha256(data [, options]) */
static int crypto_sha256(lua_State *L) {
    static const char what[] = "tw.crypto.sha256";
    tw_str data = twl_arg_string(L, 1, what, "data");
    form as = RAW;
    if (twl_arg_options(L, 2, what, form_options)) {
        as = read_form(L, 2, what);
    }
    twl_digest *digest = twl_crypto_digest(L);
    return twl_digest_begin(digest, TWL_SHA256) ? fail(L)
                                                : finish(L, digest, data, as);
}

static twl_hash read_hash(lua_State *L, int index, const char *what) {
    static const char *const names[TWL_HASHES] = {"sha1", "sha256", "sha384",
                                                  "sha512"};
    tw_str name;
    if (!twl_opt_string(L, index, what, "hash", &name)) {
        return TWL_SHA256;
    }
    int hash = 0;
    while (hash < TWL_HASHES && strcmp(names[hash], name.data) != 0) {
        hash++;
    }
    if (hash == TWL_HASHES) {
        twl_raise(L,
                  "%s: hash must be \"sha256\", \"sha384\", \"sha512\" or "
                  "\"sha1\"",
                  what);
    }
    return (twl_hash)hash;
}

/* hmac(key, data [, options]) */
static int crypto_hmac(lua_State *L) {
    static const char what[] = "tw.crypto.hmac";
    tw_str key = twl_arg_string(L, 1, what, "key");
    tw_str data = twl_arg_string(L, 2, what, "data");
    twl_hash hash = TWL_SHA256;
    form as = RAW;
    if (twl_arg_options(L, 3, what, hmac_options)) {
        hash = read_hash(L, 3, what);
        as = read_form(L, 3, what);
    }
    twl_digest *digest = twl_crypto_digest(L);
    return twl_digest_begin_hmac(digest, hash, key.data, key.len)
               ? fail(L)
               : finish(L, digest, data, as);
}

/* ---- random, equal ------------------------------------------------------ */

/* random(n [, options]) */
static int crypto_random(lua_State *L) {
    static const char what[] = "tw.crypto.random";
    size_t len = (size_t)twl_arg_number(L, 1, what, "n", 1, RANDOM_BYTES);
    form as = RAW;
    if (twl_arg_options(L, 2, what, form_options)) {
        as = read_form(L, 2, what);
    }
    twl_bytes *bytes = twl_vm_scratch(twl_vm_of(L));
    if (twl_bytes_reserve(bytes, 3 * len + 4)) {
        return fail(L);
    }
    if (twl_random_bytes(bytes->data, len)) {
        return twl_nil_error(L, TW_EUNAVAILABLE, "the system has none");
    }
    const char *start = bytes->data;
    if (as != RAW) {
        start += len;
        len = write_form(as, bytes->data, len, bytes->data + len);
    }
    lua_pushlstring(L, start, len);
    return 1;
}

/* equal(a, b): what a peer left out is equal to nothing. */
static int crypto_equal(lua_State *L) {
    static const char what[] = "tw.crypto.equal";
    tw_str a = {NULL, 0}, b = {NULL, 0};
    lua_settop(L, 2);
    bool is_missing = lua_isnil(L, 1) || lua_isnil(L, 2);
    if (!lua_isnil(L, 1)) {
        a = twl_arg_string(L, 1, what, "a");
    }
    if (!lua_isnil(L, 2)) {
        b = twl_arg_string(L, 2, what, "b");
    }
    lua_pushboolean(L,
                    !is_missing && twl_is_equal(a.data, a.len, b.data, b.len));
    return 1;
}

/* ---- text --------------------------------------------------------------- */

/* The argument, and room in the scratch bytes for what it becomes. NULL when
 * there is no memory. */
static char *begin_text(lua_State *L, const char *what, const char *name,
                        tw_str *in, size_t factor) {
    *in = twl_arg_string(L, 1, what, name);
    if (in->len > TEXT_BYTES) {
        twl_raise(L, "%s: %s is over 16 MiB", what, name);
    }
    twl_bytes *bytes = twl_vm_scratch(twl_vm_of(L));
    bool has_room = twl_bytes_reserve(bytes, factor * in->len + 4) == 0;
    return has_room ? bytes->data : NULL;
}

static int encode(lua_State *L, const char *what, form as) {
    tw_str data;
    char *out = begin_text(L, what, "data", &data, 2);
    if (out == NULL) {
        return fail(L);
    }
    lua_pushlstring(L, out, write_form(as, data.data, data.len, out));
    return 1;
}

static int crypto_to_hex(lua_State *L) {
    return encode(L, "tw.crypto.to_hex", HEX);
}

static int crypto_to_base64(lua_State *L) {
    return encode(L, "tw.crypto.to_base64", BASE64);
}

static int crypto_to_base64url(lua_State *L) {
    return encode(L, "tw.crypto.to_base64url", BASE64URL);
}

static int crypto_from_hex(lua_State *L) {
    tw_str text;
    char *out = begin_text(L, "tw.crypto.from_hex", "text", &text, 1);
    if (out == NULL) {
        return fail(L);
    }
    if (twl_hex_decode(text.data, text.len, out)) {
        return twl_nil_error(L, TW_EINVALID, "the text is not hexadecimal");
    }
    lua_pushlstring(L, out, text.len / 2);
    return 1;
}

static int decode(lua_State *L, const char *what, twl_base64 kind,
                  const char *why) {
    tw_str text;
    size_t len;
    char *out = begin_text(L, what, "text", &text, 1);
    if (out == NULL) {
        return fail(L);
    }
    if (twl_base64_decode(kind, text.data, text.len, out, &len)) {
        return twl_nil_error(L, TW_EINVALID, why);
    }
    lua_pushlstring(L, out, len);
    return 1;
}

static int crypto_from_base64(lua_State *L) {
    return decode(L, "tw.crypto.from_base64", TWL_BASE64,
                  "the text is not base64");
}

static int crypto_from_base64url(lua_State *L) {
    return decode(L, "tw.crypto.from_base64url", TWL_BASE64URL_LENIENT,
                  "the text is not base64url");
}

void twl_crypto_open(lua_State *L) {
    static const luaL_Reg FUNCTIONS[] = {
        {"sha256", crypto_sha256},
        {"hmac", crypto_hmac},
        {"random", crypto_random},
        {"equal", crypto_equal},
        {"to_hex", crypto_to_hex},
        {"from_hex", crypto_from_hex},
        {"to_base64", crypto_to_base64},
        {"from_base64", crypto_from_base64},
        {"to_base64url", crypto_to_base64url},
        {"from_base64url", crypto_from_base64url},
        {NULL, NULL}};
    lua_createtable(L, 0, 10);
    luaL_setfuncs(L, FUNCTIONS, 0);
    lua_setfield(L, -2, "crypto");
}
