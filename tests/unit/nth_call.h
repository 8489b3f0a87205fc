/* nth_call.h - system calls of the code under test that fail, or do less than
 * they were asked to.
 *
 * The linker sends the calls of the program and of the static library through
 * the __wrap_ functions here (tests/CMakeLists.txt names them all); what the
 * library itself is made of knows nothing of it, and libuv's own calls are not
 * touched. Between call_hold and call_go_on they do what they always do: that
 * is where the test acts for itself.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_NTH_CALL_H
#define TW_TESTS_NTH_CALL_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "nth_step.h"

/* X(name, its errors...); SHORT is no error: one byte and no more. */
#define SHORT 0
#define NTH_CALLS(X)                                                           \
    X(accept4, EINTR, EAGAIN, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM)   \
    X(bind, EADDRINUSE, EACCES, ENOMEM)                                        \
    X(connect, EAGAIN, ECONNREFUSED, ENOENT, EINPROGRESS)                      \
    X(epoll_create1, EMFILE, ENOMEM)                                           \
    X(epoll_ctl, ENOMEM, ENOSPC)                                               \
    X(epoll_wait, EINTR)                                                       \
    X(fcntl, EMFILE)                                                           \
    X(getsockopt, ENOBUFS)                                                     \
    X(listen, EADDRINUSE)                                                      \
    X(mmap, ENOMEM)                                                            \
    X(open, EMFILE, ENFILE, ENOMEM)                                            \
    X(pread, EINTR, EIO, SHORT)                                                \
    X(recv, EINTR, EAGAIN, ECONNRESET, ENOMEM, SHORT)                          \
    X(send, EINTR, EAGAIN, ECONNRESET, ENOBUFS, EPIPE, SHORT)                  \
    X(sendmsg, EINTR, EAGAIN, ECONNRESET, ENOBUFS, SHORT)                      \
    X(setsockopt, ENOMEM)                                                      \
    X(shutdown, ENOTCONN)                                                      \
    X(socket, EMFILE, ENFILE, ENOMEM)

enum nth_call {
#define NTH_ENUM(name, ...) NTH_##name,
    NTH_CALLS(NTH_ENUM)
#undef NTH_ENUM
        NTH_COUNT
};

enum { NTH_ERRORS = 8 };

typedef struct nth_kind {
    const char *name;
    int errors[NTH_ERRORS];
    size_t error_count;
} nth_kind;

