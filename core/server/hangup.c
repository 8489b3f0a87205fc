/* hangup.c - a peer that hung up while its input rested.
 *
 * Input rests while a hook waits, while the rate or the reply budget is spent
 * and while the server is frozen. A peer that ends then is gone at once: it is
 * sent nothing more, leaves its channels and is not counted any longer. A
 * WebSocket has no half of a connection: whoever shut its sending side can
 * answer neither a ping nor a close.
 *
 * But what it said before is still to be heard, in order. So the connection is
 * ENDED until hooks have taken all of that, and only then closes: as the close
 * frame says that was among it, else with 1006. One read's worth is fetched at
 * once, which mostly is all, so that the descriptor can go; what is more waits
 * in the kernel's buffer, which bounds it.
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/server.h"
#include "server/tls.h"

static size_t stashed(const tw_conn *conn) {
    return conn->extra != NULL ? tw__bytes_len(&conn->extra->stash) : 0;
}

static void close_descriptor(tw_conn *conn) {
    close(conn->io.fd);
    conn->io.fd = -1;
}

/* Nothing can come behind an end, so whatever is no bytes is the end; bytes
 * that came before a reset are still there. */
static void fetch(tw_conn *conn) {
    tw_server *server = conn->server;
    size_t most = server->config.read_turn_bytes;
    while (conn->io.fd >= 0 && stashed(conn) < most) {
        ssize_t got = tw__conn_recv(conn, server->read_buffer,
                                    most - stashed(conn));
        if (got > 0) {
            tw__count(server, TW_COUNTER_BYTES_IN, (uint64_t)got);
            tw__conn_stash(conn, server->read_buffer, (size_t)got);
        } else if (got == 0 || errno != EINTR) {
            close_descriptor(conn);
        }
    }
}

void tw__conn_hear_out(tw_conn *conn) {
    if (stashed(conn) == 0) {
        fetch(conn);
    }
    if (stashed(conn) > 0) {
        tw__conn_schedule(conn);
    } else {
        tw__conn_cut(conn);
    }
}

void tw__conn_hung_up(tw_conn *conn) {
    tw__poller_remove(&conn->server->edge, &conn->io);
    tw__conn_end(conn);
    fetch(conn);
    if (conn->io.fd >= 0) {
        shutdown(conn->io.fd, SHUT_WR);
    }
    tw__conn_hear_out(conn);
}
