/* act.c - records that are ordered with publications and are none.
 * SPDX-License-Identifier: MIT */
#include "bus/engine.h"
#include "tidewire/errors.h"

static void act(tw__bus *bus, const tw__record *record) {
    const tw__locator_events *events = &bus->config.locator_events;
    const tw__act act = {
        .what = record->header.lane,
        .is_binary = (record->header.flags & TW__PUB_BINARY) != 0,
        .code = (uint16_t)record->header.offset,
        .text = record->key,
        .text_len = record->key_len,
        .data = record->data,
        .len = record->len,
    };
    if (events->on_act != NULL) {
        events->on_act(events->arg, (const uint8_t *)record->id, &act);
    }
}

static void forget_retained(tw__bus *bus, const tw__record *record) {
    tw__home_channel *channel =
        tw__home_find(&bus->home, record->channel, record->channel_len);
    if (channel != NULL && channel->history != NULL) {
        tw__history_remove(channel->history, record->key, record->key_len);
    }
}

static void enter(tw__bus *bus, uint16_t member, const tw__record *record) {
    if (tw__persons_on_enter(bus, member, record) != 0) {
        bus->stats.acts_lost++;
    }
}

void tw__act_run(tw__bus *bus, uint16_t member, const tw__record *record) {
    switch (record->type) {
    case TW__RECORD_REMOVE:
        forget_retained(bus, record);
        break;
    case TW__RECORD_ENTER:
        enter(bus, member, record);
        break;
    case TW__RECORD_LEAVE:
        tw__persons_on_leave(bus, record);
        break;
    case TW__RECORD_USER_ENTER:
        tw__users_on_enter(bus, member, record);
        break;
    case TW__RECORD_USER_LEAVE:
        tw__users_on_leave(bus, record);
        break;
    case TW__RECORD_USER_ACT:
        tw__users_on_act(bus, record);
        break;
    case TW__RECORD_ACT:
        act(bus, record);
        break;
    default:
        break;
    }
}

static bool is_valid(const tw__bus *bus, const tw__record *record) {
    bool has_id = record->id_len == TW__CONN_ID_BYTES;
    if (record->type == TW__RECORD_ACT) {
        return has_id;
    }
    if (tw__bus_home(record->channel, record->channel_len, bus->config.slots) !=
        bus->config.slot) {
        return false;
    }
    switch (record->type) {
    case TW__RECORD_REMOVE:
    case TW__RECORD_USER_ACT:
        return true;
    case TW__RECORD_ENTER:
        return has_id && record->len <= TW__INFO_MAX;
    default:
        return has_id && record->channel_len > 0;
    }
}

int tw__act_on_record(tw__peer *peer, const tw__record *record) {
    if (!is_valid(peer->bus, record)) {
        return TW_EINVALID;
    }
    tw__act_run(peer->bus, peer->slot, record);
    return 0;
}
