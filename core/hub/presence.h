/* presence.h - who is in a channel, as its home knows.
 *
 * A person is one entry, however many connections it has and on however many
 * members they are: connections with the same user are one person, a connection
 * without a user is a person of its own. Who left stays for a grace time, in
 * which coming back is no event: a reconnect, or the death of the worker that
 * held the connection, is not told.
 *
 * Joins and leaves gather until they are taken; who joined and left within that
 * is in neither list.
 *
 * Pure: no I/O, no clock. Belongs to the thread that created it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HUB_PRESENCE_H
#define TW_HUB_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"

enum { TW__PERSON_MAX = 255, TW__INFO_MAX = 4096, TW__PRESENCE_ID = 16 };

/* One person. */
typedef struct tw__person {
    const char *user; /* "" with len 0: nobody is logged in */
    const char *info;
    uint16_t info_len;
    uint8_t user_len;
    uint8_t id[TW__PRESENCE_ID]; /* of its first connection: it stays so while
                                    the person is in, and in its leave */
    uint32_t connections;        /* 0: in its grace time, or gone */
} tw__person;

typedef struct tw__presence tw__presence;

/* Keeps joins and leaves for tw__presence_take when `tells`. NULL without
 * memory. */
tw__presence *tw__presence_create(bool tells);
void tw__presence_destroy(tw__presence *presence); /* NULL is allowed */

/* A connection of `member` is in the channel. Info of a later connection of the
 * same person replaces the earlier. `is_renewal`: it was there already and is
 * told again to a new home: no join is told. 0, TW_EEXISTS (the same
 * connection again: info is replaced) or TW_ENOMEM (nothing changed). */
int tw__presence_enter(tw__presence *presence, uint16_t member,
                       const uint8_t id[TW__PRESENCE_ID], const char *user,
                       size_t user_len, const char *info, size_t info_len,
                       bool is_renewal);

/* It has left. With its last connection gone the person stays until `gone_ms`;
 * a connection without a user leaves at once, and so does everybody when there
 * is no memory to wait. */
void tw__presence_leave(tw__presence *presence,
                        const uint8_t id[TW__PRESENCE_ID], uint64_t gone_ms);

/* All connections of a member have left, as its process died, or it will enter
 * them again: those without a user, too, stay until `gone_ms`. Walks all
 * connections once. */
void tw__presence_drop_member(tw__presence *presence, uint16_t member,
                              uint64_t gone_ms);

/* Whether joins and leaves are kept from now on. */
void tw__presence_set_tells(tw__presence *presence, bool tells);

/* Ends grace times that are over. Returns when the next one ends; 0: none
 * runs. */
uint64_t tw__presence_expire(tw__presence *presence, uint64_t now_ms);

/* Persons; those in their grace time are among them. */
uint64_t tw__presence_len(const tw__presence *presence);
uint64_t tw__presence_connections(const tw__presence *presence);
size_t tw__presence_bytes(const tw__presence *presence);
/* Nobody is in, and nothing waits to be told. */
bool tw__presence_is_empty(const tw__presence *presence);

/* Up to `limit` persons, from a random place on, none twice; returns how many.
 * They are borrowed until the next change. */
size_t tw__presence_sample(const tw__presence *presence, tw__person *persons,
                           size_t limit);

/* Takes the next join, or else leave, that has not been told, in no certain
 * order; false: there is none. It is borrowed until the next change or take. */
bool tw__presence_take(tw__presence *presence, bool *is_join,
                       tw__person *person);
/* How many wait to be taken. */
size_t tw__presence_untold(const tw__presence *presence);
/* Forgets them. */
void tw__presence_hush(tw__presence *presence);

#endif
