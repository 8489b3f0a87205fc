/* The functions of an ELF file, program/symbols.h. Small: a quarter of the
 * time.
 *
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "symbols.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    twp_symbols *symbols = twp_symbols_read(data, size);
    for (uint64_t at = 0; at < 0x4000; at += 0x111) {
        const char *name = twp_symbols_find(symbols, at);
        FUZZ_CHECK(name == NULL || strlen(name) < size);
    }
    twp_symbols_find(symbols, UINT64_MAX);
    twp_symbols_free(symbols);
    return 0;
}
