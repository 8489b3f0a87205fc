/* SPDX-License-Identifier: MIT */
#include "proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

bool tw__bench_pids_parse(tw__bench_pids *pids, const char *text) {
    pids->len = 0;
    for (;;) {
        char *end;
        long pid = strtol(text, &end, 10);
        if (end == text || pid <= 0 || pids->len == TW__BENCH_PIDS_MAX) {
            return false;
        }
        pids->pids[pids->len++] = (pid_t)pid;
        if (*end == 0) {
            return true;
        }
        if (*end != ',') {
            return false;
        }
        text = end + 1;
    }
}

bool tw__bench_pids_equal(const tw__bench_pids *a, const tw__bench_pids *b) {
    return a->len == b->len &&
           memcmp(a->pids, b->pids, a->len * sizeof *a->pids) == 0;
}

/* Reads a small file whole; false when it cannot be. */
static bool slurp(const char *path, char *out, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    size_t len = 0;
    ssize_t got;
    while (len + 1 < size && (got = read(fd, out + len, size - 1 - len)) > 0) {
        len += (size_t)got;
    }
    close(fd);
    out[len] = 0;
    return len > 0;
}

/* Field `number` (from 1, as in proc(5)) of a stat line. The name, field 2, is
 * in brackets and may hold anything. */
static uint64_t stat_field(const char *line, int number) {
    const char *at = strrchr(line, ')');
    for (int i = 2; at != NULL && i < number; i++) {
        at = strchr(at + 1, ' ');
    }
    return at == NULL ? 0 : strtoull(at + 1, NULL, 10);
}

static bool read_stat(pid_t pid, char *line, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    return slurp(path, line, size);
}

static pid_t parent_of(pid_t pid) {
    char line[1024];
    return read_stat(pid, line, sizeof line) ? (pid_t)stat_field(line, 4) : 0;
}

static bool has(const tw__bench_pids *pids, pid_t pid) {
    for (size_t i = 0; i < pids->len; i++) {
        if (pids->pids[i] == pid) {
            return true;
        }
    }
    return false;
}

/* One pass over all processes; true when it found new members. */
static bool add_children(tw__bench_pids *pids) {
    bool found = false;
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid > 0 && pids->len < TW__BENCH_PIDS_MAX && !has(pids, pid) &&
            has(pids, parent_of(pid))) {
            pids->pids[pids->len++] = pid;
            found = true;
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return found;
}

void tw__bench_pids_family(tw__bench_pids *pids, pid_t root) {
    pids->len = 1;
    pids->pids[0] = root;
    while (add_children(pids)) {
    }
}

static uint64_t sched_ns(pid_t pid) {
    char path[320], text[128];
    uint64_t sum = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid,
                 entry->d_name);
        if (entry->d_name[0] != '.' && slurp(path, text, sizeof text)) {
            sum += strtoull(text, NULL, 10);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return sum;
}

tw__bench_cpu tw__bench_cpu_read(pid_t pid) {
    char line[1024];
    uint64_t tick_ns = TW__BENCH_SECOND / (uint64_t)sysconf(_SC_CLK_TCK);
    if (!read_stat(pid, line, sizeof line)) {
        return (tw__bench_cpu){.is_unread = true};
    }
    uint64_t ticks = stat_field(line, 14) + stat_field(line, 15);
    return (tw__bench_cpu){sched_ns(pid), ticks * tick_ns, false};
}

static uint64_t kilobytes(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10) * 1024;
}

tw__bench_mem tw__bench_mem_read(const tw__bench_pids *pids) {
    tw__bench_mem mem = {0, 0, pids->len > 0};
    for (size_t i = 0; i < pids->len; i++) {
        char path[64], text[4096];
        snprintf(path, sizeof path, "/proc/%d/smaps_rollup",
                 (int)pids->pids[i]);
        if (!slurp(path, text, sizeof text)) {
            mem.is_known = false;
            continue;
        }
        mem.private_dirty += kilobytes(text, "\nPrivate_Dirty:");
        mem.pss += kilobytes(text, "\nPss:");
    }
    return mem;
}
