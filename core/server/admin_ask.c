/* SPDX-License-Identifier: MIT */
#include "server/admin_ask.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"

/* A worker that does not answer in time is shown without its part. Consoles and
 * profiles have no limit here: they end by limits of the worker's own. */
enum { TOP_MS = 2000, READ_BYTES = 65536 };
enum { PROFILE_MS = 10000, PROFILE_MIN_MS = 100, PROFILE_MAX_MS = 60000 };

typedef struct part {
    tw__io io;
    tw__admin_ask *ask;
    uint32_t slot;
    tw__bytes in;
} part;

struct tw__admin_ask {
    tw__list node; /* of the dead */
    tw__admin_conn *conn;
    tw__question_kind kind;
    tw__wheel_entry deadline;
    uint32_t count, open;
    part parts[];
};

static void refuse(tw__admin_answer *answer, int status, const char *code,
                   const char *message) {
    answer->status = status;
    answer->code = code;
    answer->message = message;
}

/* ---- the answer --------------------------------------------------------- */

/* What came from a worker, or NULL when it did not answer. */
static const tw__answer_head *head_of(const part *from) {
    size_t len = tw__bytes_len(&from->in);
    const tw__answer_head *head = (const void *)tw__bytes_data(&from->in);
    return len >= sizeof *head && len - sizeof *head == head->len ? head : NULL;
}

static int add_text(tw__bytes *out, const char *name, const char *text,
                    size_t len) {
    int error = tw__bytes_printf(out, ",\"%s\":", name);
    return error == 0 ? tw__http_json_string(out, text, len) : error;
}

static int add_answer(tw__bytes *out, const part *from) {
    static const char silence[] = "the worker is not there, or did not answer";
    const tw__answer_head *head = head_of(from);
    char outcome[sizeof head->outcome];
    snprintf(outcome, sizeof outcome, "%.15s",
             head != NULL ? head->outcome : "unavailable");
    int error = add_text(out, "outcome", outcome, strlen(outcome));
    if (error != 0) {
        return error;
    }
    return head != NULL
               ? add_text(out, "text", (const char *)(head + 1), head->len)
               : add_text(out, "text", silence, sizeof silence - 1);
}

static int add_part(tw__bytes *out, const part *from, const tw__job *job,
                    bool is_top) {
    const tw__page *page = &tw__board_at(job->board, from->slot)->page;
    if (is_top) {
        const tw__answer_head *head = head_of(from);
        return tw__admin_top_slot(out, page, from->slot,
                                  head != NULL ? (const char *)(head + 1)
                                               : NULL,
                                  head != NULL ? head->len : 0);
    }
    int error = tw__bytes_printf(
        out, "{\"slot\":%" PRIu32 ",\"pid\":%d,\"generation\":%" PRIu32,
        from->slot, (int)page->pid, page->generation);
    error = error == 0 ? add_answer(out, from) : error;
    return error == 0 ? tw__bytes_printf(out, "}") : error;
}

static void make_answer(tw__admin_ask *ask, tw__admin_answer *answer) {
    const tw__admin *admin = ask->conn->admin;
    uint64_t now_ms = tw__loop_now(&admin->loop);
    bool is_top = ask->kind == TW__ASK_TOP;
    tw__bytes *out = &answer->body;
    int error = is_top ? tw__admin_top_head(out, admin->job, now_ms)
                       : tw__bytes_printf(out, "{\"workers\":[");
    for (uint32_t i = 0; error == 0 && i < ask->count; i++) {
        error = i > 0 ? tw__bytes_printf(out, ",") : 0;
        error = error == 0 ? add_part(out, &ask->parts[i], admin->job, is_top)
                           : error;
    }
    error = error == 0 ? tw__bytes_printf(out, "]}\n") : error;
    if (error != 0) {
        refuse(answer, 503, "nomem", tw_strerror(error));
        return;
    }
    answer->status = 200;
    answer->type = "application/json";
}

