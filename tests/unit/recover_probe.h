/* recover_probe.h - for tests of what a subscriber missed: subscribing from a
 * position, publishing numbered texts, and the hook that tells of gaps.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_RECOVER_PROBE_H
#define TW_TESTS_RECOVER_PROBE_H

#include "server_probe.h"

#include "server/interest.h"

/* ---- the hook ---- */

static int (*recover_on_fail)(world *w, tw_conn *conn); /* NULL: nothing */

static inline int recover_hook_fail(tw_conn *conn, tw_str channel,
                                    const tw_position *since, void *user) {
    world *w = user;
    world_begin(w);
    world_note(w, "missed:%d:%s:%s:%llu ", number_of(conn), channel.data,
               since->epoch, (unsigned long long)since->offset);
    return world_end(w, recover_on_fail ? recover_on_fail(w, conn) : TW_DONE);
}

/* ---- the world ---- */

/* To be changed before recover_start. */
static inline void recover_init(world *w) {
    world_init(w);
    recover_on_fail = NULL;
    w->config.hooks.on_recover_fail = recover_hook_fail;
    w->routes[0].hooks |= TW_HOOK_RECOVER_FAIL;
}

static inline void recover_classes(world *w, const tw_class_config *classes,
                                   size_t count) {
    assert_int_equal(tw_server_set_classes(w->server, classes, count, NULL), 0);
}

static inline void recover_start(world *w, const tw_class_config *class) {
    world_start(w);
    recover_classes(w, class, 1);
}

static inline void recover_open(world *w, const tw_class_config *class) {
    recover_init(w);
    recover_start(w, class);
}

/* ---- subscribing ---- */

typedef struct told {
    int calls, status;
    tw_subscribed result;
} told;

static inline void recover_on_subscribed(tw_conn *conn, int status,
                                         const tw_subscribed *result,
                                         void *arg) {
    told *t = arg;
    (void)conn;
    t->calls++;
    t->status = status;
    if (result != NULL) {
        t->result = *result;
    }
}

static inline void recover_ask(world *w, int number, const char *channel,
                               const tw_subscribe_options *options, told *t) {
    *t = (told){0};
    assert_int_equal(tw_conn_subscribe(w->conns[number], str_of(channel),
                                       options, recover_on_subscribed, t),
                     0);
    assert_int_equal(t->calls, 0);
}

/* Subscribes and waits for the answer. */
static inline tw_subscribed
recover_subscribe(world *w, int number, const char *channel,
                  const tw_subscribe_options *options) {
    told t;
    recover_ask(w, number, channel, options, &t);
    world_until(w, t.calls > 0);
    world_rest(w);
    assert_int_equal(t.calls, 1);
    assert_int_equal(t.status, 0);
    return t.result;
}

static inline tw_subscribe_options since_of(const tw_position *position) {
    return (tw_subscribe_options){.has_since = true, .since = *position};
}

static inline tw_subscribe_options since_offset(const tw_position *position,
                                                uint64_t offset) {
    tw_subscribe_options options = since_of(position);
    options.since.offset = offset;
    return options;
}

static inline void recover_leave(world *w, int number, const char *channel) {
    assert_int_equal(tw_conn_unsubscribe(w->conns[number], str_of(channel)), 0);
    world_rest(w);
}

static inline void assert_told(const tw_subscribed *got, uint64_t offset,
                               bool recovered, uint32_t count) {
    assert_int_equal(got->position.offset, offset);
    assert_int_equal(got->recovered, recovered);
    assert_int_equal(got->count, count);
}

/* ---- publishing ---- */

/* "n1", "n2", ...: the texts of `first` to `last`, each in a turn's time. */
static inline void publish_numbers(world *w, const char *channel, int first,
                                   int last) {
    char text[32];
    for (int i = first; i <= last; i++) {
        snprintf(text, sizeof text, "n%d", i);
        world_publish(w, channel, text);
    }
    world_rest(w);
}

static inline void publish_keyed(world *w, const char *channel, const char *key,
                                 const char *text) {
    tw_publish_options options = {.key = str_of(key)};
    assert_int_equal(
        tw_publish(w->server, str_of(channel), text, strlen(text), &options),
        0);
    world_rest(w);
}

static inline void expect_numbers(world *w, client *c, int first, int last) {
    char text[32];
    for (int i = first; i <= last; i++) {
        snprintf(text, sizeof text, "n%d", i);
        expect_text(w, c, text);
    }
}

/* ---- an engine of the test's own ----
 *
 * For the channel "far": the test says when and what its home answers. */

enum { FAR_QUESTIONS = 8 };

typedef struct far_question {
    tw__kept_query query;
    tw__kept_cb cb;
    void *arg;
} far_question;

static struct {
    tw__broker broker;
    tw__broker *real;
    tw_server *server;
    tw__interest_cb confirm; /* of the interest that waits, or NULL */
    void *confirm_arg;
    int refuses; /* what is kept: the error, 0: it is answered */
    int asked;   /* questions for what is kept, in all */
    int dropped; /* interests */
    far_question questions[FAR_QUESTIONS]; /* that wait, the oldest first */
    int waiting;
} far;

