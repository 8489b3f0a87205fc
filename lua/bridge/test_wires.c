/* What is around the workers of a world: clients, requests to others, Redis;
 * and what they say.
 *
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test_world_state.h"
#include "vm_alloc.h"

enum {
    FIELDS_MAX = 32,
    NOTES_MAX = 10000 /* log lines of a world that nobody has looked at */
};

/* A Redis whose calls fail. */
typedef struct down {
    twl_link node;
    int code;
    char name[];
} down;

/* ---- notes -------------------------------------------------------------- */

void twl_note_free(twl_note *note) {
    twl_link_remove(&note->node);
    twl_free(note->texts);
    twl_free(note);
}

void twl_asked_free(twl_asked *asked) {
    twl_link_remove(&asked->node);
    twl_free(asked->texts);
    twl_free(asked);
}

static char *join(const char *const *texts, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += strlen(texts[i]) + 1;
    }
    char *all = twl_malloc(size + 1), *at = all;
    for (size_t i = 0; all && i < count; i++) {
        size_t len = strlen(texts[i]) + 1;
        memcpy(at, texts[i], len);
        at += len;
    }
    return all;
}

/* Without memory it is lost. */
static void note(twl_link *list, uint32_t slot, tw_log_level level,
                 const char *const *texts, size_t count) {
    twl_note *made = twl_zalloc(sizeof *made);
    char *all = made ? join(texts, count) : NULL;
    if (!all) {
        twl_free(made);
        return;
    }
    made->slot = slot;
    made->level = level;
    made->count = count - 1;
    made->texts = all;
    twl_link_append(list, &made->node);
}

void twl_wires_log(tw_log_level level, const char *message,
                   const tw_log_field *fields, size_t count, void *arg) {
    twl_worker *w = arg;
    const char *texts[2 * FIELDS_MAX + 1] = {message};
    count = count < FIELDS_MAX ? count : FIELDS_MAX;
    for (size_t i = 0; i < count; i++) {
        texts[2 * i + 1] = fields[i].key;
        texts[2 * i + 2] = fields[i].value;
    }
    twl_link *notes = &w->world->notes;
    bool is_first = twl_link_is_empty(notes);
    w->world->note_count = is_first ? 1 : w->world->note_count + 1;
    if (w->world->note_count > NOTES_MAX) { /* the oldest goes */
        twl_note_free(TWL_OF(notes->next, twl_note, node));
        w->world->note_count--;
    }
    note(notes, w->slot, level, texts, 2 * count + 1);
}

void twl_wires_failure(const twl_failure *failure, void *arg) {
    twl_worker *w = arg;
    const char *texts[] = {failure->message, "call", failure->call, "traceback",
                           failure->traceback};
    note(&w->world->failures, w->slot, TW_LOG_ERROR, texts, 5);
}

void twl_wires_dropped(const char *path, const char *why, void *arg) {
    twl_worker *w = arg;
    char text[512];
    snprintf(text, sizeof text,
             "conn.%s is %s: a reload would drop it, only plain data goes over",
             path, why);
    const char *texts[] = {text, "call", "conn.state"};
    note(&w->world->failures, w->slot, TW_LOG_ERROR, texts, 3);
}

/* ---- the world around --------------------------------------------------- */

void twl_wires_request(uint32_t slot, const tw_lab_request *request,
                       void *user) {
    twl_world *world = user;
    twl_asked *asked = twl_zalloc(sizeof *asked);
    size_t size = request->method.len + request->url.len + 2;
    for (size_t i = 0; i < request->header_count; i++) {
        size +=
            request->headers[i].name.len + request->headers[i].value.len + 2;
    }
    char *at = asked ? twl_malloc(size + request->body.len + 1) : NULL;
    if (!at) {
        twl_free(asked);
        return; /* it ends with its time */
    }
    asked->texts = at;
#define ADD(text)                                                              \
    memcpy(at, (text).data, (text).len);                                       \
    at[(text).len] = '\0';                                                     \
    at += (text).len + 1
    ADD(request->method);
    ADD(request->url);
    for (size_t i = 0; i < request->header_count; i++) {
        ADD(request->headers[i].name);
        ADD(request->headers[i].value);
    }
    ADD(request->body);
#undef ADD
    asked->slot = slot;
    asked->number = request->number;
    asked->count = request->header_count;
    asked->len = request->body.len;
    twl_link_append(&world->asked, &asked->node);
}

