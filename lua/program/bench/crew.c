/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "measure.h"
#include "plan.h"

#define POLL_NS (2 * TW__BENCH_MS)
#define PATIENCE_NS (30 * TW__BENCH_SECOND) /* without any progress */

/* With this many connections the first ones of each hand are opened before
 * memory is looked at, so that what the server touches only once is not
 * divided among them. */
#define BASELINE_FROM 1000
#define BASELINE 64

typedef struct crew {
    const tw__bench_options *options;
    const tw__bench_target *target;
    tw__bench_board *board;
    tw__bench_outcome *outcome;
    uint32_t hands;
    pid_t pids[TW__BENCH_HANDS_MAX];
    bool is_hand_lost;
    char *why;
    size_t why_size;
} crew;

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number) {
    (void)number;
    is_interrupted = 1;
}

static int complain(crew *c, const char *what) {
    if (c->why[0] == 0) {
        snprintf(c->why, c->why_size, "%s", what);
    }
    return -1;
}

static const tw__bench_mode *mode_of(tw__bench_kind kind) {
    switch (kind) {
    case TW__BENCH_ECHO:
        return &tw__bench_echo;
    case TW__BENCH_FANOUT:
        return &tw__bench_fanout;
    case TW__BENCH_ROOMS:
        return &tw__bench_rooms;
    case TW__BENCH_IDLE:
        return &tw__bench_idle;
    case TW__BENCH_CHURN:
        break;
    }
    return &tw__bench_churn;
}

static void run_hand(crew *c, uint32_t index, pid_t parent) {
    tw__bench_hand hand = {.options = c->options,
                           .target = c->target,
                           .board = c->board,
                           .index = index,
                           .count = c->hands,
                           .sources =
                               tw__bench_plan_sources(c->options, c->target)};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    signal(SIGINT, SIG_IGN); /* the parent ends the phases */
    signal(SIGTERM, SIG_IGN);
    tw__bench_plan_pin(c->options->cpu, index);
    _exit(tw__bench_hand_run(&hand, mode_of(c->options->kind)) == 0 ? 0 : 1);
}

static int fork_hands(crew *c) {
    pid_t parent = getpid();
    fflush(NULL);
    for (uint32_t i = 0; i < c->hands; i++) {
        c->pids[i] = fork();
        if (c->pids[i] < 0) {
            return complain(c, strerror(errno));
        }
        if (c->pids[i] == 0) {
            run_hand(c, i, parent);
        }
    }
    return 0;
}

static void set_phase(crew *c, tw__bench_phase phase) {
    atomic_store(&c->board->phase, phase);
}

static void doze(uint64_t ns) {
    struct timespec ts = {(time_t)(ns / TW__BENCH_SECOND),
                          (long)(ns % TW__BENCH_SECOND)};
    nanosleep(&ts, NULL);
}

/* A hand that has ended by itself has failed. */
static bool are_hands_alive(crew *c) {
    for (uint32_t i = 0; i < c->hands && !c->is_hand_lost; i++) {
        if (c->pids[i] > 0 && waitpid(c->pids[i], NULL, WNOHANG) != 0) {
            c->pids[i] = 0;
            c->is_hand_lost = true;
        }
    }
    if (c->is_hand_lost) {
        complain(c, "a load process died");
    }
    return !c->is_hand_lost;
}

/* Sums over the hands. */
typedef struct totals {
    uint64_t messages, opened, failed, to_join, joined;
    bool are_all_settled, is_stuck;
} totals;

static totals look(const crew *c) {
    totals t = {.are_all_settled = true};
    for (uint32_t i = 0; i < c->hands; i++) {
        tw__bench_place *place = &c->board->places[i];
        t.messages += atomic_load(&place->messages);
        t.opened += atomic_load(&place->opened);
        t.failed += atomic_load(&place->failed);
        t.to_join += atomic_load(&place->to_join);
        t.joined += atomic_load(&place->joined);
        t.are_all_settled &= atomic_load(&place->is_settled);
        t.is_stuck |= atomic_load(&place->is_stuck);
    }
    return t;
}

