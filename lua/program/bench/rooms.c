/* Rooms in which everybody talks: each member subscribes to its room's channel
 * and publishes to it; the server leaves out the sender. A member keeps a
 * number of messages under way: the next ones go when all others of its room
 * have the last ones. Every pair of members has an account.
 *
 * A room is of one hand alone, so nothing is shared between hands.
 *
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "hand.h"
#include "ledger.h"
#include "memory.h"
#include "payload.h"

#define PROBE_NS (500 * TW__BENCH_MS)

typedef struct member {
    uint64_t sent;
    uint64_t missing; /* of its last burst, all receivers together */
    bool has_joined;  /* something of this run has reached it */
    bool has_left;
    bool has_offended;
} member;

typedef struct room {
    struct rooms *all;
    tw__bench_group group;
    char *path;
    member *members;
    tw__bench_account *accounts; /* those of each receiver side by side */
    uint32_t opened, joined, left;
} room;

typedef struct rooms {
    tw__bench_hand *hand;
    tw__bench_payloads *payloads;
    uint8_t *scratch; /* the message that is being made */
    uint32_t size;    /* members of a room */
    uint32_t len;
    room *rooms;
    uint32_t filled;        /* the first rooms that are open */
    tw__bench_conn **ready; /* those who may send their next burst */
    size_t ready_len;
    uint64_t next_probe;
    tw__bench_doubts no_doubts;
} rooms;

static tw__bench_account *account_of(const room *r, uint32_t receiver,
                                     uint32_t sender) {
    return &r->accounts[(size_t)receiver * r->all->size + sender];
}

static void offend(tw__bench_conn *conn, const char *what, uint32_t sender,
                   uint64_t expected, uint64_t got) {
    room *r = conn->group->arg;
    if (!r->members[conn->index].has_offended) {
        tw__bench_offence offence = {conn->group->first_number + conn->index,
                                     conn->group->first_number + sender,
                                     expected, got, ""};
        strncpy(offence.what, what, sizeof offence.what - 1);
        tw__bench_findings_offend(r->all->hand->findings, &offence);
        r->members[conn->index].has_offended = true;
    }
}

static void say(tw__bench_conn *conn, char kind, uint64_t seq, uint64_t now) {
    room *r = conn->group->arg;
    rooms *all = r->all;
    uint32_t number = conn->group->first_number + conn->index;
    tw__bench_note note = {kind, number & TW__BENCH_SOURCE_MAX, seq,
                           now - all->hand->board->epoch_ns};
    tw__bench_payload_make(all->payloads, all->scratch, &note);
    tw__bench_conn_write(conn, TW__BENCH_TEXT, all->scratch,
                         (size_t)all->hand->options->size);
}

static void send_burst(tw__bench_conn *conn) {
    room *r = conn->group->arg;
    member *m = &r->members[conn->index];
    uint64_t count = r->all->hand->options->in_flight, now = tw__bench_now();
    uint32_t present = r->all->size - r->left;
    if (m->has_left || present < 2) {
        return;
    }
    m->missing = count * (present - 1);
    for (uint64_t i = 0; i < count; i++) {
        say(conn, TW__BENCH_MESSAGE, ++m->sent, now);
    }
    r->all->hand->findings->sent += count;
    tw__bench_conn_flush(conn);
}

/* Sent at the end of the turn: the loop's write buffer is that of the
 * connection whose messages are being read. */
static void allow(rooms *all, tw__bench_conn *conn) {
    all->ready[all->ready_len++] = conn;
}

/* `count` of the sender's last burst need not be waited for any more. */
static void settle(room *r, uint32_t sender, uint64_t count) {
    member *m = &r->members[sender];
    count = count < m->missing ? count : m->missing;
    m->missing -= count;
    if (count > 0 && m->missing == 0 && !m->has_left) {
        allow(r->all, &r->group.conns[sender]);
    }
}

static void join(tw__bench_conn *conn) {
    room *r = conn->group->arg;
    r->members[conn->index].has_joined = true;
    for (uint32_t i = 0; i < r->all->size; i++) {
        if (i != conn->index) {
            tw__bench_account_open(account_of(r, conn->index, i), 1);
        }
    }
    r->joined++;
    atomic_fetch_add(&r->all->hand->place->joined, 1);
}

static void enter(tw__bench_conn *conn, uint32_t sender,
                  const tw__bench_note *note, uint64_t now) {
    room *r = conn->group->arg;
    tw__bench_hand *hand = r->all->hand;
    tw__bench_account *account = account_of(r, conn->index, sender);
    uint64_t before = account->last;
    tw__bench_verdict verdict = tw__bench_account_take(
        account, note->seq, &r->all->no_doubts, &hand->findings->sum);
    if (verdict != TW__BENCH_IN_ORDER) {
        static const char *const names[] = {"", "gap", "late", "double"};
        offend(conn, names[verdict], sender, before + 1, note->seq);
    }
    hand->messages++;
    if (hand->phase == TW__BENCH_MEASURING) {
        tw__bench_histogram_add(&hand->findings->latency,
                                now - hand->board->epoch_ns - note->time_ns);
    }
    settle(r, sender, account->last - before);
}

