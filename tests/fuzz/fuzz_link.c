/* The link between members, bus/: records, incoming and outgoing streams, with
 * a broken or hostile other end.
 *
 * The member under test is slot 0 of two; this file plays slot 1. The input's
 * first byte says how: 'g' greets as it should before the rest is sent, 'r'
 * sends only the rest, 'a' sends the rest as the answer to the member's own
 * greeting. Whatever comes, every question is answered once, only channels
 * that were asked for are told of, what leaves are whole records, and the
 * member goes on serving its own; in the middle of it callbacks subscribe,
 * drop, publish, ask, enter, leave and end it. What the other end entered is
 * gone with it when a grace time is over. The clock is held.
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "bus/bus.h"
#include "bus/record.h"
#include "fuzz.h"
#include "net/socket.h"
#include "tidewire/errors.h"

enum {
    NODE = 7,
    CHANNELS = 4,
    INPUT_MAX = 1 << 14,
    MAX_TURNS = 16,
    GRACE_MS = 1000
};

typedef struct channel {
    char name[16];
    bool is_wanted; /* asked for and not dropped */
    bool is_confirmed;
} channel;

static char dir[64];
static tw__loop loop;
static tw__poller poller;
static tw__clockwork clockwork;
static int listeners[2];

/* One input. */
static tw__bus *bus;               /* NULL once it has ended */
static channel channels[CHANNELS]; /* the even ones are at home in slot 0 */
static fuzz_random chance;
static unsigned waiting; /* questions that are not answered yet */
static unsigned own_publications;
static bool is_acting; /* callbacks may do things */
static int in_fd, out_fd;
static fuzz_log output;

/* ---- the setting -------------------------------------------------------- */

static void address_of(int slot, tw__address *address) {
    char text[128];
    snprintf(text, sizeof text, "unix:%s/bus.%d", dir, slot);
    FUZZ_CHECK(tw__address_parse(address, text) == 0);
}

static void remove_all(void) {
    char path[128];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/bus.%d", dir, i);
        unlink(path);
    }
    rmdir(dir);
}

static void name_channels(void) {
    int number = 0;
    for (int i = 0; i < CHANNELS; i++) {
        do {
            snprintf(channels[i].name, sizeof channels[i].name, "c%d",
                     number++);
        } while (tw__bus_home(channels[i].name, strlen(channels[i].name), 2) !=
                 i % 2);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    snprintf(dir, sizeof dir, "%s/tw-fuzz-XXXXXX", P_tmpdir);
    FUZZ_CHECK(mkdtemp(dir) != NULL);
    atexit(remove_all);
    FUZZ_CHECK(tw__loop_init(&loop, NULL) == 0);
    tw__loop_hold(&loop, tw__loop_now(&loop));
    FUZZ_CHECK(tw__poller_init(&poller, &loop) == 0);
    FUZZ_CHECK(tw__clockwork_init(&clockwork, &loop) == 0);
    for (int i = 0; i < 2; i++) {
        tw__address address;
        address_of(i, &address);
        FUZZ_CHECK(tw__socket_listen(&address, 128, 0, &listeners[i]) == 0);
    }
    name_channels();
    return 0;
}

/* ---- what the member is told -------------------------------------------- */

static channel *find_channel(const char *name, size_t len) {
    for (int i = 0; i < CHANNELS; i++) {
        if (fuzz_same(name, len, channels[i].name, strlen(channels[i].name))) {
            return &channels[i];
        }
    }
    return NULL;
}

static void act(void);

static void on_publication(void *arg, tw__pub *pub) {
    channel *c = find_channel(tw__pub_channel(pub), pub->channel_len);
    (void)arg;
    FUZZ_CHECK(c != NULL && c->is_wanted && c->is_confirmed);
    FUZZ_CHECK(tw__pub_channel(pub)[pub->channel_len] == '\0');
    own_publications += c == &channels[0];
    fuzz_hash(tw__pub_data(pub), pub->len); /* all of it can be read */
    tw__pub_unref(pub);
    act();
}

static void on_gap(void *arg, const char *name, size_t len, uint64_t lost) {
    const channel *c = find_channel(name, len);
    (void)arg;
    (void)lost;
    FUZZ_CHECK(c != NULL && c->is_wanted && c->is_confirmed);
    act();
}

static void on_lost(void *arg, const tw__pub *pub, int error) {
    (void)arg;
    FUZZ_CHECK(error == TW_ECLOSED || error == TW_EUNAVAILABLE ||
               error == TW_ENOMEM);
    FUZZ_CHECK(pub->channel_len != 0);
}

static void on_confirm(int status, const tw__position *position, void *arg) {
    channel *c = arg;
    FUZZ_CHECK(waiting > 0);
    waiting--;
    FUZZ_CHECK(status == 0 || status == TW_ECLOSED);
    if (status == 0) {
        FUZZ_CHECK(strlen(position->epoch) <= TW__EPOCH_MAX);
        FUZZ_CHECK(c->is_wanted && !c->is_confirmed);
        c->is_confirmed = true;
    }
    act();
}

static bool is_error(int status) {
    return status < 0 && status >= TW_EIO;
}

static void on_count(int status, uint64_t count, void *arg) {
    (void)arg;
    (void)count;
    FUZZ_CHECK(waiting > 0);
    waiting--;
    FUZZ_CHECK(status == 0 || is_error(status));
    act();
}

static void on_position(void *arg, const char *name, size_t len,
                        const tw__position *position) {
    const channel *c = find_channel(name, len);
    (void)arg;
    FUZZ_CHECK(c != NULL && c->is_wanted && c->is_confirmed);
    FUZZ_CHECK(strlen(position->epoch) <= TW__EPOCH_MAX);
    act();
}

static void on_wait(int status, const tw__position *position, void *arg) {
    (void)arg;
    FUZZ_CHECK(waiting > 0);
    waiting--;
    FUZZ_CHECK(status == 0 ? position != NULL : is_error(status));
    act();
}

static void read_pubs(tw__pub *const *pubs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        fuzz_hash(tw__pub_channel(pubs[i]), pubs[i]->channel_len);
        fuzz_hash(tw__pub_key(pubs[i]), pubs[i]->key_len);
        fuzz_hash(tw__pub_data(pubs[i]), pubs[i]->len);
    }
}

