/* master_sockets.c - every socket of a server is opened by its master and stays
 * open in it until the server drains, so that a replacement finds what came
 * meanwhile.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/client.h"
#include "server/master_state.h"
#include "server/share.h"

enum { BACKLOG = 4096 };

int tw__master_complain(const tw__master *master, int error,
                        const char *message, const char *detail) {
    tw__log_write(&master->log, TW_LOG_ERROR, message, "error", detail, NULL);
    return error;
}

static bool is_unix_address(const char *text) {
    return strncmp(text, "unix:", 5) == 0;
}

static int cannot_listen(const tw__master *master, const char *address,
                         int error) {
    char why[TW__ADDRESS_TEXT + 128];
    snprintf(why, sizeof why, "%s: %s", address,
             error == TW_EINVALID ? "not an address"
             : errno != 0         ? strerror(errno)
                                  : tw_strerror(error));
    return tw__master_complain(master, error, "cannot listen", why);
}

/* SO_REUSEPORT would let us join the sockets of another server of this user
 * and take a part of its connections: a socket without it finds out first. */
static int check_free(const tw__address *address) {
    int fd;
    int error = tw__socket_listen(address, 1, 0, &fd);
    if (error == 0) {
        close(fd);
    }
    return error;
}

static void note_address(int fd, char out[TW__ADDRESS_TEXT]) {
    tw__address bound;
    if (tw__socket_local(fd, &bound) == 0) {
        tw__address_format(&bound, out);
    }
}

/* One socket per slot, on the port that the first one got. */
static int listen_tcp(tw__master *master, tw__address address, size_t which) {
    int error = check_free(&address);
    for (uint32_t i = 0; error == 0 && i < master->workers; i++) {
        int *fd = &master->children[i].listen_fds[which];
        error = tw__socket_listen(&address, BACKLOG, TW__LISTEN_REUSEPORT, fd);
        if (error == 0 && i == 0) {
            error = tw__socket_local(*fd, &address);
        }
    }
    return error;
}

/* The kernel spreads nothing over several Unix sockets: all slots accept from
 * one. */
static int listen_unix(tw__master *master, const tw__address *address,
                       size_t which) {
    int *first = &master->children[0].listen_fds[which];
    int error = tw__socket_listen(address, BACKLOG, 0, first);
    for (uint32_t i = 1; error == 0 && i < master->workers; i++) {
        int fd = fcntl(*first, F_DUPFD_CLOEXEC, 0);
        master->children[i].listen_fds[which] = fd;
        error = fd >= 0 ? 0 : TW_EIO;
    }
    return error;
}

static int share(const tw__master *master, const tw__address *address,
                 size_t which) {
    const tw_config *config = &master->config.server;
    const tw_listen_options *options = config->listen_options;
    char why[TW__ADDRESS_TEXT + 256];
    int error = tw__share_socket(config->listen[which], address,
                                 options != NULL ? &options[which] : NULL, why,
                                 sizeof why);
    return error == 0
               ? 0
               : tw__master_complain(master, error, "cannot listen", why);
}

static int listen_public(tw__master *master, size_t which) {
    const char *text = master->config.server.listen[which];
    tw__address address;
    errno = 0;
    int error = tw__address_parse(&address, text);
    if (error == 0) {
        error = is_unix_address(text) ? listen_unix(master, &address, which)
                                      : listen_tcp(master, address, which);
    }
    if (error != 0) {
        return cannot_listen(master, text, error);
    }
    note_address(master->children[0].listen_fds[which],
                 master->addresses[which]);
    return share(master, &address, which);
}

static int listen_at(tw__master *master, const char *text, int *fd) {
    tw__address address;
    errno = 0;
    int error = tw__address_parse(&address, text);
    if (error == 0) {
        error = tw__socket_listen(&address, BACKLOG, 0, fd);
    }
    return error == 0 ? 0 : cannot_listen(master, text, error);
}

static int listen_in_folder(tw__master *master, const char *name, int *fd) {
    char path[TW__RUNTIME_PATH], text[TW__RUNTIME_PATH + 8];
    tw__runtime_path(master->runtime.dir, path, "%s", name);
    snprintf(text, sizeof text, "unix:%s", path);
    return listen_at(master, text, fd);
}

static int listen_bus(tw__master *master) {
    int error = 0;
    for (uint32_t i = 0; error == 0 && i < tw__master_child_count(master);
         i++) {
        char name[16];
        snprintf(name, sizeof name, "bus.%u", i);
        error = listen_in_folder(master, name, &master->children[i].bus_fd);
    }
    return error;
}

static int listen_admin(tw__master *master) {
    int *fd = &tw__master_admin(master)->listen_fds[1];
    int error = listen_at(master, master->config.admin, fd);
    note_address(*fd, master->admin);
    return error;
}

/* Those public addresses that are Unix sockets, or those that are not. */
static int listen_all_public(tw__master *master, bool is_unix) {
    const tw_config *config = &master->config.server;
    int error = 0;
    for (size_t i = 0; error == 0 && i < config->listen_count; i++) {
        if (is_unix == is_unix_address(config->listen[i])) {
            error = listen_public(master, i);
        }
    }
    return error;
}

int tw__master_open_tcp(tw__master *master) {
    const char *admin = master->config.admin;
    char why[TW__ADDRESS_TEXT + 128];
    int error = tw__clients_check(&master->config.server, why, sizeof why);
    if (error != 0) {
        return tw__master_complain(master, error, "cannot listen", why);
    }
    error = listen_all_public(master, false);
    return error == 0 && admin != NULL && *admin != '\0' ? listen_admin(master)
                                                         : error;
}

int tw__master_open_unix(tw__master *master) {
    int error = listen_all_public(master, true);
    if (error == 0) {
        error = listen_bus(master);
    }
    return error == 0
               ? listen_in_folder(master, "admin.sock",
                                  &tw__master_admin(master)->listen_fds[0])
               : error;
}

/* The path of a public Unix socket is ours to remove, once: later it may be
 * that of another server. */
void tw__master_remove_sockets(tw__master *master) {
    for (size_t i = 0;
         master->addresses != NULL && i < master->config.server.listen_count;
         i++) {
        if (is_unix_address(master->addresses[i])) {
            unlink(master->addresses[i] + 5);
            master->addresses[i][0] = '\0';
        }
    }
}

static void close_all(int *fds, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
            fds[i] = -1;
        }
    }
}

/* With the copies of the workers gone, too, the kernel refuses whoever comes
 * now; nobody is left to wait for a replacement that will not be. */
void tw__master_stop_listening(tw__master *master) {
    tw__master_remove_sockets(master);
    for (uint32_t i = 0; i < master->workers; i++) {
        close_all(master->children[i].listen_fds,
                  master->children[i].listen_count);
    }
}
