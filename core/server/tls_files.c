/* SPDX-License-Identifier: MIT */
#include "server/tls_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static const tw_tls_config *config_of(const tw_config *config, size_t i) {
    return config->listen_options != NULL ? config->listen_options[i].tls
                                          : NULL;
}

bool tw__tls_is_wanted(const tw_config *config) {
    for (size_t i = 0; i < config->listen_count; i++) {
        if (config_of(config, i) != NULL) {
            return true;
        }
    }
    return false;
}

bool tw__tls_is_first(const tw_config *config, size_t listener) {
    const tw_tls_config *tls = config_of(config, listener);
    for (size_t i = 0; i < listener; i++) {
        if (config_of(config, i) == tls) {
            return false;
        }
    }
    return tls != NULL;
}

void tw__tls_wipe(tw__tls_folio *folio) {
    explicit_bzero(folio->data, folio->len);
    folio->len = 0;
}

/* ---- one file ----------------------------------------------------------- */

typedef struct reading {
    tw__tls_folio *folio;
    char *detail;
    size_t size;
} reading;

static int complain(const reading *r, int error, const char *path,
                    const char *why) {
    snprintf(r->detail, r->size, "%s: %s", path, why);
    return error;
}

static int complain_errno(const reading *r, const char *path) {
    return complain(r, errno == EACCES || errno == EPERM ? TW_EDENIED : TW_EIO,
                    path, strerror(errno));
}

/* A key that others can read or replace is not ours alone any more. Its group
 * may read it: that is how a server gets it which is not root. */
static int check(const reading *r, int fd, const char *path, bool is_key) {
    struct stat facts;
    if (fstat(fd, &facts) != 0) {
        return complain_errno(r, path);
    }
    if (!S_ISREG(facts.st_mode)) {
        return complain(r, TW_EINVALID, path, "is not a plain file");
    }
    if (is_key && (facts.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
        return complain(r, TW_EDENIED, path,
                        "holds a private key and is open to others: chmod "
                        "0600, or 0640");
    }
    return 0;
}

static int read_open(const reading *r, int fd, const char *path) {
    tw__tls_folio *folio = r->folio;
    uint32_t len = 0;
    uint8_t *header = folio->data + folio->len;
    if (sizeof folio->data - folio->len < sizeof len + 1) {
        return complain(r, TW_EINVALID, path, "with it there is over 1 MiB");
    }
    size_t room = sizeof folio->data - folio->len - sizeof len;
    for (;;) {
        ssize_t got = read(fd, header + sizeof len + len, room - len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return complain_errno(r, path);
        }
        if (got == 0) {
            break;
        }
        len += (uint32_t)got;
        if (len == room) {
            return complain(r, TW_EINVALID, path,
                            "with it there is over 1 MiB");
        }
    }
    memcpy(header, &len, sizeof len);
    folio->len += sizeof len + len;
    return 0;
}

static int read_file(const reading *r, const char *path, bool is_key) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return complain_errno(r, path);
    }
    int err = check(r, fd, path, is_key);
    if (err == 0) {
        err = read_open(r, fd, path);
    }
    close(fd);
    return err;
}

/* ---- all files ---------------------------------------------------------- */

static int read_listener(const reading *r, const tw_tls_config *tls) {
    int err = 0;
    for (size_t i = 0; err == 0 && i < tls->pair_count; i++) {
        const tw_tls_pair *pair = &tls->pairs[i];
        err = read_file(r, pair->cert, pair->key == NULL);
        if (err == 0 && pair->key != NULL) {
            err = read_file(r, pair->key, true);
        }
    }
    if (err == 0 && tls->client_ca != NULL) {
        err = read_file(r, tls->client_ca, false);
    }
    for (size_t i = 0; err == 0 && i < tls->ocsp_count; i++) {
        err = read_file(r, tls->ocsp[i], false);
    }
    return err;
}

int tw__tls_read_files(const tw_config *config, tw__tls_folio *folio,
                       char *detail, size_t size) {
    reading r = {folio, detail, size};
    int err = 0;
    folio->len = 0;
    for (size_t i = 0; err == 0 && i < config->listen_count; i++) {
        if (tw__tls_is_first(config, i)) {
            err = read_listener(&r, config_of(config, i));
        }
    }
    if (err != 0) {
        tw__tls_wipe(folio);
    }
    return err;
}

bool tw__tls_next_file(const tw__tls_folio *folio, size_t *at, tw__pem *out) {
    uint32_t len;
    if (folio->len - *at < sizeof len) {
        return false;
    }
    memcpy(&len, folio->data + *at, sizeof len);
    *out = (tw__pem){(const char *)folio->data + *at + sizeof len, len};
    *at += sizeof len + len;
    return true;
}

/* ---- the vault ---------------------------------------------------------- */

tw__tls_vault *tw__tls_vault_create(void) {
    void *place = mmap(NULL, sizeof(tw__tls_vault), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED) {
        return NULL;
    }
    madvise(place, sizeof(tw__tls_vault), MADV_DONTDUMP);
    return place;
}

void tw__tls_vault_destroy(tw__tls_vault *vault) {
    if (vault != NULL) {
        munmap(vault, sizeof *vault);
    }
}

static bool is_same(const tw__tls_folio *a, const tw__tls_folio *b) {
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

void tw__tls_vault_reread(tw__tls_vault *vault, const tw_config *config,
                          bool may_be_denied, const tw__log *log) {
    tw__tls_folio *present = &vault->folios[vault->current];
    tw__tls_folio *other = &vault->folios[1 - vault->current];
    vault->next = vault->current;
    vault->error =
        tw__tls_read_files(config, other, vault->why, sizeof vault->why);
    if (vault->error == TW_EDENIED && may_be_denied) {
        vault->error = 0;
        tw__log_write(log, TW_LOG_WARN, "the certificates were not read again",
                      "error", vault->why, NULL);
    } else if (vault->error == 0 && !is_same(present, other)) {
        vault->next = 1 - vault->current;
        tw__log_write(log, TW_LOG_INFO, "the certificates have changed", NULL);
    } else {
        tw__tls_wipe(other);
    }
}

void tw__tls_vault_commit(tw__tls_vault *vault) {
    if (vault->next != vault->current) {
        uint32_t old = vault->current;
        vault->current = vault->next;
        tw__tls_wipe(&vault->folios[old]);
    }
}

void tw__tls_vault_abort(tw__tls_vault *vault) {
    vault->next = vault->current;
    vault->error = 0;
}