/* ---- the end ------------------------------------------------------------ */

static void close_part(part *at) {
    tw__admin *admin = at->ask->conn->admin;
    if (at->io.fd >= 0) {
        tw__poller_remove(&admin->poller, &at->io);
        close(at->io.fd);
        at->io.fd = -1;
        at->ask->open--;
    }
}

void tw__admin_ask_drop(tw__admin_ask *ask) {
    tw__admin *admin = ask->conn->admin;
    for (uint32_t i = 0; i < ask->count; i++) {
        close_part(&ask->parts[i]);
    }
    tw__clockwork_clear(&admin->clockwork, &ask->deadline);
    ask->conn->ask = NULL;
    tw__list_push(&admin->dead_asks, &ask->node);
}

void tw__admin_asks_free(tw__admin *admin) {
    tw__list *node;
    while ((node = tw__list_shift(&admin->dead_asks)) != NULL) {
        tw__admin_ask *ask = TW__CONTAINER(node, tw__admin_ask, node);
        for (uint32_t i = 0; i < ask->count; i++) {
            tw__bytes_deinit(&ask->parts[i].in);
        }
        tw__free(ask);
    }
}

static void finish(tw__admin_ask *ask) {
    tw__admin_conn *conn = ask->conn;
    tw__admin_answer answer = {0};
    make_answer(ask, &answer);
    tw__admin_ask_drop(ask);
    tw__admin_conn_resume(conn, &answer);
}

static void on_deadline(tw__wheel_entry *entry) {
    finish(TW__CONTAINER(entry, tw__admin_ask, deadline));
}

/* ---- the questions ------------------------------------------------------ */

static void on_part(tw__io *io, unsigned events) {
    part *at = TW__CONTAINER(io, part, io);
    uint8_t *room;
    ssize_t got = -1;
    (void)events;
    if (tw__bytes_len(&at->in) < TW__ANSWER_BYTES &&
        tw__bytes_reserve(&at->in, READ_BYTES, &room) == 0) {
        got = recv(io->fd, room, READ_BYTES, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
    }
    if (got > 0) {
        tw__bytes_commit(&at->in, (size_t)got);
        return;
    }
    close_part(at);
    if (at->ask->open == 0) {
        finish(at->ask);
    }
}

/* Without an answer when anything fails. */
static void ask_slot(tw__admin *admin, part *at, const tw_asked *asked) {
    int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
    int pair[2];
    tw__control_msg msg = {.kind = TW__CONTROL_ASK, .id = at->slot};
    if (socketpair(AF_UNIX, type, 0, pair) != 0) {
        return;
    }
    at->io = (tw__io){on_part, pair[0]};
    bool is_asked =
        tw__question_send(pair[0], at->ask->kind, asked) == 0 &&
        tw__control_send_fd(admin->control.fd, &msg, pair[1]) == 0 &&
        tw__poller_add(&admin->poller, &at->io, TW__READ) == 0;
    close(pair[1]);
    if (is_asked) {
        at->ask->open++;
    } else {
        close(pair[0]);
        at->io.fd = -1;
    }
}

/* ---- requests ----------------------------------------------------------- */

static bool read_number(const char *text, size_t len, uint32_t most,
                        uint32_t *out) {
    uint64_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        n = n * 10 + (uint64_t)(text[i] - '0');
        if (n > most) {
            return false;
        }
    }
    *out = (uint32_t)n;
    return len > 0;
}

/* "worker" is a slot or "all". False: refused. */
static bool read_slots(tw__admin_conn *conn, tw__http_request *request,
                       bool is_one, uint32_t *first, uint32_t *count,
                       tw__admin_answer *answer) {
    uint32_t slots = conn->admin->job->board->slots;
    tw__http_text text;
    *first = 0;
    *count = is_one ? 1 : slots;
    if (tw__http_request_param(request, "worker", 6, &text) != 0) {
        return true;
    }
    if (text.len == 3 && memcmp(text.data, "all", 3) == 0) {
        *count = slots;
        return true;
    }
    *count = 1;
    if (read_number(text.data, text.len, slots - 1, first)) {
        return true;
    }
    refuse(answer, 404, "not_found", "there is no such worker");
    return false;
}

