/* SPDX-License-Identifier: MIT */
#include "server/admin.h"

#include <unistd.h>

#include "base/alloc.h"
#include "server/admin_ask.h"
#include "server/admin_state.h"

enum { TICK_MS = 1000 };

static void tell(tw__admin *admin, tw__control_kind kind, int status) {
    tw__control_msg msg = {.kind = (uint32_t)kind, .status = status};
    if (status != 0) {
        tw__control_set_text(&msg, tw_strerror(status));
    }
    tw__control_send(admin->control.fd, &msg);
}

/* ---- turns -------------------------------------------------------------- */

static void on_turn(tw__loop *loop, void *arg) {
    tw__admin *admin = arg;
    (void)loop;
    admin->job->board->admin_turns++;
}

static void on_tick(tw__wheel_entry *entry) {
    tw__admin *admin = TW__CONTAINER(entry, tw__admin, tick);
    tw__clockwork_set(&admin->clockwork, entry, TICK_MS);
}

static bool free_dead(tw__turn_hook *hook) {
    tw__admin *admin = TW__CONTAINER(hook, tw__admin, close_hook);
    tw__list *node;
    while ((node = tw__list_shift(&admin->dead)) != NULL) {
        tw__admin_conn_free(TW__CONTAINER(node, tw__admin_conn, node));
    }
    tw__admin_asks_free(admin);
    return false;
}

/* ---- listening ---------------------------------------------------------- */

static void on_accept(tw__listener *listener, int fd, const tw__address *peer) {
    tw__admin *admin = listener->arg;
    tw__admin_conn_open(admin, fd, peer, listener == &admin->listeners[0]);
}

static void on_refused(tw__listener *listener, int error) {
    tw__admin *admin = listener->arg;
    (void)error;
    tw__log_write(&admin->log, TW_LOG_WARN, "admin is out of descriptors",
                  NULL);
}

static int start_listener(tw__admin *admin, size_t which) {
    tw__listener *listener = &admin->listeners[which];
    int fd = admin->job->listen_fds[which];
    if (fd < 0) {
        return 0;
    }
    *listener = (tw__listener){
        .on_accept = on_accept, .on_refused = on_refused, .arg = admin};
    admin->job->listen_fds[which] = -1;
    int error =
        tw__listener_start(listener, &admin->poller, &admin->clockwork, fd);
    admin->is_listening[which] = error == 0;
    return error;
}

static void on_listen(tw__admin *admin) {
    int error =
        tw__canary_create(&admin->canary, admin->job, &admin->loop,
                          &admin->poller, &admin->clockwork, &admin->log);
    for (size_t i = 0; error == 0 && i < 2; i++) {
        error = start_listener(admin, i);
    }
    tell(admin, TW__CONTROL_LISTENING, error);
    if (error != 0) {
        admin->status = 1;
        tw__loop_stop(&admin->loop);
    }
}

/* ---- orders ------------------------------------------------------------- */

/* One result answers every request that was made before its attempt began. */
static void on_result(tw__admin *admin, const tw__control_msg *result) {
    tw__list waiting, *node;
    tw__list_init(&waiting);
    tw__list_move_all(&waiting, &admin->conns);
    while ((node = tw__list_shift(&waiting)) != NULL) {
        tw__admin_conn *conn = TW__CONTAINER(node, tw__admin_conn, node);
        tw__list_push(&admin->conns, node);
        if (conn->reload_id != 0 && conn->reload_id <= result->id) {
            tw__admin_answer answer = {0};
            tw__admin_reload_answer(&answer, result);
            tw__admin_conn_resume(conn, &answer);
        }
    }
}

static void obey(tw__admin *admin, const tw__control_msg *order) {
    switch (order->kind) {
    case TW__CONTROL_LISTEN:
        on_listen(admin);
        break;
    case TW__CONTROL_RESULT:
        on_result(admin, order);
        break;
    case TW__CONTROL_DRAIN:
        tw__loop_stop(&admin->loop);
        break;
    default:
        break;
    }
}