/* Which other member of the room it is from; damage when none. */
static tw__bench_check find_sender(const tw__bench_conn *conn,
                                   const tw__bench_note *note,
                                   uint32_t *sender) {
    const room *r = conn->group->arg;
    *sender = (note->source - conn->group->first_number) & TW__BENCH_SOURCE_MAX;
    return *sender < r->all->size && *sender != conn->index ? TW__BENCH_FINE
                                                            : TW__BENCH_DAMAGED;
}

static void on_message(tw__bench_conn *conn, int opcode, const uint8_t *data,
                       size_t len, uint64_t now) {
    room *r = conn->group->arg;
    tw__bench_findings *findings = r->all->hand->findings;
    tw__bench_note note;
    uint32_t sender = 0;
    tw__bench_check check =
        tw__bench_payload_check(r->all->payloads, data, len, &note);
    if (check == TW__BENCH_FOREIGN) {
        findings->foreign++;
        return;
    }
    if (check == TW__BENCH_FINE) {
        check = opcode == TW__BENCH_TEXT ? find_sender(conn, &note, &sender)
                                         : TW__BENCH_DAMAGED;
    }
    if (check != TW__BENCH_FINE) {
        findings->sum.damaged++;
        offend(conn, "damaged", sender, 0, 0);
        return;
    }
    if (!r->members[conn->index].has_joined) {
        join(conn);
    }
    if (note.kind == TW__BENCH_MESSAGE) {
        enter(conn, sender, &note, now);
    }
}

static void on_open(tw__bench_conn *conn) {
    room *r = conn->group->arg;
    r->opened++;
    tw__bench_hand_opened(r->all->hand);
}

/* What was under way from or to it is the disconnect's, not a loss. */
static void leave(room *r, uint32_t index) {
    tw__bench_sum *sum = &r->all->hand->findings->sum;
    r->members[index].has_left = true;
    r->left++;
    for (uint32_t i = 0; i < r->all->size; i++) {
        tw__bench_account *to = account_of(r, index, i);
        tw__bench_account *from = account_of(r, i, index);
        if (i != index && to->first != 0) {
            settle(r, i, r->members[i].sent - to->last);
        }
        tw__bench_account_close(to, to->last, &r->all->no_doubts, sum);
        tw__bench_account_close(from, from->last, &r->all->no_doubts, sum);
    }
}

static void on_close(tw__bench_conn *conn, uint16_t code) {
    room *r = conn->group->arg;
    tw__bench_findings *findings = r->all->hand->findings;
    findings->disconnects++;
    tw__bench_endings_add(findings->endings, code, 1);
    offend(conn, "disconnected", conn->index, 0, 0);
    if (r->members[conn->index].has_joined) {
        r->joined--;
        atomic_fetch_sub(&r->all->hand->place->joined, 1);
    }
    leave(r, conn->index);
}

static void on_fail(tw__bench_conn *conn, const char *why) {
    tw__bench_hand_failed(((room *)conn->group->arg)->all->hand, why);
}

static const tw__bench_events events = {on_open, on_message, on_close, on_fail};

/* Path and ?channel=room-NUMBER. Given. */
static char *make_path(const tw__bench_hand *hand, uint32_t number) {
    const char *base = hand->target->path;
    const char *path = hand->options->sub_path;
    size_t base_len = strcspn(base, "?");
    size_t size = base_len + strlen(path) + 32;
    char *out = tw__bench_alloc(size, 1);
    while (base_len > 0 && base[base_len - 1] == '/') {
        base_len--;
    }
    snprintf(out, size, "%.*s%s%cchannel=room-%u", (int)base_len, base, path,
             strchr(path, '?') != NULL ? '&' : '?', (unsigned)number);
    return out;
}

static void init_room(rooms *all, room *r, uint32_t number) {
    r->all = all;
    r->path = make_path(all->hand, number);
    r->members = tw__bench_alloc(all->size, sizeof *r->members);
    r->accounts =
        tw__bench_alloc((size_t)all->size * all->size, sizeof *r->accounts);
    tw__bench_hand_group(all->hand, &r->group, all->size, number * all->size,
                         r->path, &events, r);
}

