/* test_peer.h - the far ends of sockets in a test: a client that speaks HTTP or
 * WebSocket, or a Redis.
 *
 * A peer owns its descriptor and what came by it. Nothing here waits: what can
 * be read is read, what the socket does not take stays for the next pump.
 * Belongs to a world; no Lua.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_TEST_PEER_H
#define TWL_TEST_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "link.h"
#include "vm_bytes.h"

typedef enum twl_peer_state {
    TWL_PEER_HEAD, /* of a client: the answer's head has not come whole */
    TWL_PEER_BODY, /* an HTTP answer; what comes is its body */
    TWL_PEER_OPEN, /* a WebSocket, or a Redis */
    TWL_PEER_OVER
} twl_peer_state;

/* One message that came, or a close. */
typedef struct twl_peer_frame {
    twl_link node;
    bool is_binary;
    size_t len;
    char data[];
} twl_peer_frame;

typedef struct twl_peer {
    twl_link node; /* the world's */
    uint32_t id, slot;
    int fd; /* -1: closed */
    twl_peer_state state;
    bool is_redis, is_paused, is_close_sent;
    char *name;        /* of a Redis */
    twl_bytes head;    /* of the answer, its empty line left out */
    twl_bytes in;      /* not taken apart yet; the body of an answer */
    twl_bytes message; /* fragments */
    twl_bytes out;     /* not written yet */
    twl_link frames;
    int close_code; /* 0: none came; 1006: lost */
    char *close_reason;
} twl_peer;

/* Takes `fd`, which is closed when there is no memory (then NULL). */
twl_peer *twl_peer_create(int fd, uint32_t id, uint32_t slot);
void twl_peer_destroy(twl_peer *peer);

/* Queues bytes as they are, or one frame. 0 or TW_ENOMEM. */
int twl_peer_write(twl_peer *peer, const void *data, size_t len);
int twl_peer_send(twl_peer *peer, unsigned opcode, const void *data,
                  size_t len);
int twl_peer_send_close(twl_peer *peer, int code, const void *reason,
                        size_t len);

/* Reads and writes what is possible. True when it did anything. */
bool twl_peer_pump(twl_peer *peer);

/* Closes the descriptor; what came before can still be read. */
void twl_peer_drop(twl_peer *peer);

/* Of a Redis: the length of the first whole command in `in`, and its arguments
 * in args, at most `room` of them. 0: none is whole; -1: it is no RESP. */
enum { TWL_RESP_ARGS = 4096 };
typedef struct twl_resp_arg {
    const char *data;
    size_t len;
} twl_resp_arg;
long twl_peer_command(const twl_peer *peer, twl_resp_arg *args, size_t room,
                      size_t *count);
/* Whether there is one, or what is none. */
bool twl_peer_has_command(const twl_peer *peer);
void twl_peer_take(twl_peer *peer, size_t len);

#endif
