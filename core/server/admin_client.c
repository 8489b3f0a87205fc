/* SPDX-License-Identifier: MIT */
#include "tidewire/admin.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "server/runtime.h"

enum { DEFAULT_TIMEOUT_MS = 60000, READ_BYTES = 65536 };

/* Where the sentence about a failure goes. */
typedef struct detail {
    char *text;
    size_t size;
} detail;

static int fail(const detail *to, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(const detail *to, int error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (to->text != NULL && to->size > 0) {
        vsnprintf(to->text, to->size, format, args);
    }
    va_end(args);
    return error;
}

/* ---- finding ------------------------------------------------------------ */

typedef struct search {
    char dir[TW__RUNTIME_PATH];
    char list[1024];
    unsigned count;
} search;

static bool on_found(const char *dir, int pid, void *arg) {
    search *found = arg;
    size_t len = strlen(found->list);
    snprintf(found->list + len, sizeof found->list - len, "\n  %s (pid %d)",
             dir, pid);
    snprintf(found->dir, sizeof found->dir, "%s", dir);
    found->count++;
    return true;
}

static int find_only(search *found, const detail *to) {
    tw__runtime_each(on_found, found);
    if (found->count == 0) {
        return fail(to, TW_ENOT_FOUND, "no server of this user is running");
    }
    if (found->count > 1) {
        return fail(to, TW_EEXISTS,
                    "several servers are running, name the runtime folder of "
                    "one:%s",
                    found->list);
    }
    return 0;
}

/* ---- talking ------------------------------------------------------------ */

static int open_socket(const char *dir, const detail *to, int *fd) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int len = snprintf(address.sun_path, sizeof address.sun_path,
                       "%s/admin.sock", dir);
    if (len >= (int)sizeof address.sun_path) {
        return fail(to, TW_EINVALID, "%s: the path is too long", dir);
    }
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0) {
        return fail(to, TW_EIO, "no socket: %s", strerror(errno));
    }
    if (connect(sock, (struct sockaddr *)&address, sizeof address) == 0) {
        *fd = sock;
        return 0;
    }
    int error = errno;
    close(sock);
    if (error == EACCES) {
        return fail(to, TW_EDENIED, "%s belongs to another user", dir);
    }
    return fail(to, TW_ENOT_FOUND, "no server answers in %s: %s", dir,
                strerror(error));
}

static int wait_for(int fd, short events, unsigned timeout_ms,
                    const detail *to) {
    struct pollfd pollfd = {fd, events, 0};
    int ready;
    do {
        ready = poll(&pollfd, 1, (int)timeout_ms);
    } while (ready < 0 && errno == EINTR);
    if (ready > 0) {
        return 0;
    }
    return ready == 0
               ? fail(to, TW_ETIMEOUT, "the server did not answer in time")
               : fail(to, TW_EIO, "poll: %s", strerror(errno));
}

typedef struct call {
    const char *method, *path;
    const void *data;
    size_t len;
} call;

static int send_all(int fd, const char *data, size_t len, const detail *to) {
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            return fail(to, TW_EIO, "the server went away: %s",
                        strerror(errno));
        }
        data += sent > 0 ? sent : 0;
        len -= sent > 0 ? (size_t)sent : 0;
    }
    return 0;
}

