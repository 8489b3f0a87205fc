/* bridge_hooks_asked.h - the part of bridge_hooks_fake.h that is about what
 * channels keep, who is in them, users, and connections elsewhere. A test
 * answers what was asked with fake_answer_*, and reads what was done in
 * server->acts.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_BRIDGE_HOOKS_ASKED_H
#define TW_TESTS_BRIDGE_HOOKS_ASKED_H

static int fake_ask(tw_server *server, tw_str name, void *arg) {
    fake_asked *asked = &server->asked;
    assert_null(asked->arg);
    if (asked->error) {
        return asked->error;
    }
    fake_copy(asked->name, sizeof asked->name, name);
    asked->arg = arg;
    return 0;
}

/* The question is answered: what is asked from within is another one. */
static fake_asked fake_take(tw_server *server) {
    fake_asked asked = server->asked;
    assert_non_null(asked.arg);
    memset(&server->asked, 0, sizeof server->asked);
    return asked;
}

static void fake_answer_published(tw_server *server, int status,
                                  const tw_position *position) {
    fake_asked asked = fake_take(server);
    asked.publish_cb(status, status ? NULL : position, asked.arg);
}

static void fake_answer_history(tw_server *server, int status,
                                const tw_history *history) {
    fake_asked asked = fake_take(server);
    asked.history_cb(status, status ? NULL : history, asked.arg);
}

static void fake_answer_presence(tw_server *server, int status,
                                 const tw_presence_list *list) {
    fake_asked asked = fake_take(server);
    asked.presence_cb(status, status ? NULL : list, asked.arg);
}

static void fake_answer_user(tw_server *server, int status,
                             const tw_user_conn *conns, size_t count) {
    fake_asked asked = fake_take(server);
    asked.user_cb(status, conns, count, asked.arg);
}

/* Every question gets an answer, at the latest when the server goes. */
static void fake_answer_closed(tw_server *server) {
    fake_asked asked = server->asked;
    memset(&server->asked, 0, sizeof server->asked);
    if (!asked.arg) {
        return;
    }
    if (asked.publish_cb) {
        asked.publish_cb(TW_ECLOSED, NULL, asked.arg);
    } else if (asked.history_cb) {
        asked.history_cb(TW_ECLOSED, NULL, asked.arg);
    } else if (asked.presence_cb) {
        asked.presence_cb(TW_ECLOSED, NULL, asked.arg);
    } else {
        asked.user_cb(TW_ECLOSED, NULL, 0, asked.arg);
    }
}

/* ---- publishing, and what is kept ---------------------------------------- */

int tw_publish_wait(tw_server *server, tw_str channel, const void *data,
                    size_t len, const tw_publish_options *options,
                    tw_publish_cb cb, void *arg) {
    int code = tw_publish(server, channel, data, len, options);
    code = code ? code : fake_ask(server, channel, arg);
    server->asked.publish_cb = code ? NULL : cb;
    return code;
}

int tw_channel_history(tw_server *server, tw_str channel,
                       const tw_history_options *options, tw_history_cb cb,
                       void *arg) {
    int code = fake_ask(server, channel, arg);
    if (!code) {
        server->asked.history = *options;
        server->asked.history_cb = cb;
    }
    return code;
}

int tw_channel_latest(tw_server *server, tw_str channel, tw_str key,
                      tw_history_cb cb, void *arg) {
    int code = fake_ask(server, channel, arg);
    if (!code) {
        fake_copy(server->asked.key, sizeof server->asked.key, key);
        server->asked.history_cb = cb;
    }
    return code;
}

int tw_channel_presence(tw_server *server, tw_str channel, uint32_t limit,
                        tw_presence_cb cb, void *arg) {
    int code = fake_ask(server, channel, arg);
    if (!code) {
        server->asked.limit = limit;
        server->asked.presence_cb = cb;
    }
    return code;
}

/* ---- what is done -------------------------------------------------------- */

/* "name(to, text);" */
static int fake_act(tw_server *server, const char *name, tw_str to,
                    const void *text, size_t len) {
    size_t at = strlen(server->acts);
    if (server->asked.error) {
        return server->asked.error;
    }
    snprintf(server->acts + at, sizeof server->acts - at, "%s(%.*s, %.*s);",
             name, (int)to.len, to.data, (int)len, (const char *)text);
    return 0;
}

/* What was done since the last call. */
static const char *fake_acts(tw_server *server) {
    static char acts[FAKE_TEXT];
    memcpy(acts, server->acts, sizeof acts);
    server->acts[0] = '\0';
    return acts;
}