static void on_control(tw__io *io, unsigned events) {
    tw__admin *admin = TW__CONTAINER(io, tw__admin, control);
    tw__control_msg order;
    int error;
    (void)events;
    while ((error = tw__control_recv(io->fd, &order)) == 0) {
        obey(admin, &order);
    }
    if (error == TW_ECLOSED || error == TW_EIO) {
        tw__poller_remove(&admin->poller, io);
        close(io->fd);
        io->fd = -1;
        tw__loop_stop(&admin->loop);
    }
}

/* ---- from the beginning to the end -------------------------------------- */

static int open_clocks(tw__admin *admin) {
    int error = tw__poller_init(&admin->poller, &admin->loop);
    if (error == 0) {
        error = tw__clockwork_init(&admin->clockwork, &admin->loop);
        if (error != 0) {
            tw__poller_close(&admin->poller);
        }
    }
    return error;
}

static int open_parts(tw__admin *admin) {
    admin->router = tw__http_router_create();
    int error =
        admin->router == NULL ? TW_ENOMEM : tw__admin_add_routes(admin->router);
    return error == 0
               ? tw__poller_add(&admin->poller, &admin->control, TW__READ)
               : error;
}

static void close_parts(tw__admin *admin) {
    tw__list *node;
    for (size_t i = 0; i < 2; i++) {
        if (admin->is_listening[i]) {
            tw__listener_stop(&admin->listeners[i], false);
        }
    }
    while (!tw__list_is_empty(&admin->conns)) {
        node = admin->conns.next;
        tw__admin_conn_close(TW__CONTAINER(node, tw__admin_conn, node));
    }
    free_dead(&admin->close_hook);
    tw__canary_destroy(admin->canary);
    tw__loop_run_once(&admin->loop, 0); /* the bus ends at a turn's end */
    if (admin->control.fd >= 0) {
        tw__poller_remove(&admin->poller, &admin->control);
    }
    tw__http_router_destroy(admin->router, NULL);
    tw__clockwork_clear(&admin->clockwork, &admin->tick);
    tw__clockwork_close(&admin->clockwork);
    tw__poller_close(&admin->poller);
}

static void init(tw__admin *admin, tw__job *job) {
    *admin = (tw__admin){.job = job,
                         .control = {on_control, job->control_fd},
                         .tick = {.cb = on_tick}};
    const tw_config *config = &job->config.server;
    admin->log = (tw__log){config->log, config->log_arg, config->log_level};
    /* Ids of an earlier admin member are all below those of this one. */
    admin->reload_id = (uint64_t)job->incarnation << 32;
    tw__list_init(&admin->conns);
    tw__list_init(&admin->dead);
    tw__list_init(&admin->dead_asks);
}

static void serve(tw__admin *admin) {
    int error = open_parts(admin);
    tell(admin, TW__CONTROL_LOADED, error);
    if (error == 0) {
        tw__loop_add_hook(&admin->loop, &admin->close_hook, free_dead,
                          TW__TURN_CLOSE);
        on_tick(&admin->tick);
        tw__loop_run(&admin->loop);
    } else {
        admin->status = 1;
    }
    close_parts(admin);
}

static void run(tw__admin *admin) {
    admin->loop.on_turn = on_turn;
    admin->loop.on_turn_arg = admin;
    int error = open_clocks(admin);
    if (error == 0) {
        serve(admin);
    } else {
        tell(admin, TW__CONTROL_LOADED, error);
        admin->status = 1;
    }
}

static void close_fd(int fd) {
    if (fd >= 0) {
        close(fd);
    }
}

int tw__admin_run(tw__job *job) {
    tw__admin admin;
    init(&admin, job);
    if (tw__loop_init(&admin.loop, NULL) == 0) {
        run(&admin);
        tw__loop_close(&admin.loop, NULL, NULL);
    } else {
        admin.status = 1;
    }
    close_fd(admin.control.fd);
    close_fd(job->bus_fd);
    close_fd(job->listen_fds[0]);
    close_fd(job->listen_fds[1]);
    tw__free(job->listen_fds);
    return admin.status;
}
