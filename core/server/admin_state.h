/* admin_state.h - what the admin member consists of. Inside of admin*.c.
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_ADMIN_STATE_H
#define TW_SERVER_ADMIN_STATE_H

#include "base/bytes.h"
#include "base/log.h"
#include "http/parser.h"
#include "http/response.h"
#include "http/router.h"
#include "net/clockwork.h"
#include "net/listener.h"
#include "net/poller.h"
#include "server/admin.h"
#include "server/admin_canary.h"
#include "server/admin_guard.h"

/* Open connections in all, and how many there may be for TCP to add one: what
 * strangers open leaves room for the operator on the Unix socket. */
enum { TW__ADMIN_CONNS = 64, TW__ADMIN_TCP_CONNS = 48 };

typedef struct tw__admin {
    tw__job *job;
    tw__log log;
    tw__loop loop;
    tw__poller poller;
    tw__clockwork clockwork;
    tw__listener listeners[2]; /* Unix, TCP */
    bool is_listening[2];
    tw__io control;
    tw__wheel_entry tick;
    tw__turn_hook close_hook;
    tw__list conns, dead, dead_asks; /* the dead are freed at the turn's end */
    unsigned conn_count;
    tw__http_router *router;
    tw__canary *canary; /* NULL before LISTEN */
    tw__http_date date;
    uint64_t reload_id; /* of the latest request to the master */
    int status;         /* of the process */
} tw__admin;

typedef struct tw__admin_ask tw__admin_ask; /* admin_ask.h */

typedef struct tw__admin_conn {
    tw__io io;
    tw__list node;
    tw__wheel_entry deadline;
    tw__admin *admin;
    tw__http_parser *parser;
    tw__bytes in, out;
    char local_ip[TW__ADDRESS_TEXT];
    bool is_unix, is_owner;
    bool is_last;       /* the answer in `out` is the last one: then close */
    bool is_lingering;  /* answered and shut; waits for the peer to close */
    uint64_t reload_id; /* waits for that result; 0: does not */
    tw__admin_ask *ask; /* waits for answers of workers; NULL: does not */
    char by[96];        /* who it is, for the log */
} tw__admin_conn;

static inline bool tw__admin_conn_waits(const tw__admin_conn *conn) {
    return conn->reload_id != 0 || conn->ask != NULL;
}

/* What a route makes of a request. */
typedef struct tw__admin_answer {
    int status; /* 0: it comes later */
    const char *type;
    const char *code, *message; /* of an error: then there is no body */
    const char *allow;          /* of a 405; borrowed */
    tw__bytes body;
} tw__admin_answer;

/* ---- admin_conn.c ------------------------------------------------------- */

/* Takes an accepted descriptor. */
void tw__admin_conn_open(tw__admin *admin, int fd, const tw__address *peer,
                         bool is_unix);
/* Closes; its memory goes at the end of the turn, with tw__admin_conn_free. */
void tw__admin_conn_close(tw__admin_conn *conn);
void tw__admin_conn_free(tw__admin_conn *conn);

/* Answers the request of one that waits, and goes on reading. */
void tw__admin_conn_resume(tw__admin_conn *conn, tw__admin_answer *answer);

/* ---- admin_api.c -------------------------------------------------------- */

/* 0 or TW_ENOMEM. */
int tw__admin_add_routes(tw__http_router *router);

/* Answers a whole request. `answer` is zero before; its body is the caller's
 * to free. */
void tw__admin_dispatch(tw__admin_conn *conn, tw__http_request *request,
                        tw__admin_answer *answer);

/* The answer to a reload from its result. */
void tw__admin_reload_answer(tw__admin_answer *answer,
                             const tw__control_msg *result);

/* ---- admin_status.c ----------------------------------------------------- */

/* Append the JSON of /api/status and /ready. 0 or TW_ENOMEM. */
int tw__admin_status(tw__bytes *out, const tw__job *job, uint64_t now_ms);

/* Append the beginning of the JSON of /api/top, which is all of /api/status and
 * then a list "top", and one entry of that list; `more` is the inside of an
 * object that the worker gave, NULL when it gave none. 0 or TW_ENOMEM. */
int tw__admin_top_head(tw__bytes *out, const tw__job *job, uint64_t now_ms);
int tw__admin_top_slot(tw__bytes *out, const tw__page *page, uint32_t slot,
                       const char *more, size_t len);

/* Ready: all slots accept connections, `returned` canaries (one of each slot)
 * came back lately, and no drain has begun. */
int tw__admin_ready(tw__bytes *out, const tw__board *board, uint32_t returned,
                    bool *is_ready);

#endif
