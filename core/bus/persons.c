/* persons.c - who is in a channel: entered at its home, asked for there.
 *
 * A person in a record is an ENTER: key: user, id: of its first connection,
 * payload: info, number: connections. The REPLY to a PRESENCE_REQUEST: number:
 * persons, second: connections.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "bus/engine.h"
#include "tidewire/errors.h"

/* ---- the home ---- */

static void count_persons(tw__bus *bus, const tw__home_channel *channel,
                          uint64_t before) {
    bus->home.persons += tw__presence_len(channel->presence) - before;
}

static void expire(tw__bus *bus, tw__home_channel *channel, uint64_t now_ms) {
    uint64_t before = tw__home_persons(channel);
    channel->grace_ms = 0;
    if (channel->presence != NULL) {
        channel->grace_ms = tw__presence_expire(channel->presence, now_ms);
        count_persons(bus, channel, before);
    }
    if (channel->doubt_ms != 0 && channel->doubt_ms <= now_ms) {
        channel->doubt_ms = 0;
        channel->is_silenced = true;
        tw__news_are_due(bus, channel);
    }
}

static uint64_t next_of(const tw__home_channel *channel) {
    uint64_t grace_ms = channel->grace_ms, doubt_ms = channel->doubt_ms;
    bool is_doubt = grace_ms == 0 || (doubt_ms != 0 && doubt_ms < grace_ms);
    return is_doubt ? doubt_ms : grace_ms;
}

/* After a change, and when a grace time is over: the channel may be done with.
 */
void tw__persons_settle(tw__bus *bus, tw__home_channel *channel) {
    expire(bus, channel, tw__loop_now(bus->config.loop));
    tw__list_remove(&channel->grace);
    if (next_of(channel) != 0) {
        tw__list_push(&bus->home.graces, &channel->grace);
    }
    if (channel->presence == NULL) {
        return;
    }
    if (tw__presence_untold(channel->presence) > 0) {
        tw__news_are_due(bus, channel);
    } else if (tw__presence_is_empty(channel->presence)) {
        tw__presence_destroy(channel->presence);
        channel->presence = NULL;
        tw__home_release(&bus->home, channel);
    }
}

/* Those who are here were entered again by then. */
void tw__persons_doubt(tw__bus *bus, tw__home_channel *channel) {
    if (channel->class.tells && channel->doubt_ms == 0) {
        channel->doubt_ms =
            tw__loop_now(bus->config.loop) + bus->config.presence_grace_ms;
        tw__persons_settle(bus, channel);
    }
}

int tw__persons_on_enter(tw__bus *bus, uint16_t member,
                         const tw__record *record) {
    tw__home_channel *channel =
        tw__home_open(&bus->home, record->channel, record->channel_len);
    if (channel == NULL) {
        return TW_ENOMEM;
    }
    if (channel->presence == NULL) {
        channel->presence = tw__presence_create(channel->class.tells);
    }
    if (channel->presence == NULL) {
        tw__home_release(&bus->home, channel);
        return TW_ENOMEM;
    }
    uint64_t before = tw__presence_len(channel->presence);
    bool is_renewal = record->header.offset != 0;
    int err = tw__presence_enter(
        channel->presence, member, (const uint8_t *)record->id, record->key,
        record->key_len, (const char *)record->data, record->len, is_renewal);
    count_persons(bus, channel, before);
    tw__persons_settle(bus, channel);
    return err == TW_ENOMEM ? err : 0;
}

static uint64_t end_of_grace(const tw__bus *bus) {
    return tw__loop_now(bus->config.loop) + bus->config.presence_grace_ms;
}

void tw__persons_on_leave(tw__bus *bus, const tw__record *record) {
    tw__home_channel *channel =
        tw__home_find(&bus->home, record->channel, record->channel_len);
    if (channel == NULL || channel->presence == NULL) {
        return;
    }
    uint64_t before = tw__presence_len(channel->presence);
    tw__presence_leave(channel->presence, (const uint8_t *)record->id,
                       end_of_grace(bus));
    count_persons(bus, channel, before);
    tw__persons_settle(bus, channel);
}

void tw__persons_drop_member(tw__bus *bus, uint16_t member) {
    size_t pos = 0;
    tw__home_channel *channel;
    while (bus->home.persons > 0 &&
           (channel = tw__home_next(&bus->home, &pos)) != NULL) {
        if (channel->presence != NULL) {
            uint64_t before = tw__presence_len(channel->presence);
            tw__presence_drop_member(channel->presence, member,
                                     end_of_grace(bus));
            count_persons(bus, channel, before);
            tw__persons_settle(bus, channel);
        }
    }
}

void tw__persons_sweep(tw__bus *bus) {
    uint64_t now_ms = tw__loop_now(bus->config.loop);
    tw__list now, *node;
    tw__list_init(&now);
    tw__list_move_all(&now, &bus->home.graces);
    while ((node = tw__list_shift(&now)) != NULL) {
        tw__home_channel *channel =
            TW__CONTAINER(node, tw__home_channel, grace);
        if (next_of(channel) <= now_ms) {
            tw__persons_settle(bus, channel);
        } else {
            tw__list_push(&bus->home.graces, node);
        }
    }
}

