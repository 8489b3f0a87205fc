/* SPDX-License-Identifier: MIT */
#include "floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_SIZE (1 << 20)
#define READ_SIZE 65536
#define EVENTS 512

enum { NEW = 0, ECHO, SUBSCRIBER, PUBLISHER, TALKER };

/* Held only by connections in the middle of something. */
typedef struct rest {
    floor_bytes in, out;
} rest;

uint64_t floor_hold_ns, floor_due_ns;

static uint8_t *kinds; /* by descriptor; mapped, so what is unused costs none */
static uint8_t *is_blocked;
static rest **rests;
static uint8_t buffer[BUFFER_SIZE];
static int epoll;
static const floor_hooks *hooks;

static void die(const char *what) {
    perror(what);
    exit(1);
}

uint64_t floor_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static rest *rest_of(int fd) {
    if (rests[fd] == NULL) {
        rests[fd] = floor_resize(NULL, sizeof **rests);
        memset(rests[fd], 0, sizeof **rests);
    }
    return rests[fd];
}

static void free_rest(int fd) {
    if (rests[fd] != NULL) {
        free(rests[fd]->in.data);
        free(rests[fd]->out.data);
        free(rests[fd]);
        rests[fd] = NULL;
    }
}

static void free_rest_if_empty(int fd) {
    if (rests[fd] != NULL && rests[fd]->in.len + rests[fd]->out.len == 0) {
        free_rest(fd);
    }
}

static void watch(int fd, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data = {.fd = fd}};
    epoll_ctl(epoll, operation, fd, &event);
}

void floor_send(int fd, const void *data, size_t len) {
    ssize_t sent =
        is_blocked[fd] ? 0 : send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        return; /* it is gone: reading will tell */
    }
    sent = sent < 0 ? 0 : sent;
    if ((size_t)sent < len) {
        floor_append(&rest_of(fd)->out, (const char *)data + sent,
                     len - (size_t)sent);
        is_blocked[fd] = 1;
        watch(fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
}

static void send_rest(int fd) {
    rest *r = rests[fd];
    ssize_t sent =
        send(fd, r->out.data, r->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        r->out.len -= (size_t)sent;
        memmove(r->out.data, r->out.data + sent, r->out.len);
    }
    if (r->out.len == 0) {
        is_blocked[fd] = 0;
        watch(fd, EPOLL_CTL_MOD, EPOLLIN);
        free_rest_if_empty(fd);
    }
}

static bool is_member(int fd) {
    return kinds[fd] == SUBSCRIBER || kinds[fd] == TALKER;
}

static void drop(int fd) {
    if (is_member(fd) || kinds[fd] == PUBLISHER) {
        floor_leave(fd);
    }
    free_rest(fd);
    kinds[fd] = NEW;
    is_blocked[fd] = 0;
    close(fd);
}

static const char *header(const char *head, const char *name) {
    const char *at = strcasestr(head, name);
    return at == NULL ? NULL : at + strlen(name);
}

static void answer(int fd, const char *key, size_t key_len) {
    char text[128], accept[32], response[256];
    uint8_t digest[20];
    int len =
        snprintf(text, sizeof text, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
                 (int)key_len, key);
    EVP_Digest(text, (size_t)len, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);
    len = snprintf(response, sizeof response,
                   "HTTP/1.1 101 Switching Protocols\r\n"
                   "Upgrade: websocket\r\n"
                   "Connection: Upgrade\r\n"
                   "Sec-WebSocket-Accept: %s\r\n\r\n",
                   accept);
    floor_send(fd, response, (size_t)len);
}

/* What "/sub?channel=NAME" asks for. */
static void enrol(int fd, const char *path) {
    kinds[fd] = strncmp(path, "/sub", 4) == 0    ? SUBSCRIBER
                : strncmp(path, "/pub", 4) == 0  ? PUBLISHER
                : strncmp(path, "/room", 5) == 0 ? TALKER
                                                 : ECHO;
    const char *query = path + strcspn(path, "? ");
    const char *names = "bench";
    if (strncmp(query, "?channel=", 9) == 0) {
        names = query + 9;
    }
    if (kinds[fd] != ECHO) {
        floor_join(fd, names, strcspn(names, " &"), is_member(fd));
    }
}

/* The length of the request's head; 0 when it is not all there, -1 when it is
 * no upgrade. */
static ssize_t shake(int fd, uint8_t *data, size_t len) {
    uint8_t *end = memmem(data, len, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }
    *end = 0;
    const char *key = header((const char *)data, "\r\nSec-WebSocket-Key: ");
    if (key == NULL) {
        return -1;
    }
    answer(fd, key, strcspn(key, "\r"));
    enrol(fd, (const char *)data + 4);
    return end + 4 - data;
}

/* Turns a client's frame into a server's, in place: unmasked, and its header
 * moved against the payload. Returns where it begins. */
static uint8_t *convert(uint8_t *frame, size_t head, size_t len) {
    uint8_t *payload = frame + head, *mask = payload - 4;
    uint32_t mask32;
    uint64_t mask64;
    size_t i = 0;
    memcpy(&mask32, mask, 4);
    mask64 = (uint64_t)mask32 << 32 | mask32;
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, payload + i, 8);
        word ^= mask64;
        memcpy(payload + i, &word, 8);
    }
    for (; i < len; i++) {
        payload[i] ^= mask[i % 4];
    }
    memmove(frame + 4, frame, head - 4);
    frame[5] &= 0x7f;
    return frame + 4;
}

