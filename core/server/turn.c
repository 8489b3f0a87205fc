/* turn.c - what a server does at the end of a turn, in the order of its ranks.
 * SPDX-License-Identifier: MIT */
#include "server/interest.h"
#include "server/server.h"

/* While frozen who stands in the run queue waits there for the thaw. */
static bool has_to_run(const tw_server *server) {
    return server->frozen == 0 && server->queues[TW__QUEUE_RUN].first != 0;
}

static bool on_run_turn(tw__turn_hook *hook) {
    tw_server *server = TW__CONTAINER(hook, tw_server, run_hook);
    tw_conn *conn;
    uint32_t last = server->queues[TW__QUEUE_RUN].last;
    bool is_last = last == 0;
    for (int left = TW__RUN_BUDGET; left > 0 && !is_last && has_to_run(server);
         left--) {
        conn = tw__conn_dequeue(server, TW__QUEUE_RUN);
        /* What is added meanwhile comes next. */
        is_last = tw__conn_index(conn) == last;
        tw__conn_run(conn);
    }
    bool has_people = tw__server_run_people(server);
    if (server->idle != NULL && server->frozen == 0 &&
        !server->idle(server, server->idle_arg)) {
        server->idle = NULL;
    }
    return has_people || has_to_run(server) ||
           (server->idle != NULL && server->frozen == 0);
}

static bool on_walk_turn(tw__turn_hook *hook) {
    tw_server *server = TW__CONTAINER(hook, tw_server, walk_hook);
    tw__server_run_waiters(server);
    bool is_work_left = tw__hub_walk(&server->hub, TW__WALK_BUDGET);
    if (!tw__list_is_empty(&server->lapsing)) {
        tw__position_run(server);
        is_work_left = is_work_left || !tw__list_is_empty(&server->lapsing) ||
                       !tw__list_is_empty(&server->hub.due);
    }
    return is_work_left;
}

/* Who has more when it was written, as a file has, comes again next turn. */
static bool on_write_turn(tw__turn_hook *hook) {
    tw_server *server = TW__CONTAINER(hook, tw_server, write_hook);
    tw_conn *conn;
    uint32_t last = server->queues[TW__QUEUE_DIRTY].last;
    bool is_last = last == 0;
    while (!is_last &&
           (conn = tw__conn_dequeue(server, TW__QUEUE_DIRTY)) != NULL) {
        is_last = tw__conn_index(conn) == last;
        if (!(conn->flags & TW__WANT_WRITE)) {
            tw__conn_flush(conn);
        }
    }
    return has_to_run(server) || server->queues[TW__QUEUE_DIRTY].first != 0;
}

static bool on_close_turn(tw__turn_hook *hook) {
    tw_server *server = TW__CONTAINER(hook, tw_server, close_hook);
    if (tw__list_is_empty(&server->waiters)) {
        tw__conn_free_dead(server);
    }
    tw__server_check_drained(server);
    return !tw__list_is_empty(&server->waiters);
}

void tw__server_add_hooks(tw_server *server) {
    tw__loop *loop = &server->loop;
    tw__loop_add_hook(loop, &server->run_hook, on_run_turn, TW__TURN_BUS);
    tw__loop_add_hook(loop, &server->walk_hook, on_walk_turn, TW__TURN_HUB);
    tw__loop_add_hook(loop, &server->write_hook, on_write_turn, TW__TURN_WRITE);
    tw__loop_add_hook(loop, &server->close_hook, on_close_turn, TW__TURN_CLOSE);
    tw__server_begin_turns(server);
    loop->on_turn = tw__server_note_turn;
    loop->on_turn_arg = server;
}
