/* The connections of a channel, each at a number in a dense array, and the
 * persons they belong to.
 *
 * A person with connections is in. Without one it is in while its grace time
 * runs, and gone else: then it stays only to be told as left. The persons, in
 * roll.h, say what has been told.
 *
 * SPDX-License-Identifier: MIT */
#include "hub/presence.h"

#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "hub/array.h"
#include "hub/grace.h"
#include "hub/roll.h"
#include "tidewire/errors.h"

/* One connection. */
typedef struct seat {
    uint8_t id[TW__PRESENCE_ID];
    uint32_t guest;
    uint16_t member;
} seat;

struct tw__presence {
    tw__roll roll;
    tw__graces graces;
    seat *seats;
    uint32_t seats_len, seats_cap;
    tw__index by_id;
    char *lent; /* text of the leave that was taken last */
    bool tells;
};

tw__presence *tw__presence_create(bool tells) {
    tw__presence *presence = tw__calloc(1, sizeof *presence);
    if (presence != NULL) {
        tw__roll_init(&presence->roll);
        presence->tells = tells;
    }
    return presence;
}

void tw__presence_destroy(tw__presence *presence) {
    if (presence == NULL) {
        return;
    }
    tw__free(presence->lent);
    tw__index_deinit(&presence->by_id);
    tw__array_free(presence->seats, presence->seats_cap,
                   sizeof *presence->seats);
    tw__graces_deinit(&presence->graces);
    tw__roll_deinit(&presence->roll);
    tw__free(presence);
}

static seat *find_seat(const tw__presence *presence, const uint8_t *id,
                       uint32_t hash) {
    uint32_t probe = hash, number;
    while (tw__index_next(&presence->by_id, hash, &probe, &number)) {
        seat *found = &presence->seats[number];
        if (memcmp(found->id, id, sizeof found->id) == 0) {
            return found;
        }
    }
    return NULL;
}

/* Packs the persons when most have gone. All numbers of persons change: the
 * last step of a change. */
static void settle(tw__presence *presence) {
    tw__roll_packing packing;
    const tw__roll *roll = &presence->roll;
    if (!tw__roll_pack_begin(roll, &packing)) {
        return;
    }
    for (uint32_t i = 0; i < presence->seats_len; i++) {
        seat *s = &presence->seats[i];
        s->guest = tw__roll_packed(roll, s->guest);
    }
    for (uint32_t i = 0; i < presence->graces.len; i++) {
        tw__grace *grace = &presence->graces.heap[i];
        grace->guest = tw__roll_packed(roll, grace->guest);
    }
    tw__roll_pack_end(&presence->roll, &packing);
}

/* ---- entering ---- */

static int reserve_seat(tw__presence *presence) {
    seat *seats = tw__array_grow(presence->seats, &presence->seats_cap,
                                 presence->seats_len + 1, sizeof *seats);
    if (seats == NULL) {
        return TW_ENOMEM;
    }
    presence->seats = seats;
    return tw__index_reserve(&presence->by_id);
}

/* Who had left is back: nobody has to hear of it. */
static void come_back(tw__presence *presence, uint32_t number) {
    tw__graces_remove(&presence->graces, presence->roll.guests, number);
    if (tw__roll_section_of(&presence->roll, number) == TW__LEFT) {
        tw__roll_move(&presence->roll, number, TW__TOLD);
    }
}

int tw__presence_enter(tw__presence *presence, uint16_t member,
                       const uint8_t id[TW__PRESENCE_ID], const char *user,
                       size_t user_len, const char *info, size_t info_len,
                       bool is_renewal) {
    tw__roll *roll = &presence->roll;
    uint32_t hash = tw__roll_hash_id(id), number;
    seat *known = find_seat(presence, id, hash);
    if (known != NULL) {
        int err = tw__roll_set_info(roll, known->guest, info, info_len);
        if (err == 0) {
            known->member = member;
        }
        return err != 0 ? err : TW_EEXISTS;
    }
    if (reserve_seat(presence) != 0) {
        return TW_ENOMEM;
    }
    tw__roll_key key = tw__roll_key_of(id, user, user_len);
    bool is_told = is_renewal || !presence->tells;
    number = tw__roll_find(roll, &key);
    int err = number != TW__NOBODY
                  ? tw__roll_set_info(roll, number, info, info_len)
                  : tw__roll_add(roll, &key, info, info_len,
                                 is_told ? TW__TOLD : TW__JOINED, &number);
    if (err != 0) {
        return err;
    }
    come_back(presence, number);
    roll->guests[number].connections++;
    seat *s = &presence->seats[presence->seats_len];
    *s = (seat){.guest = number, .member = member};
    memcpy(s->id, id, sizeof s->id);
    tw__index_add(&presence->by_id, hash, presence->seats_len++);
    return 0;
}

/* ---- leaving ---- */

static void go(tw__presence *presence, uint32_t number) {
    tw__roll *roll = &presence->roll;
    if (presence->tells && tw__roll_section_of(roll, number) == TW__TOLD) {
        tw__roll_move(roll, number, TW__LEFT);
    } else {
        tw__roll_remove(roll, number, NULL);
    }
}