static const nth_kind nth_kinds[NTH_COUNT] = {
#define NTH_KIND(name, ...)                                                    \
    {#name, {__VA_ARGS__}, sizeof((int[]){__VA_ARGS__}) / sizeof(int)},
    NTH_CALLS(NTH_KIND)
#undef NTH_KIND
};

/* The plan: call number `nth` of `which` fails with `error`, or with `every`
 * each time that number has gone by. */
static struct nth_plan {
    bool is_on;
    enum nth_call which;
    int error;
    size_t nth, every;
    size_t seen[NTH_COUNT]; /* all calls, by kind */
    size_t struck;          /* that failed or fell short */
} nth_plan;

static inline void call_go_on(void *arg) {
    (void)arg;
    nth_plan.is_on = true;
}

static inline void call_hold(void *arg) {
    (void)arg;
    nth_plan.is_on = false;
}

static inline bool nth_strikes(enum nth_call which) {
    struct nth_plan *plan = &nth_plan;
    if (!plan->is_on) {
        return false;
    }
    size_t seen = ++plan->seen[which];
    if (which != plan->which || plan->nth == 0 || seen < plan->nth) {
        return false;
    }
    size_t over = seen - plan->nth;
    if (over != 0 && (plan->every == 0 || over % plan->every != 0)) {
        return false;
    }
    plan->struck++;
    return true;
}

static inline bool nth_fails(enum nth_call which) {
    if (!nth_strikes(which)) {
        return false;
    }
    errno = nth_plan.error;
    return true;
}

/* A call that carries bytes: how many it may carry, or -1 and errno. */
static inline ssize_t nth_bytes(enum nth_call which, size_t len) {
    if (!nth_strikes(which)) {
        return (ssize_t)len;
    }
    if (nth_plan.error == SHORT) {
        return len < 1 ? (ssize_t)len : 1;
    }
    errno = nth_plan.error;
    return -1;
}

/* ---- the calls ---- */

#define NTH_PLAIN(type, name, failed, params, args)                            \
    type __real_##name params;                                                 \
    type __wrap_##name params;                                                 \
    type __wrap_##name params {                                                \
        return nth_fails(NTH_##name) ? failed : __real_##name args;            \
    }

NTH_PLAIN(int, accept4, -1,
          (int fd, struct sockaddr *peer, socklen_t *len, int flags),
          (fd, peer, len, flags))
NTH_PLAIN(int, bind, -1, (int fd, const struct sockaddr *to, socklen_t len),
          (fd, to, len))
NTH_PLAIN(int, connect, -1, (int fd, const struct sockaddr *to, socklen_t len),
          (fd, to, len))
NTH_PLAIN(int, epoll_create1, -1, (int flags), (flags))
NTH_PLAIN(int, epoll_wait, -1,
          (int fd, struct epoll_event *events, int max, int ms),
          (fd, events, max, ms))
NTH_PLAIN(int, getsockopt, -1,
          (int fd, int level, int name, void *value, socklen_t *len),
          (fd, level, name, value, len))
NTH_PLAIN(int, listen, -1, (int fd, int backlog), (fd, backlog))
NTH_PLAIN(void *, mmap, MAP_FAILED,
          (void *at, size_t len, int prot, int flags, int fd, off_t off),
          (at, len, prot, flags, fd, off))
NTH_PLAIN(int, setsockopt, -1,
          (int fd, int level, int name, const void *value, socklen_t len),
          (fd, level, name, value, len))
NTH_PLAIN(int, socket, -1, (int domain, int type, int protocol),
          (domain, type, protocol))

/* Only what takes memory can fail: to change or remove never does. */
int __real_epoll_ctl(int fd, int op, int other, struct epoll_event *event);
int __wrap_epoll_ctl(int fd, int op, int other, struct epoll_event *event);
int __wrap_epoll_ctl(int fd, int op, int other, struct epoll_event *event) {
    bool fails = op == EPOLL_CTL_ADD && nth_fails(NTH_epoll_ctl);
    return fails ? -1 : __real_epoll_ctl(fd, op, other, event);
}

/* Says that it failed, and has. */
int __real_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how) {
    int result = __real_shutdown(fd, how);
    return nth_fails(NTH_shutdown) ? -1 : result;
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...) {
    va_list args;
    va_start(args, command);
    void *arg = va_arg(args, void *);
    va_end(args);
    return nth_fails(NTH_fcntl) ? -1 : __real_fcntl(fd, command, arg);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return nth_fails(NTH_open) ? -1 : __real_open(path, flags, mode);
}

#define NTH_BYTES(name, bytes, more_params, more_args)                         \
    ssize_t __real_##name(int fd, bytes data, size_t len more_params);         \
    ssize_t __wrap_##name(int fd, bytes data, size_t len more_params);         \
    ssize_t __wrap_##name(int fd, bytes data, size_t len more_params) {        \
        ssize_t may = nth_bytes(NTH_##name, len);                              \
        return may < 0 ? -1 : __real_##name(fd, data, (size_t)may more_args);  \
    }
#define NTH_AND ,

NTH_BYTES(recv, void *, NTH_AND int flags, NTH_AND flags)
NTH_BYTES(send, const void *, NTH_AND int flags, NTH_AND flags)
NTH_BYTES(pread, void *, NTH_AND off_t off, NTH_AND off)

/* Short: the first byte of the first that has any. */
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags) {
    ssize_t may = nth_bytes(NTH_sendmsg, SIZE_MAX / 2);
    for (size_t i = 0; may == 1 && i < message->msg_iovlen; i++) {
        if (message->msg_iov[i].iov_len > 0) {
            return __real_send(fd, message->msg_iov[i].iov_base, 1, flags);
        }
    }
    return may < 0 ? -1 : __real_sendmsg(fd, message, flags);
}

/* ---- plans ---- */

static inline void nth_set(enum nth_call which, int error, size_t nth,
                           size_t every) {
    nth_plan = (struct nth_plan){
        .which = which, .error = error, .nth = nth, .every = every};
}

#endif
