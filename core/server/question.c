/* SPDX-License-Identifier: MIT */
#include "server/question.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "server/server.h"

enum { BY_BYTES = 256, SESSION_BYTES = 64 };

struct tw_question {
    tw__io io;
    tw__list node;
    tw__questions *all;
    tw_asked asked; /* into `in` */
    uint32_t kind;
    tw__bytes in, out;
    bool is_answered;
    void (*on_gone)(void *arg);
    void *gone_arg;
};

/* ---- the asking end ----------------------------------------------------- */

int tw__question_send(int fd, tw__question_kind kind, const tw_asked *asked) {
    tw__question_head head = {.kind = (uint32_t)kind,
                              .ms = asked->ms,
                              .by_len = (uint32_t)asked->by.len,
                              .session_len = (uint32_t)asked->session.len,
                              .text_len = (uint32_t)asked->text.len};
    struct iovec pieces[] = {{&head, sizeof head},
                             {(void *)asked->by.data, asked->by.len},
                             {(void *)asked->session.data, asked->session.len},
                             {(void *)asked->text.data, asked->text.len}};
    struct msghdr header = {.msg_iov = pieces, .msg_iovlen = 4};
    size_t len =
        sizeof head + asked->by.len + asked->session.len + asked->text.len;
    ssize_t sent;
    do {
        sent = sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)len ? 0 : TW_EIO;
}

/* ---- the end of one ----------------------------------------------------- */

static tw__poller *poller_of(const tw_question *question) {
    return tw__server_link_poller(question->all->server);
}

static void free_question(tw_question *question) {
    tw__bytes_deinit(&question->in);
    tw__bytes_deinit(&question->out);
    tw__free(question);
}

static bool free_dead(tw__turn_hook *hook) {
    tw__questions *all = TW__CONTAINER(hook, tw__questions, close_hook);
    tw__list *node;
    while ((node = tw__list_shift(&all->dead)) != NULL) {
        free_question(TW__CONTAINER(node, tw_question, node));
    }
    return false;
}

static void close_question(tw_question *question) {
    if (question->io.fd < 0) {
        return;
    }
    tw__poller_remove(poller_of(question), &question->io);
    close(question->io.fd);
    question->io.fd = -1;
    tw__list_remove(&question->node);
    tw__list_push(&question->all->dead, &question->node);
    question->all->count--;
}

/* Nobody waits for it any more. */
static void abandon(tw_question *question) {
    void (*cb)(void *) = question->is_answered ? NULL : question->on_gone;
    close_question(question);
    if (cb != NULL) {
        cb(question->gone_arg);
    }
}

/* ---- answering ---------------------------------------------------------- */

static void flush(tw_question *question) {
    while (tw__bytes_len(&question->out) > 0) {
        ssize_t sent =
            send(question->io.fd, tw__bytes_data(&question->out),
                 tw__bytes_len(&question->out), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) {
            tw__poller_modify(poller_of(question), &question->io, TW__WRITE);
            return;
        }
        if (sent < 0) {
            break;
        }
        tw__bytes_consume(&question->out, (size_t)sent);
    }
    close_question(question);
}

void tw_question_answer(tw_question *question, const char *outcome,
                        const char *text, size_t len) {
    tw__answer_head head = {.len = len};
    snprintf(head.outcome, sizeof head.outcome, "%s", outcome);
    question->is_answered = true;
    if (tw__bytes_append(&question->out, &head, sizeof head) != 0 ||
        tw__bytes_append(&question->out, text, len) != 0) {
        close_question(question); /* the other end tells that, too */
        return;
    }
    flush(question);
}

const tw_asked *tw_question_asked(const tw_question *question) {
    return &question->asked;
}

void tw_question_on_gone(tw_question *question, void (*cb)(void *arg),
                         void *arg) {
    question->on_gone = cb;
    question->gone_arg = arg;
}