void tw__person_record(tw__record *record, const tw__person *person) {
    *record = (tw__record){.type = TW__RECORD_ENTER,
                           .key = person->user,
                           .key_len = person->user_len,
                           .id = (const char *)person->id,
                           .id_len = TW__PRESENCE_ID,
                           .data = (const uint8_t *)person->info,
                           .len = person->info_len,
                           .header.offset = person->connections};
}

/* Some of the persons, as many as there is room for. */
static int put_sample(tw__bus *bus, const tw__presence *presence,
                      size_t limit) {
    tw__person *persons = tw__calloc(limit + 1, sizeof *persons);
    int err = 0;
    if (persons == NULL) {
        return TW_ENOMEM;
    }
    size_t count = tw__presence_sample(presence, persons, limit);
    for (size_t i = 0; err == 0 && i < count; i++) {
        tw__record record;
        tw__person_record(&record, &persons[i]);
        if (tw__bytes_len(&bus->reply) + tw__record_size(&record) >
            tw__answer_room(bus)) {
            break;
        }
        err = tw__answer_put(bus, &record);
    }
    tw__free(persons);
    return err;
}

int tw__persons_answer(tw__bus *bus, const tw__record *asked,
                       tw__record *reply) {
    uint64_t limit = asked->header.offset;
    const tw__home_channel *channel =
        tw__home_find(&bus->home, asked->channel, asked->channel_len);
    if (channel == NULL) {
        return 0;
    }
    uint64_t persons = tw__home_persons(channel);
    reply->header.offset = persons;
    reply->header.except = tw__home_count(channel);
    limit = limit < persons ? limit : persons;
    return limit == 0 ? 0 : put_sample(bus, channel->presence, limit);
}

/* ---- asking ---- */

typedef struct asking {
    tw__persons_cb cb;
    void *arg;
} asking;

static void read_person(tw__person *person, const tw__record *record) {
    *person = (tw__person){
        .user = record->key,
        .user_len = record->key_len,
        .info = (const char *)record->data,
        .info_len =
            (uint16_t)(record->len < TW__INFO_MAX ? record->len : TW__INFO_MAX),
        .connections = (uint32_t)record->header.offset,
    };
    if (record->id_len == TW__PRESENCE_ID) {
        memcpy(person->id, record->id, TW__PRESENCE_ID);
    }
}

static int add_person(tw__person **persons, size_t count,
                      const tw__record *record) {
    bool is_full = (count & (count - 1)) == 0; /* it doubles */
    if (is_full) {
        size_t cap = count > 0 ? count * 2 : 1;
        tw__person *more = tw__realloc(*persons, cap * sizeof *more);
        if (more == NULL) {
            return TW_ENOMEM;
        }
        *persons = more;
    }
    read_person(&(*persons)[count], record);
    return 0;
}

int tw__persons_read(const uint8_t *data, size_t len, uint8_t type,
                     tw__person **persons, size_t *count) {
    size_t pos = 0, size;
    int err = 0;
    *persons = NULL;
    *count = 0;
    while (err == 0 && pos < len) {
        tw__record record;
        if (tw__record_parse(data + pos, len - pos, &record, &size) != 0 ||
            size == 0) {
            break;
        }
        pos += size;
        if (record.type == type) {
            err = add_person(persons, *count, &record);
            *count += err == 0;
        }
    }
    if (err != 0) {
        tw__free(*persons);
        *persons = NULL;
        *count = 0;
    }
    return err;
}

static void on_reply(int status, const tw__record *reply, void *arg) {
    asking asked = *(asking *)arg;
    tw__person *items = NULL;
    size_t count = 0;
    tw__free(arg);
    if (status == 0) {
        status = tw__persons_read(reply->data, reply->len, TW__RECORD_ENTER,
                                  &items, &count);
    }
    if (status != 0) {
        asked.cb(status, NULL, asked.arg);
        return;
    }
    tw__persons persons = {reply->header.offset, reply->header.except, items,
                           count};
    asked.cb(0, &persons, asked.arg);
    tw__free(items);
}

int tw__persons_ask(tw__bus *bus, const char *channel, size_t len,
                    uint32_t limit, tw__persons_cb cb, void *arg) {
    tw__record question = {.type = TW__RECORD_PRESENCE_REQUEST,
                           .channel = channel,
                           .channel_len = (uint8_t)len,
                           .header.offset = limit};
    if (len > TW__CHANNEL_MAX) {
        return TW_EINVALID;
    }
    asking *asked = tw__malloc(sizeof *asked);
    if (asked == NULL) {
        return TW_ENOMEM;
    }
    *asked = (asking){cb, arg};
    int err = tw__ask_home(bus, &question, on_reply, asked);
    if (err != 0) {
        tw__free(asked);
    }
    return err;
}