int tw_channel_remove(tw_server *server, tw_str channel, tw_str key) {
    return fake_act(server, "remove", channel, key.data, key.len);
}

int tw_channel_tell(tw_server *server, tw_str channel, const void *data,
                    size_t len, bool binary) {
    if (!binary && !fake_is_text(data, len)) {
        return TW_EINVALID;
    }
    return fake_act(server, binary ? "tell bytes" : "tell", channel, data, len);
}

int tw_user_send(tw_server *server, tw_str user, const void *data, size_t len,
                 const tw_publish_options *options) {
    if (!options->binary && !fake_is_text(data, len)) {
        return TW_EINVALID;
    }
    return fake_act(server, options->no_history ? "send past history" : "send",
                    user, data, len);
}

int tw_user_send_wait(tw_server *server, tw_str user, const void *data,
                      size_t len, const tw_publish_options *options,
                      tw_publish_cb cb, void *arg) {
    int code = tw_user_send(server, user, data, len, options);
    code = code ? code : fake_ask(server, user, arg);
    server->asked.publish_cb = code ? NULL : cb;
    return code;
}

int tw_user_subscribe(tw_server *server, tw_str user, tw_str channel) {
    return fake_act(server, "subscribe", user, channel.data, channel.len);
}

int tw_user_unsubscribe(tw_server *server, tw_str user, tw_str channel) {
    return fake_act(server, "unsubscribe", user, channel.data, channel.len);
}

int tw_user_disconnect(tw_server *server, tw_str user, int code,
                       tw_str reason) {
    char text[64];
    int len = snprintf(text, sizeof text, "%d, %.*s", code, (int)reason.len,
                       reason.data);
    return code == 1005
               ? TW_EINVALID
               : fake_act(server, "disconnect", user, text, (size_t)len);
}

int tw_user_connections(tw_server *server, tw_str user, tw_user_cb cb,
                        void *arg) {
    int code = fake_ask(server, user, arg);
    server->asked.user_cb = code ? NULL : cb;
    return code;
}

int tw_remote_send(tw_server *server, tw_str id, const void *data, size_t len,
                   bool binary) {
    assert_true(binary || fake_is_text(data, len));
    return fake_act(server, binary ? "send bytes" : "send", id, data, len);
}

int tw_remote_close(tw_server *server, tw_str id, int code, tw_str reason) {
    return tw_user_disconnect(server, id, code, reason);
}

int tw_remote_subscribe(tw_server *server, tw_str id, tw_str channel) {
    return fake_act(server, "subscribe", id, channel.data, channel.len);
}

int tw_remote_unsubscribe(tw_server *server, tw_str id, tw_str channel) {
    return fake_act(server, "unsubscribe", id, channel.data, channel.len);
}

/* ---- subscriptions of the host ------------------------------------------- */

tw_subscription *tw_subscribe(tw_server *server, tw_str channel,
                              void (*cb)(tw_server *, const tw_publication *,
                                         void *),
                              void *arg) {
    if (server->asked.error) {
        return NULL;
    }
    tw_subscription *subscription = calloc(1, sizeof *subscription);
    subscription->server = server;
    fake_copy(subscription->channel, sizeof subscription->channel, channel);
    subscription->cb = cb;
    subscription->arg = arg;
    subscription->next = server->subscriptions;
    server->subscriptions = subscription;
    server->subscribed_count++;
    return subscription;
}

void tw_subscription_cancel(tw_subscription *subscription) {
    tw_subscription **at = &subscription->server->subscriptions;
    while (*at && *at != subscription) {
        at = &(*at)->next;
    }
    assert_non_null(*at);
    *at = subscription->next;
    free(subscription);
}

static tw_subscription *fake_subscription(tw_server *server,
                                          const char *channel) {
    for (tw_subscription *at = server->subscriptions; at; at = at->next) {
        if (strcmp(at->channel, channel) == 0) {
            return at;
        }
    }
    return NULL;
}

/* The channel's home has sequenced something. The bytes go afterwards: ASan
 * shows who keeps them. */
static void fake_publish(tw_server *server, const char *channel,
                         const char *text, uint64_t offset, const char *key) {
    tw_subscription *subscription = fake_subscription(server, channel);
    char *copy = strdup(text), *key_copy = strdup(key);
    tw_publication publication = {.channel = fake_str(channel),
                                  .key = fake_str(key_copy),
                                  .data = copy,
                                  .len = strlen(copy),
                                  .offset = offset};
    assert_non_null(subscription);
    subscription->cb(server, &publication, subscription->arg);
    free(copy);
    free(key_copy);
}

#endif
