/* main.c - does one piece of fixed work, for callgrind to count.
 *
 *     guard WORK       prints "WORK OPERATIONS"
 *     guard --list     prints the names of the works
 *
 * guard.py runs it under valgrind and compares. Without valgrind it does the
 * same work and counts nothing.
 *
 * SPDX-License-Identifier: MIT */
#include "guard.h"

#include <stdio.h>
#include <string.h>

#ifdef __has_include
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#endif
#endif
#ifndef CALLGRIND_TOGGLE_COLLECT
#define CALLGRIND_TOGGLE_COLLECT
#define CALLGRIND_START_INSTRUMENTATION
#endif

static const struct {
    const char *name;
    uint64_t (*run)(void);
} works[] = {
    {"hook", work_hook},     {"echo", work_echo},
    {"echo16", work_echo16}, {"data", work_data},
    {"state", work_state},   {"publish", work_publish},
    {"except", work_except}, {"json", work_json},
    {"fanout", work_fanout}, {"fanout16", work_fanout16},
    {"sweep", work_sweep},   {"upgrade", work_upgrade},
    {"close", work_close},   {"link", work_link},
    {"link16", work_link16},
};

enum { WORKS = sizeof works / sizeof works[0] };

/* ---- counting ------------------------------------------------------------ */

static bool is_measured;

/* Callgrind is started late (--instr-atstart=no), since everything is several
 * times slower from then on. */
void guard_begin(void) {
    is_measured = true;
    CALLGRIND_START_INSTRUMENTATION;
}

static void toggle(void) {
    if (is_measured) {
        CALLGRIND_TOGGLE_COLLECT;
    }
}

void guard_count_on(void) {
    toggle();
}

void guard_count_off(void) {
    toggle();
}

/* ---- main ---------------------------------------------------------------- */

static int list(void) {
    for (int i = 0; i < WORKS; i++) {
        printf("%s\n", works[i].name);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        return list();
    }
    guard_raise_descriptors();
    for (int i = 0; argc == 2 && i < WORKS; i++) {
        if (strcmp(argv[1], works[i].name) == 0) {
            printf("%s %llu\n", works[i].name,
                   (unsigned long long)works[i].run());
            return 0;
        }
    }
    fprintf(stderr, "usage: guard WORK | --list\n");
    return 2;
}
