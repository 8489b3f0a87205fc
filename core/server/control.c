/* SPDX-License-Identifier: MIT */
#include "server/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define HEAD_BYTES offsetof(tw__control_msg, text)

int tw__control_pair(int fds[2]) {
    int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
    return socketpair(AF_UNIX, type, 0, fds) == 0 ? 0 : TW_EIO;
}

static int send_error(void) {
    switch (errno) {
    case EPIPE:
    case ECONNRESET:
    case EBADF:
        return TW_ECLOSED;
    case EAGAIN:
        return TW_EOVERLOADED;
    default:
        return TW_EIO;
    }
}

int tw__control_send(int fd, const tw__control_msg *msg) {
    size_t len = HEAD_BYTES + strnlen(msg->text, sizeof msg->text - 1) + 1;
    ssize_t sent;
    do {
        sent = send(fd, msg, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? send_error() : 0;
}

int tw__control_send_kind(int fd, tw__control_kind kind) {
    tw__control_msg msg = {.kind = (uint32_t)kind};
    return tw__control_send(fd, &msg);
}

static bool is_whole(const tw__control_msg *msg, size_t len) {
    return len > HEAD_BYTES && len <= sizeof *msg && msg->kind != 0 &&
           msg->kind < TW__CONTROL_KINDS &&
           ((const char *)msg)[len - 1] == '\0';
}

int tw__control_recv(int fd, tw__control_msg *msg) {
    ssize_t got;
    do {
        got = recv(fd, msg, sizeof *msg, MSG_DONTWAIT | MSG_TRUNC);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN) {
        return TW_EUNAVAILABLE;
    }
    /* An end that died with unread messages resets instead of ending. */
    if (got == 0 || (got < 0 && (errno == ECONNRESET || errno == EBADF))) {
        return TW_ECLOSED;
    }
    if (got < 0) {
        return TW_EIO;
    }
    return is_whole(msg, (size_t)got) ? 0 : TW_EINVALID;
}

void tw__control_set_text(tw__control_msg *msg, const char *text) {
    snprintf(msg->text, sizeof msg->text, "%s", text);
}
