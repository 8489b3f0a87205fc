/* news.c - who came to a channel and who went, gathered over a turn and told to
 * the members that want the channel.
 *
 * A PRESENCE record: channel; number: persons; flags 1: something was not told;
 * payload: an ENTER for each who joined and a LEAVE, of the same form, for each
 * who left.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "bus/engine.h"
#include "tidewire/errors.h"

#define CHANNEL(place) TW__CONTAINER(place, tw__home_channel, news)

void tw__news_are_due(tw__bus *bus, tw__home_channel *channel) {
    if (tw__list_is_empty(&channel->news)) {
        tw__list_push(&bus->home.news, &channel->news);
        tw__bus_wake(bus);
    }
}

void tw__news_on_record(tw__bus *bus, const tw__record *record) {
    const tw__locator_events *events = &bus->config.locator_events;
    tw__person *joined, *left;
    if (events->on_presence == NULL) {
        return;
    }
    tw__presence_news news = {
        .channel = record->channel,
        .channel_len = record->channel_len,
        .persons = record->header.offset,
        .is_reset = (record->header.flags & TW__NEWS_RESET) != 0,
    };
    int err = tw__persons_read(record->data, record->len, TW__RECORD_ENTER,
                               &joined, &news.joined_count);
    err |= tw__persons_read(record->data, record->len, TW__RECORD_LEAVE, &left,
                            &news.left_count);
    news.is_reset |= err != 0;
    news.joined = joined;
    news.left = left;
    events->on_presence(events->arg, &news);
    tw__free(joined);
    tw__free(left);
}

/* Without memory all is new. */
static void take_all(tw__bus *bus, tw__home_channel *channel,
                     tw__record *record) {
    bool is_join;
    tw__person person;
    int err = 0;
    while (err == 0 &&
           tw__presence_take(channel->presence, &is_join, &person)) {
        tw__record entry;
        tw__person_record(&entry, &person);
        entry.type = is_join ? TW__RECORD_ENTER : TW__RECORD_LEAVE;
        err = tw__answer_put(bus, &entry);
    }
    if (err != 0) {
        tw__presence_hush(channel->presence);
        record->header.flags = TW__NEWS_RESET;
    }
    record->data = tw__bytes_data(&bus->reply);
    record->len = (uint32_t)tw__bytes_len(&bus->reply);
}

static void hush(tw__home_channel *channel) {
    channel->is_silenced = true;
    if (channel->presence != NULL) {
        tw__presence_hush(channel->presence);
    }
}

/* Takes the news of a channel into the payload; false: there are none. Where
 * there are too many persons they are not told, and when there are fewer again
 * all is new. */
static bool take(tw__bus *bus, tw__home_channel *channel, tw__record *record) {
    uint64_t persons = tw__home_persons(channel);
    tw__bytes_consume(&bus->reply, tw__bytes_len(&bus->reply));
    if (persons > bus->config.presence_told_max || !channel->class.tells) {
        hush(channel);
        return false;
    }
    *record = (tw__record){
        .type = TW__RECORD_PRESENCE,
        .channel = channel->name,
        .channel_len = channel->name_len,
        .header = {.offset = persons,
                   .flags = channel->is_silenced ? TW__NEWS_RESET : 0}};
    channel->is_silenced = false;
    if (channel->presence != NULL) {
        take_all(bus, channel, record);
    }
    return record->len > 0 || record->header.flags != 0;
}

static void forward(tw__bus *bus, tw__home_channel *channel,
                    const tw__record *record) {
    uint8_t *place;
    size_t len = tw__record_size(record);
    if (tw__list_is_empty(&channel->members)) {
        return;
    }
    bool is_made = tw__bytes_reserve(&bus->scratch, len, &place) == 0;
    if (is_made) {
        tw__record_write(place, record);
    }
    tw__deliver_news(bus, channel, is_made ? place : NULL, len);
}

/* The members first: the callback may change anything. */
static void tell(tw__bus *bus, tw__home_channel *channel) {
    tw__record record;
    if (!take(bus, channel, &record)) {
        return;
    }
    forward(bus, channel, &record);
    if (tw__home_is_ready(channel)) {
        tw__news_on_record(bus, &record);
    }
}

/* The callback may have dropped the last interest in the channel, or ended all:
 * what is to be settled is found by its name. */
static void settle(tw__bus *bus, const char *name, size_t len) {
    tw__home_channel *channel = tw__home_find(&bus->home, name, len);
    if (channel != NULL && !bus->is_closing) {
        tw__persons_settle(bus, channel);
    }
}

void tw__news_tell(tw__bus *bus) {
    tw__list now, *node;
    tw__list_init(&now);
    tw__list_move_all(&now, &bus->home.news);
    while (!bus->is_closing && (node = tw__list_shift(&now)) != NULL) {
        tw__home_channel *channel = CHANNEL(node);
        char name[TW__CHANNEL_MAX];
        size_t len = channel->name_len;
        memcpy(name, channel->name, len);
        tell(bus, channel);
        settle(bus, name, len);
    }
    tw__list_move_all(&bus->home.news, &now);
    tw__answer_done(bus);
}