static void on_kept(int status, const tw__kept *kept, void *arg) {
    (void)arg;
    FUZZ_CHECK(waiting > 0);
    waiting--;
    FUZZ_CHECK(status == 0 || is_error(status));
    act();
    if (status == 0) {
        FUZZ_CHECK(strlen(kept->position.epoch) <= TW__EPOCH_MAX);
        read_pubs(kept->log, kept->log_count);
        read_pubs(kept->retained, kept->retained_count);
    }
}

static void read_persons(const tw__person *persons, size_t count) {
    for (size_t i = 0; i < count; i++) {
        fuzz_hash(persons[i].user, persons[i].user_len);
        FUZZ_CHECK(persons[i].info_len <= TW__INFO_MAX);
        fuzz_hash(persons[i].info, persons[i].info_len);
    }
}

static void on_persons(int status, const tw__persons *persons, void *arg) {
    (void)arg;
    FUZZ_CHECK(waiting > 0);
    waiting--;
    FUZZ_CHECK(status == 0 || is_error(status));
    act();
    if (status == 0) {
        read_persons(persons->items, persons->count);
    }
}

static void on_conns(int status, const tw__conn_facts *conns, size_t count,
                     void *arg) {
    (void)arg;
    FUZZ_CHECK(waiting > 0);
    waiting--;
    FUZZ_CHECK(status == 0 || is_error(status));
    act();
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(memchr(conns[i].ip, '\0', sizeof conns[i].ip) != NULL);
    }
}

static void on_presence(void *arg, const tw__presence_news *news) {
    const channel *c = find_channel(news->channel, news->channel_len);
    (void)arg;
    FUZZ_CHECK(c != NULL && c->is_wanted && c->is_confirmed);
    act();
    read_persons(news->joined, news->joined_count);
    read_persons(news->left, news->left_count);
}

static void on_act(void *arg, const uint8_t *id, const tw__act *what) {
    (void)arg;
    fuzz_hash(id, TW__CONN_ID_BYTES);
    fuzz_hash(what->text, what->text_len);
    fuzz_hash(what->data, what->len);
    act();
}

/* Those with an odd number are there. */
static bool describe(void *arg, const uint8_t *id, tw__conn_facts *facts) {
    (void)arg;
    memcpy(facts->ip, "::1", 4);
    return (id[2] & 1) != 0;
}

static void on_fresh(void *arg, uint16_t slot) {
    (void)arg;
    FUZZ_CHECK(slot == 1);
    act();
}

