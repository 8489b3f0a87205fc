/* SPDX-License-Identifier: MIT */
#include "bus/bus.h"

#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "bus/engine.h"
#include "tidewire/errors.h"

enum {
    DEFAULT_PUBLISH_BUDGET = 16 << 20,
    DEFAULT_DELIVERY_BUDGET = 16 << 20,
    DEFAULT_CONTROL_BUDGET = 4 << 20,
    DEFAULT_AWAY_MS = 2000,
    DEFAULT_HISTORY_BUDGET = 256 << 20,
    DEFAULT_GRACE_MS = 5000,
    DEFAULT_TOLD_MAX = 100,
};

#define PEER(node) TW__CONTAINER(node, tw__peer, active)

/* What needs no other member. Confirmations come before the publications, so
 * that an interest gets what is sequenced behind its confirmation. */
static bool run_own(tw__turn_hook *hook) {
    tw__bus *bus = TW__CONTAINER(hook, tw__bus, turn_hook);
    tw__home_time_run(bus);
    tw__wait_answer_failed(bus);
    tw__interest_answer_own(bus);
    bool is_work_left = tw__publish_run_own(bus);
    is_work_left |= tw__ask_answer_own(bus);
    if (!tw__list_is_empty(&bus->home.news)) {
        tw__news_tell(bus);
    }
    tw__home_time_start(bus);
    return is_work_left;
}

static bool run_link(tw__turn_hook *hook) {
    tw__bus *bus = TW__CONTAINER(hook, tw__bus, link_hook);
    tw__list now;
    bool is_work_left = false;
    tw__list_init(&now);
    tw__list_move_all(&now, &bus->active);
    while (!tw__list_is_empty(&now)) {
        tw__peer *peer = PEER(tw__list_shift(&now));
        if (tw__peer_flush(peer)) {
            tw__peer_use(peer);
            is_work_left = true;
        }
    }
    return is_work_left;
}

static void free_memory(tw__bus *bus) {
    tw__home_deinit(&bus->home);
    tw__bytes_deinit(&bus->scratch);
    tw__bytes_deinit(&bus->reply);
    tw__free(bus->read_buffer);
    tw__free(bus->dir);
    tw__free(bus);
}

static bool run_close(tw__turn_hook *hook) {
    tw__bus *bus = TW__CONTAINER(hook, tw__bus, close_hook);
    tw__inlet_free_dead(bus);
    if (bus->is_closing) {
        tw__loop_remove_hook(&bus->turn_hook);
        tw__loop_remove_hook(&bus->link_hook);
        tw__loop_remove_hook(&bus->close_hook);
        free_memory(bus);
    }
    return false;
}

static void on_accept(tw__listener *listener, int fd, const tw__address *peer) {
    (void)peer;
    tw__inlet_accept(listener->arg, fd);
}

/* Out of descriptors: the member sees its stream end and tries again. */
static void on_refused(tw__listener *listener, int error) {
    tw__bus *bus = listener->arg;
    bus->stats.link_resets++;
    tw__log_printf(bus->config.log, TW_LOG_WARN,
                   "bus: cannot accept a member: %s", strerror(error));
}

static void close_fd(int fd) {
    if (fd >= 0) {
        close(fd);
    }
}

static void set_defaults(tw__bus_config *config) {
    if (config->publish_budget_bytes == 0) {
        config->publish_budget_bytes = DEFAULT_PUBLISH_BUDGET;
    }
    if (config->delivery_budget_bytes == 0) {
        config->delivery_budget_bytes = DEFAULT_DELIVERY_BUDGET;
    }
    if (config->control_budget_bytes == 0) {
        config->control_budget_bytes = DEFAULT_CONTROL_BUDGET;
    }
    if (config->away_ms == 0) {
        config->away_ms = DEFAULT_AWAY_MS;
    }
    if (config->history_budget_bytes == 0) {
        config->history_budget_bytes = DEFAULT_HISTORY_BUDGET;
    }
    if (config->presence_grace_ms == 0) {
        config->presence_grace_ms = DEFAULT_GRACE_MS;
    }
    if (config->sweep_ms == 0) {
        config->sweep_ms = TW__BUS_SWEEP_MS;
    }
    if (config->presence_told_max == 0) {
        config->presence_told_max = DEFAULT_TOLD_MAX;
    }
}

static bool is_valid(const tw__bus_config *config) {
    size_t longest =
        sizeof((struct sockaddr_un *)0)->sun_path - sizeof "/bus.65535";
    if (config->slots == 0 ||
        config->slots > UINT16_MAX - TW__BUS_EXTRA_MEMBERS ||
        config->slot >= config->slots + TW__BUS_EXTRA_MEMBERS) {
        return false;
    }
    if (config->dir == NULL) {
        return config->slots == 1 && config->slot == 0;
    }
    return strlen(config->dir) <= longest;
}

static void init_lists(tw__bus *bus) {
    tw__list_init(&bus->own_due);
    tw__list_init(&bus->dropped);
    tw__list_init(&bus->own_asks);
    tw__list_init(&bus->waits);
    tw__list_init(&bus->failed);
    tw__list_init(&bus->publications);
    tw__list_init(&bus->own_wants);
    tw__list_init(&bus->active);
    tw__list_init(&bus->inlets);
    tw__list_init(&bus->dead_inlets);
}

