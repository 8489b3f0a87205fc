/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#include "crew.h"
#include "memory.h"
#include "options.h"
#include "plan.h"
#include "report.h"
#include "target.h"

#define EXIT_CLEAN 0
#define EXIT_NOT_CLEAN 1
#define EXIT_NO_RUN 2

static int refuse(const char *what, const char *why) {
    fprintf(stderr, "tidewire bench: %s%s\n", what, why);
    return EXIT_NO_RUN;
}

static int check_lists(const tw__bench_options *options) {
    tw__bench_pids pids = {0};
    if (options->cpu != NULL && !tw__bench_plan_is_cpu_list(options->cpu)) {
        return refuse("--cpu wants numbers with commas between: ",
                      options->cpu);
    }
    if (options->pid != NULL && !tw__bench_pids_parse(&pids, options->pid)) {
        return refuse("--pid wants numbers with commas between: ",
                      options->pid);
    }
    if (options->server_pid != 0) {
        pids = (tw__bench_pids){1, {(pid_t)options->server_pid}};
    }
    for (size_t i = 0; i < pids.len; i++) {
        if (tw__bench_cpu_read(pids.pids[i]).is_unread) {
            return refuse("there is no such process of the server", "");
        }
    }
    return 0;
}

static int run(const tw__bench_options *options,
               const tw__bench_target *target) {
    char why[320];
    int status = EXIT_NO_RUN;
    tw__bench_outcome *outcome = tw__bench_alloc(1, sizeof *outcome);
    if (tw__bench_crew_run(options, target, outcome, why, sizeof why) != 0) {
        refuse(why, "");
    } else {
        (options->json ? tw__bench_report_json
                       : tw__bench_report_text)(stdout, options, outcome);
        status = tw__bench_report_is_clean(options, outcome) ? EXIT_CLEAN
                                                             : EXIT_NOT_CLEAN;
    }
    free(outcome);
    return status;
}

int tw_bench_main(int argc, char **argv) {
    tw__bench_options options;
    tw__bench_target target;
    char why[320];
    if (!tw__bench_options_parse(&options, argc - 1, argv + 1, why,
                                 sizeof why)) {
        refuse(why, "");
        fprintf(stderr, "Try 'tidewire bench --help'.\n");
        return EXIT_NO_RUN;
    }
    if (options.help) {
        tw__bench_usage(stdout, options.kind);
        return EXIT_CLEAN;
    }
    const char *wrong = tw__bench_target_parse(&target, options.url);
    target.deflates = options.deflate;
    wrong = wrong != NULL ? wrong : tw__bench_target_resolve(&target);
    if (wrong != NULL) {
        return refuse("--url: ", wrong);
    }
    if (options.sources > 0 && !target.is_loopback) {
        return refuse("--sources needs a server in 127.0.0.0/8", "");
    }
    int rc = check_lists(&options);
    return rc != 0 ? rc : run(&options, &target);
}