static const char *first_failure(const crew *c) {
    for (uint32_t i = 0; i < c->hands; i++) {
        if (c->board->places[i].findings.failed > 0) {
            return c->board->places[i].findings.failure;
        }
    }
    return "";
}

/* Waits until `wanted` connections are open. */
static int wait_open(crew *c, uint64_t wanted) {
    uint64_t best = 0, since = tw__bench_now();
    for (;;) {
        totals t = look(c);
        if (!are_hands_alive(c) || is_interrupted) {
            return complain(c, "interrupted");
        }
        if (t.failed > 0) {
            snprintf(c->why, c->why_size,
                     "a connection could not be opened: %s", first_failure(c));
            return -1;
        }
        if (t.opened >= wanted) {
            return 0;
        }
        if (t.opened != best) {
            best = t.opened;
            since = tw__bench_now();
        }
        if (tw__bench_now() - since > PATIENCE_NS) {
            snprintf(c->why, c->why_size,
                     "only %llu of %llu connections could be opened",
                     (unsigned long long)t.opened, (unsigned long long)wanted);
            return -1;
        }
        doze(POLL_NS);
    }
}

/* Codes are the hands' to write, but at this point they are at rest. */
static int say_who_is_missing(crew *c, const totals *t) {
    size_t at = (size_t)snprintf(
        c->why, c->why_size,
        "%llu of %llu subscribers got no probe: does %s publish to what %s "
        "subscribes to?",
        (unsigned long long)(t->to_join - t->joined),
        (unsigned long long)t->to_join, c->options->pub_path,
        c->options->sub_path);
    for (uint32_t i = 0; i < c->hands && at < c->why_size; i++) {
        uint16_t code = c->board->places[i].findings.endings[0].code;
        if (code != 0) {
            snprintf(c->why + at, c->why_size - at,
                     " Connections were closed, the first with %u.", code);
            break;
        }
    }
    return -1;
}

static int wait_joined(crew *c) {
    uint64_t best = 0, since = tw__bench_now();
    set_phase(c, TW__BENCH_JOINING);
    for (;;) {
        totals t = look(c);
        if (!are_hands_alive(c) || is_interrupted) {
            return complain(c, "interrupted");
        }
        if (t.joined >= t.to_join) {
            return 0;
        }
        if (t.joined != best) {
            best = t.joined;
            since = tw__bench_now();
        }
        if (t.is_stuck || tw__bench_now() - since > PATIENCE_NS) {
            return say_who_is_missing(c, &t);
        }
        doze(POLL_NS);
    }
}

/* Sleeps for a phase; shorter when nothing can come of it any more. */
static int pass(crew *c, double seconds) {
    uint64_t end =
        tw__bench_now() + (uint64_t)(seconds * (double)TW__BENCH_SECOND);
    for (;;) {
        uint64_t now = tw__bench_now();
        if (now >= end || is_interrupted || look(c).is_stuck) {
            return 0;
        }
        if (!are_hands_alive(c)) {
            return -1;
        }
        doze(end - now < 10 * TW__BENCH_MS ? end - now : 10 * TW__BENCH_MS);
    }
}

static int drain(crew *c) {
    uint64_t limit = (uint64_t)(c->options->drain * (double)TW__BENCH_SECOND);
    uint64_t best = 0, since = tw__bench_now();
    set_phase(c, TW__BENCH_DRAINING);
    for (;;) {
        totals t = look(c);
        if (t.are_all_settled) {
            return 0;
        }
        if (!are_hands_alive(c)) {
            return -1;
        }
        if (t.messages != best) {
            best = t.messages;
            since = tw__bench_now();
        }
        if (tw__bench_now() - since > limit) {
            return 0;
        }
        doze(POLL_NS);
    }
}

