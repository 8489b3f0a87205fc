/* listen_parts.h - what the files of listen* have between them.
 * SPDX-License-Identifier: MIT */
#ifndef TWP_LISTEN_PARTS_H
#define TWP_LISTEN_PARTS_H

#include "listen.h"

/* Everything that an entry's config points to. */
typedef struct twp_listen_owned {
    struct twp_listen_owned *next;
    json_t *json; /* holds the texts; NULL: the settings do */
    char *text;   /* an address without its options, which stand behind it */
    tw_tls_config config;
    const char **ocsp;
    tw_tls_pair pairs[];
} twp_listen_owned;

/* The taking apart under way. */
typedef struct twp_listing {
    twp_listen *listen;
    const twp_settings *settings;
    twp_text *problems;
    const tw_tls_config *common; /* of the tls options; NULL: none */
} twp_listing;

/* One line more of what is wrong. */
void twp_listen_remark(const twp_listing *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for this many certificates and OCSP responses; `json`, or NULL, is kept
 * along with it. Freed with the list. */
twp_listen_owned *twp_listen_own(const twp_listing *t, size_t pairs,
                                 size_t ocsp, json_t *json);

/* False, and remarked, when the table has other keys than these, which end with
 * NULL. */
bool twp_listen_is_known(const twp_listing *t, const char *where,
                         const json_t *table, const char *const *names);

/* What stands behind the prefix, or NULL. */
const char *twp_after(const char *text, const char *prefix);

/* listen_tls.c: the tls options, and those of one entry. NULL: none, or
 * remarked. */
const tw_tls_config *twp_listen_common_tls(const twp_listing *t);
const tw_tls_config *twp_listen_own_tls(const twp_listing *t, const char *where,
                                        json_t *root, const json_t *tls);

/* listen_unix.c: what follows "unix:PATH" behind commas goes to the options of
 * entry `i`; gives the address without it. */
const char *twp_listen_take_unix(const twp_listing *t, size_t i,
                                 const char *text);
/* The keys of a table; NULL: not text. */
void twp_listen_take_mode(const twp_listing *t, size_t i, const char *where,
                          const char *text);
void twp_listen_take_group(const twp_listing *t, size_t i, const char *where,
                           const char *text);
/* They are for Unix sockets only. */
void twp_listen_check_sharing(const twp_listing *t, size_t i);

#endif
