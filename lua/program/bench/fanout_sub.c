/* The subscribers: what reaches them is checked and entered.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "clock.h"
#include "fanout.h"
#include "memory.h"

#define TICKS_PER_SECOND 100
#define RETRY_MS 50

/* A slow reader's kernel buffer holds little, so that it is the server's queue
 * that grows. */
#define SLOW_BUFFER 4096

static tw__bench_subscriber *subscriber_of(const tw__bench_conn *conn) {
    tw__bench_crowd *crowd = conn->group->arg;
    return &crowd->subscribers[conn->index];
}

static tw__bench_account *accounts_of(const tw__bench_conn *conn) {
    tw__bench_crowd *crowd = conn->group->arg;
    return &crowd->accounts[(size_t)conn->index * crowd->fan->publishers_len];
}

static void offend(tw__bench_conn *conn, const char *what, uint32_t publisher,
                   uint64_t expected, uint64_t got) {
    tw__bench_crowd *crowd = conn->group->arg;
    tw__bench_subscriber *s = subscriber_of(conn);
    if (s->has_offended) {
        return;
    }
    tw__bench_offence offence = {conn->group->first_number + conn->index,
                                 publisher, expected, got, ""};
    strncpy(offence.what, what, sizeof offence.what - 1);
    tw__bench_findings_offend(crowd->fan->hand->findings, &offence);
    s->has_offended = true;
}

static void on_open(tw__bench_conn *conn) {
    tw__bench_crowd *crowd = conn->group->arg;
    tw__bench_hand *hand = crowd->fan->hand;
    if (hand->phase <= TW__BENCH_JOINING) {
        tw__bench_hand_opened(hand);
    }
    if (subscriber_of(conn)->has_been_in) {
        hand->findings->reconnects++;
    }
}

static void open_account(tw__bench_crowd *crowd, tw__bench_account *account,
                         uint32_t publisher, uint64_t first) {
    tw__bench_account_open(account, first);
    if (!crowd->is_slow) {
        tw__bench_gate_join(crowd->fan, publisher);
    }
}

/* The first message of the run proves that the connection is subscribed. Its
 * first time all that is sent from now on counts; when it has come back, what
 * counts begins with the first message of each publisher. */
static void join(tw__bench_conn *conn) {
    tw__bench_crowd *crowd = conn->group->arg;
    tw__bench_subscriber *s = subscriber_of(conn);
    tw__bench_hand *hand = crowd->fan->hand;
    if (hand->phase <= TW__BENCH_JOINING) {
        for (uint32_t p = 0; p < crowd->fan->publishers_len; p++) {
            open_account(crowd, &accounts_of(conn)[p], p, 1);
        }
        atomic_fetch_add(&hand->place->joined, 1);
    }
    if (crowd->is_slow) {
        tw__bench_conn_pause(conn, hand->phase < TW__BENCH_DRAINING);
    }
    s->has_joined = true;
    s->has_been_in = true;
}

static void raise_top(tw__bench_fan *fan, uint32_t publisher, uint64_t seq) {
    if (seq > fan->tops[publisher]) {
        fan->tops[publisher] = seq;
        atomic_store_explicit(&fan->hand->place->top[publisher], seq,
                              memory_order_release);
    }
}

static void enter(tw__bench_conn *conn, const tw__bench_note *note,
                  uint64_t now) {
    tw__bench_crowd *crowd = conn->group->arg;
    tw__bench_fan *fan = crowd->fan;
    tw__bench_hand *hand = fan->hand;
    uint32_t p = note->source;
    tw__bench_account *account = &accounts_of(conn)[p];
    if (account->first == 0) {
        open_account(crowd, account, p, note->seq);
    }
    uint64_t before = account->last;
    tw__bench_verdict verdict = tw__bench_account_take(
        account, note->seq, &hand->board->publishers[p].doubts, crowd->sum);
    if (verdict != TW__BENCH_IN_ORDER) {
        static const char *const names[] = {"", "gap", "late", "double"};
        offend(conn, names[verdict], p, before + 1, note->seq);
    }
    hand->messages++;
    raise_top(fan, p, note->seq);
    if (crowd->is_slow) {
        return;
    }
    if (hand->phase == TW__BENCH_MEASURING) {
        tw__bench_histogram_add(&hand->findings->latency,
                                now - hand->board->epoch_ns - note->time_ns);
    }
    tw__bench_gate_advance(fan, p, before, account->last);
}

static void on_message(tw__bench_conn *conn, int opcode, const uint8_t *data,
                       size_t len, uint64_t now) {
    tw__bench_crowd *crowd = conn->group->arg;
    tw__bench_fan *fan = crowd->fan;
    tw__bench_note note;
    tw__bench_check check =
        tw__bench_payload_check(fan->payloads, data, len, &note);
    if (check == TW__BENCH_FINE &&
        (opcode != TW__BENCH_TEXT || note.source >= fan->publishers_len)) {
        check = TW__BENCH_DAMAGED;
    }
    if (check == TW__BENCH_FOREIGN) {
        fan->hand->findings->foreign++;
        return;
    }
    if (check == TW__BENCH_DAMAGED) {
        crowd->sum->damaged++;
        offend(conn, "damaged", 0, 0, 0);
        return;
    }
    if (!subscriber_of(conn)->has_joined) {
        join(conn);
    }
    if (note.kind == TW__BENCH_MESSAGE) {
        enter(conn, &note, now);
    }
}

