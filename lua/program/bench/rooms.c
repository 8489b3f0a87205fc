/* Rooms in which everybody talks: each member subscribes to its room's channel
 * and publishes to it; the server leaves out the sender. A member keeps a
 * number of messages under way: the next ones go when all others of its room
 * have the last ones. Every pair of members has an account.
 *
 * With --overlap there are as many members as rooms: each is in several rooms
 * and talks in the first of them (see circle.h).
 *
 * A circle is of one hand alone, so nothing is shared between hands.
 *
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "circle.h"
#include "clock.h"
#include "hand.h"
#include "ledger.h"
#include "memory.h"
#include "payload.h"

#define PROBE_NS (500 * TW__BENCH_MS)
#define NAME_SIZE 16 /* of a room, the comma included */

typedef struct member {
    struct rooms *all;
    tw__bench_group group; /* of one: each has a path of its own */
    char *path;
    uint64_t sent;
    uint64_t missing;   /* of its last burst, all listeners together */
    uint32_t listeners; /* those who have not left */
    bool has_joined;    /* something of this run has reached it */
    bool has_left;
    bool has_offended;
} member;

typedef struct rooms {
    tw__bench_hand *hand;
    tw__bench_payloads *payloads;
    uint8_t *scratch; /* the message that is being made */
    tw__bench_circle circle;
    uint32_t first; /* number of the first member within the run */
    uint32_t len;
    member *members;
    tw__bench_account *accounts; /* of each listener, by distance */
    uint32_t begun, ended;       /* to open; opened or failed */
    member **ready;              /* those who may send their next burst */
    size_t ready_len;
    uint64_t next_probe;
    tw__bench_doubts no_doubts;
} rooms;

static uint32_t index_of(const member *m) {
    return (uint32_t)(m - m->all->members);
}

static tw__bench_conn *conn_of(member *m) {
    return &m->group.conns[0];
}

static tw__bench_account *account_of(const rooms *all, uint32_t listener,
                                     uint32_t distance) {
    return &all->accounts[(size_t)listener * all->circle.members + distance];
}

static void offend(member *m, const char *what, uint32_t talker,
                   uint64_t expected, uint64_t got) {
    rooms *all = m->all;
    if (!m->has_offended) {
        tw__bench_offence offence = {all->first + index_of(m),
                                     all->first + talker, expected, got, ""};
        strncpy(offence.what, what, sizeof offence.what - 1);
        tw__bench_findings_offend(all->hand->findings, &offence);
        m->has_offended = true;
    }
}

static void say(member *m, char kind, uint64_t seq, uint64_t now) {
    rooms *all = m->all;
    uint32_t number = all->first + index_of(m);
    tw__bench_note note = {kind, number & TW__BENCH_SOURCE_MAX, seq,
                           now - all->hand->board->epoch_ns};
    tw__bench_payload_make(all->payloads, all->scratch, &note);
    tw__bench_conn_write(conn_of(m), TW__BENCH_TEXT, all->scratch,
                         (size_t)all->hand->options->size);
}

static void send_burst(member *m) {
    tw__bench_hand *hand = m->all->hand;
    uint64_t count = hand->options->in_flight, now = tw__bench_now();
    if (m->has_left || m->listeners == 0) {
        return;
    }
    m->missing = count * m->listeners;
    for (uint64_t i = 0; i < count; i++) {
        say(m, TW__BENCH_MESSAGE, ++m->sent, now);
    }
    hand->findings->sent += count;
    tw__bench_conn_flush(conn_of(m));
}

/* Sent at the end of the turn: the loop's write buffer is that of the
 * connection whose messages are being read. */
static void allow(member *m) {
    m->all->ready[m->all->ready_len++] = m;
}

/* `count` of the talker's last burst need not be waited for any more. */
static void settle(member *talker, uint64_t count) {
    count = count < talker->missing ? count : talker->missing;
    talker->missing -= count;
    if (count > 0 && talker->missing == 0 && !talker->has_left) {
        allow(talker);
    }
}

static void join(member *m) {
    rooms *all = m->all;
    m->has_joined = true;
    for (uint32_t d = 1; d < all->circle.members; d++) {
        tw__bench_account_open(account_of(all, index_of(m), d), 1);
    }
    atomic_fetch_add(&all->hand->place->joined, 1);
}

