/* SPDX-License-Identifier: MIT */
#include "server/tls.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"

static const tw_tls_config *config_of(const tw_config *config, size_t i) {
    return config->listen_options[i].tls;
}

/* ---- sets from texts ----------------------------------------------------- */

typedef struct building {
    tw_server *server;
    const tw__tls_folio *folio;
    size_t at;
    char *detail;
    size_t size;
} building;

static bool take_texts(building *b, const tw_tls_config *config,
                       tw__tls_material *materials, tw__pem *client_ca,
                       tw__pem *ocsp) {
    bool is_there = true;
    for (size_t i = 0; is_there && i < config->pair_count; i++) {
        const tw_tls_pair *pair = &config->pairs[i];
        materials[i] = (tw__tls_material){.name = pair->cert};
        is_there = tw__tls_next_file(b->folio, &b->at, &materials[i].cert) &&
                   (pair->key == NULL ||
                    tw__tls_next_file(b->folio, &b->at, &materials[i].key));
    }
    if (is_there && config->client_ca != NULL) {
        is_there = tw__tls_next_file(b->folio, &b->at, client_ca);
    }
    for (size_t i = 0; is_there && i < config->ocsp_count; i++) {
        is_there = tw__tls_next_file(b->folio, &b->at, &ocsp[i]);
    }
    return is_there;
}

/* The same in all workers: one says so. */
static void note_remark(const tw_server *server, const tw_tls_config *config,
                        const tw__tls *set) {
    size_t which;
    const char *why = tw__tls_remark(set, &which);
    if (why != NULL && server->slot == 0) {
        tw__log_write(&server->log, TW_LOG_WARN,
                      "an OCSP response is not sent along", "file",
                      config->ocsp[which], "reason", why, NULL);
    }
}

static int build_set(building *b, const tw_tls_config *config, tw__tls **set) {
    tw__tls_config wanted = {.count = config->pair_count,
                             .client = config->client,
                             .client_ca_name = config->client_ca,
                             .ocsp_names = config->ocsp,
                             .ocsp_count = config->ocsp_count,
                             .tickets = &b->server->tls->tickets,
                             .loop = &b->server->loop};
    tw__tls_material *materials =
        tw__calloc(config->pair_count, sizeof *materials);
    tw__pem *ocsp = tw__calloc(config->ocsp_count, sizeof *ocsp);
    int err = TW_ENOMEM;
    if (materials != NULL && ocsp != NULL) {
        wanted.materials = materials;
        wanted.ocsp = ocsp;
        err = take_texts(b, config, materials, &wanted.client_ca, ocsp)
                  ? tw__tls_create(set, &wanted, b->detail, b->size)
                  : TW_EINVALID;
    }
    if (err == 0) {
        note_remark(b->server, config, *set);
    }
    tw__free(materials);
    tw__free(ocsp);
    return err;
}

static tw__tls *find_shared(const tw_config *config, tw__tls *const *sets,
                            size_t listener) {
    for (size_t i = 0; i < listener; i++) {
        if (config_of(config, i) == config_of(config, listener)) {
            return tw__tls_ref(sets[i]);
        }
    }
    return NULL;
}

static void drop_sets(tw__tls **sets, size_t count) {
    for (size_t i = 0; i < count; i++) {
        tw__tls_unref(sets[i]);
        sets[i] = NULL;
    }
}

static int build_all(tw_server *server, const tw_config *config,
                     const tw__tls_folio *folio, char *detail, size_t size) {
    tw__tls_edge *edge = server->tls;
    building b = {server, folio, 0, detail, size};
    int err = 0;
    for (size_t i = 0; err == 0 && i < edge->count; i++) {
        if (config_of(config, i) == NULL) {
            continue;
        }
        edge->next[i] = find_shared(config, edge->next, i);
        if (edge->next[i] == NULL) {
            err = build_set(&b, config_of(config, i), &edge->next[i]);
        }
    }
    if (err != 0) {
        drop_sets(edge->next, edge->count);
        if (err == TW_ENOMEM) {
            snprintf(detail, size, "%s", tw_strerror(err));
        }
    }
    edge->has_next = err == 0;
    return err;
}

/* ---- the edge ------------------------------------------------------------ */

/* Address space only, as the slab. */
static int open_table(tw_server *server) {
    void *table = mmap(NULL, server->conn_cap * sizeof(tw__tls_conn *),
                       PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table == MAP_FAILED) {
        return TW_ENOMEM;
    }
    server->tls->conns = table;
    return 0;
}

static int open_edge(tw_server *server, size_t count) {
    tw__tls_edge *edge = tw__calloc(1, sizeof *edge);
    if (edge == NULL) {
        return TW_ENOMEM;
    }
    server->tls = edge;
    edge->count = count;
    edge->sets = tw__calloc(count, sizeof *edge->sets);
    edge->next = tw__calloc(count, sizeof *edge->next);
    edge->record = tw__malloc(TW__TLS_RECORD);
    return edge->sets == NULL || edge->next == NULL || edge->record == NULL
               ? TW_ENOMEM
               : open_table(server);
}

