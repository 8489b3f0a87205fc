/* SPDX-License-Identifier: MIT */
#include "net/tls_tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/random.h"
#include "net/tls_parts.h"

/* A gap this long is a clock that was sent on: the way there is not gone step
 * by step, and tickets from before it are too old anyway. */
enum { MAX_STEPS = 1000 };

/* HMAC of the purpose under the secret. Without memory the output stays what it
 * was, which then is nothing that anybody else has: a full handshake more. */
static void derive(const uint8_t secret[32], const char *purpose, uint8_t *out,
                   size_t len) {
    uint8_t digest[64];
    unsigned digest_len = 0;
    if (HMAC(EVP_sha512(), secret, 32, (const uint8_t *)purpose,
             strlen(purpose), digest, &digest_len) != NULL) {
        memcpy(out, digest, len);
    }
    OPENSSL_cleanse(digest, sizeof digest);
}

static void derive_key(const uint8_t secret[32], tw__tls_ticket_key *key) {
    tw__random_bytes(key, sizeof *key);
    derive(secret, "name", key->name, sizeof key->name);
    derive(secret, "aes", key->aes, sizeof key->aes);
    derive(secret, "mac", key->mac, sizeof key->mac);
}

static void step(tw__tls_tickets *tickets) {
    uint8_t next[32];
    tw__random_bytes(next, sizeof next);
    derive(tickets->_secret, "next", next, sizeof next);
    memcpy(tickets->_secret, next, sizeof next);
    OPENSSL_cleanse(next, sizeof next);
    tickets->_epoch++;
}

static void derive_keys(tw__tls_tickets *tickets) {
    tw__tls_tickets present = *tickets;
    derive_key(tickets->_secret, &tickets->_old);
    step(&present);
    derive_key(present._secret, &tickets->_present);
    tw__tls_tickets_wipe(&present);
}

static uint64_t epoch_of(uint64_t now_ms) {
    return now_ms / TW__TLS_EPOCH_MS;
}

void tw__tls_tickets_init(tw__tls_tickets *tickets, uint64_t now_ms) {
    /* Epochs are counted from 1, so that there is one before the first. */
    tickets->_epoch = epoch_of(now_ms);
    tw__random_bytes(tickets->_secret, sizeof tickets->_secret);
    derive_keys(tickets);
}

void tw__tls_tickets_at(tw__tls_tickets *tickets, uint64_t now_ms) {
    uint64_t wanted = epoch_of(now_ms);
    if (wanted <= tickets->_epoch) {
        return;
    }
    if (wanted - tickets->_epoch > MAX_STEPS) {
        tickets->_epoch = wanted - MAX_STEPS;
    }
    while (tickets->_epoch < wanted) {
        step(tickets);
    }
    derive_keys(tickets);
}

void tw__tls_tickets_wipe(tw__tls_tickets *tickets) {
    OPENSSL_cleanse(tickets, sizeof *tickets);
}

/* ---- for OpenSSL -------------------------------------------------------- */

static int start_mac(EVP_MAC_CTX *mac, const tw__tls_ticket_key *key) {
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac,
                                          sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "sha256", 0),
        OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, params);
}

static int seal(const tw__tls_ticket_key *key, unsigned char *name,
                unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac) {
    memcpy(name, key->name, sizeof key->name);
    return RAND_bytes(iv, 16) == 1 &&
                   EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes,
                                      iv) == 1 &&
                   start_mac(mac, key) == 1
               ? 1
               : -1;
}

static bool is_named(const tw__tls_ticket_key *key, const unsigned char *name) {
    return CRYPTO_memcmp(key->name, name, sizeof key->name) == 0;
}

int tw__tls_on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
                      EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_new) {
    const tw__tls_tickets *tickets = tw__tls_set_of(ssl)->tickets;
    if (is_new) {
        return seal(&tickets->_present, name, iv, cipher, mac);
    }
    bool is_present = is_named(&tickets->_present, name);
    if (!is_present && !is_named(&tickets->_old, name)) {
        return 0; /* of nobody here: a full handshake */
    }
    const tw__tls_ticket_key *key =
        is_present ? &tickets->_present : &tickets->_old;
    if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv) !=
            1 ||
        start_mac(mac, key) != 1) {
        return -1;
    }
    /* 2 gives another ticket along: those of TLS 1.3 are used once. */
    return is_present && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
}
