/* SPDX-License-Identifier: MIT */
#include "base/ticks.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tidewire/tidewire.h"

/* So long a measurement is off by 1 in 10,000 at most: the two clocks are not
 * read at the same moment. */
enum { MEASURE_NS = 1000000 };

bool tw_ticks_are_cycles;

static bool is_chosen;
static uint64_t first_ticks, first_ns;
static double seconds; /* 0: not measured yet */

uint64_t tw_ticks_read(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The kernel watches the counter of each core, and uses another clock where
 * they run apart, stop in sleep or change their pace. */
static bool is_trusted(void) {
#if defined(__x86_64__)
    static const char path[] = "/sys/devices/system/clocksource/clocksource0/"
                               "current_clocksource";
    char text[8] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0) {
        close(fd);
    }
    return len >= 3 && memcmp(text, "tsc", 3) == 0;
#else
    return false;
#endif
}

void tw__ticks_init(void) {
    if (is_chosen) {
        return;
    }
    is_chosen = true;
    tw_ticks_are_cycles = is_trusted();
    first_ns = tw_ticks_read();
    first_ticks = tw_ticks();
}

/* A clock that stands still, as tests have it, would be waited for for ever:
 * the counter has passed so many cycles then. */
static double measure(void) {
    enum { ENOUGH = 1 << 26 };
    uint64_t ns, ticks;
    do {
        ns = tw_ticks_read() - first_ns;
        ticks = tw_ticks() - first_ticks;
    } while (ns < MEASURE_NS && ticks < ENOUGH);
    return ns > 0 ? (double)ns / 1e9 / (double)ticks : 1e-9;
}

double tw__ticks_seconds(void) {
    tw__ticks_init();
    if (!tw_ticks_are_cycles) {
        return 1e-9;
    }
    if (seconds == 0) {
        seconds = measure();
    }
    return seconds;
}
