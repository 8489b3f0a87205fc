/* Addresses to listen on, net/socket.h. Small: a quarter of the time.
 *
 * What is read can be written, and reads the same.
 *
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "net/socket.h"
#include "tidewire/errors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tw__address address, again;
    char text[TW__ADDRESS_TEXT], ip[TW__ADDRESS_TEXT];
    char *input = malloc(size + 1);
    FUZZ_CHECK(input != NULL);
    memcpy(input, data, size);
    input[size] = '\0';
    int err = tw__address_parse(&address, input);
    FUZZ_CHECK(err == 0 || err == TW_EINVALID);
    if (err == 0) {
        FUZZ_CHECK(address._len != 0 &&
                   address._len <= sizeof address._storage);
        tw__address_format(&address, text);
        tw__address_format_ip(&address, ip);
        FUZZ_CHECK(tw__address_parse(&again, text) == 0);
        FUZZ_CHECK(fuzz_same(&address._storage, address._len, &again._storage,
                             again._len));
    }
    free(input);
    return 0;
}
