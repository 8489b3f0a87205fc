/* SPDX-License-Identifier: MIT */
#include "payload.h"

#include <string.h>

#include "memory.h"

/* Where the fields stand, each in digits of 6 bits. */
#define SOURCE_AT 1
#define RUN_AT 5
#define SEQ_AT 7
#define TIME_AT 14
#define CHECK_AT 22
#define SOURCE_LEN 4
#define RUN_LEN 2
#define SEQ_LEN 7
#define TIME_LEN 8
#define CHECK_LEN 4

/* The filler of message n starts n mod 64 into the pattern. */
#define ROTATION 64

/* Messages remembered as checked: bursts of 16 from a few publishers fit.
 * Larger ones are compared with the pattern quickly enough. */
#define SEEN 64
#define SEEN_SIZE_MAX 4096

struct tw__bench_payloads {
    size_t size;
    uint32_t run;
    uint8_t *pattern; /* ROTATION + size bytes */
    uint8_t *seen;    /* SEEN messages; NULL when nothing is remembered */
    tw__bench_note notes[SEEN];
};

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int8_t values[256];

static void init_values(void) {
    memset(values, -1, sizeof values);
    for (int i = 0; i < 64; i++) {
        values[(uint8_t)digits[i]] = (int8_t)i;
    }
}

tw__bench_payloads *tw__bench_payloads_create(size_t size, uint32_t run,
                                              tw__bench_form form) {
    tw__bench_payloads *payloads = tw__bench_alloc(1, sizeof *payloads);
    init_values();
    payloads->size = size;
    payloads->run = run & TW__BENCH_RUN_MAX;
    payloads->pattern = tw__bench_alloc(ROTATION + size, 1);
    if (form == TW__BENCH_ALIKE && size <= SEEN_SIZE_MAX) {
        payloads->seen = tw__bench_alloc(SEEN, size);
    }
    uint32_t state = 2463534242U;
    for (size_t i = 0; i < ROTATION + size; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        payloads->pattern[i] = form == TW__BENCH_BYTES
                                   ? (uint8_t)(state >> 8)
                                   : (uint8_t)digits[(state >> 8) & 63];
    }
    return payloads;
}

void tw__bench_payloads_destroy(tw__bench_payloads *payloads) {
    if (payloads != NULL) {
        free(payloads->pattern);
        free(payloads->seen);
        free(payloads);
    }
}

static void put(uint8_t *out, uint64_t value, int len) {
    while (len-- > 0) {
        out[len] = (uint8_t)digits[value & 63];
        value >>= 6;
    }
}

/* False when a character is no digit. */
static bool get(const uint8_t *in, int len, uint64_t *value) {
    int wrong = 0;
    uint64_t result = 0;
    for (int i = 0; i < len; i++) {
        int digit = values[in[i]];
        wrong |= digit;
        result = result << 6 | (uint64_t)(digit & 63);
    }
    *value = result;
    return wrong >= 0;
}

static uint32_t checksum(char kind, uint64_t source, uint64_t run, uint64_t seq,
                         uint64_t time_ns) {
    uint64_t hash = (seq ^ run << 48) * 0x9e3779b97f4a7c15ULL;
    hash = (hash ^ hash >> 32 ^ time_ns) * 0xd6e8feb86659fd93ULL;
    hash = (hash ^ hash >> 29 ^ source << 8 ^ (uint8_t)kind) *
           0xc2b2ae3d27d4eb4fULL;
    return (uint32_t)(hash >> 40);
}

void tw__bench_payload_make(const tw__bench_payloads *payloads, uint8_t *out,
                            const tw__bench_note *note) {
    out[0] = (uint8_t)note->kind;
    put(out + SOURCE_AT, note->source, SOURCE_LEN);
    put(out + RUN_AT, payloads->run, RUN_LEN);
    put(out + SEQ_AT, note->seq, SEQ_LEN);
    put(out + TIME_AT, note->time_ns, TIME_LEN);
    put(out + CHECK_AT,
        checksum(note->kind, note->source, payloads->run, note->seq,
                 note->time_ns),
        CHECK_LEN);
    memcpy(out + TW__BENCH_PAYLOAD_MIN,
           payloads->pattern + note->seq % ROTATION,
           payloads->size - TW__BENCH_PAYLOAD_MIN);
}

static tw__bench_check decode(const tw__bench_payloads *payloads,
                              const uint8_t *data, size_t len,
                              tw__bench_note *note) {
    uint64_t source, run, seq, time_ns, check;
    char kind = len > 0 ? (char)data[0] : 0;
    if (len < TW__BENCH_PAYLOAD_MIN ||
        (kind != TW__BENCH_MESSAGE && kind != TW__BENCH_PROBE)) {
        return TW__BENCH_FOREIGN;
    }
    if (!get(data + SOURCE_AT, SOURCE_LEN, &source) ||
        !get(data + RUN_AT, RUN_LEN, &run) ||
        !get(data + SEQ_AT, SEQ_LEN, &seq) ||
        !get(data + TIME_AT, TIME_LEN, &time_ns) ||
        !get(data + CHECK_AT, CHECK_LEN, &check)) {
        return TW__BENCH_DAMAGED;
    }
    if (check != checksum(kind, source, run, seq, time_ns)) {
        return TW__BENCH_DAMAGED;
    }
    if (run != payloads->run) {
        return TW__BENCH_FOREIGN;
    }
    if (len != payloads->size ||
        memcmp(data + TW__BENCH_PAYLOAD_MIN, payloads->pattern + seq % ROTATION,
               len - TW__BENCH_PAYLOAD_MIN) != 0) {
        return TW__BENCH_DAMAGED;
    }
    *note = (tw__bench_note){kind, (uint32_t)source, seq, time_ns};
    return TW__BENCH_FINE;
}

tw__bench_check tw__bench_payload_check(tw__bench_payloads *payloads,
                                        const uint8_t *data, size_t len,
                                        tw__bench_note *note) {
    if (payloads->seen == NULL || len != payloads->size) {
        return decode(payloads, data, len, note);
    }
    /* The last digits of number and source; any choice would be right. */
    size_t slot = (data[TIME_AT - 1] ^ data[RUN_AT - 1] * 23U) % SEEN;
    uint8_t *seen = payloads->seen + slot * len;
    if (memcmp(seen, data, len) != 0) {
        tw__bench_check check =
            decode(payloads, data, len, &payloads->notes[slot]);
        if (check != TW__BENCH_FINE) {
            return check;
        }
        memcpy(seen, data, len);
    }
    *note = payloads->notes[slot];
    return TW__BENCH_FINE;
}