/* A new incarnation of the slot asks with other tokens than the last one. */
static tw__bus *create(const tw__bus_config *config) {
    uint16_t members = (uint16_t)(config->slots + TW__BUS_EXTRA_MEMBERS);
    tw__bus *bus = tw__calloc(1, sizeof *bus + members * sizeof *bus->peers);
    if (bus == NULL) {
        return NULL;
    }
    bus->broker.ops = &tw__bus_broker_ops;
    bus->locator.ops = &tw__bus_locator_ops;
    bus->sweep.cb = tw__home_time_sweep;
    bus->config = *config;
    bus->members = members;
    bus->last_token = (uint64_t)config->incarnation << 32;
    set_defaults(&bus->config);
    init_lists(bus);
    tw__map_init(&bus->interests);
    tw__home_init(&bus->home, config->slot, &bus->config.events,
                  bus->config.history_budget_bytes);
    tw__bytes_init(&bus->scratch);
    tw__bytes_init(&bus->reply);
    for (uint16_t slot = 0; slot < members; slot++) {
        tw__peer_init(&bus->peers[slot], bus, slot);
    }
    return bus;
}

/* The reading side exists only where there is a link. `fd` is taken when this
 * succeeds or fails with TW_EIO. */
static int open_link(tw__bus *bus, int fd) {
    bus->dir = tw__strndup(bus->config.dir, strlen(bus->config.dir));
    bus->read_buffer = tw__malloc(TW__INLET_READ_BYTES);
    if (bus->dir == NULL || bus->read_buffer == NULL) {
        close_fd(fd);
        return TW_ENOMEM;
    }
    bus->config.dir = bus->dir;
    if (fd < 0) {
        return 0;
    }
    bus->listener.on_accept = on_accept;
    bus->listener.on_refused = on_refused;
    bus->listener.arg = bus;
    return tw__listener_start(&bus->listener, bus->config.poller,
                              bus->config.clockwork, fd);
}

static void add_hooks(tw__bus *bus) {
    tw__loop *loop = bus->config.loop;
    tw__loop_add_hook(loop, &bus->turn_hook, run_own, TW__TURN_BUS);
    tw__loop_add_hook(loop, &bus->link_hook, run_link, TW__TURN_LINK);
    tw__loop_add_hook(loop, &bus->close_hook, run_close, TW__TURN_CLOSE);
}

int tw__bus_create(tw__bus **bus, const tw__bus_config *config) {
    tw__bus *created = is_valid(config) ? create(config) : NULL;
    if (created == NULL) {
        close_fd(config->listen_fd);
        return is_valid(config) ? TW_ENOMEM : TW_EINVALID;
    }
    if (config->dir == NULL) {
        close_fd(config->listen_fd);
    } else {
        int err = open_link(created, config->listen_fd);
        if (err != 0) {
            free_memory(created);
            return err;
        }
    }
    add_hooks(created);
    *bus = created;
    return 0;
}

static void close_streams(tw__bus *bus) {
    tw__listener_stop(&bus->listener, false);
    while (!tw__list_is_empty(&bus->inlets)) {
        tw__inlet_close(TW__CONTAINER(bus->inlets.next, tw__inlet, node));
    }
    for (uint16_t slot = 0; slot < bus->members; slot++) {
        tw__peer_close(&bus->peers[slot]);
    }
}

/* The streams go first: nothing that a callback does can then reach another
 * member, and every operation answers TW_ECLOSED. */
void tw__bus_destroy(tw__bus *bus) {
    if (bus == NULL || bus->is_closing) {
        return;
    }
    bus->is_closing = true;
    close_streams(bus);
    tw__clockwork_clear(bus->config.clockwork, &bus->sweep);
    tw__interest_close_all(bus);
    tw__ask_close_all(bus);
    tw__publish_close_all(bus);
    tw__wait_close_all(bus);
    tw__bus_wake(bus);
}

tw__broker *tw__bus_broker(tw__bus *bus) {
    return &bus->broker;
}

tw__locator *tw__bus_locator(tw__bus *bus) {
    return &bus->locator;
}

const tw__bus_stats *tw__bus_get_stats(tw__bus *bus) {
    tw__bus_stats *stats = &bus->stats;
    stats->interests = tw__map_len(&bus->interests);
    stats->home_channels = tw__home_channels(&bus->home);
    stats->histories = tw__archive_len(&bus->home.archive);
    stats->history_publications = bus->home.archive.publications;
    stats->history_bytes = bus->home.archive.bytes;
    stats->histories_given_up = bus->home.archive.given_up;
    stats->users = tw__people_len(&bus->home.people);
    stats->user_connections = bus->home.people.connections;
    stats->persons = bus->home.persons;
    stats->queued_bytes = bus->publication_bytes;
    for (uint16_t slot = 0; slot < bus->members; slot++) {
        stats->queued_bytes += bus->peers[slot].publication_bytes +
                               tw__outbox_len(&bus->peers[slot].outbox);
    }
    return stats;
}

bool tw__bus_is_idle(const tw__bus *bus) {
    bool is_idle = tw__list_is_empty(&bus->own_due) &&
                   tw__list_is_empty(&bus->dropped) &&
                   tw__list_is_empty(&bus->own_asks) &&
                   tw__list_is_empty(&bus->publications);
    for (uint16_t slot = 0; is_idle && slot < bus->members; slot++) {
        is_idle = !tw__peer_has_something(&bus->peers[slot]);
    }
    return is_idle;
}

uint16_t tw__bus_home(const char *channel, size_t len, uint16_t slots) {
    const char *open = memchr(channel, '{', len);
    if (slots <= 1) {
        return 0;
    }
    if (open != NULL) {
        const char *tag = open + 1;
        const char *close_brace =
            memchr(tag, '}', len - (size_t)(tag - channel));
        if (close_brace != NULL && close_brace > tag) {
            channel = tag;
            len = (size_t)(close_brace - tag);
        }
    }
    return (uint16_t)(tw__hash_stable(channel, len) % slots);
}
