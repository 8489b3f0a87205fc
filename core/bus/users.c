/* users.c - the home of users: which connections each has, and what is to be
 * done to all of them.
 *
 * The REPLY to a USER_REQUEST has the ids of the user's connections behind each
 * other; that to a CONNS_REQUEST, which has ids, what their member knows of
 * them. Who asks for a user's connections asks the home first, then each member
 * that has some.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "bus/engine.h"
#include "tidewire/errors.h"

enum {
    TOO_MANY_CODE = 3006,
    ID = TW__CONN_ID_BYTES,
};

static const char too_many[] = "too many connections of this user";

/* ---- entering and leaving ---- */

static void close_conn(tw__bus *bus, const uint8_t *id) {
    const tw__act act = {.what = TW__ACT_CLOSE,
                         .code = TOO_MANY_CODE,
                         .text = too_many,
                         .text_len = sizeof too_many - 1};
    tw__bus_locator_ops.act(&bus->locator, id, &act);
}

/* `second` holds how many there may be, and above it which is closed. Who was
 * told to close leaves by itself; until then it counts, and is told again when
 * another comes, which does no harm. They are in the order in which they were
 * opened: after a renewal, too, the newest is who came last. */
static void enforce(tw__bus *bus, const tw__record *record) {
    uint32_t max = (uint32_t)record->header.except;
    bool closes_newest = record->header.except >> 32 != 0;
    size_t count;
    const tw__people_conn *conns = tw__people_of(
        &bus->home.people, record->channel, record->channel_len, &count);
    size_t first = closes_newest ? max : 0;
    for (size_t i = 0; max > 0 && i + max < count; i++) {
        close_conn(bus, conns[first + i].id);
    }
}

void tw__users_on_enter(tw__bus *bus, uint16_t member,
                        const tw__record *record) {
    tw__people_conn conn = {.member = member,
                            .since_ms = record->header.offset};
    memcpy(conn.id, record->id, ID);
    int err = tw__people_add(&bus->home.people, record->channel,
                             record->channel_len, &conn);
    if (err == 0) {
        enforce(bus, record);
    } else if (err == TW_ENOMEM) {
        bus->stats.acts_lost++;
    }
}

void tw__users_on_leave(tw__bus *bus, const tw__record *record) {
    tw__people_remove(&bus->home.people, record->channel, record->channel_len,
                      (const uint8_t *)record->id);
}

/* To each connection its own record: the id says to which member. */
void tw__users_on_act(tw__bus *bus, const tw__record *record) {
    size_t count;
    const tw__people_conn *conns = tw__people_of(
        &bus->home.people, record->channel, record->channel_len, &count);
    for (size_t i = 0; i < count; i++) {
        tw__record act = *record;
        act.type = TW__RECORD_ACT;
        act.channel_len = 0;
        act.id = (const char *)conns[i].id;
        act.id_len = ID;
        if (tw__publish_record(bus, conns[i].member, &act) != 0) {
            bus->stats.acts_lost++;
        }
    }
}

/* ---- answering ---- */

int tw__users_answer(tw__bus *bus, const tw__record *asked, tw__record *reply) {
    size_t count;
    const tw__people_conn *conns = tw__people_of(
        &bus->home.people, asked->channel, asked->channel_len, &count);
    int err = count > TW__ANSWER_MAX / ID ? TW_ELIMIT : 0;
    for (size_t i = 0; err == 0 && i < count; i++) {
        err = tw__bytes_append(&bus->reply, conns[i].id, ID);
    }
    reply->header.offset = count;
    return err;
}

static int put_facts(tw__bus *bus, const tw__conn_facts *facts) {
    tw__record record = {
        .type = TW__RECORD_ACT,
        .id = (const char *)facts->id,
        .id_len = ID,
        .key = facts->ip,
        .key_len = (uint8_t)strlen(facts->ip),
        .header = {.origin.slot = bus->config.slot,
                   .offset = (uint64_t)facts->opened_ms,
                   .except = facts->idle_ms},
    };
    return tw__answer_put(bus, &record);
}

int tw__conns_answer(tw__bus *bus, const tw__record *asked, tw__record *reply) {
    const tw__locator_events *events = &bus->config.locator_events;
    int err = 0;
    (void)reply;
    for (size_t at = 0; err == 0 && at + ID <= asked->len; at += ID) {
        tw__conn_facts facts = {0};
        memcpy(facts.id, asked->data + at, ID);
        if (events->describe != NULL &&
            events->describe(events->arg, facts.id, &facts)) {
            err = put_facts(bus, &facts);
        }
    }
    return err;
}

/* ---- asking ---- */

/* One question for a user's connections: to the home, then to each member that
 * has some, all at once. */
