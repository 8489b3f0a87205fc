/* listen.c - public addresses. SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "server/client.h"
#include "server/server.h"
#include "server/share.h"
#include "server/tls.h"

enum { BACKLOG = 4096 };

static void refuse(tw_server *server, int error) {
    tw__count(server, TW_COUNTER_ACCEPT_REFUSED, 1);
    tw__count(server, TW_COUNTER_ACCEPT_REFUSED_FDS, 1);
    tw__server_note_refused(server, strerror(error));
}

static void on_refused(tw__listener *listener, int error) {
    refuse(listener->arg, error);
}

void tw__server_accept(tw_server *server, int fd, const tw__address *peer,
                       size_t which) {
    tw__count(server, TW_COUNTER_ACCEPTED, 1);
    if (!tw__server_has_room(server, fd)) {
        close(fd);
        refuse(server, EMFILE);
        return;
    }
    tw_conn *conn = tw__conn_create(server, fd, peer, which);
    if (conn == NULL) {
        tw__count(server, TW_COUNTER_ACCEPT_REFUSED, 1);
    } else if (server->tls != NULL) {
        tw__conn_start_tls(conn, which);
    }
}

static void on_accept(tw__listener *listener, int fd, const tw__address *peer) {
    tw_server *server = listener->arg;
    tw__server_accept(server, fd, peer, (size_t)(listener - server->listeners));
}

static int share(const tw_config *config, size_t i, const tw__address *address,
                 int *fd, char *detail, size_t size) {
    char none[1];
    if (config->listen_options == NULL) {
        return 0;
    }
    int err = tw__share_socket(
        config->listen[i], address, &config->listen_options[i],
        detail != NULL ? detail : none, detail != NULL ? size : 0);
    if (err != 0) {
        close(*fd);
        *fd = -1;
    }
    return err;
}

static int open_one(const tw_config *config, size_t i, int *fd, char *detail,
                    size_t size) {
    const char *text = config->listen[i];
    tw__address address;
    int err = tw__address_parse(&address, text);
    if (err == 0) {
        err = tw__socket_listen(&address, BACKLOG, 0, fd);
    }
    if (err != 0 && detail != NULL) {
        snprintf(detail, size, "cannot listen on '%s': %s", text,
                 err == TW_EINVALID ? "not an address" : strerror(errno));
    }
    return err == 0 ? share(config, i, &address, fd, detail, size) : err;
}

static int reserve(tw_server *server, size_t count) {
    server->listeners = tw__calloc(count, sizeof *server->listeners);
    server->listen_fds = tw__calloc(count, sizeof *server->listen_fds);
    server->addresses = tw__calloc(count, sizeof *server->addresses);
    return server->listeners == NULL || server->listen_fds == NULL ||
                   server->addresses == NULL
               ? TW_ENOMEM
               : 0;
}

int tw__server_open_listeners(tw_server *server, const tw_config *config,
                              const int *fds, char *detail, size_t size) {
    int err = reserve(server, config->listen_count);
    if (err == 0) {
        err = tw__clients_open(server, config, detail, size);
    }
    for (size_t i = 0; fds != NULL && err != 0 && i < config->listen_count;
         i++) {
        close(fds[i]);
    }
    for (size_t i = 0; err == 0 && i < config->listen_count; i++) {
        tw__address address;
        if (fds != NULL) {
            server->listen_fds[i] = fds[i];
        } else {
            err = open_one(config, i, &server->listen_fds[i], detail, size);
        }
        if (err == 0) {
            server->listener_count++;
            if (tw__socket_local(server->listen_fds[i], &address) == 0) {
                tw__address_format(&address, server->addresses[i]);
            }
        }
    }
    return err;
}

int tw_server_listen(tw_server *server) {
    tw__server_find_room(server);
    for (size_t i = 0; i < server->listener_count; i++) {
        tw__listener *listener = &server->listeners[i];
        listener->on_accept = on_accept;
        listener->on_refused = on_refused;
        listener->arg = server;
        int fd = server->listen_fds[i];
        server->listen_fds[i] = -1;
        int err = tw__listener_start(listener, &server->edge,
                                     &server->edge_clock, fd);
        if (err != 0) {
            return err;
        }
    }
    tw__server_pause_listening(server, server->frozen > 0);
    server->is_listening = true;
    server->page->is_ready = 1;
    return 0;
}

void tw__server_pause_listening(tw_server *server, bool is_paused) {
    for (size_t i = 0; i < server->listener_count; i++) {
        if (is_paused) {
            tw__listener_pause(&server->listeners[i]);
        } else {
            tw__listener_resume(&server->listeners[i]);
        }
    }
}

void tw__server_stop_listening(tw_server *server) {
    server->page->is_ready = 0;
    for (size_t i = 0; i < server->listener_count; i++) {
        tw__listener_stop(&server->listeners[i], false);
        if (server->listen_fds[i] >= 0) { /* it had not begun */
            close(server->listen_fds[i]);
            server->listen_fds[i] = -1;
        }
    }
    server->is_listening = false;
}

void tw__server_accept_queued(tw_server *server) {
    for (size_t i = 0; i < server->listener_count; i++) {
        tw__listener_accept_queued(&server->listeners[i]);
    }
}

void tw__server_close_listeners(tw_server *server) {
    tw__server_stop_listening(server);
    tw__free(server->listeners);
    tw__free(server->listen_fds);
    tw__free(server->addresses);
    tw__clients_close(server);
    server->listener_count = 0;
}

tw_str tw_server_address(const tw_server *server, size_t i) {
    const char *text = i < server->listener_count ? server->addresses[i] : "";
    return (tw_str){text, strlen(text)};
}
