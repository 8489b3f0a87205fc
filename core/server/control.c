/* SPDX-License-Identifier: MIT */
#include "server/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

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

/* Room for one descriptor beside a message. */
typedef union beside {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
} beside;

static void put_beside(struct msghdr *header, beside *room, int passed) {
    memset(room, 0, sizeof *room);
    header->msg_control = room->room;
    header->msg_controllen = sizeof room->room;
    struct cmsghdr *c = CMSG_FIRSTHDR(header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof passed);
    memcpy(CMSG_DATA(c), &passed, sizeof passed);
}

int tw__control_send_fd(int fd, const tw__control_msg *msg, int passed) {
    size_t len = HEAD_BYTES + strnlen(msg->text, sizeof msg->text - 1) + 1;
    struct iovec piece = {(void *)msg, len};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
    beside room;
    if (passed >= 0) {
        put_beside(&header, &room, passed);
    }
    ssize_t sent;
    do {
        sent = sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? send_error() : 0;
}

int tw__control_send(int fd, const tw__control_msg *msg) {
    return tw__control_send_fd(fd, msg, -1);
}

int tw__control_send_kind(int fd, tw__control_kind kind) {
    tw__control_msg msg = {.kind = (uint32_t)kind};
    return tw__control_send(fd, &msg);
}

static void close_passed(int fd) {
    if (fd >= 0) {
        close(fd);
    }
}

static bool is_whole(const tw__control_msg *msg, size_t len) {
    return len > HEAD_BYTES && len <= sizeof *msg && msg->kind != 0 &&
           msg->kind < TW__CONTROL_KINDS &&
           ((const char *)msg)[len - 1] == '\0';
}

/* The descriptor beside a message; -1: there is none. */
static int take_beside(struct msghdr *header) {
    int passed = -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(header);
    if (c != NULL && c->cmsg_level == SOL_SOCKET &&
        c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof passed)) {
        memcpy(&passed, CMSG_DATA(c), sizeof passed);
    }
    return passed;
}

int tw__control_recv_fd(int fd, tw__control_msg *msg, int *passed) {
    struct iovec piece = {msg, sizeof *msg};
    beside room;
    struct msghdr header = {.msg_iov = &piece,
                            .msg_iovlen = 1,
                            .msg_control = room.room,
                            .msg_controllen = sizeof room.room};
    ssize_t got;
    *passed = -1;
    do {
        got = recvmsg(fd, &header, MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);
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
    *passed = take_beside(&header);
    if (is_whole(msg, (size_t)got)) {
        return 0;
    }
    close_passed(*passed);
    *passed = -1;
    return TW_EINVALID;
}

int tw__control_recv(int fd, tw__control_msg *msg) {
    int passed;
    int error = tw__control_recv_fd(fd, msg, &passed);
    close_passed(passed);
    return error;
}

void tw__control_set_text(tw__control_msg *msg, const char *text) {
    snprintf(msg->text, sizeof msg->text, "%s", text);
}