static void come_back(tw__bench_conn *conn) {
    tw__bench_hand *hand = ((tw__bench_crowd *)conn->group->arg)->fan->hand;
    uint64_t jitter = tw__bench_loop_random(&hand->loop) % RETRY_MS;
    if (hand->options->reconnect && hand->phase < TW__BENCH_DRAINING) {
        tw__bench_conn_open_at(conn, hand->loop.now +
                                         (RETRY_MS + jitter) * TW__BENCH_MS);
    }
}

static void leave(tw__bench_conn *conn) {
    tw__bench_crowd *crowd = conn->group->arg;
    tw__bench_fan *fan = crowd->fan;
    if (fan->hand->phase <= TW__BENCH_JOINING) {
        atomic_fetch_sub(&fan->hand->place->joined, 1);
    }
    for (uint32_t p = 0; p < fan->publishers_len; p++) {
        tw__bench_account *account = &accounts_of(conn)[p];
        if (account->first != 0 && !crowd->is_slow) {
            tw__bench_gate_leave(fan, p, account);
        }
        tw__bench_account_close(account, account->last,
                                &fan->hand->board->publishers[p].doubts,
                                crowd->sum);
    }
    subscriber_of(conn)->has_joined = false;
}

static void on_close(tw__bench_conn *conn, uint16_t code) {
    tw__bench_crowd *crowd = conn->group->arg;
    tw__bench_findings *findings = crowd->fan->hand->findings;
    tw__bench_endings_add(crowd->endings, code, 1);
    if (crowd->is_slow) {
        findings->slow_closed++;
    } else {
        findings->disconnects++;
        offend(conn, "disconnected", 0, accounts_of(conn)->last + 1, 0);
    }
    if (subscriber_of(conn)->has_joined) {
        leave(conn);
    }
    come_back(conn);
}

static void on_fail(tw__bench_conn *conn, const char *why) {
    tw__bench_crowd *crowd = conn->group->arg;
    if (crowd->fan->hand->phase == TW__BENCH_OPENING) {
        tw__bench_hand_failed(crowd->fan->hand, why);
    } else {
        tw__bench_findings_fail(crowd->fan->hand->findings, why);
        come_back(conn);
    }
}

static const tw__bench_events events = {on_open, on_message, on_close, on_fail};

void tw__bench_crowd_init(tw__bench_crowd *crowd, tw__bench_fan *fan,
                          uint64_t total, uint64_t numbered_from,
                          bool is_slow) {
    tw__bench_hand *hand = fan->hand;
    uint32_t first;
    uint32_t len = tw__bench_hand_share(hand, total, &first);
    crowd->fan = fan;
    crowd->is_slow = is_slow;
    crowd->sum = is_slow ? &hand->findings->slow_sum : &hand->findings->sum;
    crowd->endings =
        is_slow ? hand->findings->slow_endings : hand->findings->endings;
    tw__bench_hand_group(hand, &crowd->group, len,
                         first + (uint32_t)numbered_from, fan->sub_path,
                         &events, crowd);
    crowd->group.receive_buffer = is_slow ? SLOW_BUFFER : 0;
    crowd->subscribers = tw__bench_alloc(len, sizeof *crowd->subscribers);
    crowd->accounts = tw__bench_alloc((size_t)len * fan->publishers_len,
                                      sizeof *crowd->accounts);
    atomic_fetch_add(&hand->place->to_join, len);
}

void tw__bench_crowd_tick(tw__bench_crowd *crowd) {
    tw__bench_hand *hand = crowd->fan->hand;
    if (!crowd->is_slow || !tw__bench_hand_is_busy(hand)) {
        return;
    }
    for (uint32_t i = 0; i < crowd->group.len; i++) {
        tw__bench_conn *conn = &crowd->group.conns[i];
        if (conn->paused) {
            tw__bench_conn_sip(
                conn, (size_t)(hand->options->slow_rate / TICKS_PER_SECOND));
        }
    }
}

void tw__bench_crowd_wake(tw__bench_crowd *crowd) {
    for (uint32_t i = 0; i < crowd->group.len; i++) {
        tw__bench_conn_pause(&crowd->group.conns[i], false);
    }
}

/* What an account should hold in the end. */
static uint64_t last_of(const tw__bench_fan *fan, uint32_t publisher) {
    return atomic_load(&fan->hand->board->publishers[publisher].sent);
}

bool tw__bench_crowd_is_settled(const tw__bench_crowd *crowd) {
    const tw__bench_fan *fan = crowd->fan;
    size_t len = (size_t)crowd->group.len * fan->publishers_len;
    for (size_t i = 0; i < len; i++) {
        const tw__bench_account *account = &crowd->accounts[i];
        if (account->first != 0 &&
            account->last < last_of(fan, (uint32_t)(i % fan->publishers_len))) {
            return false;
        }
    }
    return true;
}

static void close_accounts(tw__bench_conn *conn) {
    tw__bench_crowd *crowd = conn->group->arg;
    tw__bench_fan *fan = crowd->fan;
    for (uint32_t p = 0; p < fan->publishers_len; p++) {
        tw__bench_account *account = &accounts_of(conn)[p];
        uint64_t next = account->last + 1;
        if (tw__bench_account_close(account, last_of(fan, p),
                                    &fan->hand->board->publishers[p].doubts,
                                    crowd->sum) > 0) {
            offend(conn, "lost", p, next, 0);
        }
    }
}

void tw__bench_crowd_deinit(tw__bench_crowd *crowd) {
    for (uint32_t i = 0; i < crowd->group.len; i++) {
        close_accounts(&crowd->group.conns[i]);
    }
    if (crowd->is_slow) {
        crowd->fan->hand->findings->slow_readers += crowd->group.len;
    }
    tw__bench_group_deinit(&crowd->group);
    free(crowd->subscribers);
    free(crowd->accounts);
}
