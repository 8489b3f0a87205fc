/* bridge_hooks_dict.h - the part of bridge_hooks_fake.h that is about
 * dictionaries and limits: real ones, in memory of the fake server's.
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_BRIDGE_HOOKS_DICT_H
#define TW_TESTS_BRIDGE_HOOKS_DICT_H

static uint64_t fake_dict_now(void *arg) {
    return ((tw_server *)arg)->now;
}

static void fake_dict_noted(const char *name, const tw__dict_tally *tally,
                            void *arg) {
    tw_server *server = arg;
    (void)name;
    server->counters[TW_COUNTER_DICT_EVICTED] += tally->evicted;
}

static tw__dicts *fake_dicts(tw_server *server) {
    if (server->dicts.events.arg == NULL) {
        tw__dict_events events = {fake_dict_now, fake_dict_noted, server};
        tw__dicts_init(&server->dicts, NULL, 8 << 20, &events);
    }
    return &server->dicts;
}

int tw_dict_open(tw_server *server, tw_str name, size_t bytes, tw_dict **dict) {
    return server->dict_error
               ? server->dict_error
               : tw__dicts_open(fake_dicts(server), name, bytes, dict);
}

int tw_dict_check(tw_server *server, tw_str name, size_t bytes,
                  size_t *promised, size_t *left) {
    return tw__dicts_check(fake_dicts(server), name, bytes, promised, left);
}

int tw_limit(tw_server *server, tw_str key, double per_second, double burst,
             double *retry_after) {
    return tw__dicts_limit(fake_dicts(server), key, per_second, burst,
                           retry_after);
}

int tw_conn_limit(tw_conn *conn, const tw_rate *rate) {
    conn->limit_count++;
    conn->limit = rate ? *rate : (tw_rate){0};
    return 0;
}

#endif
