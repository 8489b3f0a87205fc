/* SPDX-License-Identifier: MIT */
#include "plan.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "board.h"

/* Descriptors that are not connections. */
#define SPARE_FDS 64

/* Connections from one source address: a part of the usual 28,232 ports. */
#define PER_SOURCE 20000
#define CHURN_SOURCES 16

static uint64_t raise_fd_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 1024;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

int tw__bench_plan_hands(const tw__bench_options *options, uint32_t *hands,
                         char *why, size_t why_size) {
    uint64_t limit = raise_fd_limit();
    uint64_t room = limit > 2 * SPARE_FDS ? limit - SPARE_FDS : SPARE_FDS;
    /* All publishers are held by one. */
    uint64_t wanted = options->connections + options->publishers;
    uint64_t needed = (wanted + room - 1) / room;
    uint64_t count = options->processes > 0 ? options->processes : needed;
    if (needed > count || needed > TW__BENCH_HANDS_MAX) {
        snprintf(why, why_size,
                 "%llu connections need %llu processes of %llu descriptors "
                 "each; raise ulimit -n or --processes",
                 (unsigned long long)wanted, (unsigned long long)needed,
                 (unsigned long long)limit);
        return -1;
    }
    /* One without a connection would have nothing to do. */
    uint64_t most = options->kind == TW__BENCH_ROOMS ? options->rooms
                                                     : options->connections;
    *hands = (uint32_t)(count < most ? count : most);
    return 0;
}

uint32_t tw__bench_plan_sources(const tw__bench_options *options,
                                const tw__bench_target *target) {
    if (options->sources > 0) {
        return (uint32_t)options->sources;
    }
    if (!target->is_loopback) {
        return 0;
    }
    if (options->kind == TW__BENCH_CHURN) {
        return CHURN_SOURCES; /* ports rest for a while after a close */
    }
    return options->connections > PER_SOURCE
               ? (uint32_t)(options->connections / PER_SOURCE + 1)
               : 0;
}

/* Reads a list of cores; how many there are, 0 when it is something else. */
static size_t read_list(const char *list, size_t cpus[CPU_SETSIZE]) {
    for (size_t len = 0; len < CPU_SETSIZE; list++) {
        char *end;
        if (!isdigit((unsigned char)*list)) {
            return 0;
        }
        cpus[len] = strtoul(list, &end, 10);
        if (cpus[len++] >= CPU_SETSIZE || (*end != ',' && *end != 0)) {
            return 0;
        }
        if (*end == 0) {
            return len;
        }
        list = end;
    }
    return 0;
}

bool tw__bench_plan_is_cpu_list(const char *list) {
    size_t cpus[CPU_SETSIZE];
    return read_list(list, cpus) > 0;
}

void tw__bench_plan_pin(const char *list, uint32_t index) {
    size_t cpus[CPU_SETSIZE];
    size_t len = list != NULL ? read_list(list, cpus) : 0;
    cpu_set_t set;
    if (len == 0) {
        return;
    }
    CPU_ZERO(&set);
    CPU_SET(cpus[index % len], &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        fprintf(stderr, "tidewire bench: --cpu %s: %s\n", list,
                strerror(errno));
    }
}
