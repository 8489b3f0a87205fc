/* SPDX-License-Identifier: MIT */
#include "hub/roll.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "hub/array.h"
#include "tidewire/errors.h"

/* Fewer persons than that are not worth packing. */
enum { PACK_MIN = 64 };

void tw__roll_init(tw__roll *roll) {
    memset(roll, 0, sizeof *roll);
    roll->free = TW__NOBODY;
}

void tw__roll_deinit(tw__roll *roll) {
    for (uint32_t i = 0; i < roll->ends[TW__LEFT]; i++) {
        tw__free(roll->guests[roll->order[i]].text);
    }
    tw__array_free(roll->guests, roll->guests_cap, sizeof *roll->guests);
    tw__array_free(roll->order, roll->order_cap, sizeof *roll->order);
    tw__index_deinit(&roll->by_key);
    tw__roll_init(roll);
}

/* ---- who is who ---- */

/* Ids are random already, and made by our own workers. */
uint32_t tw__roll_hash_id(const uint8_t id[TW__PRESENCE_ID]) {
    uint64_t half[2];
    memcpy(half, id, sizeof half);
    uint64_t hash = half[0] * UINT64_C(0x9e3779b97f4a7c15) +
                    half[1] * UINT64_C(0xc2b2ae3d27d4eb4f);
    hash = (hash ^ (hash >> 32)) * UINT64_C(0xff51afd7ed558ccd);
    return (uint32_t)(hash >> 32);
}

tw__roll_key tw__roll_key_of(const uint8_t id[TW__PRESENCE_ID],
                             const char *user, size_t len) {
    assert(len <= TW__PERSON_MAX);
    uint32_t hash = len > 0 ? tw__hash_keyed(user, len) : tw__roll_hash_id(id);
    return (tw__roll_key){id, user, (uint8_t)len, hash};
}

static bool is_key(const tw__guest *guest, const tw__roll_key *key) {
    if (guest->user_len != key->user_len) {
        return false;
    }
    return key->user_len > 0
               ? memcmp(guest->text, key->user, key->user_len) == 0
               : memcmp(guest->id, key->id, sizeof guest->id) == 0;
}

uint32_t tw__roll_find(const tw__roll *roll, const tw__roll_key *key) {
    uint32_t probe = key->hash, number;
    while (tw__index_next(&roll->by_key, key->hash, &probe, &number)) {
        if (is_key(&roll->guests[number], key)) {
            return number;
        }
    }
    return TW__NOBODY;
}

static uint32_t hash_of(const tw__guest *guest) {
    return tw__roll_key_of(guest->id, guest->text, guest->user_len).hash;
}

/* ---- texts ---- */

static void append(char *place, const char *text, size_t len) {
    if (len > 0) {
        memcpy(place, text, len);
    }
}

static int make_text(char **out, const char *user, size_t user_len,
                     const char *info, size_t info_len) {
    char *text = NULL;
    if (user_len + info_len > 0) {
        text = tw__malloc(user_len + info_len);
        if (text == NULL) {
            return TW_ENOMEM;
        }
        append(text, user, user_len);
        append(text + user_len, info, info_len);
    }
    *out = text;
    return 0;
}

static size_t text_bytes(const tw__guest *guest) {
    size_t len = (size_t)guest->user_len + guest->info_len;
    return len == 0 ? 0 : tw__block_bytes(len);
}

static bool has_info(const tw__guest *guest, const char *info, size_t len) {
    return guest->info_len == len &&
           (len == 0 || memcmp(guest->text + guest->user_len, info, len) == 0);
}

int tw__roll_set_info(tw__roll *roll, uint32_t number, const char *info,
                      size_t len) {
    tw__guest *guest = &roll->guests[number];
    char *text;
    assert(len <= TW__INFO_MAX);
    if (has_info(guest, info, len)) {
        return 0;
    }
    if (make_text(&text, guest->text, guest->user_len, info, len) != 0) {
        return TW_ENOMEM;
    }
    roll->text_bytes -= text_bytes(guest);
    tw__free(guest->text);
    guest->text = text;
    guest->info_len = (uint16_t)len;
    roll->text_bytes += text_bytes(guest);
    return 0;
}

/* ---- the order ---- */

enum tw__roll_section tw__roll_section_of(const tw__roll *roll,
                                          uint32_t number) {
    uint32_t place = roll->guests[number].place;
    enum tw__roll_section section = TW__TOLD;
    while (section < TW__OUT && place >= roll->ends[section]) {
        section++;
    }
    return section;
}

static void swap(tw__roll *roll, uint32_t number, uint32_t place) {
    uint32_t other = roll->order[place];
    uint32_t from = roll->guests[number].place;
    roll->order[from] = other;
    roll->guests[other].place = from;
    roll->order[place] = number;
    roll->guests[number].place = place;
}

