/* tidewire/metrics.h - what a server counts about itself.
 *
 * The lists make the enums, the names under /metrics and the documentation, so
 * that they cannot drift. Counters only grow and survive the death of a
 * worker; gauges are the state of now. Each is kept per slot.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TIDEWIRE_METRICS_H
#define TIDEWIRE_METRICS_H

/* X(SYMBOL, "name", "help"); a counter's full name is tidewire_<name>_total. */
#define TW_COUNTERS(X)                                                         \
    X(ACCEPTED, "accepted", "Connections accepted from the network")           \
    X(ACCEPT_REFUSED, "accept_refused",                                        \
      "Connections closed at once: out of descriptors or over a limit")        \
    X(ACCEPT_REFUSED_FDS, "accept_refused_descriptors",                        \
      "Of those, because descriptors were short")                              \
    X(ACCEPT_REFUSED_LIMIT, "accept_refused_limit",                            \
      "Of those, because of limits.max_connections")                           \
    X(ADDRESS_REFUSED, "address_refused",                                      \
      "Closed, or upgrades answered 429: too many of their address")           \
    X(PROXY_REFUSED, "proxy_refused",                                          \
      "Closed: no PROXY header, or from no trusted proxy")                     \
    X(HANDSHAKES, "handshakes", "WebSocket handshakes completed")              \
    X(HANDSHAKES_REFUSED, "handshakes_refused",                                \
      "Upgrade requests answered with an error")                               \
    X(HANDSHAKES_LIMITED, "handshakes_limited",                                \
      "Of those, because of limits.handshakes_per_second")                     \
    X(HANDSHAKE_TIMEOUTS, "handshake_timeouts",                                \
      "Connections closed because no whole request came in time")              \
    X(TLS_HANDSHAKES, "tls_handshakes", "TLS handshakes completed")            \
    X(TLS_RESUMED, "tls_resumptions", "Of those, resumptions of a session")    \
    X(TLS_FAILED_PLAIN, "tls_failed_plain_http",                               \
      "Unencrypted HTTP on a TLS address: answered with 400")                  \
    X(TLS_FAILED_NO_COMMON, "tls_failed_no_common",                            \
      "TLS handshakes without a version, cipher or protocol in common")        \
    X(TLS_FAILED_CERTIFICATE, "tls_failed_certificate",                        \
      "TLS handshakes that one side's distrust ended")                         \
    X(TLS_FAILED_PROTOCOL, "tls_failed_protocol",                              \
      "TLS handshakes that were none, or broken")                              \
    X(TLS_FAILED_CLOSED, "tls_failed_closed",                                  \
      "TLS handshakes whose peer left")                                        \
    X(TLS_FAILED_TIMEOUT, "tls_failed_timeout",                                \
      "TLS handshakes not complete in time")                                   \
    X(HTTP_REQUESTS, "http_requests", "Plain HTTP requests answered")          \
    X(HTTP_ERRORS, "http_errors", "Plain HTTP requests answered with 4xx/5xx") \
    X(HTTP_TOO_LONG, "http_heads_too_long",                                    \
      "Requests answered with 414 or 431")                                     \
    X(HTTP_MALFORMED, "http_malformed",                                        \
      "Requests answered with 400 because they were none, or ambiguous")       \
    X(HTTP_IDLE, "http_idle_closed",                                           \
      "Kept connections closed because no further request came in time")       \
    X(HTTP_KEPT_LIMIT, "http_kept_limit",                                      \
      "Kept connections ended after limits.max_requests requests")             \
    X(CLOSED, "connections_closed", "WebSocket connections ended")             \
    X(CLOSED_IDLE, "connections_closed_idle",                                  \
      "Closed because nothing was heard within the idle time")                 \
    X(CLOSED_FRAME, "connections_closed_frame",                                \
      "Closed because a frame or message that was begun took too long")        \
    X(CLOSED_SLOW, "connections_closed_slow",                                  \
      "Closed because a queue was full or made no progress")                   \
    X(CLOSED_PROTOCOL, "connections_closed_protocol",                          \
      "Closed because the peer broke the protocol")                            \
    X(CLOSED_TOO_BIG, "connections_closed_too_big",                            \
      "Of those, because a message was longer than the route allows")          \
    X(CLOSED_RATE, "connections_closed_rate", "Closed by the route's rate")    \
    X(MESSAGES_IN, "messages_received", "Whole messages received")             \
    X(MESSAGES_RATED, "messages_rate_dropped",                                 \
      "Messages dropped by the route's rate")                                  \
    X(RATE_WAITS, "rate_waits",                                                \
      "Times a connection was not read because of its route's rate")           \
    X(BYTES_IN, "bytes_received", "Bytes read from connections")               \
    X(BYTES_OUT, "bytes_sent", "Bytes written to connections")                 \
    X(REPLIES, "replies_sent", "Direct sends queued to connections")           \
    X(REPLIES_REFUSED, "replies_refused",                                      \
      "Direct sends refused because the reply budget was full")                \
    X(PINGS_OUT, "pings_sent", "Heartbeat pings sent")                         \
    X(PINGS_IN, "pings_received", "Pings received")                            \
    X(PONGS_SKIPPED, "pongs_skipped",                                          \
      "Pings left unanswered because a later one was")                         \
    X(DEFLATED, "deflated_frames", "Frames that were compressed")              \
    X(DEFLATE_IN, "deflate_bytes_before", "Bytes of those before")             \
    X(DEFLATE_OUT, "deflate_bytes_after", "Bytes of those afterwards")         \
    X(INFLATED, "inflated_messages", "Compressed messages received")           \
    X(INFLATE_IN, "inflate_bytes_before", "Bytes of those as they came")       \
    X(INFLATE_OUT, "inflate_bytes_after", "Bytes of those expanded")           \
    X(INFLATE_REFUSED, "inflate_refused",                                      \
      "Compressed messages that would have expanded beyond the limit")         \
    X(WRITES, "writes", "System calls that wrote to connections")              \
    X(PUBLISHED, "publications", "Publications accepted from hooks")           \
    X(PUBLISH_REFUSED, "publications_refused",                                 \
      "Publications refused: overloaded or unavailable")                       \
    X(PUBLISH_LOST, "publications_lost",                                       \
      "Publications accepted and then lost with a channel's home")             \
    X(RECEIVED, "publications_received",                                       \
      "Sequenced publications that reached this worker")                       \
    X(INTENDED, "deliveries_intended",                                         \
      "Publications times subscribers present, less those excepted")           \
    X(DELIVERED, "deliveries", "Deliveries taken by the kernel")               \
    X(CONFLATED, "deliveries_conflated",                                       \
      "Deliveries replaced by a newer one of the same key")                    \
    X(DROPPED, "deliveries_dropped", "Deliveries dropped by a slow policy")    \
    X(EXPIRED, "deliveries_expired", "Deliveries older than their ttl")        \
    X(CLOSED_LOSS, "deliveries_closed",                                        \
      "Deliveries lost because their connection closed")                       \
    X(GAPS, "link_gaps", "Gap records received from homes")                    \
    X(GAP_LOST, "link_gap_publications", "Publications lost between members")  \
    X(SEQUENCED, "publications_sequenced",                                     \
      "Publications put in order as home")                                     \
    X(LINK_DROPPED, "link_deliveries_dropped",                                 \
      "Deliveries to other members dropped: their budget was full")            \
    X(LINK_RECORDS_OUT, "link_records_sent", "Link records sent")              \
    X(LINK_RECORDS_IN, "link_records_received", "Link records received")       \
    X(LINK_BYTES_OUT, "link_bytes_sent", "Link bytes sent")                    \
    X(LINK_BYTES_IN, "link_bytes_received", "Link bytes received")             \
    X(LINK_RESETS, "link_resets", "Link streams reset")                        \
    X(RECOVERIES, "recoveries", "Subscriptions that named a position")         \
    X(RECOVERED, "recoveries_served",                                          \
      "Of those, given all that they had missed")                              \
    X(RECOVER_FAILED, "recoveries_failed",                                     \
      "Of those, told that something is missing")                              \
    X(HOLES, "channel_holes",                                                  \
      "Times publications of a kept channel were missing here and asked for")  \
    X(GAPS_TOLD, "channel_gaps",                                               \
      "Times they could not be had, and the subscribers here were told")       \
    X(PUBLISH_DOUBLED, "publications_doubled",                                 \
      "Publications not sequenced because their id was known")                 \
    X(HISTORY_GIVEN_UP, "histories_given_up",                                  \
      "Channels whose history went because limits.history_memory was full")    \
    X(ACTS_LOST, "link_acts_lost",                                             \
      "What was to be done to users or connections and did not get there")     \
    X(SUBSCRIBE_REFUSED, "subscriptions_refused",                              \
      "Subscriptions refused because of limits.max_subscriptions")             \
    X(USERS_CLOSED, "connections_closed_user_limit",                           \
      "Closed with 3006: too many connections of their user")                  \
    X(REMOTE_ACTS, "remote_acts",                                              \
      "Sends, closes and subscriptions of connections by id or user")          \
    X(HEARD_DROPPED, "subscription_publications_dropped",                      \
      "Publications that host subscriptions missed: too many waited")           \
    X(DICT_EVICTED, "dict_evicted",                                            \
      "Entries of dictionaries that went to make room for others")             \
    X(DICT_EXPIRED, "dict_expired",                                            \
      "Entries of dictionaries whose time was over")                           \
    X(DICT_BUSY, "dict_busy",                                                  \
      "Times a lock of a dictionary was not to be had within 5 ms")            \
    X(DICT_EMPTIED, "dict_shards_emptied",                                     \
      "Shards emptied because a worker died while it changed them")            \
    X(HTTP_OUT, "http_client_requests", "Requests to other servers")           \
    X(HTTP_OUT_TIMEOUT, "http_client_timeouts",                                \
      "Of those, without a whole answer in time")                              \
    X(HTTP_OUT_UNAVAILABLE, "http_client_unavailable",                         \
      "Of those, without a connection, or one that broke; or not sent")        \
    X(HTTP_OUT_BROKEN, "http_client_breaker_refused",                          \
      "Of those, not sent because their host is left alone")                   \
    X(HTTP_OUT_DENIED, "http_client_denied",                                   \
      "Requests whose certificate or redirect was not accepted")               \
    X(HTTP_OUT_INVALID, "http_client_invalid",                                 \
      "Requests that were malformed, or whose answer was")                     \
    X(HTTP_OUT_LIMIT, "http_client_too_long",                                  \
      "Requests with too long an answer, or too many redirects")               \
    X(HTTP_OUT_OVERLOADED, "http_client_overloaded",                           \
      "Requests refused: too many waited, or too much memory was held")        \
    X(HTTP_OUT_CANCELLED, "http_client_cancelled",                             \
      "Requests that were called off")                                         \
    X(REDIS_SENT, "redis_commands",                                            \
      "Commands sent to Redis")                                                \
    X(REDIS_ANSWERED, "redis_answers",                                         \
      "Of those, answered")                                                    \
    X(REDIS_ERRORS, "redis_errors",                                            \
      "Of those, answered with an error")                                      \
    X(REDIS_UNAVAILABLE, "redis_unavailable",                                  \
      "Commands without a connection to Redis, or one that broke")             \
    X(REDIS_TIMEOUTS, "redis_timeouts",                                        \
      "Commands not answered in time")                                         \
    X(REDIS_REFUSED, "redis_refused",                                          \
      "Commands refused because too much waited")                              \
    X(REDIS_CONNECTED, "redis_connected",                                      \
      "Connections to Redis that became ready")                                \
    X(REDIS_BROKEN, "redis_broken",                                            \
      "Of those, that broke")                                                  \
    X(REDIS_FAILED, "redis_connect_failed",                                    \
      "Attempts to connect to Redis that came to nothing")                     \
    X(SLOW_EVENTS, "slow_events", "Times a subscriber's queue was full")       \
    X(HOOK_CALLS, "hook_calls", "Calls of script hooks")                       \
    X(HOOK_ERRORS, "hook_errors", "Script hooks that raised")                  \
    X(HOOK_BUDGET, "hook_budget_exceeded", "Calls stopped by the CPU budget")  \
    X(HOOK_MEMORY, "hook_memory_exceeded",                                     \
      "Calls stopped by the memory limit")                                     \
    X(HOOK_TIMEOUTS, "hook_timeouts", "Waiting hooks that ran out of time")    \
    X(TIMER_RUNS, "timer_runs", "Runs of script timers")                       \
    X(TIMER_SKIPS, "timer_skips", "Timer ticks skipped")                       \
    X(LISTEN_DROPPED, "script_publications_dropped",                           \
      "Publications that a function of tw.subscribe was too slow for")         \
    X(STATES_CARRIED, "states_carried",                                        \
      "conn.state tables carried to a new generation")                         \
    X(LOG_LOST, "log_records_lost",                                            \
      "Log records that standard error did not take")                          \
    X(GENERATIONS, "generations_committed", "Reloads committed in this slot")

