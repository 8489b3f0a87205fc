/* The peer app on libwebsockets: /echo, /sub, /pub and /room. ?channel= names a
 * channel, or several for /room, which talks in the first.
 *
 *   lws PORT
 *
 * A message is stored once, ready for lws_write (which wants room in front of
 * it), and counted; each session has a queue of references. A session that may
 * write sends what it has until the socket is full.
 *
 * SPDX-License-Identifier: MIT */
#include <libwebsockets.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MESSAGE_MAX (1 << 20)
#define QUEUE_MAX 65536
#define NAME_SIZE 64
#define NAMES_SIZE 2048
#define BUCKETS 65536

typedef struct message {
    size_t refs, len;
    bool is_binary;
    unsigned char bytes[]; /* LWS_PRE, then the payload */
} message;

typedef enum kind { ECHO, SUB, PUB, ROOM } kind;

typedef struct session {
    struct lws *wsi;
    kind kind;
    struct channel *channel; /* where it talks */
    struct member *members;
    size_t members_len;
    message **queue; /* a ring of `cap`, a power of two */
    size_t head, len, cap;
    message *in; /* what has come of a message so far */
    size_t in_cap;
} session;

/* A session's place in a channel. */
typedef struct member {
    session *session;
    struct member *next, **link;
} member;

typedef struct channel {
    char name[NAME_SIZE];
    member *members;
    struct channel *next;
} channel;

static channel *channels[BUCKETS];

static channel *channel_of(const char *name) {
    unsigned hash = 5381;
    for (const char *at = name; *at != 0; at++) {
        hash = hash * 33 + (unsigned char)*at;
    }
    channel **bucket = &channels[hash % BUCKETS], *c;
    for (c = *bucket; c != NULL; c = c->next) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    c = calloc(1, sizeof *c);
    if (c != NULL) {
        strncpy(c->name, name, sizeof c->name - 1);
        c->next = *bucket;
        *bucket = c;
    }
    return c;
}

static void unref(message *m) {
    if (m != NULL && --m->refs == 0) {
        free(m);
    }
}

static bool grow(session *s) {
    size_t cap = s->cap > 0 ? s->cap * 2 : 4;
    message **queue = cap <= QUEUE_MAX ? calloc(cap, sizeof *queue) : NULL;
    if (queue == NULL) {
        return false;
    }
    for (size_t i = 0; i < s->len; i++) {
        queue[i] = s->queue[(s->head + i) & (s->cap - 1)];
    }
    free(s->queue);
    s->queue = queue;
    s->head = 0;
    s->cap = cap;
    return true;
}