/* All but the first keep something. */
static void class_of(void *arg, const char *name, size_t len,
                     tw__channel_class *class) {
    const channel *c = find_channel(name, len);
    (void)arg;
    *class = (tw__channel_class){.has_presence = true, .tells = true};
    if (c != NULL && c != &channels[0]) {
        class->history = (tw__history_class){.size = 6, .retain = 3};
    }
}

/* ---- what it does ------------------------------------------------------- */

static const tw__broker_ops *ops(void) {
    return tw__bus_broker(bus)->ops;
}

static void subscribe(channel *c) {
    int err = ops()->interest(tw__bus_broker(bus), c->name, strlen(c->name),
                              on_confirm, c);
    FUZZ_CHECK(err == (c->is_wanted ? TW_EEXISTS : 0));
    waiting += err == 0;
    c->is_wanted = true;
}

static void drop(channel *c) {
    c->is_wanted = c->is_confirmed = false;
    ops()->drop(tw__bus_broker(bus), c->name, strlen(c->name));
}

static void publish(const channel *c) {
    tw__pub *pub = tw__pub_create(c->name, strlen(c->name), NULL, 0, "data", 4);
    FUZZ_CHECK(pub != NULL);
    ops()->publish(tw__bus_broker(bus), pub);
}

static void count(const channel *c) {
    waiting += ops()->count(tw__bus_broker(bus), c->name, strlen(c->name),
                            on_count, NULL) == 0;
}

static const uint8_t *any_id(void) {
    static uint8_t id[TW__CONN_ID_BYTES];
    id[0] = (uint8_t)fuzz_below(&chance, 20);
    id[2] = (uint8_t)fuzz_below(&chance, 8);
    return id;
}

static void ask(const channel *c) {
    tw__broker *broker = tw__bus_broker(bus);
    tw__locator *locator = tw__bus_locator(bus);
    tw__kept_query query = {.what = (unsigned)fuzz_below(&chance, 32),
                            .since.offset = fuzz_below(&chance, 4),
                            .limit = (uint32_t)fuzz_below(&chance, 4),
                            .limit_bytes = fuzz_below(&chance, 200)};
    size_t len = strlen(c->name);
    switch (fuzz_below(&chance, 3)) {
    case 0:
        waiting +=
            ops()->kept(broker, c->name, len, &query, on_kept, NULL) == 0;
        break;
    case 1:
        waiting += locator->ops->persons(locator, c->name, len,
                                         (uint32_t)fuzz_below(&chance, 9),
                                         on_persons, NULL) == 0;
        break;
    default:
        waiting += locator->ops->user_conns(locator, c->name, len, on_conns,
                                            NULL) == 0;
        break;
    }
}

static void publish_wait(const channel *c) {
    const tw__pub_parts parts = {.channel = c->name,
                                 .channel_len = strlen(c->name),
                                 .key = "k",
                                 .key_len = fuzz_below(&chance, 2),
                                 .id = "i",
                                 .id_len = fuzz_below(&chance, 2),
                                 .data = "data",
                                 .len = 4};
    tw__pub *pub = tw__pub_create_of(NULL, &parts);
    FUZZ_CHECK(pub != NULL);
    waiting +=
        ops()->publish_wait(tw__bus_broker(bus), pub, on_wait, NULL) == 0;
}

static void move(const channel *c) {
    tw__locator *locator = tw__bus_locator(bus);
    const tw__act what = {.what = TW__ACT_SEND,
                          .text = "t",
                          .text_len = 1,
                          .data = "x",
                          .len = 1};
    size_t len = strlen(c->name);
    switch (fuzz_below(&chance, 7)) {
    case 0:
        locator->ops->enter(locator, c->name, len, any_id(), "ann",
                            3 * fuzz_below(&chance, 2), "info", 4,
                            fuzz_below(&chance, 2) != 0);
        break;
    case 1:
        locator->ops->leave(locator, c->name, len, any_id());
        break;
    case 2:
        locator->ops->user_enter(locator, c->name, len, any_id(), 5,
                                 (uint32_t)fuzz_below(&chance, 3),
                                 fuzz_below(&chance, 2) != 0);
        break;
    case 3:
        locator->ops->user_leave(locator, c->name, len, any_id());
        break;
    case 4:
        locator->ops->user_act(locator, c->name, len, &what);
        break;
    case 5:
        locator->ops->act(locator, any_id(), &what);
        break;
    default:
        ops()->remove(tw__bus_broker(bus), c->name, len, "k", 1);
        break;
    }
}

static void finish(void) {
    tw__bus *ended = bus;
    bus = NULL;
    tw__bus_destroy(ended);
}