/* X(SYMBOL, "name", "help"); a gauge's full name is tidewire_<name>. */
#define TW_GAUGES(X)                                                           \
    X(CONNECTIONS, "connections", "Open WebSocket connections")                \
    X(SOCKETS, "sockets", "Open public descriptors, HTTP ones included")       \
    X(TLS_SOCKETS, "tls_sockets", "Those of them that speak TLS")              \
    X(TLS_MEMORY, "tls_memory_bytes",                                          \
      "Memory that OpenSSL holds; 0 where it cannot be told")                  \
    X(TLS_EXPIRES, "tls_certificate_expires",                                  \
      "When the first certificate ends, in seconds since 1970; 0 without")     \
    X(TLS_OCSP_EXPIRES, "tls_ocsp_expires",                                    \
      "When the first OCSP response in use ends, in the same way")             \
    X(CHANNELS, "channels", "Channels with a subscriber on this worker")       \
    X(SUBSCRIPTIONS, "subscriptions", "Subscriptions on this worker")          \
    X(QUEUED_BYTES, "queued_bytes", "Bytes waiting for slow connections")      \
    X(QUEUED, "deliveries_queued", "Deliveries waiting in queues")             \
    X(PINNED_BYTES, "pinned_bytes", "Batch memory held by waiting deliveries") \
    X(HOME_CHANNELS, "home_channels", "Channels whose home this slot is")      \
    X(USERS, "users", "Users with a connection whose home this slot is")       \
    X(USER_CONNECTIONS, "user_connections", "Connections of those users")      \
    X(PRESENCE_MEMBERS, "presence_members",                                    \
      "Members of the channels whose home this slot is")                       \
    X(HISTORIES, "histories", "Channels of which something is, or was, kept")  \
    X(HISTORY_PUBLICATIONS, "history_publications",                            \
      "Publications kept as home")                                             \
    X(HISTORY_BYTES, "history_bytes",                                          \
      "Memory of those, bookkeeping included")                                 \
    X(LINK_QUEUED_BYTES, "link_queued_bytes",                                  \
      "Bytes waiting for other members")                                       \
    X(HTTP_OUT_ACTIVE, "http_client_active",                                   \
      "Requests to other servers under way")                                   \
    X(HTTP_OUT_WAITING, "http_client_waiting",                                 \
      "Requests to other servers that wait for their turn")                    \
    X(HTTP_OUT_BREAKERS, "http_client_open_breakers",                          \
      "Hosts that are left alone")                                             \
    X(REDIS_CONNECTIONS, "redis_connections",                                  \
      "Connections to Redis that are ready")                                   \
    X(REDIS_PENDING, "redis_pending",                                          \
      "Commands that Redis has not answered yet")                              \
    X(LUA_BYTES, "lua_memory_bytes", "Memory of the script VMs")               \
    X(WAITING_HOOKS, "waiting_hooks", "Hooks that wait")                       \
    X(GENERATION, "generation", "Number of the running script generation")

#define TW__COUNTER_ENUM(symbol, name, help) TW_COUNTER_##symbol,
typedef enum tw_counter {
    TW_COUNTERS(TW__COUNTER_ENUM) TW_COUNTER_COUNT
} tw_counter;
#undef TW__COUNTER_ENUM

#define TW__GAUGE_ENUM(symbol, name, help) TW_GAUGE_##symbol,
typedef enum tw_gauge { TW_GAUGES(TW__GAUGE_ENUM) TW_GAUGE_COUNT } tw_gauge;
#undef TW__GAUGE_ENUM

#endif