static void enqueue(session *s, message *m) {
    if (s->len == s->cap && !grow(s)) {
        lws_set_timeout(s->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
        return;
    }
    s->queue[(s->head + s->len++) & (s->cap - 1)] = m;
    m->refs++;
    lws_callback_on_writable(s->wsi);
}

static void publish(channel *c, message *m, const session *except) {
    for (member *at = c->members; at != NULL; at = at->next) {
        if (at->session != except) {
            enqueue(at->session, m);
        }
    }
}

static int write_some(session *s) {
    while (s->len > 0) {
        message *m = s->queue[s->head];
        int mode = m->is_binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
        /* lws_write puts the frame's header in front of the payload: the same
         * bytes every time. */
        if (lws_write(s->wsi, m->bytes + LWS_PRE, m->len,
                      (enum lws_write_protocol)mode) < 0) {
            return -1;
        }
        s->head = (s->head + 1) & (s->cap - 1);
        s->len--;
        unref(m);
        if (s->len > 0 && lws_send_pipe_choked(s->wsi)) {
            lws_callback_on_writable(s->wsi);
            break;
        }
    }
    return 0;
}

static void handle(session *s, message *m) {
    if (s->kind == ECHO) {
        enqueue(s, m);
    } else if (s->kind != SUB) {
        publish(s->channel, m, s->kind == ROOM ? s : NULL);
    }
}

/* Adds a piece of a message; whole, it is handled. */
static int take(session *s, const void *data, size_t len) {
    size_t have = s->in != NULL ? s->in->len : 0;
    size_t need = have + len + lws_remaining_packet_payload(s->wsi);
    if (need > MESSAGE_MAX) {
        lws_close_reason(s->wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, NULL, 0);
        return -1;
    }
    if (s->in == NULL || need > s->in_cap) {
        message *m = realloc(s->in, sizeof *m + LWS_PRE + need);
        if (m == NULL) {
            return -1;
        }
        m->refs = 1;
        m->len = have;
        s->in = m;
        s->in_cap = need;
    }
    memcpy(s->in->bytes + LWS_PRE + have, data, len);
    s->in->len = have + len;
    if (lws_is_final_fragment(s->wsi) &&
        lws_remaining_packet_payload(s->wsi) == 0) {
        message *m = s->in;
        s->in = NULL;
        m->is_binary = lws_frame_is_binary(s->wsi) != 0;
        handle(s, m);
        unref(m);
    }
    return 0;
}

static void join(member *m, session *s, channel *c) {
    m->session = s;
    m->next = c->members;
    m->link = &c->members;
    c->members = m;
    if (m->next != NULL) {
        m->next->link = &m->next;
    }
}

/* Cuts the names at their commas. */
static int join_all(session *s, char *names) {
    size_t count = 1, i = 0;
    for (const char *at = names; *at != 0; at++) {
        count += *at == ',';
    }
    s->members = calloc(count, sizeof *s->members);
    for (char *name = strtok(names, ","); name != NULL;
         name = strtok(NULL, ",")) {
        channel *c = channel_of(name);
        if (s->members == NULL || c == NULL) {
            return -1;
        }
        s->channel = i == 0 ? c : s->channel;
        join(&s->members[i++], s, c);
        s->members_len = i;
    }
    return 0;
}

static int open_session(session *s, struct lws *wsi) {
    static const char *const paths[] = {"/echo", "/sub", "/pub", "/room"};
    char path[32], arg[NAMES_SIZE];
    memset(s, 0, sizeof *s);
    s->wsi = wsi;
    if (lws_hdr_copy(wsi, path, sizeof path, WSI_TOKEN_GET_URI) <= 0) {
        return -1;
    }
    while (strcmp(path, paths[s->kind]) != 0) {
        if (++s->kind == sizeof paths / sizeof *paths) {
            s->kind = ECHO;
            return -1;
        }
    }
    const char *name = lws_get_urlarg_by_name(wsi, "channel=", arg, sizeof arg);
    if (name == NULL) {
        name = strcpy(arg, "bench");
    }
    if (s->kind == SUB || s->kind == ROOM) {
        return join_all(s, arg + (name - arg));
    }
    s->channel = channel_of(name);
    return s->channel != NULL ? 0 : -1;
}

static void close_session(session *s) {
    for (size_t i = 0; i < s->members_len; i++) {
        member *m = &s->members[i];
        *m->link = m->next;
        if (m->next != NULL) {
            m->next->link = m->link;
        }
    }
    free(s->members);
    for (; s->len > 0; s->len--) {
        unref(s->queue[s->head]);
        s->head = (s->head + 1) & (s->cap - 1);
    }
    free(s->queue);
    unref(s->in);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason,
                    void *user, void *in, size_t len) {
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        return open_session(user, wsi);
    case LWS_CALLBACK_RECEIVE:
        return take(user, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return write_some(user);
    case LWS_CALLBACK_CLOSED:
        close_session(user);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {"bench", on_event, sizeof(session), 65536, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0}};

static const lws_retry_bo_t heartbeat = {.secs_since_valid_ping = 30,
                                         .secs_since_valid_hangup = 60};

static struct lws_context *create(int port, uint64_t options) {
    struct lws_context_creation_info info;
    memset(&info, 0, sizeof info);
    info.port = port;
    info.iface = "127.0.0.1";
    info.protocols = protocols;
    info.retry_and_idle_policy = &heartbeat;
    info.max_http_header_pool = 512;
    info.pt_serv_buf_size = 65536;
    info.options = options | LWS_SERVER_OPTION_DISABLE_IPV6;
    return lws_create_context(&info);
}

int main(int argc, char **argv) {
    struct rlimit limit;
    int port = argc > 1 ? atoi(argv[1]) : 0;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    lws_set_log_level(LLL_ERR, NULL);
    /* Its own loop is poll(), which walks all connections at every turn:
     * libuv's epoll where it has been built in. */
    struct lws_context *context = create(port, LWS_SERVER_OPTION_LIBUV);
    if (context == NULL) {
        context = create(port, 0);
    }
    /* Its libuv loop has taken the signal over, and would only stop turning. */
    signal(SIGTERM, SIG_DFL);
    while (context != NULL && lws_service(context, 0) >= 0) {
    }
    return 1; /* it is ended by a signal */
}