static int send_request(int fd, const call *what, const detail *to) {
    char text[512];
    int len = snprintf(text, sizeof text,
                       "%s %s HTTP/1.1\r\nHost: localhost\r\n"
                       "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                       what->method, what->path, what->len);
    if (len >= (int)sizeof text) {
        return fail(to, TW_EINVALID, "the path is too long");
    }
    int error = send_all(fd, text, (size_t)len, to);
    return error == 0 ? send_all(fd, what->data, what->len, to) : error;
}

/* All that comes until the server closes, which it does after one answer. */
static int read_all(int fd, unsigned timeout_ms, tw__bytes *out,
                    const detail *to) {
    for (;;) {
        uint8_t *room;
        int error = wait_for(fd, POLLIN, timeout_ms, to);
        if (error != 0) {
            return error;
        }
        if (tw__bytes_reserve(out, READ_BYTES, &room) != 0) {
            return fail(to, TW_ENOMEM, "out of memory");
        }
        ssize_t got = recv(fd, room, READ_BYTES, 0);
        if (got == 0) {
            *room = '\0'; /* not counted: what follows reads text */
            return 0;
        }
        if (got < 0 && errno != EINTR) {
            return fail(to, TW_EIO, "the server went away: %s",
                        strerror(errno));
        }
        tw__bytes_commit(out, got > 0 ? (size_t)got : 0);
    }
}

/* ---- understanding ------------------------------------------------------ */

static const char *find(const char *data, size_t len, const char *what) {
    return memmem(data, len, what, strlen(what));
}

/* The answer is our own server's: a status line, a length, a body. An answer
 * that was cut off is told by its length. */
static int take_answer(const tw__bytes *in, int *status, char **body,
                       const detail *to) {
    const char *data = (const char *)tw__bytes_data(in);
    size_t len = tw__bytes_len(in);
    const char *end = len > 0 ? find(data, len, "\r\n\r\n") : NULL;
    int code;
    if (end == NULL || sscanf(data, "HTTP/1.1 %3d ", &code) != 1) {
        return fail(to, len == 0 ? TW_EIO : TW_EINVALID,
                    len == 0 ? "the server ended without an answer"
                             : "the answer is not HTTP");
    }
    const char *text = end + 4;
    size_t text_len = len - (size_t)(text - data);
    const char *field = find(data, (size_t)(end - data), "\r\nContent-Length:");
    if (field == NULL || strtoull(field + 17, NULL, 10) != text_len) {
        return fail(to, TW_EIO, "the answer was cut off");
    }
    char *copy = tw__strndup(text, text_len);
    if (copy == NULL) {
        return fail(to, TW_ENOMEM, "out of memory");
    }
    *status = code;
    *body = copy;
    return 0;
}

static int exchange(int fd, const call *what, unsigned timeout_ms, int *status,
                    char **body, const detail *to) {
    tw__bytes in;
    tw__bytes_init(&in);
    int error = send_request(fd, what, to);
    if (error == 0) {
        error = read_all(fd, timeout_ms, &in, to);
    }
    if (error == 0) {
        error = take_answer(&in, status, body, to);
    }
    tw__bytes_deinit(&in);
    return error;
}

static int ask(const char *runtime_dir, const call *what, unsigned timeout_ms,
               int *status, char **body, char *text, size_t text_size) {
    const detail to = {text, text_size};
    search found = {.count = 0};
    int fd = -1;
    int error = 0;
    if (runtime_dir == NULL || *runtime_dir == '\0') {
        error = find_only(&found, &to);
        runtime_dir = found.dir;
    }
    if (error == 0) {
        error = open_socket(runtime_dir, &to, &fd);
    }
    if (error != 0) {
        return error;
    }
    error =
        exchange(fd, what, timeout_ms != 0 ? timeout_ms : DEFAULT_TIMEOUT_MS,
                 status, body, &to);
    close(fd);
    return error;
}

int tw_admin_request(const char *runtime_dir, const char *method,
                     const char *path, unsigned timeout_ms, int *status,
                     char **body, char *text, size_t text_size) {
    const call what = {.method = method, .path = path};
    return ask(runtime_dir, &what, timeout_ms, status, body, text, text_size);
}

int tw_admin_post(const char *runtime_dir, const char *path, const void *data,
                  size_t len, unsigned timeout_ms, int *status, char **body,
                  char *text, size_t text_size) {
    const call what = {"POST", path, data, len};
    return ask(runtime_dir, &what, timeout_ms, status, body, text, text_size);
}

void tw_admin_free(char *body) {
    tw__free(body);
}
