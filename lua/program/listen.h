/* listen.h - the public addresses, what is spoken at each and who may connect.
 *
 * An entry of `listen` is an address, or a table in the file:
 *
 *   "127.0.0.1:8080"          TLS when there is a tls.cert
 *   "https://0.0.0.0:443"     TLS, with tls.cert
 *   "http://127.0.0.1:8081"   never TLS
 *   "unix:/run/x.sock"        never TLS; ",mode=0660,group=NAME" behind it
 *   { address = "0.0.0.0:443", tls = { cert = ..., key = ..., client = ...,
 *     client_ca = ..., ocsp = ... } }
 *                             TLS with its own; tls = true, false as above
 *   { address = "unix:...", mode = "0660", group = "NAME" }
 *
 * A table travels through the settings as JSON text.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_LISTEN_H
#define TWP_LISTEN_H

#include <jansson.h>

#include "settings.h"
#include "tidewire/tidewire.h"

typedef struct twp_listen {
    const char **addresses;
    tw_listen_options *options;
    size_t count;
    struct twp_listen_owned *_owned;
} twp_listen;

/* Takes `listen` and `tls` apart; what is wrong goes to `problems`, a line
 * each. To be deinitialised in any case. */
void twp_listen_init(twp_listen *listen, const twp_settings *settings,
                     twp_text *problems);
void twp_listen_deinit(twp_listen *listen);

/* An entry that is a table as text for the settings, its paths relative to the
 * folder of `file`. Free it. */
char *twp_listen_entry(const json_t *table, const char *file);

#endif
