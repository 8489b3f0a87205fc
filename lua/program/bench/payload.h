/* payload.h - what the generator's messages say.
 *
 * Text that any script can pass on unread: 26 characters (kind, source, run,
 * number, time, check), then a filler that depends on the number. Every byte is
 * checked by the receiver, so that damage, mixing and cutting show. A maker and
 * a checker of the same run are set up with the same run number, size and form.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_PAYLOAD_H
#define TW_BENCH_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TW__BENCH_PAYLOAD_MIN 26
#define TW__BENCH_SOURCE_MAX 0xffffffU
#define TW__BENCH_RUN_MAX 0xfffU

/* Kinds of messages. A probe finds out who is subscribed, and counts for
 * nothing else. */
#define TW__BENCH_MESSAGE 'm'
#define TW__BENCH_PROBE 'p'

typedef struct tw__bench_note {
    char kind;
    uint32_t source;  /* which publisher or connection, 24 bits */
    uint64_t seq;     /* from 1, 42 bits */
    uint64_t time_ns; /* since the run's epoch, 48 bits */
} tw__bench_note;

typedef struct tw__bench_payloads tw__bench_payloads;

typedef enum tw__bench_form {
    TW__BENCH_UNLIKE = 0, /* text, each message is seen once */
    TW__BENCH_ALIKE = 1,  /* text, many see the same message */
    TW__BENCH_BYTES = 2   /* as the first, filled with bytes that are no text */
} tw__bench_form;

/* `size` is the bytes of a message, at least TW__BENCH_PAYLOAD_MIN. Given:
 * destroy it. */
tw__bench_payloads *tw__bench_payloads_create(size_t size, uint32_t run,
                                              tw__bench_form form);
void tw__bench_payloads_destroy(tw__bench_payloads *payloads);

/* Writes a message of the set size to `out`. */
void tw__bench_payload_make(const tw__bench_payloads *payloads, uint8_t *out,
                            const tw__bench_note *note);

typedef enum tw__bench_check {
    TW__BENCH_FINE,
    TW__BENCH_FOREIGN, /* not one of this run's messages: a greeting, say */
    TW__BENCH_DAMAGED
} tw__bench_check;

/* Reads a message. `note` is written when it is fine. When many are alike,
 * what equals one of the last messages seen is not decoded again. */
tw__bench_check tw__bench_payload_check(tw__bench_payloads *payloads,
                                        const uint8_t *data, size_t len,
                                        tw__bench_note *note);

#endif
