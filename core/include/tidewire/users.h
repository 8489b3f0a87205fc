/* tidewire/users.h - users and connections, wherever they are. Comes with
 * tidewire/tidewire.h.
 *
 * A user is a text of 1 to 255 bytes that on_upgrade or tw_conn_login gave to
 * connections. What is done to a user or to a connection elsewhere is accepted
 * here and done there: 0 says that it is on its way. TW_EINVALID (a user, an
 * id or a channel that cannot be, or text that is not UTF-8), TW_EOVERLOADED,
 * TW_EUNAVAILABLE (the worker that is asked is away), TW_ENOMEM.
 *
 * SPDX-License-Identifier: MIT */
#include "tidewire/tidewire.h" /* outside: it includes this one */

#ifndef TIDEWIRE_USERS_H
#define TIDEWIRE_USERS_H

#ifdef __cplusplus
extern "C" {
#endif

/* ---- users -------------------------------------------------------------- */

/* To all connections of the user. Where there is a class whose pattern begins
 * with "user:" and fits "user:<id>", it is published to that channel, which the
 * library subscribes every connection of the user to (when its on_open has
 * ended, or at tw_conn_login), and is kept there as the class says. Otherwise
 * it goes to those who are connected now. `options` may be NULL; but for
 * `binary` they are for the channel. */
TW_API int tw_user_send(tw_server *server, tw_str user, const void *data,
                        size_t len, const tw_publish_options *options);
/* The same; `cb` gets the position in the channel. TW_EINVALID where there is
 * no class for it. */
TW_API int tw_user_send_wait(tw_server *server, tw_str user, const void *data,
                             size_t len, const tw_publish_options *options,
                             tw_publish_cb cb, void *arg);

TW_API int tw_user_subscribe(tw_server *server, tw_str user, tw_str channel);
TW_API int tw_user_unsubscribe(tw_server *server, tw_str user, tw_str channel);
TW_API int tw_user_disconnect(tw_server *server, tw_str user, int code,
                              tw_str reason);

typedef struct tw_user_conn {
    char id[TW_ID_TEXT];
    uint32_t slot;
    tw_str ip;
    int64_t opened_ms; /* since 1970 */
    uint64_t idle_ms;  /* since something was last heard from it */
} tw_user_conn;

typedef void (*tw_user_cb)(int status, const tw_user_conn *conns, size_t count,
                           void *arg);
/* All connections of a user, oldest first; those of a worker that died or does
 * not answer are left out. */
TW_API int tw_user_connections(tw_server *server, tw_str user, tw_user_cb cb,
                               void *arg);

/* ---- any connection by its id -------------------------------------------- */

/* One that has closed, or never was, swallows what is done to it. */
TW_API int tw_remote_send(tw_server *server, tw_str id, const void *data,
                          size_t len, bool binary);
TW_API int tw_remote_close(tw_server *server, tw_str id, int code,
                           tw_str reason);
TW_API int tw_remote_subscribe(tw_server *server, tw_str id, tw_str channel);
TW_API int tw_remote_unsubscribe(tw_server *server, tw_str id, tw_str channel);

#ifdef __cplusplus
}
#endif
#endif
