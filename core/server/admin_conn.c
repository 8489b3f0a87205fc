/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "server/admin_ask.h"
#include "server/admin_state.h"

/* Times: for a request from the first thought of it (the accept, or the answer
 * before) to its end; for the peer to take some of an answer; for it to close
 * behind the last one. */
enum { IDLE_MS = 15000, STALL_MS = 15000, LINGER_MS = 1000 };
enum { READ_BYTES = 16384 };

static void set_deadline(tw__admin_conn *conn, uint64_t ms) {
    tw__clockwork_set(&conn->admin->clockwork, &conn->deadline, ms);
}

void tw__admin_conn_close(tw__admin_conn *conn) {
    tw__admin *admin = conn->admin;
    if (conn->io.fd < 0) {
        return;
    }
    if (conn->ask != NULL) {
        tw__admin_ask_drop(conn->ask);
    }
    tw__clockwork_clear(&admin->clockwork, &conn->deadline);
    tw__poller_remove(&admin->poller, &conn->io);
    close(conn->io.fd);
    conn->io.fd = -1;
    tw__list_remove(&conn->node);
    tw__list_push(&admin->dead, &conn->node);
    admin->conn_count--;
}

/* What it listens for follows from what it does: one that waits for a reload or
 * a worker reads nothing, but the kernel tells of a peer that is gone. */
static void update_interest(tw__admin_conn *conn) {
    unsigned interest = TW__READ;
    if (tw__bytes_len(&conn->out) > 0) {
        interest = TW__WRITE;
    } else if (tw__admin_conn_waits(conn)) {
        interest = 0;
    }
    tw__poller_modify(&conn->admin->poller, &conn->io, interest);
}

/* ---- writing ------------------------------------------------------------ */

/* Closing with unread bytes in the kernel would destroy the answer. */
static void linger(tw__admin_conn *conn) {
    conn->is_lingering = true;
    shutdown(conn->io.fd, SHUT_WR);
    set_deadline(conn, LINGER_MS);
}

static void flush(tw__admin_conn *conn) {
    while (tw__bytes_len(&conn->out) > 0) {
        ssize_t sent = send(conn->io.fd, tw__bytes_data(&conn->out),
                            tw__bytes_len(&conn->out), MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            return;
        }
        if (sent < 0) {
            tw__admin_conn_close(conn);
            return;
        }
        tw__bytes_consume(&conn->out, (size_t)sent);
        set_deadline(conn, STALL_MS);
    }
    if (conn->is_last && !conn->is_lingering) {
        linger(conn);
    }
}

static int append(tw__admin_conn *conn, tw__admin_answer *answer,
                  const tw__http_response *base) {
    if (answer->code != NULL) {
        return tw__http_error_json(&conn->out, base, answer->code,
                                   answer->message);
    }
    tw__http_response response = *base;
    response.content_type = answer->type;
    response.body = tw__bytes_data(&answer->body);
    response.body_len = tw__bytes_len(&answer->body);
    return tw__http_response_write(&conn->out, &response);
}

/* Frees the answer's body. */
static void respond(tw__admin_conn *conn, tw__admin_answer *answer,
                    bool is_head, bool keep_alive) {
    tw__http_field headers[] = {
        TW__HTTP_FIELD("Cache-Control", "no-store"),
        TW__HTTP_FIELD("X-Content-Type-Options", "nosniff"),
        {"Allow", 5, answer->allow, 0},
    };
    if (answer->allow != NULL) {
        headers[2].value_len = strlen(answer->allow);
    }
    tw__http_response base = {
        .status = answer->status,
        .headers = headers,
        .header_count = answer->allow != NULL ? 3 : 2,
        .is_head = is_head,
        .keep_alive = keep_alive,
        .date = tw__http_date_at(&conn->admin->date,
                                 tw__loop_wall(&conn->admin->loop) / 1000)};
    int error = append(conn, answer, &base);
    tw__bytes_deinit(&answer->body);
    conn->is_last = !keep_alive;
    if (error != 0) {
        tw__admin_conn_close(conn);
        return;
    }
    set_deadline(conn, keep_alive ? IDLE_MS : STALL_MS);
    flush(conn);
}

static void respond_error(tw__admin_conn *conn, int status, const char *why) {
    tw__admin_answer answer = {
        .status = status, .code = "invalid", .message = why};
    respond(conn, &answer, false, false);
}

/* ---- requests ----------------------------------------------------------- */

static void answer_request(tw__admin_conn *conn, tw__admin_answer *answer) {
    const tw__http_request *request = tw__http_parser_request(conn->parser);
    bool keep_alive = request->keep_alive && !request->is_upgrade;
    respond(conn, answer, request->is_head, keep_alive);
    if (keep_alive && conn->io.fd >= 0) {
        tw__http_parser_reset(conn->parser);
    }
}

static void on_request(tw__admin_conn *conn) {
    tw__admin_answer answer = {0};
    tw__admin_dispatch(conn, tw__http_parser_request(conn->parser), &answer);
    if (tw__admin_conn_waits(conn)) {
        tw__clockwork_clear(&conn->admin->clockwork, &conn->deadline);
    } else {
        answer_request(conn, &answer);
    }
}

static void on_error(tw__admin_conn *conn) {
    tw__http_error error = tw__http_parser_error(conn->parser);
    respond_error(conn, error.status, error.reason);
}

