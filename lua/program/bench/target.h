/* target.h - where the server is: a ws:// or wss:// URL taken apart and resolved.
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_TARGET_H
#define TW_BENCH_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define TW__BENCH_HOST_MAX 256
#define TW__BENCH_PATH_MAX 512

typedef struct tw__bench_target {
    char host[TW__BENCH_HOST_MAX]; /* for the Host header, port included */
    char path[TW__BENCH_PATH_MAX]; /* with its query; at least "/" */
    char name[TW__BENCH_HOST_MAX]; /* the bare name or address */
    char port[6];
    struct sockaddr_storage address; /* filled by resolve */
    socklen_t address_len;
    bool is_secure; /* wss:// */
    bool deflates;  /* its connections ask for compression */
    bool is_loopback; /* in 127.0.0.0/8: sources can be chosen freely */
} tw__bench_target;

/* Takes the URL apart. Returns NULL, or what is wrong with it (static). */
const char *tw__bench_target_parse(tw__bench_target *target, const char *url);

/* Looks the address up; may wait for the network. NULL, or what was wrong. */
const char *tw__bench_target_resolve(tw__bench_target *target);

/* Address number `index` of 127.0.0.0/8, from 127.0.0.2 on. */
void tw__bench_source(struct sockaddr_storage *address, uint32_t index);

#endif