static int read_and_build(tw_server *server, const tw_config *config,
                          char *detail, size_t size) {
    tw__tls_folio *folio = tw__malloc(sizeof *folio);
    if (folio == NULL) {
        return TW_ENOMEM;
    }
    int err = tw__tls_read_files(config, folio, detail, size);
    if (err == 0) {
        err = build_all(server, config, folio, detail, size);
        tw__tls_wipe(folio);
    }
    tw__free(folio);
    return err;
}

int tw__server_open_tls(tw_server *server, const tw_config *config,
                        const tw__place *place, char *detail, size_t size) {
    char none[1];
    if (!tw__tls_is_wanted(config)) {
        return 0;
    }
    detail = detail != NULL ? detail : none;
    size = detail != none ? size : 0;
    int err = open_edge(server, config->listen_count);
    if (err == 0 && place != NULL) {
        const tw__tls_vault *vault = place->vault;
        server->tls->tickets = *place->tickets;
        err = build_all(server, config, &vault->folios[vault->current], detail,
                        size);
    } else if (err == 0) {
        tw__tls_tickets_init(&server->tls->tickets, 0);
        err = read_and_build(server, config, detail, size);
    }
    if (err == 0) {
        tw__server_commit_tls(server);
    }
    return err;
}

void tw__server_close_tls(tw_server *server) {
    tw__tls_edge *edge = server->tls;
    if (edge == NULL) {
        return;
    }
    if (edge->sets != NULL && edge->next != NULL) {
        drop_sets(edge->sets, edge->count);
        drop_sets(edge->next, edge->count);
    }
    if (edge->conns != NULL) {
        munmap(edge->conns, server->conn_cap * sizeof *edge->conns);
    }
    tw__tls_tickets_wipe(&edge->tickets);
    if (edge->record != NULL) {
        explicit_bzero(edge->record, TW__TLS_RECORD);
    }
    tw__free(edge->record);
    tw__free(edge->sets);
    tw__free(edge->next);
    tw__free(edge);
    server->tls = NULL;
}

/* ---- others in their place ----------------------------------------------- */

int tw__server_prepare_tls(tw_server *server, const tw_config *config,
                           const tw__tls_vault *vault, char *detail,
                           size_t size) {
    if (server->tls == NULL || vault == NULL) {
        return 0;
    }
    tw__server_abort_tls(server);
    if (vault->error != 0) {
        snprintf(detail, size, "%s", vault->why);
        return vault->error;
    }
    return vault->next == vault->current
               ? 0
               : build_all(server, config, &vault->folios[vault->next], detail,
                           size);
}

static int64_t first_end(const tw__tls_edge *edge,
                         int64_t (*end_of)(const tw__tls *set)) {
    int64_t first = 0;
    for (size_t i = 0; i < edge->count; i++) {
        int64_t end = edge->sets[i] != NULL ? end_of(edge->sets[i]) : 0;
        first = end != 0 && (first == 0 || end < first) ? end : first;
    }
    return first;
}

void tw__server_commit_tls(tw_server *server) {
    tw__tls_edge *edge = server->tls;
    if (edge == NULL || !edge->has_next) {
        return;
    }
    tw__tls **old = edge->sets;
    drop_sets(old, edge->count);
    edge->sets = edge->next;
    edge->next = old;
    edge->has_next = false;
    uint64_t volatile *gauges = server->page->gauges;
    gauges[TW_GAUGE_TLS_EXPIRES] = (uint64_t)first_end(edge, tw__tls_expires);
    gauges[TW_GAUGE_TLS_OCSP_EXPIRES] =
        (uint64_t)first_end(edge, tw__tls_ocsp_expires);
}

void tw__server_abort_tls(tw_server *server) {
    if (server->tls != NULL) {
        drop_sets(server->tls->next, server->tls->count);
        server->tls->has_next = false;
    }
}

int tw_server_use_certificates(tw_server *server, const tw_config *config,
                               char *detail, size_t size) {
    char none[1];
    detail = detail != NULL ? detail : none;
    size = detail != none ? size : 0;
    snprintf(detail, size, "%s", tw_strerror(TW_EINVALID));
    if (server->tls == NULL || config->listen_options == NULL ||
        config->listen_count != server->tls->count) {
        return TW_EINVALID;
    }
    for (size_t i = 0; i < config->listen_count; i++) {
        if ((config_of(config, i) == NULL) != (server->tls->sets[i] == NULL)) {
            return TW_EINVALID;
        }
    }
    tw__server_abort_tls(server);
    int err = read_and_build(server, config, detail, size);
    if (err == 0) {
        tw__server_commit_tls(server);
    }
    return err;
}