/* Section by section: the border moves by one over whom was swapped there. */
void tw__roll_move(tw__roll *roll, uint32_t number,
                   enum tw__roll_section section) {
    enum tw__roll_section now = tw__roll_section_of(roll, number);
    for (; now < section; now++) {
        swap(roll, number, --roll->ends[now]);
    }
    for (; now > section; now--) {
        swap(roll, number, roll->ends[now - 1]++);
    }
}

/* ---- coming and going ---- */

static int reserve(tw__roll *roll) {
    uint32_t *order = tw__array_grow(roll->order, &roll->order_cap,
                                     roll->ends[TW__LEFT] + 1, sizeof *order);
    if (order == NULL) {
        return TW_ENOMEM;
    }
    roll->order = order;
    if (roll->free == TW__NOBODY) {
        tw__guest *guests =
            tw__array_grow(roll->guests, &roll->guests_cap,
                           roll->guests_len + 1, sizeof *guests);
        if (guests == NULL) {
            return TW_ENOMEM;
        }
        roll->guests = guests;
    }
    return tw__index_reserve(&roll->by_key);
}

static uint32_t take_number(tw__roll *roll) {
    uint32_t number = roll->free;
    if (number == TW__NOBODY) {
        return roll->guests_len++;
    }
    roll->free = roll->guests[number].place;
    return number;
}

int tw__roll_add(tw__roll *roll, const tw__roll_key *key, const char *info,
                 size_t info_len, enum tw__roll_section section,
                 uint32_t *number) {
    char *text;
    assert(info_len <= TW__INFO_MAX);
    if (reserve(roll) != 0 ||
        make_text(&text, key->user, key->user_len, info, info_len) != 0) {
        return TW_ENOMEM;
    }
    uint32_t made = take_number(roll);
    tw__guest *guest = &roll->guests[made];
    *guest = (tw__guest){.text = text,
                         .place = roll->ends[TW__LEFT],
                         .info_len = (uint16_t)info_len,
                         .user_len = key->user_len};
    memcpy(guest->id, key->id, sizeof guest->id);
    roll->text_bytes += text_bytes(guest);
    roll->order[guest->place] = made; /* the place behind all */
    tw__roll_move(roll, made, section);
    tw__index_add(&roll->by_key, key->hash, made);
    *number = made;
    return 0;
}

void tw__roll_remove(tw__roll *roll, uint32_t number, char **text) {
    tw__guest *guest = &roll->guests[number];
    tw__roll_move(roll, number, TW__OUT);
    tw__index_remove(&roll->by_key, hash_of(guest), number);
    roll->text_bytes -= text_bytes(guest);
    if (text != NULL) {
        *text = guest->text;
    } else {
        tw__free(guest->text);
    }
    guest->place = roll->free;
    roll->free = number;
}

void tw__roll_show(const tw__roll *roll, uint32_t number, tw__person *person) {
    const tw__guest *guest = &roll->guests[number];
    const char *text = guest->text != NULL ? guest->text : "";
    person->user = guest->user_len > 0 ? text : "";
    person->info = guest->info_len > 0 ? text + guest->user_len : "";
    person->info_len = guest->info_len;
    person->user_len = guest->user_len;
    memcpy(person->id, guest->id, sizeof person->id);
    person->connections = guest->connections;
}

/* ---- memory ---- */

size_t tw__roll_bytes(const tw__roll *roll) {
    return roll->guests_cap * sizeof *roll->guests +
           roll->order_cap * sizeof *roll->order +
           tw__index_bytes(&roll->by_key) + roll->text_bytes;
}

bool tw__roll_pack_begin(const tw__roll *roll, tw__roll_packing *packing) {
    uint32_t all = roll->ends[TW__LEFT];
    if (roll->guests_len <= PACK_MIN || all >= roll->guests_len / 4) {
        return false;
    }
    packing->cap = 0;
    packing->guests =
        tw__array_grow(NULL, &packing->cap, all + 1, sizeof *packing->guests);
    return packing->guests != NULL;
}

/* A person's new number is its place in the order. */
void tw__roll_pack_end(tw__roll *roll, const tw__roll_packing *packing) {
    uint32_t all = roll->ends[TW__LEFT];
    tw__index_clear(&roll->by_key);
    for (uint32_t i = 0; i < all; i++) {
        packing->guests[i] = roll->guests[roll->order[i]];
        roll->order[i] = i;
        tw__index_add(&roll->by_key, hash_of(&packing->guests[i]), i);
    }
    tw__array_free(roll->guests, roll->guests_cap, sizeof *roll->guests);
    roll->guests = packing->guests;
    roll->guests_len = all;
    roll->guests_cap = packing->cap;
    roll->free = TW__NOBODY;
    roll->order = tw__array_shrink(roll->order, &roll->order_cap, all,
                                   sizeof *roll->order);
}
