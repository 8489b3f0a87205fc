/* SPDX-License-Identifier: MIT */
#include "measure.h"

#include <string.h>

#include "clock.h"

/* Found anew each time: workers may have been replaced. */
static void find_server(const tw__bench_options *options,
                        tw__bench_pids *pids) {
    pids->len = 0;
    if (options->server_pid != 0) {
        tw__bench_pids_family(pids, (pid_t)options->server_pid);
    } else if (options->pid != NULL) {
        tw__bench_pids_parse(pids, options->pid);
    }
}

void tw__bench_moment_note(tw__bench_moment *moment,
                           const tw__bench_options *options, const pid_t *hands,
                           uint32_t hands_len) {
    memset(moment, 0, sizeof *moment);
    find_server(options, &moment->server);
    for (uint32_t i = 0; i < hands_len; i++) {
        moment->hand_cpu[i] = tw__bench_cpu_read(hands[i]);
    }
    for (size_t i = 0; i < moment->server.len; i++) {
        tw__bench_cpu cpu = tw__bench_cpu_read(moment->server.pids[i]);
        moment->each_cpu[i] = cpu;
        moment->server_cpu.sched_ns += cpu.sched_ns;
        moment->server_cpu.stat_ns += cpu.stat_ns;
        moment->server_cpu.is_unread |= cpu.is_unread;
    }
}

static uint64_t used(const tw__bench_cpu *from, const tw__bench_cpu *to) {
    return to->sched_ns > 0 ? to->sched_ns - from->sched_ns
                            : to->stat_ns - from->stat_ns;
}

/* The largest part of a core that one of `len` processes used. */
static double busiest(const tw__bench_cpu *from, const tw__bench_cpu *to,
                      size_t len, double seconds) {
    double best = 0;
    for (size_t i = 0; i < len; i++) {
        double share =
            (double)used(&from[i], &to[i]) / (double)TW__BENCH_SECOND / seconds;
        best = share > best ? share : best;
    }
    return best;
}

void tw__bench_moment_compare(const tw__bench_moment *from,
                              const tw__bench_moment *to, uint32_t hands_len,
                              tw__bench_outcome *outcome) {
    tw__bench_outcome *o = outcome;
    o->seconds = (double)(to->at - from->at) / (double)TW__BENCH_SECOND;
    o->messages = to->messages - from->messages;
    o->has_server = from->server.len > 0;
    o->is_sched = to->server_cpu.sched_ns > 0;
    o->has_changed = !tw__bench_pids_equal(&from->server, &to->server) ||
                     to->server_cpu.is_unread;
    o->hand_share =
        busiest(from->hand_cpu, to->hand_cpu, hands_len, o->seconds);
    if (!o->has_changed) {
        o->cpu_ns = used(&from->server_cpu, &to->server_cpu);
        o->stat_ns = to->server_cpu.stat_ns - from->server_cpu.stat_ns;
        o->server_share =
            busiest(from->each_cpu, to->each_cpu, to->server.len, o->seconds);
    }
}

tw__bench_mem tw__bench_server_memory(const tw__bench_options *options) {
    tw__bench_pids pids;
    find_server(options, &pids);
    return tw__bench_mem_read(&pids);
}

void tw__bench_memory_compare(const tw__bench_options *options,
                              const tw__bench_mem *before,
                              const tw__bench_mem *opened,
                              tw__bench_outcome *outcome) {
    tw__bench_outcome *o = outcome;
    tw__bench_mem held = tw__bench_server_memory(options);
    o->has_memory =
        before->is_known && opened->is_known && held.is_known && o->counted > 0;
    o->private_opened =
        (int64_t)(opened->private_dirty - before->private_dirty);
    o->pss_opened = (int64_t)(opened->pss - before->pss);
    o->private_held = (int64_t)(held.private_dirty - before->private_dirty);
    o->pss_held = (int64_t)(held.pss - before->pss);
}
