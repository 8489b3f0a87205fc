/* A user is one block: its name, then its connections. The blocks stand in a
 * dense array, whose numbers are found by the hash of the name.
 *
 * Finding a connection in a user's is a walk: users have few.
 *
 * SPDX-License-Identifier: MIT */
#include "hub/people.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "hub/array.h"
#include "tidewire/errors.h"

struct tw__people_user {
    uint32_t count, cap;
    uint8_t len;
    char name[]; /* then, aligned, `cap` connections */
};

typedef struct tw__people_user user;
typedef tw__people_conn conn;

static size_t head_bytes(size_t name_len) {
    size_t bytes = offsetof(user, name) + name_len;
    return (bytes + _Alignof(conn) - 1) & ~(_Alignof(conn) - 1);
}

static size_t bytes_of(size_t name_len, uint32_t cap) {
    return head_bytes(name_len) + cap * sizeof(conn);
}

static conn *conns_of(user *u) {
    return (conn *)(void *)((char *)u + head_bytes(u->len));
}

void tw__people_init(tw__people *people) {
    memset(people, 0, sizeof *people);
}

void tw__people_deinit(tw__people *people) {
    for (uint32_t i = 0; i < people->_len; i++) {
        user *u = people->_users[i];
        tw__resize_free(u, bytes_of(u->len, u->cap));
    }
    tw__array_free(people->_users, people->_cap, sizeof *people->_users);
    tw__index_deinit(&people->_by_name);
    tw__people_init(people);
}

static void count_bytes(tw__people *people) {
    people->bytes = people->_block_bytes +
                    people->_cap * sizeof *people->_users +
                    tw__index_bytes(&people->_by_name);
}

/* ---- users ---- */

static user **find(const tw__people *people, const char *name, size_t len,
                   uint32_t hash) {
    uint32_t probe = hash, number;
    while (tw__index_next(&people->_by_name, hash, &probe, &number)) {
        user *u = people->_users[number];
        if (u->len == len && memcmp(u->name, name, len) == 0) {
            return &people->_users[number];
        }
    }
    return NULL;
}

static int add_user(tw__people *people, const char *name, size_t len,
                    uint32_t hash, user ***place) {
    user **users = tw__array_grow(people->_users, &people->_cap,
                                  people->_len + 1, sizeof *users);
    if (users == NULL) {
        return TW_ENOMEM;
    }
    people->_users = users;
    user *u = NULL;
    if (tw__index_reserve(&people->_by_name) == 0) {
        u = tw__malloc(bytes_of(len, 1));
    }
    if (u == NULL) {
        return TW_ENOMEM;
    }
    u->count = 0;
    u->cap = 1;
    u->len = (uint8_t)len;
    memcpy(u->name, name, len);
    *place = &users[people->_len];
    **place = u;
    tw__index_add(&people->_by_name, hash, people->_len++);
    people->_block_bytes += tw__block_bytes(bytes_of(len, 1));
    return 0;
}

/* The last one takes the place of the one that is removed. */
static void remove_user(tw__people *people, uint32_t number) {
    user *u = people->_users[number];
    uint32_t last = --people->_len;
    size_t bytes = bytes_of(u->len, u->cap);
    tw__index_remove(&people->_by_name, tw__hash_keyed(u->name, u->len),
                     number);
    people->_block_bytes -= tw__block_bytes(bytes);
    tw__resize_free(u, bytes);
    if (number != last) {
        u = people->_users[number] = people->_users[last];
        tw__index_renumber(&people->_by_name, tw__hash_keyed(u->name, u->len),
                           last, number);
    }
}

static int resize(tw__people *people, user **place, uint32_t cap) {
    user *u = *place;
    size_t old = bytes_of(u->len, u->cap), new = bytes_of(u->len, cap);
    u = tw__resize(u, old, new);
    if (u == NULL) {
        return TW_ENOMEM;
    }
    u->cap = cap;
    *place = u;
    people->_block_bytes += tw__block_bytes(new) - tw__block_bytes(old);
    return 0;
}

/* After connections were removed: perhaps all. Without memory for a smaller
 * block it stays large. */
static void settle(tw__people *people, uint32_t number) {
    user **place = &people->_users[number];
    uint32_t count = (*place)->count, cap = (*place)->cap;
    if (count == 0) {
        remove_user(people, number);
        return;
    }
    while (count <= cap / 4) {
        cap /= 2;
    }
    if (cap < (*place)->cap) {
        (void)resize(people, place, cap);
    }
}

static void finish(tw__people *people) {
    people->_users = tw__array_shrink(people->_users, &people->_cap,
                                      people->_len, sizeof *people->_users);
    count_bytes(people);
}

/* ---- connections ---- */

static conn *find_conn(user *u, const uint8_t *id) {
    conn *conns = conns_of(u);
    for (uint32_t i = 0; i < u->count; i++) {
        if (memcmp(conns[i].id, id, sizeof conns[i].id) == 0) {
            return &conns[i];
        }
    }
    return NULL;
}

static void insert(user *u, const conn *new) {
    conn *conns = conns_of(u);
    uint32_t place = u->count++;
    while (place > 0 && conns[place - 1].since_ms > new->since_ms) {
        conns[place] = conns[place - 1];
        place--;
    }
    conns[place] = *new;
}

int tw__people_add(tw__people *people, const char *name, size_t len,
                   const tw__people_conn *new) {
    uint32_t hash = tw__hash_keyed(name, len);
    user **place = find(people, name, len, hash);
    int err = 0;
    assert(len > 0 && len <= TW__USER_MAX);
    if (place == NULL) {
        err = add_user(people, name, len, hash, &place);
    } else if (find_conn(*place, new->id) != NULL) {
        return TW_EEXISTS;
    } else if ((*place)->count == (*place)->cap) {
        err = resize(people, place, (*place)->cap * 2);
    }
    if (err == 0) {
        insert(*place, new);
        people->connections++;
    }
    count_bytes(people);
    return err;
}

bool tw__people_remove(tw__people *people, const char *name, size_t len,
                       const uint8_t id[TW__PEOPLE_ID]) {
    user **place = find(people, name, len, tw__hash_keyed(name, len));
    conn *gone = place == NULL ? NULL : find_conn(*place, id);
    if (gone == NULL) {
        return false;
    }
    conn *end = conns_of(*place) + (*place)->count;
    memmove(gone, gone + 1, (size_t)(end - (gone + 1)) * sizeof *gone);
    (*place)->count--;
    people->connections--;
    settle(people, (uint32_t)(place - people->_users));
    finish(people);
    return true;
}

/* Keeps the order of those that stay. Returns how many went. */
static uint32_t drop_conns(user *u, uint16_t member) {
    conn *conns = conns_of(u);
    uint32_t kept = 0, before = u->count;
    for (uint32_t i = 0; i < before; i++) {
        if (conns[i].member != member) {
            conns[kept++] = conns[i];
        }
    }
    u->count = kept;
    return before - kept;
}

/* From the end, so that who takes the place of one that is removed was looked
 * at before. */
void tw__people_drop_member(tw__people *people, uint16_t member) {
    for (uint32_t i = people->_len; i-- > 0;) {
        uint32_t dropped = drop_conns(people->_users[i], member);
        if (dropped > 0) {
            people->connections -= dropped;
            settle(people, i);
        }
    }
    finish(people);
}

const tw__people_conn *tw__people_of(const tw__people *people, const char *name,
                                     size_t len, size_t *count) {
    user **place = find(people, name, len, tw__hash_keyed(name, len));
    *count = place == NULL ? 0 : (*place)->count;
    return place == NULL ? NULL : conns_of(*place);
}
