/* The publishers: bursts through the gate, or a steady rate.
 *
 * With --rate the time written into a message is that at which it was due, so
 * that a delay of the generator or of a blocked socket counts as latency and
 * is not left out.
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "fanout.h"
#include "memory.h"

#define PROBE_NS (250 * TW__BENCH_MS)
#define STALL_NS (3 * TW__BENCH_SECOND)
#define LONELY_NS (100 * TW__BENCH_MS) /* when nobody is subscribed */
#define RETRY_NS (100 * TW__BENCH_MS)
#define TICK_NS_MIN 100000U

/* More than this is not written ahead of a socket that does not take it. */
#define AHEAD_MAX (1 << 20)
#define BURST_MAX 1024 /* of those that are due, in one turn */

static void on_tick(tw__bench_fd *source, uint32_t events) {
    tw__bench_fan *fan =
        (void *)((char *)source - offsetof(tw__bench_fan, tick));
    uint64_t count;
    (void)events;
    while (read(fan->tick_fd, &count, sizeof count) > 0) {
    }
}

static void on_wake(tw__bench_fd *source, uint32_t events) {
    tw__bench_fan *fan =
        (void *)((char *)source - offsetof(tw__bench_fan, wake));
    uint64_t count;
    (void)events;
    while (read(fan->hand->board->gate, &count, sizeof count) > 0) {
    }
}

static void on_open(tw__bench_conn *conn) {
    tw__bench_fan *fan = conn->group->arg;
    tw__bench_publisher *p = &fan->publishers[conn->index];
    if (fan->hand->phase <= TW__BENCH_JOINING) {
        tw__bench_hand_opened(fan->hand);
    } else {
        fan->hand->findings->reconnects++;
    }
    p->is_fresh = true;
}

static void on_message(tw__bench_conn *conn, int opcode, const uint8_t *data,
                       size_t len, uint64_t now) {
    tw__bench_fan *fan = conn->group->arg;
    (void)opcode;
    (void)data;
    (void)len;
    (void)now;
    fan->hand->findings->foreign++;
}

static bool is_anybody_left(const tw__bench_fan *fan) {
    for (uint32_t i = 0; i < fan->publisher_group.len; i++) {
        if (fan->publisher_group.conns[i].state != TW__BENCH_CLOSED) {
            return true;
        }
    }
    return false;
}

static void come_back(tw__bench_fan *fan, tw__bench_conn *conn) {
    if (fan->hand->options->reconnect &&
        fan->hand->phase < TW__BENCH_DRAINING) {
        tw__bench_conn_open_at(conn, fan->hand->loop.now + RETRY_NS);
    }
    if (!is_anybody_left(fan)) {
        atomic_store(&fan->hand->place->is_stuck, true);
    }
}

/* What nobody has received yet may never have reached the server. */
static void on_close(tw__bench_conn *conn, uint16_t code) {
    tw__bench_fan *fan = conn->group->arg;
    tw__bench_board *board = fan->hand->board;
    uint64_t top = 0;
    for (uint32_t i = 0; i < fan->hand->count; i++) {
        uint64_t seen = atomic_load(&board->places[i].top[conn->index]);
        top = seen > top ? seen : top;
    }
    tw__bench_doubts_add(&board->publishers[conn->index].doubts, top + 1,
                         fan->publishers[conn->index].sent);
    fan->hand->findings->publisher_breaks++;
    tw__bench_endings_add(fan->hand->findings->endings, code, 1);
    come_back(fan, conn);
}

static void on_fail(tw__bench_conn *conn, const char *why) {
    tw__bench_fan *fan = conn->group->arg;
    if (fan->hand->phase == TW__BENCH_OPENING) {
        tw__bench_hand_failed(fan->hand, why);
    } else {
        tw__bench_findings_fail(fan->hand->findings, why);
        come_back(fan, conn);
    }
}

static const tw__bench_events events = {on_open, on_message, on_close, on_fail};

static void write_note(tw__bench_fan *fan, uint32_t index, char kind,
                       uint64_t seq, uint64_t time) {
    tw__bench_note note = {kind, index, seq, time - fan->hand->board->epoch_ns};
    tw__bench_payload_make(fan->payloads, fan->scratch, &note);
    tw__bench_conn_write(&fan->publisher_group.conns[index], TW__BENCH_TEXT,
                         fan->scratch, (size_t)fan->hand->options->size);
}

/* Publishers take turns, so that a broken path of any of them shows. */
static void probe(tw__bench_fan *fan, uint64_t now) {
    uint32_t index = fan->probes % fan->publishers_len;
    if (now < fan->next_probe ||
        fan->publisher_group.conns[index].state != TW__BENCH_OPEN) {
        return;
    }
    fan->next_probe = now + PROBE_NS;
    write_note(fan, index, TW__BENCH_PROBE, ++fan->probes, now);
    tw__bench_conn_flush(&fan->publisher_group.conns[index]);
}

/* The number must be on the board before a subscriber can see the message. */
static void announce(tw__bench_fan *fan, uint32_t index, uint64_t count) {
    tw__bench_publisher *p = &fan->publishers[index];
    p->sent += count;
    fan->hand->findings->sent += count;
    atomic_store(&fan->hand->board->publishers[index].sent, p->sent);
}

