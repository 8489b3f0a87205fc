/* question.h - what the admin member asks a worker, and the worker's answer.
 *
 * Each question is a stream socket of its own: the admin member makes a pair,
 * writes the question whole into its end and passes the other one on through
 * the master (TW__CONTROL_ASK), which never sees what is said. The answer is
 * all that comes until the worker closes. So an answer may be long, an end that
 * dies is the end of file for the other, and whoever is not interested any more
 * only has to close.
 *
 * Both ends are the same binary on the same machine: heads are plain structs.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_QUESTION_H
#define TW_SERVER_QUESTION_H

#include "base/list.h"
#include "net/poller.h"
#include "tidewire/master.h"

enum {
    TW__QUESTION_BYTES = 65536, /* of the text of one */
    TW__QUESTIONS = 32,         /* at once in a worker */
    TW__ANSWER_BYTES = 16 << 20 /* of an answer */
};

typedef enum tw__question_kind {
    TW__ASK_TOP = 1, /* answered by the worker itself */
    TW__ASK_CONSOLE,
    TW__ASK_PROFILE,
    TW__ASK_KINDS
} tw__question_kind;

/* Followed by the bytes of by, session and text. */
typedef struct tw__question_head {
    uint32_t kind;
    uint32_t ms;
    uint32_t by_len, session_len, text_len;
} tw__question_head;

/* Followed by the text. */
typedef struct tw__answer_head {
    char outcome[16];
    uint64_t len;
} tw__answer_head;

/* Sends a question into a fresh socket, whose buffer takes it whole. 0 or
 * TW_EIO. */
int tw__question_send(int fd, tw__question_kind kind, const tw_asked *asked);

/* The questions of a worker. */
typedef struct tw__questions {
    tw_server *server;
    const tw_member_hooks *hooks;
    void *user;
    tw__list open, dead; /* the dead are freed at the turn's end */
    tw__turn_hook close_hook;
    unsigned count;
} tw__questions;

void tw__questions_init(tw__questions *questions, tw_server *server,
                        const tw_member_hooks *hooks, void *user);

/* Takes a descriptor that came with TW__CONTROL_ASK, reads the question and
 * has it answered. One that cannot be is closed, which is an answer, too. */
void tw__questions_take(tw__questions *questions, int fd);

/* The worker ends: closes those which are left. */
void tw__questions_close(tw__questions *questions);

/* top.c: begins to gather what /api/top shows and answers with it. */
void tw__top_begin(tw_server *server, tw_question *question);

#endif