static void begin(tw__admin_conn *conn, tw__question_kind kind, uint32_t first,
                  uint32_t count, const tw_asked *asked, uint64_t limit_ms,
                  tw__admin_answer *answer) {
    tw__admin *admin = conn->admin;
    tw__admin_ask *ask =
        tw__calloc(1, sizeof *ask + count * sizeof ask->parts[0]);
    if (ask == NULL) {
        refuse(answer, 503, "nomem", tw_strerror(TW_ENOMEM));
        return;
    }
    *ask = (tw__admin_ask){.conn = conn, .kind = kind, .count = count};
    tw__list_init(&ask->node);
    ask->deadline.cb = on_deadline;
    conn->ask = ask;
    for (uint32_t i = 0; i < count; i++) {
        ask->parts[i] =
            (part){.io = {on_part, -1}, .ask = ask, .slot = first + i};
        ask_slot(admin, &ask->parts[i], asked);
    }
    if (ask->open == 0) {
        make_answer(ask, answer);
        tw__admin_ask_drop(ask);
    } else if (limit_ms > 0) {
        tw__clockwork_set(&admin->clockwork, &ask->deadline, limit_ms);
    }
}

void tw__admin_top(tw__admin_conn *conn, tw__http_request *request,
                   tw__admin_answer *answer) {
    tw_asked asked = {.ms = 0};
    uint32_t first, count;
    if (read_slots(conn, request, false, &first, &count, answer)) {
        begin(conn, TW__ASK_TOP, first, count, &asked, TOP_MS, answer);
    }
}

void tw__admin_console(tw__admin_conn *conn, tw__http_request *request,
                       tw__admin_answer *answer) {
    tw__http_text body = tw__http_request_body(request), session = {"", 0};
    uint32_t first, count;
    if (conn->admin->job->config.no_console) {
        refuse(answer, 403, "denied",
               "the console is switched off (console = false)");
        return;
    }
    tw__http_request_param(request, "session", 7, &session);
    if (session.len > 64 || body.len == 0) {
        refuse(answer, 400, "invalid",
               body.len == 0 ? "there is nothing to run"
                             : "a session is at most 64 bytes");
        return;
    }
    if (read_slots(conn, request, true, &first, &count, answer)) {
        tw_asked asked = {.text = {body.data, body.len},
                          .session = {session.data, session.len},
                          .by = {conn->by, strlen(conn->by)}};
        begin(conn, TW__ASK_CONSOLE, first, count, &asked, 0, answer);
    }
}

void tw__admin_profile(tw__admin_conn *conn, tw__http_request *request,
                       tw__admin_answer *answer) {
    tw_asked asked = {.ms = PROFILE_MS, .by = {conn->by, strlen(conn->by)}};
    tw__http_text text;
    uint32_t first, count;
    if (tw__http_request_param(request, "ms", 2, &text) == 0 &&
        (!read_number(text.data, text.len, PROFILE_MAX_MS, &asked.ms) ||
         asked.ms < PROFILE_MIN_MS)) {
        refuse(answer, 400, "invalid", "ms must be 100 to 60000");
        return;
    }
    if (read_slots(conn, request, false, &first, &count, answer)) {
        begin(conn, TW__ASK_PROFILE, first, count, &asked, 0, answer);
    }
}

size_t tw__admin_body_limit(const tw__http_request *request) {
    static const char console[] = "/api/console";
    bool is_console =
        request->path.len == sizeof console - 1 &&
        memcmp(request->path.data, console, sizeof console - 1) == 0;
    return is_console ? TW__QUESTION_BYTES : 4096;
}
