/* dict.c - dictionaries and limits of a server. SPDX-License-Identifier: MIT */
#include <string.h>

#include "server/server.h"

static uint64_t now_ms(void *arg) {
    return tw__now(arg);
}

static void noted(const char *name, const tw__dict_tally *tally, void *arg) {
    tw_server *server = arg;
    tw__count(server, TW_COUNTER_DICT_EVICTED, tally->evicted);
    tw__count(server, TW_COUNTER_DICT_EXPIRED, tally->expired);
    tw__count(server, TW_COUNTER_DICT_BUSY, tally->busy);
    tw__count(server, TW_COUNTER_DICT_EMPTIED, tally->emptied);
    if (tally->emptied > 0) {
        tw__log_write(&server->log, TW_LOG_WARN,
                      "a shard of a dictionary was emptied", "dict", name,
                      "reason", "its worker died while changing it", NULL);
    }
}

void tw__server_init_dicts(tw_server *server, tw__dict_region *region) {
    tw__dict_events events = {now_ms, noted, server};
    tw__dicts_init(&server->dicts, region, server->config.dict_memory_bytes,
                   &events);
    if (server->lab != NULL) {
        tw__dicts_share(&server->dicts, &server->lab->dicts);
    }
}

int tw_dict_open(tw_server *server, tw_str name, size_t bytes, tw_dict **dict) {
    return tw__dicts_open(&server->dicts, name, bytes, dict);
}

int tw_dict_check(tw_server *server, tw_str name, size_t bytes,
                  size_t *promised, size_t *left) {
    return tw__dicts_check(&server->dicts, name, bytes, promised, left);
}

int tw_limit(tw_server *server, tw_str key, double per_second, double burst,
             double *retry_after) {
    return tw__dicts_limit(&server->dicts, key, per_second, burst, retry_after);
}
