/* tidewire/channels.h - channels: subscribing, publishing, what is kept, who is
 * there. Comes with tidewire/tidewire.h.
 *
 * A channel's name has 1 to 255 bytes. Its home, one of the server's slots,
 * puts publications in order. Where its class keeps history or retains, the
 * home gives each publication an offset, from 1 on, within an epoch, which
 * changes whenever offsets restart: when the home's process died, or the
 * channel was forgotten.
 *
 * Every callback is called exactly once when its function returned 0, from a
 * later turn of the loop; what it gets is borrowed.
 *
 * SPDX-License-Identifier: MIT */
#include "tidewire/tidewire.h" /* outside: it includes this one */

#ifndef TIDEWIRE_CHANNELS_H
#define TIDEWIRE_CHANNELS_H

#ifdef __cplusplus
extern "C" {
#endif

/* ---- classes ----------------------------------------------------------- */

/* What happens to a subscriber whose publication queue is full. */
typedef enum tw_slow_policy {
    TW_SLOW_CLOSE, /* 1013 */
    TW_SLOW_DROP_NEW,
    TW_SLOW_DROP_OLD,
    TW_SLOW_CONFLATE,
    /* Gives up all of the channel that is queued, and what comes until the
     * queue is empty: then on_recover_fail, once, and live again. */
    TW_SLOW_RESYNC
} tw_slow_policy;

typedef enum tw_presence {
    TW_PRESENCE_NONE,
    TW_PRESENCE_COUNT, /* tw_channel_presence tells numbers */
    TW_PRESENCE_LIST,  /* ... and who it is */
    TW_PRESENCE_EVENTS /* ... and on_presence tells who comes and goes */
} tw_presence;

enum {
    TW_HISTORY_MAX = 100000, /* publications of a channel */
    TW_RETAIN_MAX = 100000,  /* keys of a channel */
    TW_INFO_MAX = 4096       /* bytes of a subscriber's info */
};

typedef struct tw_class_config {
    const char *pattern; /* "room:*", "metrics" */
    tw_slow_policy slow;
    uint32_t batch_ms; /* gather this long before writing; 0: within a turn */
    uint32_t history;  /* publications kept for recovery; 0: none */
    uint64_t ttl_ms;   /* how long they, and retained ones, are kept; 0: as long
                          as there is room */
    uint32_t retain;   /* keys whose newest publication is kept; 0: none */
    tw_presence presence;
    void *data; /* the host's, for on_presence */
} tw_class_config;

/* Replaces all classes at once; living channels follow. The longest literal
 * prefix wins. 0, TW_EINVALID (a pattern twice or malformed, or a number over
 * its maximum: *bad is its index), TW_ENOMEM. */
TW_API int tw_server_set_classes(tw_server *server,
                                 const tw_class_config *classes, size_t count,
                                 size_t *bad);

/* ---- positions ---------------------------------------------------------- */

enum { TW_EPOCH_MAX = 16 };

/* Where a channel stands, or a subscriber in it. Without history the epoch is
 * "" and the offset 0. */
struct tw_position {
    uint64_t offset; /* of the newest publication; 0: none yet */
    char epoch[TW_EPOCH_MAX + 1];
};

/* What was published. */
typedef struct tw_publication {
    tw_str channel, key;
    const void *data;
    size_t len;
    uint64_t offset; /* 0: none */
    bool binary;
} tw_publication;

/* ---- subscribing -------------------------------------------------------- */

/* All zero: from now on. Where the class retains, who names neither a position
 * nor `last` gets the newest publication of every key first; without history,
 * who names a position gets those that are behind it. */
typedef struct tw_subscribe_options {
    bool has_since;
    tw_position since; /* what came behind this position is sent first */
    uint32_t last;     /* the newest so many are sent first; with `since`: when
                          that is of another epoch, or of the future */
    tw_str info;       /* of this subscriber, for presence; at most 4096 */
} tw_subscribe_options;

typedef struct tw_subscribed {
    tw_position position; /* what is sent live comes behind it */
    bool recovered; /* `since` was named, and all that came behind it is sent */
    uint32_t count; /* publications that are sent before live ones */
} tw_subscribed;

/* `result` is NULL when `status` is an error. What the callback sends leaves
 * before everything of the channel. */
typedef void (*tw_subscribe_cb)(tw_conn *conn, int status,
                                const tw_subscribed *result, void *arg);

/* Subscribes; `options` may be NULL. `cb` comes when the channel's home
 * confirmed and counted it: nothing sequenced after that is missed. What was
 * missed since a position, and is still kept, is sent first, each once and in
 * order; when not all of it is kept, or it is over recover_limit_bytes, the
 * newest of it are sent and `recovered` is false. TW_EEXISTS (subscribed or under way), TW_ELIMIT,
 * TW_EINVALID (the name, or info over 4096 bytes), TW_ECLOSED, TW_ENOMEM. */
TW_API int tw_conn_subscribe(tw_conn *conn, tw_str channel,
                             const tw_subscribe_options *options,
                             tw_subscribe_cb cb, void *arg);
/* Nothing of the channel is queued after this. TW_ENOT_FOUND, TW_ECLOSED. A
 * subscribe under way is answered with TW_ECLOSED. */
TW_API int tw_conn_unsubscribe(tw_conn *conn, tw_str channel);
TW_API bool tw_conn_is_subscribed(const tw_conn *conn, tw_str channel);
/* The ith channel (confirmed ones only); false at the end. Readable in
 * on_close, too. */
TW_API bool tw_conn_channel(const tw_conn *conn, size_t i, tw_str *channel);

/* A subscription of the host itself. */
typedef struct tw_subscription tw_subscription;

/* `cb` gets every publication of the channel that is sequenced after the home
 * confirmed; not while frozen, then later, as far as delivery_budget_bytes
 * reach. Not counted as a subscriber. Ends with the server at the latest. NULL
 * without memory, or for a bad name. */
TW_API tw_subscription *tw_subscribe(
    tw_server *server, tw_str channel,
    void (*cb)(tw_server *server, const tw_publication *publication, void *arg),
    void *arg);
/* Ends it, and frees; also from inside the callback. */
TW_API void tw_subscription_cancel(tw_subscription *subscription);

/* ---- publishing --------------------------------------------------------- */

typedef struct tw_publish_options {
    bool binary;
    tw_conn *except; /* does not get it; of this server */
    tw_str key;      /* at most 255 bytes */
    tw_str id;       /* at most 255 bytes: what was published to this channel
                        with the same id in the last five minutes, among the
                        newest 1,024 ids, is not published again */
    uint64_t ttl_ms; /* 0: never expires */
    uint8_t colour;
    bool is_utf8;    /* text that is known to be, as a message's: not looked at
                      */
    bool no_history; /* has no offset and is not kept */
} tw_publish_options;

/* Accepts a publication; `options` may be NULL. The payload is copied once.
 * 0, TW_EINVALID (name, key, id, or text that is not UTF-8), TW_EOVERLOADED,
 * TW_EUNAVAILABLE, TW_ENOMEM. */
TW_API int tw_publish(tw_server *server, tw_str channel, const void *data,
                      size_t len, const tw_publish_options *options);

/* `position` is the publication's own; that of the first with its id, when it
 * is not the first. Errors: TW_EUNAVAILABLE (the home was away, or died before
 * it answered: then it may have been published), TW_ECLOSED. */
typedef void (*tw_publish_cb)(int status, const tw_position *position,
                              void *arg);
/* The same, and `cb` tells when the home has sequenced it. */
TW_API int tw_publish_wait(tw_server *server, tw_str channel, const void *data,
                           size_t len, const tw_publish_options *options,
                           tw_publish_cb cb, void *arg);

/* To the channel's subscribers on this worker only; no home, no history. Leaves
 * with what is published. 0, TW_EINVALID, TW_ENOT_FOUND (nobody subscribed
 * here), TW_EOVERLOADED (delivery_budget_bytes wait in the channel),
 * TW_ENOMEM. */
TW_API int tw_channel_tell(tw_server *server, tw_str channel, const void *data,
                           size_t len, bool binary);

/* ---- what is kept ------------------------------------------------------- */

typedef struct tw_history_options {
    bool has_since;
    tw_position since; /* publications behind it; else from the oldest on */
    uint32_t limit;    /* [100], at most 1000 */
    bool reverse;      /* the newest first; `since`: those before it */
} tw_history_options;

typedef struct tw_history {
    tw_position position;        /* where the channel stands */
    const tw_publication *items; /* kept ones, at most about 4 MiB together */
    size_t count;
    bool recovered; /* `since` is of this epoch and nothing behind it, or before
                       it, is missing at that end */
} tw_history;

typedef void (*tw_history_cb)(int status, const tw_history *history, void *arg);

/* What is kept of a channel; none for one without history. `options` may be
 * NULL. Errors of the function and the callback: TW_EINVALID, TW_EOVERLOADED,
 * TW_EUNAVAILABLE, TW_ECLOSED, TW_ENOMEM. */
TW_API int tw_channel_history(tw_server *server, tw_str channel,
                              const tw_history_options *options,
                              tw_history_cb cb, void *arg);
/* The retained publication of a key, which may be empty: one item or none. */
TW_API int tw_channel_latest(tw_server *server, tw_str channel, tw_str key,
                             tw_history_cb cb, void *arg);
/* Has the home forget it; subscribers are not told. TW_EINVALID,
 * TW_EOVERLOADED, TW_EUNAVAILABLE, TW_ENOMEM. */
TW_API int tw_channel_remove(tw_server *server, tw_str channel, tw_str key);

/* ---- who is there ------------------------------------------------------- */

typedef void (*tw_count_cb)(int status, uint64_t count, void *arg);
/* Subscribers on all workers. */
TW_API int tw_channel_count(tw_server *server, tw_str channel, tw_count_cb cb,
                            void *arg);

/* Connections of one user in a channel are one member; a connection without a
 * user is one, too. */
typedef struct tw_presence_member {
    char id[TW_ID_TEXT]; /* of its first connection */
    tw_str user;         /* .data is NULL when there is none */
    tw_str info;         /* of its last subscribe; .data is NULL when absent */
    uint32_t connections;
} tw_presence_member;

typedef struct tw_presence_list {
    uint64_t members;     /* persons; 0 where the class only counts */
    uint64_t connections; /* subscribers, as tw_channel_count */
    const tw_presence_member *items;
    size_t count;
} tw_presence_list;

typedef void (*tw_presence_cb)(int status, const tw_presence_list *list,
                               void *arg);
/* Who is in the channel; at most `limit` (0: 100, at most 1000), a sample from
 * a random place on when there are more. No items where the class only counts;
 * TW_EINVALID where it has no presence at all. */
TW_API int tw_channel_presence(tw_server *server, tw_str channel,
                               uint32_t limit, tw_presence_cb cb, void *arg);

/* For the hook on_presence: who came and went since the last call, of a channel
 * that has subscribers on this worker. Who comes back within presence_grace_ms
 * neither came nor went. */
struct tw_presence_change {
    tw_str channel;
    const tw_presence_member *joined, *left;
    size_t joined_count, left_count;
    uint64_t members;
    /* The home was replaced, or this worker lost something: changes may be
     * missing, and the list has to be asked for anew. */
    bool is_reset;
    void *class_data; /* the class's */
};

#ifdef __cplusplus
}
#endif
#endif