/* Answers false when the bytes at hand are used up. */
static bool on_event(tw__admin_conn *conn, tw__http_event event) {
    switch (event) {
    case TW__HTTP_MORE:
        if (tw__http_parser_take_continue(conn->parser)) {
            tw__bytes_append(&conn->out, TW__HTTP_CONTINUE,
                             sizeof TW__HTTP_CONTINUE - 1);
            flush(conn);
        }
        return false;
    case TW__HTTP_HEAD:
        tw__http_parser_set_body_limit(
            conn->parser,
            tw__admin_body_limit(tw__http_parser_request(conn->parser)));
        if (tw__http_parser_request(conn->parser)->is_upgrade) {
            on_request(conn); /* answered as if it did not ask for that */
        }
        return true;
    case TW__HTTP_COMPLETE:
        on_request(conn);
        return true;
    default:
        on_error(conn);
        return false;
    }
}

static bool may_parse(const tw__admin_conn *conn) {
    return conn->io.fd >= 0 && !tw__admin_conn_waits(conn) && !conn->is_last &&
           tw__bytes_len(&conn->out) == 0;
}

/* Requests behind one another are answered one by one: the next is looked at
 * when the kernel has taken the answer before. */
static void process(tw__admin_conn *conn) {
    bool go_on = tw__bytes_len(&conn->in) > 0;
    while (go_on && may_parse(conn)) {
        size_t used = 0;
        tw__http_event event =
            tw__http_parser_feed(conn->parser, tw__bytes_data(&conn->in),
                                 tw__bytes_len(&conn->in), &used);
        if (event != TW__HTTP_ERROR) {
            tw__bytes_consume(&conn->in, used);
        }
        go_on = on_event(conn, event) &&
                (event == TW__HTTP_HEAD || tw__bytes_len(&conn->in) > 0);
    }
    if (conn->io.fd >= 0) {
        update_interest(conn);
    }
}

void tw__admin_conn_resume(tw__admin_conn *conn, tw__admin_answer *answer) {
    conn->reload_id = 0;
    answer_request(conn, answer);
    if (conn->io.fd >= 0) {
        process(conn);
    }
}

/* ---- reading ------------------------------------------------------------ */

static void on_read(tw__admin_conn *conn) {
    uint8_t *room;
    if (tw__bytes_reserve(&conn->in, READ_BYTES, &room) != 0) {
        tw__admin_conn_close(conn);
        return;
    }
    ssize_t got = recv(conn->io.fd, room, READ_BYTES, 0);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0) {
        tw__admin_conn_close(conn);
    } else if (!conn->is_lingering) {
        tw__bytes_commit(&conn->in, (size_t)got);
        process(conn);
    }
}

static void on_io(tw__io *io, unsigned events) {
    tw__admin_conn *conn = TW__CONTAINER(io, tw__admin_conn, io);
    if ((events & TW__HANGUP) != 0 && tw__admin_conn_waits(conn)) {
        tw__admin_conn_close(conn);
    } else if (tw__bytes_len(&conn->out) > 0) {
        flush(conn);
        if (conn->io.fd >= 0) {
            process(conn);
        }
    } else if ((events & TW__READ) != 0) {
        on_read(conn);
    }
}

static void on_deadline(tw__wheel_entry *entry) {
    tw__admin_conn *conn = TW__CONTAINER(entry, tw__admin_conn, deadline);
    if (conn->is_last || tw__bytes_len(&conn->out) > 0 ||
        tw__http_parser_is_idle(conn->parser)) {
        tw__admin_conn_close(conn);
    } else {
        respond_error(conn, 408, "the request did not come in time");
        if (conn->io.fd >= 0) {
            update_interest(conn);
        }
    }
}

/* ---- opening ------------------------------------------------------------ */

static void know_process(tw__admin_conn *conn, int fd) {
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
        conn->is_owner = peer.uid == geteuid() || peer.uid == 0;
        snprintf(conn->by, sizeof conn->by, "uid %u, pid %d",
                 (unsigned)peer.uid, (int)peer.pid);
    }
}

static void know_address(tw__admin_conn *conn, int fd,
                         const tw__address *peer) {
    tw__address local;
    char ip[TW__ADDRESS_TEXT];
    if (tw__socket_local(fd, &local) == 0) {
        tw__address_format_ip(&local, conn->local_ip);
    }
    tw__address_format_ip(peer, ip);
    snprintf(conn->by, sizeof conn->by, "token, ip %.*s",
             (int)sizeof conn->by - 16, ip);
}

static tw__admin_conn *create(tw__admin *admin, int fd, const tw__address *peer,
                              bool is_unix) {
    tw__admin_conn *conn = tw__calloc(1, sizeof *conn);
    if (conn == NULL) {
        return NULL;
    }
    conn->parser = tw__http_parser_create(NULL);
    if (conn->parser == NULL) {
        tw__free(conn);
        return NULL;
    }
    conn->admin = admin;
    conn->io = (tw__io){on_io, fd};
    conn->deadline.cb = on_deadline;
    conn->is_unix = is_unix;
    if (is_unix) {
        know_process(conn, fd);
    } else {
        know_address(conn, fd, peer);
    }
    return conn;
}

void tw__admin_conn_open(tw__admin *admin, int fd, const tw__address *peer,
                         bool is_unix) {
    unsigned limit = is_unix ? TW__ADMIN_CONNS : TW__ADMIN_TCP_CONNS;
    tw__admin_conn *conn =
        admin->conn_count < limit ? create(admin, fd, peer, is_unix) : NULL;
    if (conn == NULL || tw__poller_add(&admin->poller, &conn->io, TW__READ)) {
        close(fd);
        if (conn != NULL) {
            tw__admin_conn_free(conn);
        }
        return;
    }
    admin->conn_count++;
    tw__list_push(&admin->conns, &conn->node);
    set_deadline(conn, IDLE_MS);
}

void tw__admin_conn_free(tw__admin_conn *conn) {
    tw__http_parser_destroy(conn->parser);
    tw__bytes_deinit(&conn->in);
    tw__bytes_deinit(&conn->out);
    tw__free(conn);
}