typedef struct inquiry {
    tw__bus *bus;
    tw__conns_cb cb;
    void *arg;
    unsigned awaited; /* members that have not answered */
    size_t count;
    tw__conn_facts *conns; /* in the home's order */
} inquiry;

/* The slot of one of which nothing is known. */
enum { UNKNOWN = UINT16_MAX };

/* Those of members that did not answer, or know them no more, are left out. */
static void finish(inquiry *asked) {
    size_t kept = 0;
    bool is_closed = asked->bus->is_closing;
    for (size_t i = 0; i < asked->count && !is_closed; i++) {
        if (asked->conns[i].slot != UNKNOWN) {
            asked->conns[kept++] = asked->conns[i];
        }
    }
    asked->cb(is_closed ? TW_ECLOSED : 0, is_closed ? NULL : asked->conns, kept,
              asked->arg);
    tw__free(asked->conns);
    tw__free(asked);
}

static void note_facts(tw__conn_facts *facts, const tw__record *record) {
    size_t len = record->key_len;
    if (len < sizeof facts->ip) {
        facts->slot = tw__member_of_id(facts->id);
        facts->opened_ms = (int64_t)record->header.offset;
        facts->idle_ms = record->header.except;
        memcpy(facts->ip, record->key, len);
        facts->ip[len] = '\0';
    }
}

/* A member answers in the order in which it was asked, which is that of the
 * connections: each is found behind the one before. */
static size_t note_next(inquiry *asked, size_t from, const tw__record *record) {
    for (size_t i = from; i < asked->count && record->id_len == ID; i++) {
        if (memcmp(asked->conns[i].id, record->id, ID) == 0) {
            note_facts(&asked->conns[i], record);
            return i + 1;
        }
    }
    return asked->count;
}

static void on_facts(int status, const tw__record *reply, void *arg) {
    inquiry *asked = arg;
    size_t pos = 0, size, next = 0;
    while (status == 0 && next < asked->count && pos < reply->len) {
        tw__record record;
        if (tw__record_parse(reply->data + pos, reply->len - pos, &record,
                             &size) != 0 ||
            size == 0) {
            break;
        }
        next = note_next(asked, next, &record);
        pos += size;
    }
    if (--asked->awaited == 0) {
        finish(asked);
    }
}

/* Asks the member that has conns[first] for all of its own. */
static void ask_member(inquiry *asked, size_t first, tw__bytes *ids) {
    uint16_t member = tw__member_of_id(asked->conns[first].id);
    tw__bytes_consume(ids, tw__bytes_len(ids));
    for (size_t i = 0; i < asked->count; i++) {
        const uint8_t *id = asked->conns[i].id;
        if (tw__member_of_id(id) != member) {
            continue;
        }
        if (i < first || tw__bytes_append(ids, id, ID) != 0) {
            return; /* asked already, or no memory: left out */
        }
    }
    tw__record question = {.type = TW__RECORD_CONNS_REQUEST,
                           .data = tw__bytes_data(ids),
                           .len = (uint32_t)tw__bytes_len(ids)};
    if (member < asked->bus->members &&
        tw__ask_member(asked->bus, member, &question, on_facts, asked) == 0) {
        asked->awaited++;
    }
}

static void on_ids(int status, const tw__record *reply, void *arg) {
    inquiry *asked = arg;
    size_t count = status == 0 ? reply->len / ID : 0;
    asked->conns = tw__calloc(count + 1, sizeof *asked->conns);
    if (status != 0 || asked->conns == NULL) {
        asked->cb(status != 0 ? status : TW_ENOMEM, NULL, 0, asked->arg);
        tw__free(asked->conns);
        tw__free(asked);
        return;
    }
    asked->count = count;
    for (size_t i = 0; i < count; i++) {
        memcpy(asked->conns[i].id, reply->data + i * ID, ID);
        asked->conns[i].slot = UNKNOWN;
    }
    tw__bytes ids = {0};
    for (size_t i = 0; i < count; i++) {
        ask_member(asked, i, &ids);
    }
    tw__bytes_deinit(&ids);
    if (asked->awaited == 0) {
        finish(asked);
    }
}

int tw__users_ask(tw__bus *bus, const char *user, size_t len, tw__conns_cb cb,
                  void *arg) {
    tw__record question = {.type = TW__RECORD_USER_REQUEST,
                           .channel = user,
                           .channel_len = (uint8_t)len};
    if (len == 0 || len > TW__USER_MAX) {
        return TW_EINVALID;
    }
    inquiry *asked = tw__calloc(1, sizeof *asked);
    if (asked == NULL) {
        return TW_ENOMEM;
    }
    *asked = (inquiry){.bus = bus, .cb = cb, .arg = arg};
    int err = tw__ask_home(bus, &question, on_ids, asked);
    if (err != 0) {
        tw__free(asked);
    }
    return err;
}