/* The last connection takes the place of the one that is removed. */
static void remove_seat(tw__presence *presence, seat *gone) {
    uint32_t place = (uint32_t)(gone - presence->seats);
    uint32_t last = --presence->seats_len;
    tw__index_remove(&presence->by_id, tw__roll_hash_id(gone->id), place);
    if (place != last) {
        *gone = presence->seats[last];
        tw__index_renumber(&presence->by_id, tw__roll_hash_id(gone->id), last,
                           place);
    }
}

/* Without memory for the grace time there is none: a leave too many is better
 * than a person that stays for ever. */
static void leave(tw__presence *presence, seat *gone, bool may_come_back,
                  uint64_t gone_ms) {
    uint32_t number = gone->guest;
    tw__guest *guest = &presence->roll.guests[number];
    remove_seat(presence, gone);
    if (--guest->connections > 0) {
        return;
    }
    if (!may_come_back ||
        tw__graces_add(&presence->graces, presence->roll.guests, number,
                       gone_ms) != 0) {
        go(presence, number);
    }
}

static void shrink_seats(tw__presence *presence) {
    presence->seats =
        tw__array_shrink(presence->seats, &presence->seats_cap,
                         presence->seats_len, sizeof *presence->seats);
}

void tw__presence_leave(tw__presence *presence,
                        const uint8_t id[TW__PRESENCE_ID], uint64_t gone_ms) {
    seat *gone = find_seat(presence, id, tw__roll_hash_id(id));
    if (gone != NULL) {
        bool has_user = presence->roll.guests[gone->guest].user_len > 0;
        leave(presence, gone, has_user, gone_ms);
        shrink_seats(presence);
        settle(presence);
    }
}

/* From the end, so that who takes the place of one that is removed was looked
 * at before. */
void tw__presence_drop_member(tw__presence *presence, uint16_t member,
                              uint64_t gone_ms) {
    for (uint32_t i = presence->seats_len; i-- > 0;) {
        if (presence->seats[i].member == member) {
            leave(presence, &presence->seats[i], true, gone_ms);
        }
    }
    shrink_seats(presence);
    settle(presence);
}

void tw__presence_set_tells(tw__presence *presence, bool tells) {
    presence->tells = tells;
    if (!tells) {
        tw__presence_hush(presence);
    }
}

uint64_t tw__presence_expire(tw__presence *presence, uint64_t now_ms) {
    tw__graces *graces = &presence->graces;
    while (graces->len > 0 && graces->heap[0].ends_ms <= now_ms) {
        uint32_t number = graces->heap[0].guest;
        tw__graces_remove(graces, presence->roll.guests, number);
        go(presence, number);
    }
    settle(presence);
    return graces->len > 0 ? graces->heap[0].ends_ms : 0;
}

/* ---- asking ---- */

uint64_t tw__presence_len(const tw__presence *presence) {
    return tw__roll_len(&presence->roll);
}

uint64_t tw__presence_connections(const tw__presence *presence) {
    return presence->seats_len;
}

size_t tw__presence_bytes(const tw__presence *presence) {
    return tw__block_bytes(sizeof *presence) + tw__roll_bytes(&presence->roll) +
           tw__graces_bytes(&presence->graces) +
           presence->seats_cap * sizeof *presence->seats +
           tw__index_bytes(&presence->by_id);
}

bool tw__presence_is_empty(const tw__presence *presence) {
    return presence->roll.ends[TW__LEFT] == 0;
}

size_t tw__presence_sample(const tw__presence *presence, tw__person *persons,
                           size_t limit) {
    const tw__roll *roll = &presence->roll;
    uint32_t len = tw__roll_len(roll);
    size_t count = limit < len ? limit : len;
    uint32_t place = count > 0 ? tw__random_below(len) : 0;
    for (size_t i = 0; i < count; i++) {
        tw__roll_show(roll, roll->order[place], &persons[i]);
        place = place + 1 < len ? place + 1 : 0;
    }
    return count;
}

/* ---- telling ---- */

bool tw__presence_take(tw__presence *presence, bool *is_join,
                       tw__person *person) {
    tw__roll *roll = &presence->roll;
    tw__free(presence->lent);
    presence->lent = NULL;
    if (tw__presence_untold(presence) == 0) {
        return false;
    }
    uint32_t number = roll->order[roll->ends[TW__TOLD]];
    *is_join = tw__roll_section_of(roll, number) == TW__JOINED;
    tw__roll_show(roll, number, person);
    if (*is_join) {
        tw__roll_move(roll, number, TW__TOLD);
    } else {
        tw__roll_remove(roll, number, &presence->lent);
        settle(presence);
    }
    return true;
}

size_t tw__presence_untold(const tw__presence *presence) {
    const tw__roll *roll = &presence->roll;
    return roll->ends[TW__LEFT] - roll->ends[TW__TOLD];
}

void tw__presence_hush(tw__presence *presence) {
    tw__roll *roll = &presence->roll;
    while (roll->ends[TW__LEFT] > roll->ends[TW__JOINED]) {
        tw__roll_remove(roll, roll->order[roll->ends[TW__LEFT] - 1], NULL);
    }
    roll->ends[TW__TOLD] = roll->ends[TW__JOINED];
    settle(presence);
}
