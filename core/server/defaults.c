/* defaults.c - what a configuration that says nothing means.
 * SPDX-License-Identifier: MIT */
#include "server/server.h"

static void default_size(size_t *value, size_t standard) {
    *value = *value != 0 ? *value : standard;
}

static void default_ms(uint32_t *value, uint32_t standard) {
    *value = *value != 0 ? *value : standard;
}

void tw__server_fill_defaults(tw_config *config) {
    default_size(&config->max_connections, 1000000);
    default_size(&config->max_subscriptions, 1000);
    default_size(&config->max_head_bytes, 16384);
    default_size(&config->max_headers, 100);
    default_ms(&config->max_requests, 1000);
    default_ms(&config->handshake_ms, 10000);
    default_ms(&config->http_idle_ms, 15000);
    default_ms(&config->http_handler_ms, 60000);
    default_ms(&config->frame_ms, 30000);
    default_ms(&config->close_ms, 5000);
    default_ms(&config->stall_ms, 30000);
    default_size(&config->reply_budget_bytes, 1 << 20);
    default_size(&config->publication_budget_bytes, 1 << 20);
    default_size(&config->pinned_limit_bytes, 64 << 20);
    default_size(&config->publish_budget_bytes, 16 << 20);
    default_size(&config->delivery_budget_bytes, 16 << 20);
    default_size(&config->history_budget_bytes, 256 << 20);
    default_size(&config->recover_limit_bytes, 4 << 20);
    default_size(&config->dict_memory_bytes, TW__DICT_MEMORY);
    default_size(&config->metric_memory_bytes, TW__METRIC_MEMORY);
    default_ms(&config->presence_grace_ms, 5000);
    default_ms(&config->presence_told_max, 100);
    default_ms(&config->http.concurrent, 100);
    default_ms(&config->http.per_host, 20);
    default_ms(&config->http.queue, 1000);
    default_ms(&config->http.failures, 5);
    default_ms(&config->http.pause_ms, 1000);
    default_size(&config->http.max_body_bytes, 16 << 20);
    default_size(&config->http.memory_bytes, 64 << 20);
    default_size(&config->read_turn_bytes, TW__READ_BYTES);
    default_ms(&config->read_turn_frames, 128);
    if (config->read_turn_bytes > TW__READ_BYTES) {
        config->read_turn_bytes = TW__READ_BYTES;
    }
    if (config->max_subscriptions > UINT16_MAX / 2) {
        config->max_subscriptions = UINT16_MAX / 2;
    }
}