static twl_peer *add_peer(twl_world *world, int fd, uint32_t slot) {
    twl_peer *peer = twl_peer_create(fd, ++world->last_id, slot);
    if (peer) {
        twl_link_append(&world->peers, &peer->node);
    }
    return peer;
}

static down *find_down(const twl_world *world, const char *name) {
    for (twl_link *at = world->downs.next; at != &world->downs; at = at->next) {
        down *one = TWL_OF(at, down, node);
        if (strcmp(one->name, name) == 0) {
            return one;
        }
    }
    return NULL;
}

int twl_wires_redis(uint32_t slot, const char *name, void *user) {
    twl_world *world = user;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   ends) != 0) {
        return -1;
    }
    twl_peer *peer = add_peer(world, ends[1], slot);
    if (!peer) {
        close(ends[0]);
        return -1;
    }
    peer->is_redis = true;
    peer->state = TWL_PEER_OPEN;
    peer->name = twl_strdup(name);
    return ends[0];
}

int twl_world_set_redis(twl_world *world, const char *name, int code) {
    down *one = find_down(world, name);
    if (one) {
        twl_link_remove(&one->node);
        twl_free(one);
    }
    if (!code) {
        return 0;
    }
    size_t size = strlen(name) + 1;
    one = twl_malloc(sizeof *one + size);
    if (!one) {
        return TW_ENOMEM;
    }
    one->code = code;
    memcpy(one->name, name, size);
    twl_link_append(&world->downs, &one->node);
    return 0;
}

int twl_wires_redis_call(uint32_t slot, const char *name, void *user) {
    const down *one = find_down(user, name);
    (void)slot;
    return one ? one->code : 0;
}

twl_peer *twl_world_connect(twl_world *world, uint32_t slot, const char *ip,
                            int *error) {
    int fd;
    *error = tw_lab_connect(world->lab, slot, ip, &fd);
    if (*error) {
        return NULL;
    }
    twl_peer *peer = add_peer(world, fd, slot);
    *error = peer ? 0 : TW_ENOMEM;
    return peer;
}

twl_peer *twl_world_peer(const twl_world *world, uint32_t id) {
    for (twl_link *at = world->peers.next; at != &world->peers; at = at->next) {
        twl_peer *peer = TWL_OF(at, twl_peer, node);
        if (peer->id == id) {
            return peer;
        }
    }
    return NULL;
}

void twl_world_set_guest(twl_world *world, const tw_str *user,
                         const tw_str *info) {
    twl_free(world->guest);
    twl_free(world->guest_info);
    world->guest = user ? twl_memdup(user->data, user->len) : NULL;
    world->guest_info = info ? twl_memdup(info->data, info->len) : NULL;
    world->guest_len = world->guest ? user->len : 0;
    world->guest_info_len = world->guest_info ? info->len : 0;
    world->has_guest = world->guest != NULL;
}

/* An upgrade: does a guest come in who is not to be asked? */
bool twl_wires_upgrade(tw_req *req, void *arg) {
    twl_world *world = ((twl_worker *)arg)->world;
    if (!world->has_guest) {
        return false;
    }
    tw_accept accept = {
        .user = {world->guest, world->guest_len},
        .info = {world->guest_info, world->guest_info_len},
    };
    tw_str name, unused;
    if (tw_req_at(req, TW_REQ_PROTOCOLS, 0, &name, &unused)) {
        accept.subprotocol = name;
    }
    world->has_guest = false;
    if (tw_req_accept(req, &accept) == TW_EINVALID) {
        static const char why[] = "a user has 1 to 255 bytes";
        tw_req_refuse(req, 400, (tw_str){why, sizeof why - 1});
    }
    return true;
}

/* ---- the end ------------------------------------------------------------ */

void twl_wires_free(twl_world *world) {
    while (!twl_link_is_empty(&world->peers)) {
        twl_peer_destroy(TWL_OF(world->peers.next, twl_peer, node));
    }
    while (!twl_link_is_empty(&world->notes)) {
        twl_note_free(TWL_OF(world->notes.next, twl_note, node));
    }
    while (!twl_link_is_empty(&world->failures)) {
        twl_note_free(TWL_OF(world->failures.next, twl_note, node));
    }
    while (!twl_link_is_empty(&world->asked)) {
        twl_asked_free(TWL_OF(world->asked.next, twl_asked, node));
    }
    while (!twl_link_is_empty(&world->downs)) {
        down *one = TWL_OF(world->downs.next, down, node);
        twl_link_remove(&one->node);
        twl_free(one);
    }
}