static void *create(tw__bench_hand *hand) {
    rooms *all = tw__bench_alloc(1, sizeof *all);
    const tw__bench_options *options = hand->options;
    uint32_t first;
    all->hand = hand;
    all->size = (uint32_t)options->members;
    all->len = tw__bench_hand_share(hand, options->rooms, &first);
    all->payloads = tw__bench_payloads_create(
        (size_t)options->size, hand->board->run, TW__BENCH_ALIKE);
    all->scratch = tw__bench_alloc((size_t)options->size, 1);
    all->rooms = tw__bench_alloc(all->len, sizeof *all->rooms);
    all->ready =
        tw__bench_alloc((size_t)all->len * all->size, sizeof *all->ready);
    for (uint32_t i = 0; i < all->len; i++) {
        init_room(all, &all->rooms[i], first + i);
    }
    atomic_store(&hand->place->to_join, all->len * all->size);
    return all;
}

/* Fills rooms in their order, several small ones at a time. */
static void open_more(rooms *all) {
    uint64_t ramp = atomic_load(&all->hand->board->ramp);
    uint32_t concurrency = (uint32_t)all->hand->options->concurrency;
    while (all->filled < all->len &&
           all->rooms[all->filled].opened == all->size) {
        all->filled++;
    }
    for (uint32_t i = all->filled; i < all->len; i++) {
        uint64_t begun = (uint64_t)i * all->size;
        uint64_t ahead = (uint64_t)(i - all->filled) * all->size;
        if (begun >= ramp || ahead >= concurrency) {
            return;
        }
        uint64_t limit = ramp - begun < all->size ? ramp - begun : all->size;
        tw__bench_group_pump(&all->rooms[i].group, (uint32_t)limit,
                             concurrency);
    }
}

static void probe_from(room *r, uint32_t index, uint64_t now) {
    tw__bench_conn *conn = &r->group.conns[index];
    if (conn->state == TW__BENCH_OPEN) {
        say(conn, TW__BENCH_PROBE, 0, now);
        tw__bench_conn_flush(conn);
    }
}

/* The first member's probe reaches all but itself, so it takes two. */
static void probe(rooms *all, uint64_t now) {
    if (now < all->next_probe) {
        return;
    }
    all->next_probe = now + PROBE_NS;
    for (uint32_t i = 0; i < all->len; i++) {
        if (all->rooms[i].joined < all->size) {
            probe_from(&all->rooms[i], 0, now);
            probe_from(&all->rooms[i], 1, now);
        }
    }
}

static void on_phase(void *self) {
    rooms *all = self;
    for (uint32_t i = 0; all->hand->phase == TW__BENCH_WARMING && i < all->len;
         i++) {
        for (uint32_t k = 0; k < all->size; k++) {
            allow(all, &all->rooms[i].group.conns[k]);
        }
    }
}

static void on_turn(void *self) {
    rooms *all = self;
    if (all->hand->phase == TW__BENCH_OPENING) {
        open_more(all);
    } else if (all->hand->phase == TW__BENCH_JOINING) {
        probe(all, all->hand->loop.now);
    }
    size_t len = all->ready_len;
    all->ready_len = 0;
    for (size_t i = 0; tw__bench_hand_is_busy(all->hand) && i < len; i++) {
        send_burst(all->ready[i]);
    }
}

static bool is_settled(const rooms *all) {
    for (uint32_t i = 0; i < all->len; i++) {
        for (uint32_t k = 0; k < all->size; k++) {
            const member *m = &all->rooms[i].members[k];
            if (m->missing > 0 && !m->has_left) {
                return false;
            }
        }
    }
    return true;
}

static void on_tick(void *self) {
    rooms *all = self;
    if (all->hand->phase == TW__BENCH_DRAINING && is_settled(all)) {
        atomic_store(&all->hand->place->is_settled, true);
    }
}

static void deinit_room(room *r) {
    tw__bench_sum *sum = &r->all->hand->findings->sum;
    uint32_t size = r->all->size;
    for (uint32_t i = 0; i < size * size; i++) {
        uint32_t receiver = i / size, sender = i % size;
        uint64_t next = r->accounts[i].last + 1;
        if (tw__bench_account_close(&r->accounts[i], r->members[sender].sent,
                                    &r->all->no_doubts, sum) > 0) {
            offend(&r->group.conns[receiver], "lost", sender, next, 0);
        }
    }
    tw__bench_group_deinit(&r->group);
    free(r->path);
    free(r->members);
    free(r->accounts);
}

static void destroy(void *self) {
    rooms *all = self;
    for (uint32_t i = 0; i < all->len; i++) {
        deinit_room(&all->rooms[i]);
    }
    tw__bench_payloads_destroy(all->payloads);
    free(all->scratch);
    free(all->rooms);
    free(all->ready);
    free(all);
}

const tw__bench_mode tw__bench_rooms = {create, on_phase, on_turn, on_tick,
                                        destroy};