/* Opens everything. `*before` is the server's memory before those which are
 * counted. */
static int open_all(crew *c, tw__bench_mem *before) {
    uint32_t ramp = 0;
    uint64_t wanted = 0;
    if (c->options->connections >= BASELINE_FROM * c->hands) {
        ramp = BASELINE;
        wanted = (uint64_t)BASELINE * c->hands;
    }
    atomic_store(&c->board->ramp, ramp);
    if (wait_open(c, wanted) != 0) {
        return -1;
    }
    pass(c, c->options->settle);
    *before = tw__bench_server_memory(c->options);
    uint64_t early = look(c).opened;
    uint64_t all = c->options->kind != TW__BENCH_CHURN
                       ? c->options->connections + c->options->publishers
                       : 0;
    atomic_store(&c->board->ramp, UINT32_MAX);
    if (wait_open(c, all) != 0) {
        return -1;
    }
    c->outcome->counted = look(c).opened - early;
    return 0;
}

static void note(const crew *c, tw__bench_moment *moment) {
    tw__bench_moment_note(moment, c->options, c->pids, c->hands);
    moment->messages = look(c).messages;
    moment->at = tw__bench_now();
}

static int lead(crew *c) {
    static tw__bench_moment from, to; /* large */
    tw__bench_mem before, opened;
    if (open_all(c, &before) != 0) {
        return -1;
    }
    bool is_joined = c->options->kind == TW__BENCH_FANOUT ||
                     c->options->kind == TW__BENCH_ROOMS;
    if (is_joined && wait_joined(c) != 0) {
        return -1;
    }
    pass(c, c->options->settle);
    opened = tw__bench_server_memory(c->options);
    set_phase(c, TW__BENCH_WARMING);
    pass(c, c->options->warmup);
    note(c, &from);
    set_phase(c, TW__BENCH_MEASURING);
    if (pass(c, c->options->seconds) != 0) {
        return -1;
    }
    note(c, &to);
    c->outcome->is_stuck = look(c).is_stuck;
    tw__bench_moment_compare(&from, &to, c->hands, c->outcome);
    tw__bench_memory_compare(c->options, &before, &opened, c->outcome);
    return drain(c);
}

/* Ends the hands and takes over what they found. */
static int gather(crew *c, int rc) {
    set_phase(c, TW__BENCH_ENDED);
    for (uint32_t i = 0; i < c->hands; i++) {
        int status = 0;
        if (c->pids[i] > 0) {
            waitpid(c->pids[i], &status, 0);
        }
        if (status != 0) {
            rc = complain(c, "a load process failed");
        }
        tw__bench_findings_merge(&c->outcome->findings,
                                 &c->board->places[i].findings);
    }
    c->outcome->hands = c->hands;
    return rc;
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void set_up_board(tw__bench_board *board) {
    board->epoch_ns = tw__bench_now();
    if (getrandom(&board->run, sizeof board->run, 0) < 0) {
        board->run = (uint32_t)board->epoch_ns;
    }
}

int tw__bench_crew_run(const tw__bench_options *options,
                       const tw__bench_target *target,
                       tw__bench_outcome *outcome, char *why, size_t why_size) {
    crew c = {.options = options,
              .target = target,
              .outcome = outcome,
              .why = why,
              .why_size = why_size};
    memset(outcome, 0, sizeof *outcome);
    why[0] = 0;
    is_interrupted = 0;
    if (tw__bench_plan_hands(options, &c.hands, why, why_size) != 0) {
        return -1;
    }
    c.board = tw__bench_board_create();
    if (c.board == NULL) {
        return complain(&c, strerror(errno));
    }
    set_up_board(c.board);
    catch_signals();
    int rc = fork_hands(&c);
    rc = rc == 0 ? lead(&c) : rc;
    rc = gather(&c, rc);
    tw__bench_board_destroy(c.board);
    return rc;
}
