/* control.h - what the master and its members say to each other.
 *
 * One SOCK_SEQPACKET socket pair per member: a message is a packet, so there
 * is no framing; a packet lost in one direction cannot be, and the end of
 * either process is the end of file for the other. Both ends are the same
 * binary on the same machine: messages are plain structs.
 *
 * Few messages are ever under way (a reload sends four to a member), so
 * sending never waits: a socket that is full belongs to a member that does not
 * read, and its master ends it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_CONTROL_H
#define TW_SERVER_CONTROL_H

#include <stdint.h>

#include "tidewire/master.h"

typedef enum tw__control_kind {
    /* master to member */
    TW__CONTROL_LISTEN = 1, /* everything is loaded: accept connections */
    TW__CONTROL_PREPARE,    /* load `generation` from the snapshot `text`; write
                               it when `flag` */
    TW__CONTROL_FREEZE,
    TW__CONTROL_COMMIT,
    TW__CONTROL_ABORT,
    TW__CONTROL_DRAIN,  /* end in order */
    TW__CONTROL_RESULT, /* to the admin: reloads asked for up to `id` ended so
                         */
    TW__CONTROL_ASK,    /* a question comes with a descriptor, see question.h;
                           the admin says this to the master for slot `id` */
    /* member to master */
    TW__CONTROL_LOADED, /* the start, PREPARE, FREEZE, COMMIT are done: status
                           and report */
    TW__CONTROL_LISTENING,
    TW__CONTROL_PREPARED,
    TW__CONTROL_FROZEN,
    TW__CONTROL_COMMITTED,
    TW__CONTROL_WANT_RELOAD, /* `id` for the RESULT, 0: nobody waits for it */
    TW__CONTROL_WANT_DRAIN,
    TW__CONTROL_KINDS
} tw__control_kind;

typedef struct tw__control_msg {
    uint32_t kind;
    int32_t status;
    uint32_t generation;
    uint32_t flag;
    uint64_t id;
    char text[TW_REPORT_MAX]; /* ends in a zero byte; only what is used is sent
                               */
} tw__control_msg;

/* A connected pair, close-on-exec and non-blocking. 0 or TW_EIO. */
int tw__control_pair(int fds[2]);

/* Sends at once. 0, TW_ECLOSED (the other end is gone, or fd is -1),
 * TW_EOVERLOADED (it does not read) or TW_EIO. */
int tw__control_send(int fd, const tw__control_msg *msg);

/* The same for a message that is only a kind. */
int tw__control_send_kind(int fd, tw__control_kind kind);

/* The same along with a descriptor, which stays the caller's to close. */
int tw__control_send_fd(int fd, const tw__control_msg *msg, int passed);

/* Takes the next message. 0, TW_EUNAVAILABLE (none there now), TW_ECLOSED
 * (the other end is gone), TW_EINVALID (not a message; skipped), TW_EIO. */
int tw__control_recv(int fd, tw__control_msg *msg);

/* The same; *passed is the descriptor that came along, the caller's to close,
 * or -1. (tw__control_recv closes such a one.) */
int tw__control_recv_fd(int fd, tw__control_msg *msg, int *passed);

/* Puts `text` in, cut to what fits. */
void tw__control_set_text(tw__control_msg *msg, const char *text);

#endif
