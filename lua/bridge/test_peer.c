/* SPDX-License-Identifier: MIT */
#include "test_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <tidewire/errors.h>
#include <unistd.h>

#include "vm_alloc.h"

enum {
    TEXT = 1,
    BINARY = 2,
    CLOSE = 8,
    PING = 9,
    PONG = 10,
    READ_BYTES = 16384,
    LOST = 1006,
    NO_CODE = 1005
};

/* ---- its life ---- */

twl_peer *twl_peer_create(int fd, uint32_t id, uint32_t slot) {
    twl_peer *peer = twl_zalloc(sizeof *peer);
    if (!peer) {
        close(fd);
        return NULL;
    }
    peer->fd = fd;
    peer->id = id;
    peer->slot = slot;
    twl_link_init(&peer->node);
    twl_link_init(&peer->frames);
    return peer;
}

void twl_peer_drop(twl_peer *peer) {
    if (peer->fd >= 0) {
        close(peer->fd);
        peer->fd = -1;
    }
    peer->state = TWL_PEER_OVER;
}

void twl_peer_destroy(twl_peer *peer) {
    twl_peer_drop(peer);
    while (!twl_link_is_empty(&peer->frames)) {
        twl_peer_frame *frame = TWL_OF(peer->frames.next, twl_peer_frame, node);
        twl_link_remove(&frame->node);
        twl_free(frame);
    }
    twl_link_remove(&peer->node);
    twl_bytes_deinit(&peer->head);
    twl_bytes_deinit(&peer->in);
    twl_bytes_deinit(&peer->message);
    twl_bytes_deinit(&peer->out);
    twl_free(peer->close_reason);
    twl_free(peer->name);
    twl_free(peer);
}

static void consume(twl_bytes *bytes, size_t len) {
    bytes->len -= len;
    if (bytes->len > 0) {
        memmove(bytes->data, bytes->data + len, bytes->len);
    }
}

/* ---- writing ---- */

int twl_peer_write(twl_peer *peer, const void *data, size_t len) {
    return peer->fd < 0 ? 0 : twl_bytes_add(&peer->out, data, len);
}

/* A client masks; with a mask of zeros the payload is what it was. */
int twl_peer_send(twl_peer *peer, unsigned opcode, const void *data,
                  size_t len) {
    unsigned char head[14] = {(unsigned char)(0x80 | opcode)};
    size_t at = 2, wide = len < 126 ? 0 : len < 65536 ? 2 : 8;
    head[1] = (unsigned char)(0x80 | (wide == 0 ? len : wide == 2 ? 126 : 127));
    for (size_t i = wide; i > 0; i--) {
        head[at++] = (unsigned char)((uint64_t)len >> (8 * (i - 1)));
    }
    int err = twl_peer_write(peer, head, at + 4);
    return err ? err : twl_peer_write(peer, data, len);
}

int twl_peer_send_close(twl_peer *peer, int code, const void *reason,
                        size_t len) {
    unsigned char body[125];
    size_t room = sizeof body - 2;
    len = len < room ? len : room;
    body[0] = (unsigned char)(code >> 8);
    body[1] = (unsigned char)code;
    memcpy(body + 2, reason, len);
    peer->is_close_sent = true;
    return twl_peer_send(peer, CLOSE, body, code != 0 ? len + 2 : 0);
}

static bool flush(twl_peer *peer) {
    bool did = false;
    while (peer->fd >= 0 && peer->out.len > 0) {
        ssize_t n = send(peer->fd, peer->out.data, peer->out.len,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0) {
            if (n < 0 && errno != EAGAIN && errno != EINTR) {
                peer->out.len = 0; /* nobody reads it any more */
            }
            break;
        }
        consume(&peer->out, (size_t)n);
        did = true;
    }
    return did;
}

/* ---- what comes ---- */

/* Also for want of memory: what came is not kept then. */
static void on_end(twl_peer *peer) {
    if (peer->state == TWL_PEER_OPEN && peer->close_code == 0) {
        peer->close_code = LOST;
    }
    twl_peer_drop(peer);
}

static void keep_frame(twl_peer *peer, bool is_binary, const char *data,
                       size_t len) {
    twl_peer_frame *frame = twl_malloc(sizeof *frame + len + 1);
    if (frame) {
        frame->is_binary = is_binary;
        frame->len = len;
        memcpy(frame->data, data, len);
        twl_link_append(&peer->frames, &frame->node);
    } else {
        on_end(peer);
    }
}

static void on_close(twl_peer *peer, const char *data, size_t len) {
    if (peer->close_code != 0) {
        return;
    }
    peer->close_code = NO_CODE;
    if (len >= 2) {
        peer->close_code = (unsigned char)data[0] << 8 | (unsigned char)data[1];
        peer->close_reason = twl_memdup(data + 2, len - 2);
    }
    if (!peer->is_close_sent) {
        twl_peer_send_close(peer, len >= 2 ? peer->close_code : 0, "", 0);
    }
}

