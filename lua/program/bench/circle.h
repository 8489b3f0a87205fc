/* circle.h - who hears whom among those who talk in rooms.
 *
 * Connections sit in circles and each hears the next ones of its circle. When
 * a circle is a room, and everybody hears all others of it, this is many rooms
 * with members of their own. When all sit in one circle and each hears the
 * next few, every connection is in a few rooms, and talks in one of them.
 *
 * Pure arithmetic. Members are numbered through all circles.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_CIRCLE_H
#define TW_BENCH_CIRCLE_H

#include <stdint.h>

typedef struct tw__bench_circle {
    uint32_t size;    /* seats in each circle */
    uint32_t members; /* of a room; at most `size` */
} tw__bench_circle;

/* Who sits `distance` seats ahead; 0 is the member itself. `distance` is at
 * most the size. */
static inline uint32_t tw__bench_circle_ahead(const tw__bench_circle *circle,
                                              uint32_t member,
                                              uint32_t distance) {
    uint32_t seat = member % circle->size;
    return member - seat + (seat + distance) % circle->size;
}

static inline uint32_t tw__bench_circle_behind(const tw__bench_circle *circle,
                                               uint32_t member,
                                               uint32_t distance) {
    return tw__bench_circle_ahead(circle, member, circle->size - distance);
}

/* How far `talker` is ahead of `listener`; 0 when it must not be heard. */
static inline uint32_t tw__bench_circle_distance(const tw__bench_circle *circle,
                                                 uint32_t listener,
                                                 uint32_t talker) {
    uint32_t size = circle->size;
    if (listener / size != talker / size) {
        return 0;
    }
    uint32_t distance = (talker % size + size - listener % size) % size;
    return distance < circle->members ? distance : 0;
}

#endif
