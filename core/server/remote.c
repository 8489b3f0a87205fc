/* remote.c - any connection by its id. SPDX-License-Identifier: MIT */
#include <string.h>

#include "server/act.h"
#include "server/conn_id.h"
#include "server/people.h"
#include "server/server.h"

static int act_on(tw_server *server, tw_str text, const tw__act *act) {
    uint8_t id[TW__CONN_ID_BYTES];
    int err = tw__conn_id_parse(id, text);
    return err != 0 ? err : server->locator->ops->act(server->locator, id, act);
}

int tw_remote_send(tw_server *server, tw_str id, const void *data, size_t len,
                   bool binary) {
    tw__act act;
    int err = tw__act_send(&act, data, len, binary, false);
    return err != 0 ? err : act_on(server, id, &act);
}

int tw_remote_close(tw_server *server, tw_str id, int code, tw_str reason) {
    tw__act act;
    int err = tw__act_close(&act, code, reason);
    return err != 0 ? err : act_on(server, id, &act);
}

int tw_remote_subscribe(tw_server *server, tw_str id, tw_str channel) {
    tw__act act;
    int err = tw__act_channel(&act, TW__ACT_SUBSCRIBE, channel);
    return err != 0 ? err : act_on(server, id, &act);
}

int tw_remote_unsubscribe(tw_server *server, tw_str id, tw_str channel) {
    tw__act act;
    int err = tw__act_channel(&act, TW__ACT_UNSUBSCRIBE, channel);
    return err != 0 ? err : act_on(server, id, &act);
}

static uint32_t idle_ms(const tw_conn *conn) {
    const tw_server *server = conn->server;
    uint32_t now_ms = (uint32_t)(tw__now(server) - server->started_ms);
    return now_ms - conn->heard_ms;
}

bool tw__server_describe(void *arg, const uint8_t id[TW__CONN_ID_BYTES],
                         tw__conn_facts *facts) {
    tw_server *server = arg;
    const tw_conn *conn = tw__server_find_id(server, id);
    if (conn == NULL || conn->state != TW__CONN_OPEN) {
        return false;
    }
    tw_str ip = tw_conn_ip(conn);
    memset(facts, 0, sizeof *facts); /* `id` may be the one in it */
    memcpy(facts->id, conn->id, sizeof facts->id);
    memcpy(facts->ip, ip.data, ip.len < sizeof facts->ip ? ip.len : 0);
    facts->slot = server->slot;
    facts->opened_ms = conn->identity != NULL ? conn->identity->since_ms : 0;
    facts->idle_ms = idle_ms(conn);
    return true;
}
