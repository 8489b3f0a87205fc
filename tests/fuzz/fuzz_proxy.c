/* The header of the PROXY protocol, net/proxy.h, and what X-Forwarded-For's
 * addresses and networks are read with, net/network.h. Small: a quarter of the
 * time.
 *
 * Whole, and cut where chance wants: the same end at the same byte, and the
 * same client. What is read as an address or a network can be written.
 *
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "net/network.h"
#include "net/proxy.h"
#include "tidewire/errors.h"

typedef struct result {
    tw__proxy_status status;
    size_t used;
    bool is_named;
    tw__ip client;
} result;

/* Never more than is wanted, in pieces when there is a generator. */
static result read_header(const uint8_t *data, size_t size,
                          fuzz_random *random) {
    tw__proxy proxy = {0};
    result r = {.status = TW__PROXY_MORE};
    while (r.status == TW__PROXY_MORE && r.used < size) {
        size_t take = tw__proxy_want(&proxy), left = size - r.used;
        FUZZ_CHECK(take > 0);
        take = take < left ? take : left;
        take = random != NULL ? fuzz_piece(random, take) : take;
        void *copy = fuzz_copy(data + r.used, take);
        r.status = tw__proxy_feed(&proxy, copy, take);
        free(copy);
        r.used += take;
    }
    if (r.status == TW__PROXY_DONE) {
        FUZZ_CHECK(tw__proxy_want(&proxy) == 0);
        r.is_named = tw__proxy_client(&proxy, &r.client);
    }
    return r;
}

static void check_header(const uint8_t *data, size_t size) {
    result whole = read_header(data, size, NULL);
    for (unsigned salt = 0; salt < 3; salt++) {
        fuzz_random random = fuzz_random_of(data, size, salt);
        result other = read_header(data, size, &random);
        FUZZ_CHECK(other.status == whole.status);
        FUZZ_CHECK(whole.status == TW__PROXY_BAD || other.used == whole.used);
        FUZZ_CHECK(other.is_named == whole.is_named);
        FUZZ_CHECK(!whole.is_named || memcmp(&other.client, &whole.client,
                                             sizeof whole.client) == 0);
    }
}

static void check_text(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1), out[TW__ADDRESS_TEXT];
    tw__ip ip, again;
    tw__network network;
    FUZZ_CHECK(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    int err = tw__ip_parse(&ip, text, size);
    FUZZ_CHECK(err == 0 || err == TW_EINVALID);
    if (err == 0) {
        tw__ip_format(&ip, out);
        FUZZ_CHECK(tw__ip_parse(&again, out, strlen(out)) == 0);
        FUZZ_CHECK(memcmp(&ip, &again, sizeof ip) == 0);
    }
    err = tw__network_parse(&network, text);
    FUZZ_CHECK(err == 0 || err == TW_EINVALID);
    FUZZ_CHECK(err != 0 || tw__network_has(&network, &network.ip));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 0) {
        check_header(data, size);
    }
    check_text(data, size);
    return 0;
}
