/* pauses.c - how long the collector of a script holds the server up.
 *
 *     pauses [OBJECTS BYTES SHAPE]
 *
 * A script keeps OBJECTS tables alive, each with a string of its own of BYTES
 * (SHAPE "one": all in one table, "many": in tables of a thousand), while a
 * client sends messages, one in each turn of the server's loop; each is decoded
 * and takes the place of an object, so that the collector goes round and round.
 * Measured is the time of each turn, in CPU time of the thread, which leaves
 * out what others do on the machine: a turn takes some microseconds, so the
 * longest of a cycle is the collector's longest step. Of a cycle it is told by
 * the script, which holds an object that only the collector can take away.
 *
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guard.h"

#define GIB ((size_t)1 << 30)
enum { CYCLES = 5, IN_FLIGHT = 16, PATIENCE = 1000 * 1000 };

typedef struct run_of {
    const char *objects, *bytes, *shape;
    size_t limit; /* of memory; 0: the default */
} run_of;

static const char message[] =
    "{\"type\":\"move\",\"name\":\"entry\",\"x\":12.5,\"y\":-3.25,\"hp\":100}";

/* ---- time ---------------------------------------------------------------- */

static uint64_t began_ns;
static uint64_t longest_ns, busy_ns; /* of the turns since they were cleared */

static uint64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void guard_pass(uint64_t ms) {
    (void)ms;
}

void guard_count_on(void) {
    began_ns = cpu_ns();
}

void guard_count_off(void) {
    uint64_t turn_ns = cpu_ns() - began_ns;
    longest_ns = turn_ns > longest_ns ? turn_ns : longest_ns;
    busy_ns += turn_ns;
}

/* ---- one run ------------------------------------------------------------- */

typedef struct cycle {
    uint64_t longest_ns, busy_ns;
    uint64_t messages;
} cycle;

/* A burst, one turn, the answers: each is the number of cycles begun, as two
 * digits behind a frame's header. */
static int send_some(world *w, int fd) {
    enum { ANSWER = 4 };
    uint8_t burst[IN_FLIGHT * 128];
    char answers[IN_FLIGHT * ANSWER];
    size_t len = 0;
    for (int i = 0; i < IN_FLIGHT; i++) {
        len += client_frame(burst + len, 1, message, strlen(message));
    }
    client_send(fd, burst, len);
    do {
        world_turn(w);
    } while (recv(fd, answers, 0, MSG_PEEK) < 0);
    guard_check(recv(fd, answers, sizeof answers, 0) == sizeof answers,
                "not all messages were answered in one turn");
    const char *last = answers + sizeof answers - 2;
    return 10 * (last[0] - '0') + last[1] - '0';
}

/* The first cycle is the one in which the objects were made: left out. */
static void run(world *w, int fd, cycle *cycles) {
    int now = 0;
    for (uint64_t i = 0; now <= CYCLES; i++) {
        guard_check(i < PATIENCE, "the collector does not go round");
        longest_ns = busy_ns = 0;
        now = send_some(w, fd);
        if (now >= 1 && now <= CYCLES) {
            cycle *c = &cycles[now - 1];
            c->longest_ns =
                longest_ns > c->longest_ns ? longest_ns : c->longest_ns;
            c->busy_ns += busy_ns;
            c->messages += IN_FLIGHT;
        }
    }
}

static int compare(const void *a, const void *b) {
    uint64_t x = ((const cycle *)a)->longest_ns,
             y = ((const cycle *)b)->longest_ns;
    return (x > y) - (x < y);
}

static void measure(const run_of *row) {
    char shape[16];
    cycle cycles[CYCLES] = {{0}};
    world w;
    int fd;
    snprintf(shape, sizeof shape, "\"%s\"", row->shape);
    tw_lua_value values[] = {
        {"objects", row->objects}, {"bytes", row->bytes}, {"shape", shape}};
    world_open_with(&w, (tw_lua_config){.script = TW_PAUSES_SCRIPT,
                                        .values = values,
                                        .value_count = 3,
                                        .budget_ms = 60000,
                                        .memory_limit_bytes = row->limit});
    world_join(&w, "keep", &fd, 1);
    run(&w, fd, cycles);
    close(fd);
    world_close(&w);
    qsort(cycles, CYCLES, sizeof cycles[0], compare);
    const cycle *median = &cycles[CYCLES / 2];
    printf("| %s | %s | %s | %.1f | %.1f | %.1f | %.1f |\n", row->objects,
           row->bytes, row->shape, (double)cycles[0].longest_ns / 1e6,
           (double)median->longest_ns / 1e6,
           (double)cycles[CYCLES - 1].longest_ns / 1e6,
           (double)median->busy_ns / 1e3 / (double)median->messages);
    fflush(stdout);
}

static const run_of rows[] = {
    {"1000", "16", "one", 0},      {"100000", "16", "one", 0},
    {"100000", "16", "many", 0},   {"100000", "500", "one", 0},
    {"1000000", "16", "one", GIB}, {"1000000", "16", "many", GIB},
};

int main(int argc, char **argv) {
    printf("| objects | bytes of a string | tables | least, ms | median, ms "
           "| most, ms | a message, us |\n"
           "| ---: | ---: | --- | ---: | ---: | ---: | ---: |\n");
    if (argc == 4) {
        measure(&(run_of){argv[1], argv[2], argv[3], GIB});
        return 0;
    }
    guard_check(argc == 1, "usage: pauses [OBJECTS BYTES one|many]");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        measure(&rows[i]);
    }
    return 0;
}
