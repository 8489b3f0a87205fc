/* bench.h - the load generator behind `tidewire bench`.
 *
 * A client program of its own: plain sockets, epoll and libc, nothing of the
 * core and no script. A parent opens phases, reads the server's figures from
 * /proc and reports; one or more child processes ("hands") hold the
 * connections and do the work. What they share is in board.h.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_BENCH_H
#define TW_BENCH_BENCH_H

/* Runs `tidewire bench ...`; argv[0] is "bench". Prints to stdout and stderr,
 * forks, and takes SIGINT and SIGTERM as "stop now and report".
 * Returns the exit status: 0 all arrived as it should, 1 it did not (loss,
 * doubles, order, damage, connections lost), 2 wrong usage or the run could
 * not be made. */
int tw_bench_main(int argc, char **argv);

#endif