static void enter(member *m, uint32_t distance, const tw__bench_note *note,
                  uint64_t now) {
    rooms *all = m->all;
    tw__bench_hand *hand = all->hand;
    uint32_t talker =
        tw__bench_circle_ahead(&all->circle, index_of(m), distance);
    tw__bench_account *account = account_of(all, index_of(m), distance);
    uint64_t before = account->last;
    tw__bench_verdict verdict = tw__bench_account_take(
        account, note->seq, &all->no_doubts, &hand->findings->sum);
    if (verdict != TW__BENCH_IN_ORDER) {
        static const char *const names[] = {"", "gap", "late", "double"};
        offend(m, names[verdict], talker, before + 1, note->seq);
    }
    hand->messages++;
    if (hand->phase == TW__BENCH_MEASURING) {
        tw__bench_histogram_add(&hand->findings->latency,
                                now - hand->board->epoch_ns - note->time_ns);
    }
    settle(&all->members[talker], account->last - before);
}

/* How far ahead the talker is; damage when it should not be heard. */
static tw__bench_check find_talker(const member *m, const tw__bench_note *note,
                                   uint32_t *distance) {
    const rooms *all = m->all;
    uint32_t talker = (note->source - all->first) & TW__BENCH_SOURCE_MAX;
    *distance =
        talker < all->len
            ? tw__bench_circle_distance(&all->circle, index_of(m), talker)
            : 0;
    return *distance > 0 ? TW__BENCH_FINE : TW__BENCH_DAMAGED;
}

static void on_message(tw__bench_conn *conn, int opcode, const uint8_t *data,
                       size_t len, uint64_t now) {
    member *m = conn->group->arg;
    tw__bench_findings *findings = m->all->hand->findings;
    tw__bench_note note;
    uint32_t distance = 0;
    tw__bench_check check =
        tw__bench_payload_check(m->all->payloads, data, len, &note);
    if (check == TW__BENCH_FOREIGN) {
        findings->foreign++;
        return;
    }
    if (check == TW__BENCH_FINE) {
        check = opcode == TW__BENCH_TEXT ? find_talker(m, &note, &distance)
                                         : TW__BENCH_DAMAGED;
    }
    if (check != TW__BENCH_FINE) {
        findings->sum.damaged++;
        offend(m, "damaged", index_of(m), 0, 0);
        return;
    }
    if (!m->has_joined) {
        join(m);
    }
    if (note.kind == TW__BENCH_MESSAGE) {
        enter(m, distance, &note, now);
    }
}

static void on_open(tw__bench_conn *conn) {
    member *m = conn->group->arg;
    m->all->ended++;
    tw__bench_hand_opened(m->all->hand);
}

/* What was under way from or to it is the disconnect's, not a loss. */
static void leave(member *m) {
    rooms *all = m->all;
    tw__bench_sum *sum = &all->hand->findings->sum;
    uint32_t index = index_of(m);
    m->has_left = true;
    for (uint32_t d = 1; d < all->circle.members; d++) {
        member *talker =
            &all->members[tw__bench_circle_ahead(&all->circle, index, d)];
        uint32_t listener = tw__bench_circle_behind(&all->circle, index, d);
        tw__bench_account *to = account_of(all, index, d);
        tw__bench_account *from = account_of(all, listener, d);
        talker->listeners--;
        if (to->first != 0) {
            settle(talker, talker->sent - to->last);
        }
        tw__bench_account_close(to, to->last, &all->no_doubts, sum);
        tw__bench_account_close(from, from->last, &all->no_doubts, sum);
    }
}

static void on_close(tw__bench_conn *conn, uint16_t code) {
    member *m = conn->group->arg;
    tw__bench_hand *hand = m->all->hand;
    hand->findings->disconnects++;
    tw__bench_endings_add(hand->findings->endings, code, 1);
    offend(m, "disconnected", index_of(m), 0, 0);
    if (m->has_joined) {
        atomic_fetch_sub(&hand->place->joined, 1);
    }
    leave(m);
}

static void on_fail(tw__bench_conn *conn, const char *why) {
    member *m = conn->group->arg;
    m->all->ended++;
    tw__bench_hand_failed(m->all->hand, why);
}

static const tw__bench_events events = {on_open, on_message, on_close, on_fail};

/* Path and ?channel=room-NUMBER,..., first that in which it talks. Given. */
static char *make_path(const rooms *all, uint32_t index) {
    const tw__bench_hand *hand = all->hand;
    const char *base = hand->target->path;
    const char *path = hand->options->sub_path;
    size_t base_len = strcspn(base, "?");
    uint32_t count = hand->options->overlap ? all->circle.members : 1;
    size_t size = base_len + strlen(path) + 16 + (size_t)count * NAME_SIZE;
    char *out = tw__bench_alloc(size, 1);
    while (base_len > 0 && base[base_len - 1] == '/') {
        base_len--;
    }
    int at = snprintf(out, size, "%.*s%s%cchannel=", (int)base_len, base, path,
                      strchr(path, '?') != NULL ? '&' : '?');
    for (uint32_t d = 0; d < count; d++) {
        uint32_t room =
            all->first + tw__bench_circle_ahead(&all->circle, index, d);
        room = hand->options->overlap ? room : room / all->circle.members;
        at += snprintf(out + at, size - (size_t)at, "%sroom-%u",
                       d > 0 ? "," : "", (unsigned)room);
    }
    return out;
}