static void act(void) {
    if (bus == NULL || !is_acting) {
        return;
    }
    channel *c = &channels[fuzz_below(&chance, CHANNELS)];
    switch (fuzz_below(&chance, 40)) {
    case 0:
        finish();
        break;
    case 1:
    case 2:
        drop(c);
        break;
    case 3:
    case 4:
        subscribe(c);
        break;
    case 5:
        count(c);
        break;
    case 6:
    case 7:
        publish(c);
        break;
    case 8:
    case 9:
        ask(c);
        break;
    case 10:
        publish_wait(c);
        break;
    case 11:
    case 12:
        move(c);
        break;
    default:
        break;
    }
}

/* One of each, so that their tokens are known. */
static void ask_all(const channel *c) {
    tw__locator *locator = tw__bus_locator(bus);
    const tw__kept_query query = {.what = TW__KEPT_LOG | TW__KEPT_RETAINED};
    size_t len = strlen(c->name);
    count(c);
    waiting += ops()->kept(tw__bus_broker(bus), c->name, len, &query, on_kept,
                           NULL) == 0;
    waiting +=
        locator->ops->persons(locator, c->name, len, 5, on_persons, NULL) == 0;
    waiting +=
        locator->ops->user_conns(locator, c->name, len, on_conns, NULL) == 0;
}

static void start(void) {
    tw__bus_config config = {.loop = &loop,
                             .poller = &poller,
                             .clockwork = &clockwork,
                             .dir = dir,
                             .listen_fd =
                                 fcntl(listeners[0], F_DUPFD_CLOEXEC, 0),
                             .slots = 2,
                             .node = NODE,
                             .incarnation = 3,
                             .delivery_budget_bytes = 4096,
                             .control_budget_bytes = 2048,
                             .history_budget_bytes = 16384,
                             .presence_grace_ms = GRACE_MS,
                             .presence_told_max = 4,
                             .events = {.on_publication = on_publication,
                                        .on_gap = on_gap,
                                        .on_lost = on_lost,
                                        .on_position = on_position,
                                        .class_of = class_of},
                             .locator_events = {.on_act = on_act,
                                                .describe = describe,
                                                .on_presence = on_presence,
                                                .on_fresh = on_fresh}};
    FUZZ_CHECK(tw__bus_create(&bus, &config) == 0);
    for (int i = 0; i < CHANNELS; i++) {
        channels[i].is_wanted = channels[i].is_confirmed = false;
    }
    for (int i = 0; i < CHANNELS - 1; i++) {
        subscribe(&channels[i]);
    }
    ask_all(&channels[1]);
    publish(&channels[1]);
    publish_wait(&channels[1]);
}

/* ---- the other end ------------------------------------------------------ */

/* What the member wrote so far is whole records and the beginning of one. */
static void check_output(void) {
    size_t at = 0, taken;
    tw__record record;
    do {
        FUZZ_CHECK(tw__record_parse(output.data + at, output.len - at, &record,
                                    &taken) == 0);
        at += taken;
    } while (taken != 0 && at < output.len);
    if (at != 0) {
        memmove(output.data, output.data + at, output.len - at);
        output.len -= at;
    }
}

/* Takes the newest connection of the member, and what it wrote. */
static void hear(void) {
    uint8_t bytes[4096];
    ssize_t len;
    int fd = accept4(listeners[1], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        if (out_fd >= 0) {
            close(out_fd);
        }
        out_fd = fd;
        output.len = 0;
    }
    while (out_fd >= 0 && (len = recv(out_fd, bytes, sizeof bytes, 0)) > 0) {
        fuzz_log_add(&output, bytes, (size_t)len);
    }
    if (output.len != 0) {
        check_output();
    }
}

static void turn(void) {
    if (!tw__loop_is_advancing(&loop)) {
        tw__loop_advance(&loop, 1);
    }
    tw__loop_run_once(&loop, 0);
    hear();
}

static void pass(uint64_t ms) {
    while (tw__loop_is_advancing(&loop)) {
        turn();
    }
    tw__loop_advance(&loop, ms);
    while (tw__loop_is_advancing(&loop)) {
        turn();
    }
}

