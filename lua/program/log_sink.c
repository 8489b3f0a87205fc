/* SPDX-License-Identifier: MIT */
#include "log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- how to write ------------------------------------------------------- */

void twp_sink_init(twp_sink *sink) {
    *sink = (twp_sink){._kind = TWP_SINK_PLAIN, ._fd = STDERR_FILENO};
}

/* By way of /proc an open pipe or terminal is opened once more. It fails where
 * somebody else made it and let us have nothing but the descriptor. */
static void open_anew(twp_sink *sink) {
    int fd = open("/proc/self/fd/2",
                  O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0) {
        sink->_fd = fd;
    } else {
        sink->_kind = TWP_SINK_SHARED;
    }
}

void twp_sink_unblock(twp_sink *sink) {
    struct stat stat;
    if (fstat(STDERR_FILENO, &stat) != 0) {
        return;
    }
    if (S_ISSOCK(stat.st_mode)) {
        sink->_kind = TWP_SINK_SOCKET;
    } else if (S_ISFIFO(stat.st_mode) || isatty(STDERR_FILENO) == 1) {
        open_anew(sink);
    }
}

static bool is_ready(int fd, int ms) {
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};
    return poll(&wanted, 1, ms) != 0;
}

static ssize_t write_some(const twp_sink *sink, const char *data, size_t len) {
    if (sink->_kind == TWP_SINK_SOCKET) {
        return send(sink->_fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (sink->_kind == TWP_SINK_SHARED) {
        /* What is said to have room takes so much. Another process may be
         * quicker and fill it: the one case in which a writer may wait. */
        if (!is_ready(sink->_fd, 0)) {
            errno = EAGAIN;
            return -1;
        }
        len = len < PIPE_BUF ? len : PIPE_BUF;
    }
    return write(sink->_fd, data, len);
}

/* The processes of a server share a pipe, and their records must not mix: so
 * much is taken whole or not at all. Whole records, where they are not longer.
 */
static size_t piece_of(const char *data, size_t len) {
    if (len <= PIPE_BUF) {
        return len;
    }
    const char *end = memrchr(data, '\n', PIPE_BUF);
    end = end != NULL ? end : memchr(data, '\n', len);
    return end != NULL ? (size_t)(end - data) + 1 : len;
}

/* How much was taken; less than all when the rest would have to wait, or, then
 * *is_broken, will not be taken at all. */
static size_t push(const twp_sink *sink, const char *data, size_t len,
                   bool *is_broken) {
    size_t done = 0;
    while (done < len) {
        size_t piece = piece_of(data + done, len - done);
        ssize_t wrote = write_some(sink, data + done, piece);
        if (wrote > 0) {
            done += (size_t)wrote;
        } else if (wrote == 0 || errno != EINTR) {
            *is_broken = wrote == 0 || errno != EAGAIN;
            break;
        }
    }
    return done;
}

/* ---- what waits --------------------------------------------------------- */

/* Of people's format, which has records of several lines, it is the lines. */
static uint64_t count_records(const twp_text *text) {
    uint64_t count = 0;
    for (size_t i = 0; i < text->len; i++) {
        count += text->data[i] == '\n';
    }
    return count;
}

static void drop_front(twp_text *text, size_t len) {
    text->len -= len;
    if (text->len == 0) {
        twp_text_deinit(text); /* so much is not needed every day */
    } else if (len > 0) {
        memmove(text->data, text->data + len, text->len + 1);
    }
}

void twp_sink_flush(twp_sink *sink) {
    twp_text *waiting = &sink->_waiting;
    bool is_broken = false;
    if (waiting->len == 0) {
        return;
    }
    drop_front(waiting, push(sink, waiting->data, waiting->len, &is_broken));
    if (is_broken) {
        sink->lost += count_records(waiting);
        sink->_is_cut = true;
        twp_text_deinit(waiting);
    }
}

/* Ends the line of a record that was cut. False: not now. */
static bool end_line(twp_sink *sink) {
    bool is_broken = false;
    if (sink->_is_cut && push(sink, "\n", 1, &is_broken) == 1) {
        sink->_is_cut = false;
    }
    return !sink->_is_cut;
}

static bool keep(twp_sink *sink, const char *data, size_t len) {
    size_t before = sink->_waiting.len;
    twp_text_add(&sink->_waiting, data, len);
    return sink->_waiting.len == before + len;
}

static bool put(twp_sink *sink, const twp_text *record) {
    bool is_broken = false;
    size_t done = 0;
    if (sink->_waiting.len > 0) {
        return sink->_waiting.len + record->len <= TWP_SINK_LIMIT &&
               keep(sink, record->data, record->len);
    }
    if (!end_line(sink)) {
        return false;
    }
    done = push(sink, record->data, record->len, &is_broken);
    if (done == record->len ||
        (!is_broken && keep(sink, record->data + done, record->len - done))) {
        return true;
    }
    sink->_is_cut = done > 0;
    return false;
}

bool twp_sink_put(twp_sink *sink, const twp_text *record) {
    if (record->len == 0) {
        return true; /* there was no memory for a single word */
    }
    twp_sink_flush(sink);
    bool is_taken = put(sink, record);
    sink->lost += !is_taken;
    return is_taken;
}

bool twp_sink_is_waiting(const twp_sink *sink) {
    return sink->_waiting.len > 0;
}

bool twp_sink_has_room(const twp_sink *sink) {
    return sink->_waiting.len <= TWP_SINK_LIMIT / 2;
}

void twp_sink_forget(twp_sink *sink) {
    twp_text_deinit(&sink->_waiting);
    sink->_is_cut = false;
    sink->lost = 0;
}

/* ---- the end ------------------------------------------------------------ */

static int64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void twp_sink_drain(twp_sink *sink, int ms) {
    int64_t end_ms = monotonic_ms() + ms;
    twp_sink_flush(sink);
    while (twp_sink_is_waiting(sink)) {
        int64_t left_ms = end_ms - monotonic_ms();
        if (left_ms <= 0) {
            return;
        }
        is_ready(sink->_fd, (int)left_ms);
        twp_sink_flush(sink);
    }
}

void twp_sink_deinit(twp_sink *sink) {
    twp_sink_flush(sink);
    twp_text_deinit(&sink->_waiting);
    if (sink->_fd != STDERR_FILENO) {
        close(sink->_fd);
    }
    twp_sink_init(sink);
}