static void init_member(rooms *all, uint32_t index) {
    member *m = &all->members[index];
    m->all = all;
    m->path = make_path(all, index);
    m->listeners = all->circle.members - 1;
    tw__bench_hand_group(all->hand, &m->group, 1, all->first + index, m->path,
                         &events, m);
}

/* This hand's circles. */
static void share(rooms *all) {
    const tw__bench_options *options = all->hand->options;
    uint32_t members = (uint32_t)options->members;
    all->len = tw__bench_hand_share(all->hand, options->rooms, &all->first);
    all->circle = (tw__bench_circle){all->len, members};
    if (!options->overlap) {
        all->len *= members;
        all->first *= members;
        all->circle.size = members;
    }
}

static void *create(tw__bench_hand *hand) {
    rooms *all = tw__bench_alloc(1, sizeof *all);
    const tw__bench_options *options = hand->options;
    all->hand = hand;
    share(all);
    all->payloads = tw__bench_payloads_create(
        (size_t)options->size, hand->board->run, TW__BENCH_ALIKE);
    all->scratch = tw__bench_alloc((size_t)options->size, 1);
    all->members = tw__bench_alloc(all->len, sizeof *all->members);
    all->accounts = tw__bench_alloc((size_t)all->len * all->circle.members,
                                    sizeof *all->accounts);
    all->ready = tw__bench_alloc(all->len, sizeof *all->ready);
    for (uint32_t i = 0; i < all->len; i++) {
        init_member(all, i);
    }
    atomic_store(&hand->place->to_join, all->len);
    return all;
}

static void open_more(rooms *all) {
    uint32_t limit = atomic_load(&all->hand->board->ramp);
    uint64_t concurrency = all->hand->options->concurrency;
    limit = limit < all->len ? limit : all->len;
    while (all->begun < limit && all->begun - all->ended < concurrency) {
        tw__bench_conn_open(conn_of(&all->members[all->begun++]));
    }
}

static void probe_from(member *m, uint64_t now) {
    if (conn_of(m)->state == TW__BENCH_OPEN) {
        say(m, TW__BENCH_PROBE, 0, now);
        tw__bench_conn_flush(conn_of(m));
    }
}

/* Who has heard nothing yet hears the last one whom it can hear: so do all
 * between the two. */
static void probe(rooms *all, uint64_t now) {
    const tw__bench_circle *circle = &all->circle;
    uint32_t talker = UINT32_MAX;
    if (now < all->next_probe) {
        return;
    }
    all->next_probe = now + PROBE_NS;
    for (uint32_t i = 0; i < all->len; i++) {
        bool is_told = talker != UINT32_MAX &&
                       tw__bench_circle_distance(circle, i, talker) > 0;
        if (!all->members[i].has_joined && !is_told) {
            talker = tw__bench_circle_ahead(circle, i, circle->members - 1);
            probe_from(&all->members[talker], now);
        }
    }
}

static void on_phase(void *self) {
    rooms *all = self;
    for (uint32_t i = 0; all->hand->phase == TW__BENCH_WARMING && i < all->len;
         i++) {
        allow(&all->members[i]);
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
        if (all->members[i].missing > 0 && !all->members[i].has_left) {
            return false;
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

static void close_accounts(rooms *all, uint32_t listener) {
    for (uint32_t d = 1; d < all->circle.members; d++) {
        tw__bench_account *account = account_of(all, listener, d);
        uint32_t talker = tw__bench_circle_ahead(&all->circle, listener, d);
        uint64_t next = account->last + 1;
        if (tw__bench_account_close(account, all->members[talker].sent,
                                    &all->no_doubts,
                                    &all->hand->findings->sum) > 0) {
            offend(&all->members[listener], "lost", talker, next, 0);
        }
    }
}

static void destroy(void *self) {
    rooms *all = self;
    for (uint32_t i = 0; i < all->len; i++) {
        close_accounts(all, i);
        tw__bench_group_deinit(&all->members[i].group);
        free(all->members[i].path);
    }
    tw__bench_payloads_destroy(all->payloads);
    free(all->scratch);
    free(all->members);
    free(all->accounts);
    free(all->ready);
    free(all);
}

const tw__bench_mode tw__bench_rooms = {create, on_phase, on_turn, on_tick,
                                        destroy};
