/* roll.h - the persons of one presence: who is in, and whose coming or going
 * has not been told.
 *
 * A person has a number, which stays until tw__roll_pack. Beside that, all
 * numbers stand in one array, `order`, in three sections without gaps: who is
 * in and told, who is in and whose join has not been told, who has left and
 * whose leave has not been told. So persons can be sampled, and joins and
 * leaves taken, without a list, and changing sections is a swap with whoever
 * stands at the border.
 *
 * A person is known by its user, or without a user by the id of its
 * connection.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HUB_ROLL_H
#define TW_HUB_ROLL_H

#include "hub/index.h"
#include "hub/presence.h"

enum { TW__NOBODY = UINT32_MAX };

enum tw__roll_section { TW__TOLD, TW__JOINED, TW__LEFT, TW__OUT };

typedef struct tw__guest {
    char *text; /* the user, then the info; NULL: both are empty */
    uint8_t id[TW__PRESENCE_ID];
    uint32_t connections;
    uint32_t grace; /* place in the graces, while one runs */
    uint32_t place; /* in the order; of a free one: the next free one */
    uint16_t info_len;
    uint8_t user_len;
    bool has_grace;
} tw__guest;

/* All zero but for `free`, see init. */
typedef struct tw__roll {
    tw__guest *guests;
    uint32_t guests_len, guests_cap;
    uint32_t free; /* TW__NOBODY: none below guests_len is free */
    uint32_t order_cap;
    uint32_t *order;
    uint32_t ends[TW__OUT]; /* of each section */
    tw__index by_key;
    size_t text_bytes;
} tw__roll;

/* What tells one person from another. */
typedef struct tw__roll_key {
    const uint8_t *id;
    const char *user;
    uint8_t user_len;
    uint32_t hash;
} tw__roll_key;

void tw__roll_init(tw__roll *roll);
void tw__roll_deinit(tw__roll *roll);

tw__roll_key tw__roll_key_of(const uint8_t id[TW__PRESENCE_ID],
                             const char *user, size_t len);
uint32_t tw__roll_hash_id(const uint8_t id[TW__PRESENCE_ID]);

/* The number of a person in any section, or TW__NOBODY. */
uint32_t tw__roll_find(const tw__roll *roll, const tw__roll_key *key);

/* Adds a person without connections, which is not there. 0 or TW_ENOMEM
 * (nothing changed). */
int tw__roll_add(tw__roll *roll, const tw__roll_key *key, const char *info,
                 size_t info_len, enum tw__roll_section section,
                 uint32_t *number);

/* Another info. 0 or TW_ENOMEM (nothing changed). */
int tw__roll_set_info(tw__roll *roll, uint32_t number, const char *info,
                      size_t len);

/* Removes a person. Gives its text (NULL: it has none), for tw__free, when
 * `text` is not NULL. */
void tw__roll_remove(tw__roll *roll, uint32_t number, char **text);

enum tw__roll_section tw__roll_section_of(const tw__roll *roll,
                                          uint32_t number);
void tw__roll_move(tw__roll *roll, uint32_t number,
                   enum tw__roll_section section);

/* How a person is shown; borrowed. */
void tw__roll_show(const tw__roll *roll, uint32_t number, tw__person *person);

static inline uint32_t tw__roll_len(const tw__roll *roll) {
    return roll->ends[TW__JOINED];
}

size_t tw__roll_bytes(const tw__roll *roll);

/* When most persons have gone, the others can be numbered anew and the memory
 * given back: between begin, which is false when that is not worth while or
 * there is no memory, and end each kept number must be replaced by
 * tw__roll_packed. The cost is a walk in three quarters as many removals. */
typedef struct tw__roll_packing {
    tw__guest *guests;
    uint32_t cap;
} tw__roll_packing;

bool tw__roll_pack_begin(const tw__roll *roll, tw__roll_packing *packing);
void tw__roll_pack_end(tw__roll *roll, const tw__roll_packing *packing);

static inline uint32_t tw__roll_packed(const tw__roll *roll, uint32_t number) {
    return roll->guests[number].place;
}

#endif
