/* Round trips. Each connection keeps a number of messages under way: whatever
 * one read brings back is replaced by one write. Every message is different
 * and must come back as it was, in its order.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "clock.h"
#include "hand.h"
#include "ledger.h"
#include "memory.h"
#include "payload.h"

typedef struct peer {
    tw__bench_account account;
    uint64_t sent;
    bool has_offended;
} peer;

typedef struct echo {
    tw__bench_hand *hand;
    tw__bench_group group;
    tw__bench_payloads *payloads;
    uint8_t *scratch; /* the message that is being made */
    peer *peers;
    tw__bench_doubts no_doubts;
} echo;

static void say(echo *e, tw__bench_conn *conn, uint64_t now) {
    const tw__bench_options *options = e->hand->options;
    peer *p = &e->peers[conn->index];
    tw__bench_note note = {TW__BENCH_MESSAGE,
                           (e->group.first_number + conn->index) &
                               TW__BENCH_SOURCE_MAX,
                           ++p->sent, now - e->hand->board->epoch_ns};
    tw__bench_payload_make(e->payloads, e->scratch, &note);
    tw__bench_conn_write(conn,
                         options->binary ? TW__BENCH_BINARY : TW__BENCH_TEXT,
                         e->scratch, (size_t)options->size);
    e->hand->findings->sent++;
}

static void offend(echo *e, tw__bench_conn *conn, const char *what,
                   uint64_t expected, uint64_t got) {
    peer *p = &e->peers[conn->index];
    if (!p->has_offended) {
        uint32_t number = e->group.first_number + conn->index;
        tw__bench_offence offence = {number, number, expected, got, ""};
        strncpy(offence.what, what, sizeof offence.what - 1);
        tw__bench_findings_offend(e->hand->findings, &offence);
        p->has_offended = true;
    }
}

static void on_open(tw__bench_conn *conn) {
    echo *e = conn->group->arg;
    tw__bench_account_open(&e->peers[conn->index].account, 1);
    tw__bench_hand_opened(e->hand);
}

/* A good message that is this connection's own, or the reason why not. */
static tw__bench_check examine(echo *e, tw__bench_conn *conn, int opcode,
                               const uint8_t *data, size_t len,
                               tw__bench_note *note) {
    bool binary = opcode == TW__BENCH_BINARY;
    uint32_t number = e->group.first_number + conn->index;
    tw__bench_check check =
        tw__bench_payload_check(e->payloads, data, len, note);
    if (check == TW__BENCH_FINE &&
        (binary != e->hand->options->binary ||
         note->source != (number & TW__BENCH_SOURCE_MAX))) {
        return TW__BENCH_DAMAGED;
    }
    return check;
}

static void on_message(tw__bench_conn *conn, int opcode, const uint8_t *data,
                       size_t len, uint64_t now) {
    echo *e = conn->group->arg;
    tw__bench_findings *findings = e->hand->findings;
    tw__bench_note note;
    tw__bench_check check = examine(e, conn, opcode, data, len, &note);
    if (check != TW__BENCH_FINE) {
        findings->foreign += check == TW__BENCH_FOREIGN;
        findings->sum.damaged += check == TW__BENCH_DAMAGED;
        if (check == TW__BENCH_DAMAGED) {
            offend(e, conn, "damaged", e->peers[conn->index].account.last + 1,
                   0);
        }
        return;
    }
    tw__bench_account *account = &e->peers[conn->index].account;
    uint64_t expected = account->last + 1;
    if (tw__bench_account_take(account, note.seq, &e->no_doubts,
                               &findings->sum) != TW__BENCH_IN_ORDER) {
        offend(e, conn, "out of order", expected, note.seq);
    }
    e->hand->messages++;
    if (e->hand->phase == TW__BENCH_MEASURING) {
        tw__bench_histogram_add(&findings->latency,
                                now - e->hand->board->epoch_ns - note.time_ns);
    }
    if (tw__bench_hand_is_busy(e->hand)) {
        say(e, conn, now);
    }
}

static void on_close(tw__bench_conn *conn, uint16_t code) {
    echo *e = conn->group->arg;
    tw__bench_account *account = &e->peers[conn->index].account;
    tw__bench_findings *findings = e->hand->findings;
    findings->disconnects++;
    tw__bench_endings_add(findings->endings, code, 1);
    offend(e, conn, "disconnected", account->last + 1, 0);
    /* What was under way is the disconnect's, not a loss of its own. */
    tw__bench_account_close(account, account->last, &e->no_doubts,
                            &findings->sum);
}

static void on_fail(tw__bench_conn *conn, const char *why) {
    echo *e = conn->group->arg;
    tw__bench_hand_failed(e->hand, why);
}

static const tw__bench_events events = {on_open, on_message, on_close, on_fail};

static void *create(tw__bench_hand *hand) {
    echo *e = tw__bench_alloc(1, sizeof *e);
    const tw__bench_options *options = hand->options;
    uint32_t first, len;
    e->hand = hand;
    len = tw__bench_hand_share(hand, options->connections, &first);
    e->payloads = tw__bench_payloads_create(
        (size_t)options->size, hand->board->run,
        options->binary ? TW__BENCH_BYTES : TW__BENCH_UNLIKE);
    e->scratch = tw__bench_alloc((size_t)options->size, 1);
    e->peers = tw__bench_alloc(len, sizeof *e->peers);
    tw__bench_hand_group(hand, &e->group, len, first, hand->target->path,
                         &events, e);
    return e;
}

static void start(echo *e) {
    for (uint32_t i = 0; i < e->group.len; i++) {
        tw__bench_conn *conn = &e->group.conns[i];
        uint64_t now = tw__bench_now();
        for (uint64_t n = 0;
             conn->state == TW__BENCH_OPEN && n < e->hand->options->in_flight;
             n++) {
            say(e, conn, now);
        }
        tw__bench_conn_flush(conn);
    }
}

static void on_phase(void *self) {
    echo *e = self;
    if (e->hand->phase == TW__BENCH_WARMING) {
        start(e);
    }
}

static void on_turn(void *self) {
    echo *e = self;
    if (e->hand->phase == TW__BENCH_OPENING) {
        tw__bench_group_pump(&e->group, atomic_load(&e->hand->board->ramp),
                             (uint32_t)e->hand->options->concurrency);
    }
}

static bool is_settled(const echo *e) {
    for (uint32_t i = 0; i < e->group.len; i++) {
        const peer *p = &e->peers[i];
        if (p->account.first != 0 && p->account.last < p->sent) {
            return false;
        }
    }
    return true;
}

static void on_tick(void *self) {
    echo *e = self;
    if (e->hand->phase == TW__BENCH_DRAINING && is_settled(e)) {
        atomic_store(&e->hand->place->is_settled, true);
    }
}

static void destroy(void *self) {
    echo *e = self;
    for (uint32_t i = 0; i < e->group.len; i++) {
        peer *p = &e->peers[i];
        uint64_t last = p->account.last;
        if (tw__bench_account_close(&p->account, p->sent, &e->no_doubts,
                                    &e->hand->findings->sum) > 0) {
            offend(e, &e->group.conns[i], "lost", last + 1, 0);
        }
    }
    tw__bench_group_deinit(&e->group);
    tw__bench_payloads_destroy(e->payloads);
    free(e->scratch);
    free(e->peers);
    free(e);
}

const tw__bench_mode tw__bench_echo = {create, on_phase, on_turn, on_tick,
                                       destroy};