/* `peer->message` holds the fragments before this one. */
static void on_data(twl_peer *peer, unsigned first, const char *data,
                    size_t len) {
    unsigned opcode = first & 15;
    bool is_last = first & 0x80;
    if (is_last && opcode != 0) {
        keep_frame(peer, opcode == BINARY, data, len);
        return;
    }
    if (opcode != 0) {
        peer->message.len = 0;
        char kind = (char)opcode;
        twl_bytes_add(&peer->message, &kind, 1);
    }
    twl_bytes_add(&peer->message, data, len);
    if (is_last && peer->message.len > 0) {
        keep_frame(peer, peer->message.data[0] == BINARY,
                   peer->message.data + 1, peer->message.len - 1);
    }
}

static void on_frame(twl_peer *peer, unsigned first, const char *data,
                     size_t len) {
    switch (first & 15) {
    case CLOSE:
        on_close(peer, data, len);
        break;
    case PING:
        twl_peer_send(peer, PONG, data, len);
        break;
    case PONG:
        break;
    default:
        on_data(peer, first, data, len);
    }
}

/* Takes one frame off; false: it is not whole. A server does not mask. */
static bool take_frame(twl_peer *peer) {
    const unsigned char *at = (const unsigned char *)peer->in.data;
    size_t have = peer->in.len, head = 2;
    if (have < 2) {
        return false;
    }
    uint64_t len = at[1] & 127;
    size_t wide = len == 126 ? 2 : len == 127 ? 8 : 0;
    head += wide;
    if (have < head) {
        return false;
    }
    for (size_t i = 0; i < wide; i++) {
        len = (i == 0 ? 0 : len << 8) | at[2 + i];
    }
    if (len > have - head) {
        return false;
    }
    on_frame(peer, at[0], peer->in.data + head, (size_t)len);
    consume(&peer->in, head + (size_t)len);
    return true;
}

static bool take_head(twl_peer *peer) {
    const char *end = peer->in.len < 4
                          ? NULL
                          : memmem(peer->in.data, peer->in.len, "\r\n\r\n", 4);
    if (!end) {
        return false;
    }
    size_t len = (size_t)(end - peer->in.data);
    twl_bytes_add(&peer->head, peer->in.data, len);
    consume(&peer->in, len + 4);
    bool is_upgrade = len > 12 && memcmp(peer->head.data + 9, "101", 3) == 0;
    peer->state = is_upgrade ? TWL_PEER_OPEN : TWL_PEER_BODY;
    return is_upgrade;
}

static void parse(twl_peer *peer) {
    if (peer->is_redis) {
        return;
    }
    if (peer->state == TWL_PEER_HEAD && !take_head(peer)) {
        return;
    }
    while (peer->state == TWL_PEER_OPEN && take_frame(peer)) {
    }
}

static bool fill(twl_peer *peer) {
    bool did = false;
    while (peer->fd >= 0 && !twl_bytes_reserve(&peer->in, READ_BYTES)) {
        ssize_t n = recv(peer->fd, peer->in.data + peer->in.len, READ_BYTES,
                         MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            break;
        }
        did = true;
        if (n <= 0) {
            on_end(peer);
            break;
        }
        peer->in.len += (size_t)n;
        parse(peer);
    }
    return did;
}

bool twl_peer_pump(twl_peer *peer) {
    bool did = flush(peer);
    if (!peer->is_paused && fill(peer)) {
        did = true;
        flush(peer);
    }
    return did;
}

/* ---- a Redis ---- */

/* "*3\r\n" or "$5\r\n": its number; false: not whole, or *is_bad. */
static bool read_number(const char **at, const char *end, char kind,
                        long *number, bool *is_bad) {
    const char *line = memchr(*at, '\n', (size_t)(end - *at));
    if (!line) {
        return false;
    }
    char *stop;
    *number = **at == kind ? strtol(*at + 1, &stop, 10) : -1;
    if (*number < 0 || *stop != '\r') {
        *is_bad = true;
        return false;
    }
    *at = line + 1;
    return true;
}

long twl_peer_command(const twl_peer *peer, twl_resp_arg *args, size_t room,
                      size_t *count) {
    const char *at = peer->in.data, *end = at + peer->in.len;
    bool is_bad = false;
    long parts = 0, len = 0;
    if (peer->in.len == 0 || !read_number(&at, end, '*', &parts, &is_bad)) {
        return is_bad ? -1 : 0;
    }
    if (parts == 0 || (size_t)parts > room) {
        return -1;
    }
    for (long i = 0; i < parts; i++) {
        if (at == end || !read_number(&at, end, '$', &len, &is_bad)) {
            return is_bad ? -1 : 0;
        }
        if (end - at < len + 2) {
            return 0;
        }
        args[i] = (twl_resp_arg){at, (size_t)len};
        at += len + 2;
    }
    *count = (size_t)parts;
    return at - peer->in.data;
}

bool twl_peer_has_command(const twl_peer *peer) {
    twl_resp_arg args[TWL_RESP_ARGS];
    size_t count;
    return peer->in.len > 0 &&
           twl_peer_command(peer, args, TWL_RESP_ARGS, &count) != 0;
}

void twl_peer_take(twl_peer *peer, size_t len) {
    consume(&peer->in, len);
}