/* Serves a whole frame; false when the connection has ended. */
static bool serve(int fd, uint8_t *frame, size_t head, size_t len) {
    int opcode = frame[0] & 15;
    uint8_t *out = convert(frame, head, len);
    size_t size = head - 4 + len;
    if (opcode == 8) {
        floor_send(fd, out, size);
        drop(fd);
        return false;
    }
    if (opcode == 9) {
        out[0] = 0x8a;
        floor_send(fd, out, size);
    } else if (opcode < 8 && kinds[fd] == ECHO) {
        hooks->on_echo(fd, out, size);
    } else if (opcode < 8 && kinds[fd] != SUBSCRIBER) {
        hooks->on_publish(floor_own_channel(fd), out, size,
                          kinds[fd] == TALKER ? fd : -1);
    }
    return true;
}

/* The size of a masked frame's header, and its payload's; 0 when not all of
 * it is there. */
static size_t measure(const uint8_t *data, size_t len, uint64_t *payload) {
    size_t width = len < 2                  ? 0
                   : (data[1] & 127) == 126 ? 2
                   : (data[1] & 127) == 127 ? 8
                                            : 0;
    if (len < 2 + width + 4) {
        return 0;
    }
    *payload = width == 0 ? data[1] & 127 : 0;
    for (size_t i = 0; i < width; i++) {
        *payload = *payload << 8 | data[2 + i];
    }
    return *payload <= len - 2 - width - 4 ? 2 + width + 4 : 0;
}

static void parse(int fd, uint8_t *data, size_t len) {
    size_t at = 0;
    if (kinds[fd] == NEW) {
        ssize_t head = shake(fd, data, len);
        if (head < 0) {
            drop(fd);
            return;
        }
        at = (size_t)head;
    }
    while (kinds[fd] != NEW) {
        uint64_t payload = 0;
        size_t head = measure(data + at, len - at, &payload);
        if (head == 0) {
            break;
        }
        if (!serve(fd, data + at, head, (size_t)payload)) {
            return;
        }
        at += head + (size_t)payload;
    }
    if (at < len) {
        floor_append(&rest_of(fd)->in, data + at, len - at);
    }
    hooks->on_read_end(fd);
}

static void on_readable(int fd) {
    size_t kept = 0;
    if (rests[fd] != NULL && rests[fd]->in.len > 0) {
        kept = rests[fd]->in.len;
        memcpy(buffer, rests[fd]->in.data, kept);
        rests[fd]->in.len = 0;
        free_rest_if_empty(fd);
    }
    size_t room = BUFFER_SIZE - kept;
    ssize_t got = recv(fd, buffer + kept, room < READ_SIZE ? room : READ_SIZE,
                       MSG_DONTWAIT);
    if (got > 0) {
        parse(fd, buffer, kept + (size_t)got);
    } else if (got == 0 || errno != EAGAIN) {
        drop(fd);
    }
}

static void on_connections(int listener) {
    int one = 1, fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(fd, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static int listen_on(const char *port) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)atoi(port)),
        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, size) != 0 ||
        listen(fd, 4096) != 0) {
        die("listen");
    }
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void handle(int listener, const struct epoll_event *event) {
    int fd = event->data.fd;
    if (fd == listener) {
        on_connections(fd);
        return;
    }
    if ((event->events & EPOLLOUT) != 0 && is_blocked[fd]) {
        send_rest(fd);
    }
    if ((event->events & ~(uint32_t)EPOLLOUT) != 0) {
        on_readable(fd);
    }
}

/* Waits for events, though not beyond what is held. */
static int wait_for(struct epoll_event *events) {
    struct timespec left = {0, 0};
    uint64_t now = floor_due_ns > 0 ? floor_now_ns() : 0;
    if (floor_due_ns > now) {
        left.tv_nsec = (long)(floor_due_ns - now);
    }
    return epoll_pwait2(epoll, events, EVENTS, floor_due_ns > 0 ? &left : NULL,
                        NULL);
}

static void set_up(int argc, char **argv) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    kinds = floor_map(FLOOR_FDS_MAX);
    is_blocked = floor_map(FLOOR_FDS_MAX);
    rests = floor_map(FLOOR_FDS_MAX * sizeof *rests);
    floor_channels_init(FLOOR_FDS_MAX);
    floor_hold_ns = argc > 2 ? strtoull(argv[2], NULL, 10) * 1000 : 0;
}

int floor_main(int argc, char **argv, const floor_hooks *with) {
    struct epoll_event events[EVENTS];
    set_up(argc, argv);
    hooks = with;
    epoll = epoll_create1(0);
    int listener = listen_on(argc > 1 ? argv[1] : "0");
    watch(listener, EPOLL_CTL_ADD, EPOLLIN);
    for (;;) {
        int count = wait_for(events);
        for (int i = 0; i < count; i++) {
            handle(listener, &events[i]);
        }
        hooks->on_turn();
    }
}
