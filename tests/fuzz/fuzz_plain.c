/* Plain data between VMs, plain.h of the bridge. Small: a quarter of the time.
 * The input is its bytes.
 *
 * Bytes that load can be saved in no more bytes, and load to the same again.
 *
 * SPDX-License-Identifier: MIT */
#include "plain.h"
#include "tidewire/errors.h"
#include "vm.h"

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    fuzz_vm_open();
    return 0;
}

static void on_dropped(const char *path, const char *why, void *arg) {
    fprintf(stderr, "dropped %s: %s\n", path, why);
    *(bool *)arg = true;
}

static void check_input(lua_State *L, void *arg) {
    const fuzz_span *bytes = arg;
    int err = twl_plain_load(L, bytes->data, bytes->len);
    if (err != 0) {
        FUZZ_CHECK(err == TW_EINVALID && lua_gettop(L) == 0);
        return;
    }
    FUZZ_CHECK(lua_gettop(L) == 1);
    bool has_dropped = false;
    twl_plain_options options = {
        .max_bytes = bytes->len, .dropped = on_dropped, .arg = &has_dropped};
    twl_bytes *out = twl_vm_scratch(fuzz_vm);
    FUZZ_CHECK(twl_plain_save(L, 1, &options, out) == 0);
    FUZZ_CHECK(!has_dropped);
    FUZZ_CHECK(twl_plain_load(L, out->data, out->len) == 0);
    FUZZ_CHECK(lua_gettop(L) == 2 && fuzz_values_same(L, 1, 2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *bytes = fuzz_copy(data, size);
    fuzz_vm_run(check_input, (fuzz_span){bytes, size});
    free(bytes);
    return 0;
}