static void on_io(tw__io *io, unsigned events) {
    tw_question *question = TW__CONTAINER(io, tw_question, io);
    if ((events & TW__HANGUP) != 0) {
        abandon(question);
    } else if (question->is_answered) {
        flush(question);
    }
}

/* ---- asking ------------------------------------------------------------- */

/* All of it is there: it was written before the descriptor was passed on. */
static int receive(int fd, void *to, size_t len) {
    return len == 0 || recv(fd, to, len, MSG_DONTWAIT) == (ssize_t)len ? 0
                                                                       : TW_EIO;
}

/* A zero byte stands behind each. */
static int receive_text(tw_question *question, size_t len, tw_str *out) {
    uint8_t *room;
    (void)question;
    int error = tw__bytes_reserve(&question->in, len + 1, &room);
    if (error == 0) {
        error = receive(question->io.fd, room, len);
    }
    if (error == 0) {
        room[len] = '\0';
        tw__bytes_commit(&question->in, len + 1);
        out->len = len;
    }
    return error;
}

static int read_question(tw_question *question) {
    static const char *const kinds[] = {"", "top", "console", "profile"};
    tw_asked *asked = &question->asked;
    tw__question_head head;
    int error = receive(question->io.fd, &head, sizeof head);
    if (error != 0 || head.kind == 0 || head.kind >= TW__ASK_KINDS ||
        head.by_len > BY_BYTES || head.session_len > SESSION_BYTES ||
        head.text_len > TW__QUESTION_BYTES) {
        return TW_EINVALID;
    }
    error = receive_text(question, head.by_len, &asked->by);
    error = error != 0
                ? error
                : receive_text(question, head.session_len, &asked->session);
    error = error != 0 ? error
                       : receive_text(question, head.text_len, &asked->text);
    if (error != 0) {
        return error;
    }
    const char *at = (const char *)tw__bytes_data(&question->in);
    asked->by.data = at;
    asked->session.data = at + asked->by.len + 1;
    asked->text.data = asked->session.data + asked->session.len + 1;
    asked->kind = (tw_str){kinds[head.kind], strlen(kinds[head.kind])};
    asked->ms = head.ms;
    question->kind = head.kind;
    return 0;
}

static void have_answered(tw_question *question) {
    tw__questions *all = question->all;
    if (question->kind == TW__ASK_TOP) {
        tw__top_begin(all->server, question);
    } else if (all->hooks->ask != NULL) {
        all->hooks->ask(all->server, question, all->user);
    } else {
        static const char text[] = "this server has no answer to that";
        tw_question_answer(question, "unavailable", text, sizeof text - 1);
    }
}

void tw__questions_take(tw__questions *questions, int fd) {
    tw_question *question = questions->count < TW__QUESTIONS
                                ? tw__calloc(1, sizeof *question)
                                : NULL;
    if (question == NULL) {
        close(fd);
        return;
    }
    question->all = questions;
    question->io = (tw__io){on_io, fd};
    if (read_question(question) != 0 ||
        tw__poller_add(poller_of(question), &question->io, 0) != 0) {
        close(fd);
        free_question(question);
        return;
    }
    questions->count++;
    tw__list_push(&questions->open, &question->node);
    have_answered(question);
}

/* ---- all of them -------------------------------------------------------- */

void tw__questions_init(tw__questions *questions, tw_server *server,
                        const tw_member_hooks *hooks, void *user) {
    *questions =
        (tw__questions){.server = server, .hooks = hooks, .user = user};
    tw__list_init(&questions->open);
    tw__list_init(&questions->dead);
    tw__loop_add_hook(tw__server_loop(server), &questions->close_hook,
                      free_dead, TW__TURN_CLOSE);
}

void tw__questions_close(tw__questions *questions) {
    while (!tw__list_is_empty(&questions->open)) {
        abandon(TW__CONTAINER(questions->open.next, tw_question, node));
    }
    free_dead(&questions->close_hook);
    tw__loop_remove_hook(&questions->close_hook);
}
