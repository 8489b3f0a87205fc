/* bus_ops.c - the engine behind broker.h. SPDX-License-Identifier: MIT */
#include "bus/engine.h"
#include "tidewire/errors.h"

static tw__bus *bus_of(tw__broker *broker) {
    return TW__CONTAINER(broker, tw__bus, broker);
}

static int op_publish(tw__broker *broker, tw__pub *pub) {
    return tw__publish_accept(bus_of(broker), pub);
}

static int op_interest(tw__broker *broker, const char *channel, size_t len,
                       tw__interest_cb cb, void *arg) {
    return tw__interest_add(bus_of(broker), channel, len, cb, arg);
}

static void op_drop(tw__broker *broker, const char *channel, size_t len) {
    tw__interest_drop(bus_of(broker), channel, len);
}

static bool op_set_count(tw__broker *broker, const char *channel, size_t len,
                         uint32_t count) {
    return tw__interest_set_count(bus_of(broker), channel, len, count);
}

static int op_count(tw__broker *broker, const char *channel, size_t len,
                    tw__count_cb cb, void *arg) {
    return tw__count_ask(bus_of(broker), channel, len, cb, arg);
}

static int op_publish_wait(tw__broker *broker, tw__pub *pub, tw__interest_cb cb,
                           void *arg) {
    return tw__publish_wait(bus_of(broker), pub, cb, arg);
}

static int op_kept(tw__broker *broker, const char *channel, size_t len,
                   const tw__kept_query *query, tw__kept_cb cb, void *arg) {
    return tw__kept_ask(bus_of(broker), channel, len, query, cb, arg);
}

static int op_remove(tw__broker *broker, const char *channel, size_t len,
                     const char *key, size_t key_len) {
    tw__bus *bus = bus_of(broker);
    tw__record record = {.type = TW__RECORD_REMOVE,
                         .channel = channel,
                         .channel_len = (uint8_t)len,
                         .key = key,
                         .key_len = (uint8_t)key_len};
    if (len > TW__CHANNEL_MAX || key_len > TW__KEY_MAX) {
        return TW_EINVALID;
    }
    return tw__publish_record(
        bus, tw__bus_home(channel, len, bus->config.slots), &record);
}

static void op_reclass(tw__broker *broker) {
    tw__bus *bus = bus_of(broker);
    uint64_t now_ms = tw__loop_now(bus->config.loop);
    size_t pos = 0;
    tw__home_channel *channel;
    while (!bus->is_closing &&
           (channel = tw__home_next(&bus->home, &pos)) != NULL) {
        tw__home_reclass(&bus->home, channel, now_ms);
    }
    tw__bus_wake(bus);
}

const tw__broker_ops tw__bus_broker_ops = {
    .publish = op_publish,
    .publish_wait = op_publish_wait,
    .interest = op_interest,
    .drop = op_drop,
    .set_count = op_set_count,
    .count = op_count,
    .kept = op_kept,
    .remove = op_remove,
    .reclass = op_reclass,
};
