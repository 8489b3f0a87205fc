/* people.h - the connections of users, as their home knows.
 *
 * A user's home keeps the ids of all its connections, wherever they are, in the
 * order in which they came, so that all can be reached and the oldest found.
 * Pure: no I/O, no clock. Belongs to the thread that created it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HUB_PEOPLE_H
#define TW_HUB_PEOPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hub/index.h"

enum { TW__PEOPLE_ID = 16, TW__USER_MAX = 255 };

typedef struct tw__people_conn {
    uint8_t id[TW__PEOPLE_ID];
    uint16_t member;
    uint64_t since_ms; /* wall clock: when it was opened */
} tw__people_conn;

/* All zero, see init. */
typedef struct tw__people {
    struct tw__people_user **_users;
    uint32_t _len, _cap;
    tw__index _by_name;
    size_t _block_bytes;
    uint64_t connections; /* read only */
    size_t bytes;         /* read only */
} tw__people;

void tw__people_init(tw__people *people);
void tw__people_deinit(tw__people *people);

static inline uint64_t tw__people_len(const tw__people *people) {
    return people->_len;
}

/* Adds a connection, kept in the order of since_ms. 0, TW_EEXISTS (it is there
 * already) or TW_ENOMEM. */
int tw__people_add(tw__people *people, const char *user, size_t len,
                   const tw__people_conn *conn);
/* False: it was not there. This and add walk the connections of the user. */
bool tw__people_remove(tw__people *people, const char *user, size_t len,
                       const uint8_t id[TW__PEOPLE_ID]);
/* Removes the connections of a member: one walk over all users. */
void tw__people_drop_member(tw__people *people, uint16_t member);

/* The user's connections, oldest first; *count may be 0. Borrowed until the
 * next change. */
const tw__people_conn *tw__people_of(const tw__people *people, const char *user,
                                     size_t len, size_t *count);

#endif