static inline bool is_far(const char *channel, size_t len) {
    return len == 3 && memcmp(channel, "far", 3) == 0;
}

static inline int far_publish(tw__broker *broker, tw__pub *pub) {
    (void)broker;
    return far.real->ops->publish(far.real, pub);
}

static inline int far_interest(tw__broker *broker, const char *channel,
                               size_t len, tw__interest_cb cb, void *arg) {
    (void)broker;
    if (!is_far(channel, len)) {
        return far.real->ops->interest(far.real, channel, len, cb, arg);
    }
    assert_null(far.confirm);
    far.confirm = cb;
    far.confirm_arg = arg;
    return 0;
}

static inline void far_drop(tw__broker *broker, const char *channel,
                            size_t len) {
    (void)broker;
    if (!is_far(channel, len)) {
        far.real->ops->drop(far.real, channel, len);
    } else {
        far.dropped++;
    }
}

static inline bool far_set_count(tw__broker *broker, const char *channel,
                                 size_t len, uint32_t count) {
    (void)broker;
    return is_far(channel, len) ||
           far.real->ops->set_count(far.real, channel, len, count);
}

static inline int far_kept(tw__broker *broker, const char *channel, size_t len,
                           const tw__kept_query *query, tw__kept_cb cb,
                           void *arg) {
    (void)broker;
    if (!is_far(channel, len)) {
        return far.real->ops->kept(far.real, channel, len, query, cb, arg);
    }
    far.asked++;
    if (far.refuses != 0) {
        return far.refuses;
    }
    assert_true(far.waiting < FAR_QUESTIONS);
    far.questions[far.waiting++] = (far_question){*query, cb, arg};
    return 0;
}

static const tw__broker_ops far_ops = {.publish = far_publish,
                                       .interest = far_interest,
                                       .drop = far_drop,
                                       .set_count = far_set_count,
                                       .kept = far_kept};

static inline void far_open(world *w, const tw_class_config *class,
                            int connections) {
    recover_open(w, class);
    memset(&far, 0, sizeof far);
    far.server = w->server;
    far.real = w->server->broker;
    far.broker.ops = &far_ops;
    w->server->broker = &far.broker;
    for (int i = 0; i < connections; i++) {
        client_open(w);
    }
    world_forget(w);
}

static inline void far_close(world *w) {
    assert_int_equal(far.waiting, 0);
    assert_null(far.confirm);
    w->server->broker = far.real;
    world_close(w);
}

static inline tw__position far_position(const char *epoch, uint64_t offset) {
    tw__position position = {.offset = offset};
    snprintf(position.epoch, sizeof position.epoch, "%s", epoch);
    return position;
}

static inline void far_confirms(const char *epoch, uint64_t offset) {
    tw__position position = far_position(epoch, offset);
    tw__interest_cb cb = far.confirm;
    assert_non_null(cb);
    far.confirm = NULL;
    cb(0, &position, far.confirm_arg);
}

static inline tw__pub *far_pub(uint64_t offset) {
    char text[32];
    snprintf(text, sizeof text, "n%llu", (unsigned long long)offset);
    tw__pub *pub = tw__pub_create("far", 3, "", 0, text, strlen(text));
    assert_non_null(pub);
    pub->header.offset = offset;
    return pub;
}

/* A publication of the home comes to this worker. */
static inline void far_delivers(uint64_t offset) {
    tw__server_on_publication(far.server, far_pub(offset));
}

static inline void far_tells(const char *text) { /* one without an offset */
    tw__server_on_publication(
        far.server, tw__pub_create("far", 3, "", 0, text, strlen(text)));
}

static inline void far_moves(const char *epoch, uint64_t offset) {
    tw__position position = far_position(epoch, offset);
    tw__server_on_position(far.server, "far", 3, &position);
}

static inline void far_loses(uint64_t lost) {
    tw__server_on_gap(far.server, "far", 3, lost);
}

/* Answers the oldest question: the channel stands at `offset` of `epoch`, and
 * of the log first .. last are sent, behind which `floor` is. */
static inline void far_answers(int status, const char *epoch, uint64_t offset,
                               uint64_t first, uint64_t last) {
    tw__pub *pubs[64];
    size_t count = 0;
    assert_true(far.waiting > 0);
    far_question question = far.questions[0];
    far.waiting--;
    memmove(far.questions, far.questions + 1,
            (size_t)far.waiting * sizeof far.questions[0]);
    for (uint64_t i = first; i <= last; i++) {
        pubs[count++] = far_pub(i);
    }
    const tw__kept kept = {.position = far_position(epoch, offset),
                           .floor = first - 1,
                           .log = pubs,
                           .log_count = count,
                           .retained = pubs + count};
    question.cb(status, status == 0 ? &kept : NULL, question.arg);
    for (size_t i = 0; i < count; i++) {
        tw__pub_unref(pubs[i]);
    }
}

#endif
