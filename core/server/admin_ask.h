/* admin_ask.h - requests that the workers answer, each for itself.
 *
 * One ask is one request on its way: a question (question.h) for every slot
 * that it names, and an answer made of theirs. It belongs to the connection
 * that waits for it. Inside of admin*.c.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_ADMIN_ASK_H
#define TW_SERVER_ADMIN_ASK_H

#include "server/admin_state.h"
#include "server/question.h"

/* Handlers of GET /api/top, POST /api/console and POST /api/profile. They leave
 * `answer` without a status and the connection with an ask, or refuse. */
void tw__admin_top(tw__admin_conn *conn, tw__http_request *request,
                   tw__admin_answer *answer);
void tw__admin_console(tw__admin_conn *conn, tw__http_request *request,
                       tw__admin_answer *answer);
void tw__admin_profile(tw__admin_conn *conn, tw__http_request *request,
                       tw__admin_answer *answer);

/* What the body of a request may be. */
size_t tw__admin_body_limit(const tw__http_request *request);

/* The connection that waits is gone. */
void tw__admin_ask_drop(tw__admin_ask *ask);

/* Frees those that are over, at the turn's end. */
void tw__admin_asks_free(tw__admin *admin);

#endif
