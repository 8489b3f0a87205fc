/* Signed tokens, tw.jwt.verify. Small: a quarter of the time. The input is a
 * token; and it is the claims of one, and the header of one, that are signed
 * here with a secret that the verifier knows.
 *
 * No token is taken that was not signed, whatever it looks like; and what a
 * good one is said to claim is what its JSON says.
 *
 * SPDX-License-Identifier: MIT */
#include "../unit/jwt_signer.h"
#include "jwt.h"
#include "tidewire/errors.h"
#include "vm.h"

#define SECRET "0123456789abcdef0123456789abcdef"

/* Registry: verify and the options. The time is that of the RFC's tokens. */
static void prepare(lua_State *L, void *arg) {
    (void)arg;
    static const char set[] = RFC_JWKS;
    lua_newtable(L);
    twl_jwt_open(L);
    lua_getfield(L, -1, "jwt");
    lua_getfield(L, -1, "verify");
    lua_setfield(L, LUA_REGISTRYINDEX, "fuzz.verify");
    lua_newtable(L);
    lua_pushlstring(L, set, sizeof set - 1);
    lua_setfield(L, -2, "jwks");
    lua_pushnumber(L, 1300819000);
    lua_setfield(L, -2, "now");
    lua_setfield(L, LUA_REGISTRYINDEX, "fuzz.set");
    lua_newtable(L);
    lua_pushliteral(L, SECRET);
    lua_setfield(L, -2, "secret");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "aud");
    lua_setfield(L, LUA_REGISTRYINDEX, "fuzz.secret");
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    fuzz_vm_open();
    FUZZ_CHECK(twl_vm_protect(fuzz_vm, prepare, NULL) == 0);
    return 0;
}

static bool is_code(const char *code) {
    return strcmp(code, "invalid") == 0 || strcmp(code, "denied") == 0;
}

/* Pushes the claims; false, and nothing pushed, when it was refused. */
static bool verify(lua_State *L, const char *options, const void *token,
                   size_t len) {
    int top = lua_gettop(L);
    lua_getfield(L, LUA_REGISTRYINDEX, "fuzz.verify");
    lua_pushlstring(L, token, len);
    lua_getfield(L, LUA_REGISTRYINDEX, options);
    lua_call(L, 2, LUA_MULTRET);
    if (lua_istable(L, top + 1)) {
        FUZZ_CHECK(lua_gettop(L) == top + 1);
        return true;
    }
    FUZZ_CHECK(lua_gettop(L) == top + 2 && lua_isnil(L, top + 1));
    lua_getfield(L, top + 2, "code");
    FUZZ_CHECK(is_code(lua_tostring(L, -1)));
    lua_getfield(L, top + 2, "reason");
    FUZZ_CHECK(lua_isstring(L, -1));
    lua_settop(L, top);
    return false;
}

static bool is_of_rfc(fuzz_span token) {
    static const char *const tokens[] = {RFC_HS256, RFC_RS256, RFC_ES256};
    for (int i = 0; i < 3; i++) {
        if (fuzz_same(token.data, token.len, tokens[i], strlen(tokens[i]))) {
            return true;
        }
    }
    return false;
}

static void check_token(lua_State *L, fuzz_span token) {
    FUZZ_CHECK(verify(L, "fuzz.set", token.data, token.len) ==
               is_of_rfc(token));
    lua_settop(L, 0);
    FUZZ_CHECK(!verify(L, "fuzz.secret", token.data, token.len));
}

static void check_claims(lua_State *L, fuzz_span json) {
    char token[SIGNER_MAX];
    signer_hmac(token, SECRET, strlen(SECRET), "{\"alg\":\"HS256\"}", json.data,
                json.len);
    if (!verify(L, "fuzz.secret", token, strlen(token))) {
        return;
    }
    FUZZ_CHECK(twl_json_decode(L, (const char *)json.data, json.len, false) ==
               0);
    FUZZ_CHECK(fuzz_values_same(L, 1, 2));
    lua_settop(L, 0);
}

/* A header may say what it likes: it is HS256, or the token is refused. */
static void check_header(lua_State *L, fuzz_span json) {
    char token[SIGNER_MAX], header[4096];
    memcpy(header, json.data, json.len);
    header[json.len] = '\0';
    signer_hmac(token, SECRET, strlen(SECRET), header, "{}", 2);
    if (!verify(L, "fuzz.secret", token, strlen(token))) {
        return;
    }
    FUZZ_CHECK(twl_json_decode(L, header, strlen(header), false) == 0);
    lua_getfield(L, 2, "alg");
    FUZZ_CHECK(lua_isstring(L, -1) &&
               strcmp(lua_tostring(L, -1), "HS256") == 0);
    lua_getfield(L, 2, "crit");
    FUZZ_CHECK(lua_isnil(L, -1));
    lua_settop(L, 0);
}

static void check_input(lua_State *L, void *arg) {
    fuzz_span input = *(const fuzz_span *)arg;
    check_token(L, input);
    if (input.len < 4096) {
        check_claims(L, input);
        check_header(L, input);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *input = fuzz_copy(data, size);
    fuzz_vm_run(check_input, (fuzz_span){input, size});
    free(input);
    return 0;
}