static bool may_go_on(tw__bench_fan *fan, uint32_t index, uint64_t now) {
    tw__bench_publisher *p = &fan->publishers[index];
    tw__bench_hand *hand = fan->hand;
    if (p->is_fresh ||
        tw__bench_gate_is_open(hand->board, hand->count, index, p->sent)) {
        return true;
    }
    if (tw__bench_gate_has_people(hand->board, hand->count, index)) {
        bool is_stalled = now - p->burst_at >= STALL_NS;
        hand->findings->stalls += is_stalled;
        return is_stalled;
    }
    return now - p->burst_at >= LONELY_NS;
}

static void send_burst(tw__bench_fan *fan, uint32_t index) {
    tw__bench_publisher *p = &fan->publishers[index];
    uint64_t now = tw__bench_now(), count = fan->hand->options->in_flight;
    if (!may_go_on(fan, index, now)) {
        return;
    }
    announce(fan, index, count);
    p->burst_at = now;
    p->is_fresh = false;
    for (uint64_t i = count; i-- > 0;) {
        write_note(fan, index, TW__BENCH_MESSAGE, p->sent - i, now);
    }
    tw__bench_conn_flush(&fan->publisher_group.conns[index]);
}

/* Message n of this publisher is due n intervals after its own start; starts
 * are spread over an interval. */
static uint64_t due_at(const tw__bench_fan *fan, uint32_t index, uint64_t n) {
    double step = (double)TW__BENCH_SECOND / fan->hand->options->rate;
    double at = (double)n * fan->publishers_len + index;
    return fan->started_at + (uint64_t)(at * step);
}

static void send_due(tw__bench_fan *fan, uint32_t index) {
    tw__bench_publisher *p = &fan->publishers[index];
    uint64_t now = tw__bench_now(), count = 0;
    while (count < BURST_MAX && due_at(fan, index, p->sent + count) <= now) {
        count++;
    }
    if (count == 0) {
        return;
    }
    uint64_t late = now - due_at(fan, index, p->sent);
    tw__bench_findings *findings = fan->hand->findings;
    findings->late_ns = late > findings->late_ns ? late : findings->late_ns;
    announce(fan, index, count);
    for (uint64_t seq = p->sent - count + 1; seq <= p->sent; seq++) {
        write_note(fan, index, TW__BENCH_MESSAGE, seq,
                   due_at(fan, index, seq - 1));
    }
    tw__bench_conn_flush(&fan->publisher_group.conns[index]);
}

void tw__bench_publishers_turn(tw__bench_fan *fan) {
    if (fan->hand->phase == TW__BENCH_JOINING) {
        probe(fan, fan->hand->loop.now);
    }
    if (!tw__bench_hand_is_busy(fan->hand)) {
        return;
    }
    if (fan->started_at == 0) {
        fan->started_at = tw__bench_now();
    }
    for (uint32_t i = 0; i < fan->publisher_group.len; i++) {
        tw__bench_conn *conn = &fan->publisher_group.conns[i];
        if (conn->state != TW__BENCH_OPEN ||
            tw__bench_conn_unsent(conn) > AHEAD_MAX) {
            continue;
        }
        if (fan->hand->options->rate > 0) {
            send_due(fan, i);
        } else {
            send_burst(fan, i);
        }
    }
}

static int start_clock(tw__bench_fan *fan) {
    uint64_t step =
        (uint64_t)((double)TW__BENCH_SECOND / fan->hand->options->rate);
    step = step > TICK_NS_MIN ? step : TICK_NS_MIN;
    struct timespec ts = {(time_t)(step / TW__BENCH_SECOND),
                          (long)(step % TW__BENCH_SECOND)};
    struct itimerspec spec = {ts, ts};
    fan->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fan->tick_fd < 0 || timerfd_settime(fan->tick_fd, 0, &spec, NULL) < 0) {
        return -errno;
    }
    fan->tick.on_ready = on_tick;
    return tw__bench_loop_add(&fan->hand->loop, fan->tick_fd, &fan->tick,
                              EPOLLIN);
}

int tw__bench_publishers_init(tw__bench_fan *fan) {
    tw__bench_hand *hand = fan->hand;
    fan->publishers =
        tw__bench_alloc(fan->publishers_len, sizeof *fan->publishers);
    fan->scratch = tw__bench_alloc((size_t)hand->options->size, 1);
    tw__bench_hand_group(hand, &fan->publisher_group, fan->publishers_len, 0,
                         fan->pub_path, &events, fan);
    if (hand->options->rate > 0) {
        return start_clock(fan);
    }
    fan->wake.on_ready = on_wake;
    return tw__bench_loop_add(&hand->loop, hand->board->gate, &fan->wake,
                              EPOLLIN);
}

bool tw__bench_publishers_are_settled(const tw__bench_fan *fan) {
    for (uint32_t i = 0; i < fan->publisher_group.len; i++) {
        if (tw__bench_conn_unsent(&fan->publisher_group.conns[i]) > 0) {
            return false;
        }
    }
    return true;
}

void tw__bench_publishers_deinit(tw__bench_fan *fan) {
    tw__bench_group_deinit(&fan->publisher_group);
    free(fan->publishers);
    free(fan->scratch);
    if (fan->tick_fd >= 0) {
        close(fan->tick_fd);
    }
}
