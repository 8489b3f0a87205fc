/* alarm.c - named alarms of a connection. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "server/server.h"

static tw__alarm *find(tw__extra *extra, tw_str name) {
    for (tw__list *node = extra->alarms.next; node != &extra->alarms;
         node = node->next) {
        tw__alarm *alarm = TW__CONTAINER(node, tw__alarm, node);
        if (alarm->name_len == name.len &&
            memcmp(alarm->name, name.data, name.len) == 0) {
            return alarm;
        }
    }
    return NULL;
}

static void destroy(tw__alarm *alarm) {
    tw_conn *conn = alarm->conn;
    tw__clockwork_clear(&conn->server->edge_clock, &alarm->entry);
    tw__list_remove(&alarm->node);
    conn->extra->alarm_count--;
    tw__free(alarm);
}

static void on_due(tw__wheel_entry *entry) {
    tw__alarm *alarm = TW__CONTAINER(entry, tw__alarm, entry);
    alarm->is_due = true;
    alarm->conn->flags |= TW__DUE_ALARM;
    tw__conn_schedule(alarm->conn);
}

static tw__alarm *create(tw_conn *conn, tw__extra *extra, tw_str name) {
    tw__alarm *alarm = tw__calloc(1, sizeof *alarm + name.len + 1);
    if (alarm != NULL) {
        alarm->conn = conn;
        alarm->entry.cb = on_due;
        alarm->name_len = (uint8_t)name.len;
        memcpy(alarm->name, name.data, name.len);
        tw__list_push(&extra->alarms, &alarm->node);
        extra->alarm_count++;
    }
    return alarm;
}

int tw_conn_alarm(tw_conn *conn, tw_str name, uint64_t ms) {
    tw__extra *extra = tw__conn_extra(conn);
    if (conn->state != TW__CONN_OPEN) {
        return TW_ECLOSED;
    }
    if (extra == NULL) {
        return TW_ENOMEM;
    }
    if (name.len > TW__ALARM_NAME_MAX) {
        return TW_ELIMIT;
    }
    name = name.data != NULL ? name : (tw_str){"", 0};
    tw__alarm *alarm = find(extra, name);
    if (ms == 0) {
        if (alarm != NULL) {
            destroy(alarm);
        }
        return 0;
    }
    if (alarm == NULL) {
        if (extra->alarm_count >= TW__ALARMS_MAX) {
            return TW_ELIMIT;
        }
        alarm = create(conn, extra, name);
        if (alarm == NULL) {
            return TW_ENOMEM;
        }
    }
    alarm->is_due = false;
    tw__clockwork_set(&conn->server->edge_clock, &alarm->entry, ms);
    return 0;
}

void tw__conn_drop_alarms(tw_conn *conn) {
    if (conn->extra == NULL) {
        return;
    }
    while (!tw__list_is_empty(&conn->extra->alarms)) {
        destroy(TW__CONTAINER(conn->extra->alarms.next, tw__alarm, node));
    }
}

static tw__alarm *next_due(tw__extra *extra) {
    for (tw__list *node = extra->alarms.next; node != &extra->alarms;
         node = node->next) {
        tw__alarm *alarm = TW__CONTAINER(node, tw__alarm, node);
        if (alarm->is_due) {
            return alarm;
        }
    }
    return NULL;
}

/* The alarm is gone before its hook runs, so that the hook may set it again. */
int tw__conn_run_alarm(tw_conn *conn) {
    tw_server *server = conn->server;
    tw__alarm *alarm = next_due(conn->extra);
    char name[TW__ALARM_NAME_MAX + 1];
    if (alarm == NULL) {
        return TW_DONE;
    }
    tw_str text = {name, alarm->name_len};
    memcpy(name, alarm->name, alarm->name_len + 1u);
    destroy(alarm);
    if (next_due(conn->extra) != NULL) {
        conn->flags |= TW__DUE_ALARM;
    }
    if (!(conn->route->config.hooks & TW_HOOK_ALARM)) {
        return TW_DONE;
    }
    return server->config.hooks.on_alarm(conn, text, server->config.hook_user);
}
