/* tls_files.h - certificates and keys as they stand in their files.
 *
 * A folio is the contents of all files that the listeners of a config name, one
 * behind the other, in the order of the config: whoever has the config takes it
 * apart again. Keys are among them: it is wiped when it is not needed any more,
 * and never written anywhere.
 *
 * A vault is two folios in memory that a master shares with its workers, left
 * out of core dumps: the one in force and room for the next. The master reads
 * the files, before it gives up root and again at each reload, so that all
 * workers have the same; each makes of them what OpenSSL wants.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_TLS_FILES_H
#define TW_SERVER_TLS_FILES_H

#include "base/log.h"
#include "net/tls.h"
#include "tidewire/tidewire.h"

enum { TW__FOLIO_BYTES = 1 << 20, TW__VAULT_WHY = 512 };

typedef struct tw__tls_folio {
    size_t len;
    uint8_t data[TW__FOLIO_BYTES];
} tw__tls_folio;

typedef struct tw__tls_vault {
    uint32_t current, next; /* the same: there is nothing new */
    int32_t error;          /* of the last reading, which is not in force */
    char why[TW__VAULT_WHY];
    tw__tls_folio folios[2];
} tw__tls_vault;

/* Some listener speaks TLS. */
bool tw__tls_is_wanted(const tw_config *config);

/* Listeners with one and the same config share what is made of it: the first
 * of them is the one that counts. */
bool tw__tls_is_first(const tw_config *config, size_t listener);

/* Reads all files. 0; TW_EDENIED (not readable by us, or a key that everybody
 * can read), TW_EINVALID (no file, too large), TW_EIO: `detail` gets a
 * sentence. */
int tw__tls_read_files(const tw_config *config, tw__tls_folio *folio,
                       char *detail, size_t size);

/* The next text of a folio, from *at on, which starts as 0; false when it is
 * shorter than the config says. */
bool tw__tls_next_file(const tw__tls_folio *folio, size_t *at, tw__pem *out);

void tw__tls_wipe(tw__tls_folio *folio);

/* Mapped before the first fork; NULL without memory. */
tw__tls_vault *tw__tls_vault_create(void);
/* This process no longer has it; NULL is allowed. */
void tw__tls_vault_destroy(tw__tls_vault *vault);

/* The master's side of a reload. Reads into `next`, or notes in `error` why not
 * and leaves what is in force. Where `may_be_denied` (we were root once, and
 * are not now) a file that cannot be read any more is no error: told in the log
 * and the old ones stay. */
void tw__tls_vault_reread(tw__tls_vault *vault, const tw_config *config,
                          bool may_be_denied, const tw__log *log);
/* It was committed: the old texts are wiped. */
void tw__tls_vault_commit(tw__tls_vault *vault);
void tw__tls_vault_abort(tw__tls_vault *vault);

#endif
