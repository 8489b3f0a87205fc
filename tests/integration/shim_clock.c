/* shim_clock.c - a wall clock that a test sets while a program runs.
 *
 * Preloaded, it adds to CLOCK_REALTIME and its kin the seconds that the file
 * named by TW_CLOCK_FILE holds: eight bytes, in the machine's order, that the
 * test writes. The file is mapped, so that all processes of a server go by it
 * at once. The clocks for durations are left alone.
 *
 * What the kernel itself does by the wall clock, absolute timers on it, does
 * not see this one: nobody here may use those, which `grep CLOCK_REALTIME`
 * tells.
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead_s; /* NULL: as the machine has it */

__attribute__((constructor)) static void map_file(void) {
    const char *path = getenv("TW_CLOCK_FILE");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return;
    }
    void *at = mmap(NULL, sizeof *ahead_s, PROT_READ, MAP_SHARED, fd, 0);
    ahead_s = at != MAP_FAILED ? at : NULL;
    close(fd);
}

static time_t ahead(void) {
    return ahead_s != NULL ? (time_t)*ahead_s : 0;
}

static int is_wall(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ||
           clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}

/* The system call, and not the next one of that name: whoever is there first,
 * a sanitizer perhaps, may not be ready yet. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && is_wall(clock)) {
        now->tv_sec += ahead();
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int result = (int)syscall(SYS_gettimeofday, now, zone);
    if (result == 0) {
        now->tv_sec += ahead();
    }
    return result;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}
