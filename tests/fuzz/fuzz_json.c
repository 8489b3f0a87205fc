/* JSON in scripts, json.h of the bridge. The input is JSON text.
 *
 * What is read is what jansson reads, and nothing else is; what was read can
 * be written, and what was written reads the same.
 *
 * SPDX-License-Identifier: MIT */
#include <jansson.h>

#include "tidewire/errors.h"
#include "vm.h"

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    fuzz_vm_open();
    return 0;
}

/* Whether the value at `index` is the one that jansson read. */
static bool is_value(lua_State *L, int index, json_t *json);

static bool is_array(lua_State *L, int index, json_t *json) {
    size_t count = json_array_size(json);
    bool is_same = twl_json_is_array(L, index) && lua_objlen(L, index) == count;
    for (size_t i = 0; i < count && is_same; i++) {
        lua_rawgeti(L, index, (int)i + 1);
        is_same = is_value(L, lua_gettop(L), json_array_get(json, i));
        lua_pop(L, 1);
    }
    return is_same;
}

static bool is_object(lua_State *L, int index, json_t *json) {
    bool is_same = !twl_json_is_array(L, index);
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value) {
        lua_pushstring(L, key);
        lua_rawget(L, index);
        is_same = is_same && is_value(L, lua_gettop(L), value);
        lua_pop(L, 1);
    }
    return is_same && fuzz_count(L, index) == json_object_size(json);
}

static bool is_value(lua_State *L, int index, json_t *json) {
    luaL_checkstack(L, 5, "nested too deep");
    switch (json_typeof(json)) {
    case JSON_NULL:
        return twl_json_is_null(L, index);
    case JSON_TRUE:
    case JSON_FALSE:
        return lua_isboolean(L, index) &&
               lua_toboolean(L, index) == json_is_true(json);
    case JSON_STRING:
        return lua_type(L, index) == LUA_TSTRING &&
               fuzz_same(lua_tostring(L, index), lua_objlen(L, index),
                         json_string_value(json), json_string_length(json));
    case JSON_INTEGER:
    case JSON_REAL:
        return lua_type(L, index) == LUA_TNUMBER &&
               lua_tonumber(L, index) == json_number_value(json);
    case JSON_ARRAY:
        return lua_istable(L, index) && is_array(L, index, json);
    default:
        return lua_istable(L, index) && is_object(L, index, json);
    }
}

/* Where the two may differ: jansson's integers end at 64 bits, its keys have no
 * zero byte, and it goes deeper. */
static bool is_limit(const json_error_t *error) {
    switch (json_error_code(error)) {
    case json_error_numeric_overflow:
    case json_error_null_byte_in_key:
        return true;
    default:
        return false;
    }
}

/* jansson loses a zero byte behind a number. */
static bool has_zero(fuzz_span text) {
    return memchr(text.data, '\0', text.len) != NULL;
}

static void check_like_jansson(lua_State *L, fuzz_span text, int err) {
    json_error_t error;
    json_t *json = json_loadb((const char *)text.data, text.len,
                              JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (err == 0) {
        FUZZ_CHECK(json != NULL || is_limit(&error));
        FUZZ_CHECK(json == NULL || is_value(L, 1, json));
    } else {
        FUZZ_CHECK(lua_type(L, 1) == LUA_TSTRING);
        FUZZ_CHECK(json == NULL || err == TW_ELIMIT || has_zero(text));
    }
    json_decref(json);
}

static void check_round_trip(lua_State *L) {
    twl_bytes *out = twl_vm_scratch(fuzz_vm);
    FUZZ_CHECK(twl_json_encode(L, 1, out) == 0);
    char *text = fuzz_copy(out->data, out->len);
    FUZZ_CHECK(twl_json_decode(L, text, out->len, true) == 0);
    FUZZ_CHECK(fuzz_values_same(L, 1, 2));
    free(text);
    lua_settop(L, 1);
}

static void check_input(lua_State *L, void *arg) {
    fuzz_span text = *(const fuzz_span *)arg;
    int err = twl_json_decode(L, (const char *)text.data, text.len, true);
    FUZZ_CHECK(lua_gettop(L) == 1);
    check_like_jansson(L, text, err);
    if (err == 0) {
        check_round_trip(L);
    }
    int other = twl_json_decode(L, (const char *)text.data, text.len, false);
    FUZZ_CHECK((other == 0) == (err == 0 && lua_istable(L, 1)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *text = fuzz_copy(data, size);
    fuzz_vm_run(check_input, (fuzz_span){text, size});
    free(text);
    return 0;
}
