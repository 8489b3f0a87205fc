/* SPDX-License-Identifier: MIT */
#include "server/page.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tidewire/errors.h"

/* The line of /proc/PID/stat behind the command, which may hold anything. */
static const char *read_stat(int pid, char *out, size_t size) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    ssize_t len = read(fd, out, size - 1);
    close(fd);
    out[len > 0 ? len : 0] = '\0';
    const char *end = strrchr(out, ')');
    return end != NULL ? end + 1 : NULL;
}

int tw__page_read_process(int pid, uint64_t *cpu_ms, uint64_t *memory_bytes) {
    char text[1024];
    const char *stat = pid > 0 ? read_stat(pid, text, sizeof text) : NULL;
    unsigned long long user, system;
    long long pages;
    /* proc(5): utime and stime are fields 14 and 15, rss is 24; the state,
     * which comes first here, is field 3. */
    if (stat == NULL ||
        sscanf(stat,
               " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu"
               " %*s %*s %*s %*s %*s %*s %*s %*s %lld",
               &user, &system, &pages) != 3) {
        return TW_ENOT_FOUND;
    }
    uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK);
    *cpu_ms = (user + system) * 1000 / ticks;
    *memory_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}
