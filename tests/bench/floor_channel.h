/* floor_channel.h - who is in which channel, as plain as can be.
 *
 * A descriptor's own channel is the first one it named: there it talks. One
 * that is only in the channel "bench" costs four bytes for its place there.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_BENCH_FLOOR_CHANNEL_H
#define TW_TESTS_BENCH_FLOOR_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that grow at the end. */
typedef struct floor_bytes {
    uint8_t *data;
    size_t len, cap;
} floor_bytes;

typedef struct floor_channel {
    char name[64];
    int *members;
    size_t len, cap;
    floor_bytes batch; /* of this turn; floor_merge's */
    floor_bytes marks;
} floor_channel;

/* Address space for all descriptors; what is not touched costs nothing. */
void *floor_map(size_t size);

/* `block` with `size` bytes, or the program's end. */
void *floor_resize(void *block, size_t size);

void floor_append(floor_bytes *bytes, const void *data, size_t len);

void floor_channels_init(size_t fds);

/* Puts a descriptor into the channels of "NAME,NAME,..."; when it is only to
 * talk there it is no member. */
void floor_join(int fd, const char *names, size_t len, bool is_member);

/* Takes it out of all. */
void floor_leave(int fd);

/* The channel in which it talks. */
floor_channel *floor_own_channel(int fd);

/* Whether it is in other channels besides. */
bool floor_has_several(int fd);

#endif
