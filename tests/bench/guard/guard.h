/* guard.h - fixed work for the benchmark guard: what its files share.
 *
 * Each work is done many times by a real server (or a real bus) in this
 * process, with raw clients in the same thread, and only what happens between
 * guard_count_on and guard_count_off is counted by callgrind: the server's
 * turns, not the clients. Nothing depends on the machine or on chance: sockets
 * are Unix streams, which the kernel fills within the send; the clock stands
 * still but for guard_pass; and scripts run interpreted, since compiled code
 * depends on the CPU.
 *
 * Whatever goes wrong ends the program with a word about it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_GUARD_H
#define TW_BENCH_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <uv.h>

#include <tidewire/lua.h>

/* ---- for all (common.c) ---------------------------------------------------
 */

/* Ends the program unless `ok`. */
void guard_check(bool ok, const char *what);

/* As many descriptors as the hard limit allows. */
void guard_raise_descriptors(void);

/* A folder for sockets, which is gone when the program ends. */
const char *guard_folder(void);

/* ---- counting (main.c; pauses.c measures time instead)
 * --------------------------------------------------- */

/* From here on the work is measured: what came before was warming up. */
void guard_begin(void);
/* Around what is counted; without effect before guard_begin. */
void guard_count_on(void);
void guard_count_off(void);

/* ---- time (clock.c) ------------------------------------------------------ */

/* Moves the clock, which stands still otherwise. */
void guard_pass(uint64_t ms);

/* ---- a server and its clients (world.c) ---------------------------------- */

typedef struct world {
    uv_loop_t loop;
    tw_server *server;
    tw_lua *lua;
    char listen[128];
} world;

/* A server with a script, in which `config` is completed: library, log. */
void world_open_with(world *w, tw_lua_config config);
/* The same with the routes of guard.lua, as the guard needs it. */
void world_open(world *w);
void world_close(world *w);

/* A turn of the server's loop, counted, a millisecond after the last. */
void world_turn(world *w);
void world_turns(world *w, int turns);

/* What a counter has reached; tells whether the work was done. */
uint64_t world_counter(world *w, tw_counter counter);

/* A connected socket that has sent nothing yet, not blocking. */
int world_connect(world *w);
/* Sends the request of an upgrade for "/<route>". */
void world_ask(int fd, const char *route);
/* Takes the answer, which must be there and be 101. */
void world_welcome(int fd);
/* All three for `count` clients, with the turns between. */
void world_join(world *w, const char *route, int *fds, int count);

void client_send(int fd, const void *data, size_t len);
/* Reads and drops what there is; how many bytes. */
size_t client_drain(int fd);

/* A masked frame (the mask is of zeros) into `out`, with a payload of at most
 * 65,535 bytes; its size. */
size_t client_frame(uint8_t *out, int opcode, const void *data, size_t len);

/* ---- the works ----------------------------------------------------------- */

/* Each does its work and returns how many operations were counted. */
uint64_t work_hook(void);
uint64_t work_echo(void);
uint64_t work_echo16(void);
uint64_t work_data(void);
uint64_t work_state(void);
uint64_t work_publish(void);
uint64_t work_except(void);
uint64_t work_json(void);
uint64_t work_fanout(void);
uint64_t work_fanout16(void);
uint64_t work_sweep(void);
uint64_t work_upgrade(void);
uint64_t work_close(void);
uint64_t work_link(void);
uint64_t work_link16(void);

#endif
