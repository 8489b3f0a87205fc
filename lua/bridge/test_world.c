/* The life of a world, and its time.
 *
 * SPDX-License-Identifier: MIT */
#include "loader_sources.h"
#include "state.h"
#include "test_world_state.h"
#include "vm_alloc.h"

enum { CHECK_TURNS = 64, MOST_TURNS = 10000 };

/* ---- running ------------------------------------------------------------ */

static bool pump(twl_world *world) {
    bool did = false;
    for (twl_link *at = world->peers.next; at != &world->peers; at = at->next) {
        did |= twl_peer_pump(TWL_OF(at, twl_peer, node));
    }
    return did;
}

static bool is_asked(const twl_world *world) {
    if (!twl_link_is_empty(&world->asked) ||
        !twl_link_is_empty(&world->failures)) {
        return true;
    }
    for (twl_link *at = world->peers.next; at != &world->peers; at = at->next) {
        const twl_peer *peer = TWL_OF(at, twl_peer, node);
        if (peer->is_redis && peer->fd >= 0 && twl_peer_has_command(peer)) {
            return true;
        }
    }
    return false;
}

static bool rest(twl_world *world, void (*check)(void *arg), void *arg) {
    for (unsigned turns = 0; turns < MOST_TURNS; turns += CHECK_TURNS) {
        bool did = pump(world);
        bool is_quiet = tw_lab_run(world->lab, CHECK_TURNS);
        if (is_quiet && !pump(world) && !did) {
            return true;
        }
        check(arg);
    }
    return false;
}

bool twl_peer_has_answer(const twl_peer *peer) {
    return peer->state == TWL_PEER_OPEN || peer->state == TWL_PEER_OVER;
}

twl_run_result twl_world_run(twl_world *world, uint64_t until_ms,
                             const twl_peer *waiter, void (*check)(void *arg),
                             void *arg) {
    do {
        if (!rest(world, check, arg)) {
            return TWL_RUN_RESTLESS;
        }
        if (is_asked(world)) {
            return TWL_RUN_ASKED;
        }
    } while (!(waiter && twl_peer_has_answer(waiter)) &&
             tw_lab_step(world->lab, until_ms));
    return TWL_RUN_DONE;
}

void twl_world_check_states(twl_world *world) {
    for (uint32_t i = 0; i < world->workers; i++) {
        tw_lua *lua = world->members[i].lua;
        if (lua && lua->current) {
            twl_states_check(lua->current, twl_wires_dropped,
                             &world->members[i]);
        }
    }
}

/* ---- facts -------------------------------------------------------------- */

tw_lab *twl_world_lab(const twl_world *world) {
    return world->lab;
}

tw_server *twl_world_server(const twl_world *world, uint32_t slot) {
    return tw_lab_server(world->lab, slot);
}

uint32_t twl_world_generation(const twl_world *world) {
    return world->generation;
}

uint32_t twl_world_workers(const twl_world *world) {
    return world->workers;
}

twl_link *twl_world_notes(twl_world *world) {
    return &world->notes;
}

twl_link *twl_world_failures(twl_world *world) {
    return &world->failures;
}

twl_link *twl_world_asked(twl_world *world) {
    return &world->asked;
}

twl_link *twl_world_peers(twl_world *world) {
    return &world->peers;
}

/* ---- create and destroy ------------------------------------------------- */

void twl_test_script_deinit(twl_test_script *script) {
    twl_free(script->path);
    twl_free(script->dir);
    twl_free(script->code);
    *script = (twl_test_script){0};
}

static int copy_values(twl_world *world, const twl_world_config *config) {
    size_t count = config->value_count;
    world->values = twl_zalloc((count + 1) * sizeof *world->values);
    for (size_t i = 0; world->values && i < count; i++) {
        twl_value *value = &world->values[world->value_count++];
        value->key = twl_strdup(config->values[i].key);
        value->json = twl_strdup(config->values[i].json);
        if (!value->key || !value->json) {
            return TW_ENOMEM;
        }
    }
    return world->values ? 0 : TW_ENOMEM;
}

static int copy_files(twl_world *world, const twl_world_config *config) {
    size_t count = config->file_count;
    world->files = twl_zalloc((count + 1) * sizeof *world->files);
    for (size_t i = 0; world->files && i < count; i++) {
        world->files[world->file_count++] = twl_strdup(config->files[i]);
        if (!world->files[i]) {
            return TW_ENOMEM;
        }
    }
    return world->files ? 0 : TW_ENOMEM;
}

static twl_world *allocate(const twl_world_config *config) {
    twl_world *world =
        twl_zalloc(sizeof *world + config->workers * sizeof *world->members);
    if (!world) {
        return NULL;
    }
    world->workers = config->workers;
    world->limits = config->limits;
    twl_link_init(&world->notes);
    twl_link_init(&world->failures);
    twl_link_init(&world->asked);
    twl_link_init(&world->peers);
    twl_link_init(&world->downs);
    for (uint32_t i = 0; i < config->workers; i++) {
        world->members[i].world = world;
        world->members[i].slot = i;
    }
    return world;
}

/* The last case's: sockets and loop take longer to be made than to be cleaned.
 */
static tw_lab *spare;
static uint32_t spare_slots;

static int take_lab(twl_world *world, const tw_lab_config *config) {
    if (!spare || spare_slots != config->slots) {
        return tw_lab_create(&world->lab, config);
    }
    world->lab = spare;
    spare = NULL;
    tw_lab_reset(world->lab, config);
    return 0;
}

void twl_world_drop_spare(void) {
    tw_lab_destroy(spare);
    spare = NULL;
}

static void give_lab(twl_world *world) {
    if (world->lab) {
        twl_world_drop_spare();
        spare = world->lab;
        spare_slots = world->workers;
    }
}

int twl_world_create(twl_world **out, const twl_world_config *config) {
    twl_world *world = allocate(config);
    if (!world) {
        return TW_ENOMEM;
    }
    tw_lab_config lab = {.slots = config->workers,
                         .dict_memory_bytes = config->limits.dict_memory_bytes,
                         .wall_ms = config->wall_ms,
                         .on_request = twl_wires_request,
                         .on_redis = twl_wires_redis,
                         .on_redis_call = twl_wires_redis_call,
                         .user = world};
    int code = copy_values(world, config);
    code = code ? code : copy_files(world, config);
    if (!code && config->library_dir) {
        world->library_dir = twl_strdup(config->library_dir);
        code = world->library_dir ? 0 : TW_ENOMEM;
    }
    code = code ? code : take_lab(world, &lab);
    if (code) {
        twl_world_destroy(world);
        return code;
    }
    *out = world;
    return 0;
}

void twl_world_destroy(twl_world *world) {
    if (!world) {
        return;
    }
    for (uint32_t i = 0; world->lab && i < world->workers; i++) {
        twl_world_kill(world, i);
    }
    give_lab(world);
    twl_wires_free(world);
    for (size_t i = 0; i < world->value_count; i++) {
        twl_free(world->values[i].key);
        twl_free(world->values[i].json);
    }
    for (size_t i = 0; i < world->file_count; i++) {
        twl_free(world->files[i]);
    }
    twl_free(world->values);
    twl_free(world->files);
    twl_sources_destroy(world->sources);
    twl_free(world->library_dir);
    twl_free(world->guest);
    twl_free(world->guest_info);
    twl_test_script_deinit(&world->script);
    twl_free(world);
}