/* Sends all of it in pieces, with turns between. */
static void say(int *fd, const uint8_t *data, size_t len) {
    for (size_t at = 0, turns = 0; at < len && *fd >= 0 && turns < len + 8;
         turns++) {
        size_t size = fuzz_piece(&chance, len - at);
        uint8_t *piece = fuzz_copy(data + at, size);
        ssize_t sent = send(*fd, piece, size, MSG_NOSIGNAL);
        free(piece);
        if (sent < 0 && errno != EAGAIN) {
            return;
        }
        at += sent > 0 ? (size_t)sent : 0;
        turn();
    }
}

static void say_record(int *fd, tw__record record) {
    uint8_t bytes[TW__RECORD_HEADER];
    record.header.origin = (tw__origin){NODE, 5, 1};
    tw__record_write(bytes, &record);
    say(fd, bytes, sizeof bytes);
}

static void call_in(void) {
    tw__address address;
    address_of(0, &address);
    FUZZ_CHECK(tw__socket_connect(&address, &in_fd) == 0);
}

static void hang_up(int *fd) {
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

static void play(char role, const uint8_t *data, size_t len) {
    if (role == 'a') {
        say(&out_fd, data, len);
        return;
    }
    say_record(&out_fd, (tw__record){.type = TW__RECORD_HELLO_ACK});
    call_in();
    if (role == 'g') {
        say_record(&in_fd,
                   (tw__record){.type = TW__RECORD_HELLO, .header.offset = 1});
    }
    say(&in_fd, data, len);
}

/* What nobody accepted is not for the next input. */
static void clear_queues(void) {
    for (int i = 0; i < 2; i++) {
        for (int fd; (fd = accept(listeners[i], NULL, NULL)) >= 0;) {
            close(fd);
        }
    }
}

/* What the other wanted and entered is forgotten with it, and the member's own
 * channels are none of its business. */
static void check_forgotten(void) {
    for (int i = 0; i < CHANNELS; i += 2) {
        drop(&channels[i]);
    }
    const tw__bus_stats *stats = tw__bus_get_stats(bus);
    FUZZ_CHECK(stats->home_channels >= stats->histories);
    FUZZ_CHECK(stats->home_channels <= stats->histories + stats->persons);
    FUZZ_CHECK(stats->history_bytes <= 2 * 16384);
}

static void check_alive(void) {
    is_acting = false;
    if (bus == NULL) {
        return;
    }
    pass(GRACE_MS);
    pass(GRACE_MS);
    check_forgotten();
    turn();
    subscribe(&channels[0]);
    turn();
    turn();
    unsigned before = own_publications;
    publish(&channels[0]);
    for (int i = 0; i < MAX_TURNS && own_publications == before; i++) {
        turn();
    }
    FUZZ_CHECK(own_publications == before + 1);
    finish();
}

/* ---- records alone ------------------------------------------------------ */

static void check_record(const uint8_t *data, size_t len) {
    tw__record record, again;
    size_t taken = SIZE_MAX, again_taken;
    if (tw__record_parse(data, len, &record, &taken) != 0 || taken == 0) {
        return;
    }
    FUZZ_CHECK(taken <= len && taken == tw__record_size(&record));
    FUZZ_CHECK(taken == tw__record_claimed(data, len));
    uint8_t *copy = malloc(taken);
    FUZZ_CHECK(copy != NULL);
    tw__record_write(copy, &record);
    FUZZ_CHECK(memcmp(copy, data, taken) == 0);
    FUZZ_CHECK(tw__record_parse(copy, taken, &again, &again_taken) == 0);
    FUZZ_CHECK(again_taken == taken);
    /* No part of it is a record, and none is refused. */
    for (size_t i = 0; i < taken; i += 1 + i / 8) {
        FUZZ_CHECK(tw__record_parse(data, i, &again, &again_taken) == 0);
        FUZZ_CHECK(again_taken == 0);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0 || size > INPUT_MAX) {
        return 0;
    }
    size_t live = tw__alloc_live();
    check_record(data + 1, size - 1);
    chance = fuzz_random_of(data, size, 0);
    waiting = own_publications = 0;
    in_fd = out_fd = -1;
    is_acting = true;
    start();
    turn();
    turn();
    play((char)data[0], data + 1, size - 1);
    for (int i = 0; i < 4; i++) {
        turn();
    }
    hang_up(&in_fd);
    for (int i = 0; i < 4; i++) {
        turn();
    }
    check_alive();
    for (int i = 0; i < 3; i++) {
        turn();
    }
    hang_up(&out_fd);
    clear_queues();
    fuzz_log_free(&output);
    FUZZ_CHECK(waiting == 0);
    FUZZ_CHECK(tw__alloc_live() == live);
    return 0;
}
