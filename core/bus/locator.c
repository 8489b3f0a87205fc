/* locator.c - the engine behind locator.h: records to homes and slots.
 * SPDX-License-Identifier: MIT */
#include "bus/locator.h"

#include <string.h>

#include "bus/engine.h"
#include "tidewire/errors.h"

static tw__bus *bus_of(tw__locator *locator) {
    return TW__CONTAINER(locator, tw__bus, locator);
}

/* A record about a channel, or a user, to its home. */
static int send_home(tw__bus *bus, tw__record *record, const char *name,
                     size_t len) {
    if (len == 0 || len > TW__CHANNEL_MAX) {
        return TW_EINVALID;
    }
    record->channel = name;
    record->channel_len = (uint8_t)len;
    return tw__publish_record(bus, tw__bus_home(name, len, bus->config.slots),
                              record);
}

static tw__record about(enum tw__record_type type, const uint8_t *id) {
    return (tw__record){.type = (uint8_t)type,
                        .id = (const char *)id,
                        .id_len = id != NULL ? TW__CONN_ID_BYTES : 0};
}

static int op_enter(tw__locator *locator, const char *channel, size_t len,
                    const uint8_t *id, const char *user, size_t user_len,
                    const char *info, size_t info_len, bool is_renewal) {
    tw__record record = about(TW__RECORD_ENTER, id);
    if (user_len > TW__PERSON_MAX || info_len > TW__INFO_MAX) {
        return TW_EINVALID;
    }
    record.key = user;
    record.key_len = (uint8_t)user_len;
    record.data = (const uint8_t *)info;
    record.len = (uint32_t)info_len;
    record.header.offset = is_renewal;
    return send_home(bus_of(locator), &record, channel, len);
}

static int op_leave(tw__locator *locator, const char *channel, size_t len,
                    const uint8_t *id) {
    tw__record record = about(TW__RECORD_LEAVE, id);
    return send_home(bus_of(locator), &record, channel, len);
}

static int op_user_enter(tw__locator *locator, const char *user, size_t len,
                         const uint8_t *id, int64_t opened_ms, uint32_t max,
                         bool closes_newest) {
    tw__record record = about(TW__RECORD_USER_ENTER, id);
    record.header.offset = (uint64_t)opened_ms;
    record.header.except = max | (uint64_t)closes_newest << 32;
    return send_home(bus_of(locator), &record, user, len);
}

static int op_user_leave(tw__locator *locator, const char *user, size_t len,
                         const uint8_t *id) {
    tw__record record = about(TW__RECORD_USER_LEAVE, id);
    return send_home(bus_of(locator), &record, user, len);
}

static int describe_act(tw__record *record, const tw__act *act) {
    if (act->text_len > TW__KEY_MAX || act->len > UINT32_MAX / 2) {
        return TW_EINVALID;
    }
    record->header.lane = act->what;
    record->header.flags = act->is_binary ? TW__PUB_BINARY : 0;
    record->header.offset = act->code;
    record->key = act->text;
    record->key_len = (uint8_t)act->text_len;
    record->data = act->data;
    record->len = (uint32_t)act->len;
    return 0;
}

static int op_user_act(tw__locator *locator, const char *user, size_t len,
                       const tw__act *act) {
    tw__record record = about(TW__RECORD_USER_ACT, NULL);
    int err = describe_act(&record, act);
    return err != 0 ? err : send_home(bus_of(locator), &record, user, len);
}

static int op_act(tw__locator *locator, const uint8_t *id, const tw__act *act) {
    tw__bus *bus = bus_of(locator);
    tw__record record = about(TW__RECORD_ACT, id);
    uint16_t member = tw__member_of_id(id);
    int err = describe_act(&record, act);
    if (err != 0 || member >= bus->members) {
        return TW_EINVALID;
    }
    return tw__publish_record(bus, member, &record);
}

static int op_persons(tw__locator *locator, const char *channel, size_t len,
                      uint32_t limit, tw__persons_cb cb, void *arg) {
    return tw__persons_ask(bus_of(locator), channel, len, limit, cb, arg);
}

static int op_user_conns(tw__locator *locator, const char *user, size_t len,
                         tw__conns_cb cb, void *arg) {
    return tw__users_ask(bus_of(locator), user, len, cb, arg);
}

static uint16_t op_home(tw__locator *locator, const char *name, size_t len) {
    return tw__bus_home(name, len, bus_of(locator)->config.slots);
}

static bool op_has_room(tw__locator *locator, uint16_t slot) {
    const tw__bus *bus = bus_of(locator);
    if (slot >= bus->members) {
        return false;
    }
    size_t level = slot == bus->config.slot
                       ? bus->publication_bytes
                       : tw__peer_publish_level(&bus->peers[slot]);
    return level <= bus->config.publish_budget_bytes / 4;
}

const tw__locator_ops tw__bus_locator_ops = {
    .enter = op_enter,
    .leave = op_leave,
    .user_enter = op_user_enter,
    .user_leave = op_user_leave,
    .user_act = op_user_act,
    .act = op_act,
    .persons = op_persons,
    .user_conns = op_user_conns,
    .home = op_home,
    .has_room = op_has_room,
};
