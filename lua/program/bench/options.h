/* options.h - the command line of `tidewire bench`.
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_OPTIONS_H
#define TW_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum tw__bench_kind {
    TW__BENCH_ECHO = 1,
    TW__BENCH_FANOUT = 2,
    TW__BENCH_IDLE = 4,
    TW__BENCH_CHURN = 8,
    TW__BENCH_ROOMS = 16
} tw__bench_kind;

/* Texts point into argv. A number that was not given has its default. */
typedef struct tw__bench_options {
    tw__bench_kind kind;
    const char *url;
    const char *sub_path, *pub_path, *channel;
    const char *pid, *cpu; /* lists; NULL when not given */
    uint64_t server_pid;   /* 0 when not given */
    uint64_t connections;  /* of fanout: its subscribers; of rooms: all */
    uint64_t rooms, members;
    uint64_t publishers;
    uint64_t in_flight;
    uint64_t size;
    uint64_t slow, slow_rate;
    uint64_t processes, sources; /* 0: as many as needed */
    uint64_t concurrency;
    double seconds, warmup, drain, settle;
    double rate;  /* publications a second; 0: as fast as they arrive */
    bool overlap; /* rooms share their members */
    bool deflate, binary, ledger, allow_loss, allow_disconnect, reconnect, json;
    bool help; /* usage was asked for; nothing else counts */
} tw__bench_options;

/* Reads the arguments behind "bench". True, or false with a sentence in `why`;
 * an unknown name brings the nearest known one. */
bool tw__bench_options_parse(tw__bench_options *options, int argc, char **argv,
                             char *why, size_t why_size);

const char *tw__bench_kind_name(tw__bench_kind kind);

/* Prints the usage; with a kind other than 0, of this mode alone. */
void tw__bench_usage(FILE *out, tw__bench_kind kind);

#endif
