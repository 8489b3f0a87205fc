/* tls.h - TLS 1.2 and 1.3 for accepted connections, with OpenSSL, of which
 * nothing is seen outside of net/tls*.
 *
 * A set is the certificates of one listener, ready to be used: immutable and
 * counted, so that connections keep the one they came with when another takes
 * its place. A connection is a TLS state on a non-blocking descriptor, which
 * stays its owner's: nothing here opens or closes one.
 *
 * Data is encrypted when it is written, one record at a time: what the kernel
 * does not take of it waits, and nothing is encrypted behind it.
 *
 * Belongs to one thread. OpenSSL allocates by itself; when it cannot, creating
 * fails with TW_ENOMEM and a connection is TW__TLS_BROKEN.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_TLS_H
#define TW_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/loop.h"
#include "net/tls_tickets.h"
#include "tidewire/tidewire.h"

/* The plain bytes of one record at most. */
enum { TW__TLS_RECORD = 16384 };

typedef struct tw__tls tw__tls;           /* a set */
typedef struct tw__tls_conn tw__tls_conn; /* a connection's state */

/* ---- sets (tls_set.c, tls_pem.c, tls_staple.c) --------------------------- */

/* PEM texts, or DER, not files; borrowed. */
typedef struct tw__pem {
    const char *data;
    size_t len;
} tw__pem;

/* A certificate with its chain, and its key: .data NULL means that `cert`
 * holds it, too. `name` is for messages. */
typedef struct tw__tls_material {
    tw__pem cert, key;
    const char *name;
} tw__tls_material;

typedef struct tw__tls_config {
    const tw__tls_material *materials; /* the first is for unknown names */
    size_t count;
    tw_tls_client client;
    tw__pem client_ca; /* .data NULL: none */
    const char *client_ca_name;
    const tw__pem *ocsp; /* responses in DER, each for whom it is about */
    const char *const *ocsp_names;
    size_t ocsp_count;
    tw__tls_tickets *tickets; /* outlives the set */
    const tw__loop *loop;     /* so does it; its wall clock says what of the
                                 responses is valid. NULL: the machine's */
} tw__tls_config;

/* 0, TW_EINVALID (`detail` gets a sentence without anything secret) or
 * TW_ENOMEM. The set is given, with one reference. */
int tw__tls_create(tw__tls **set, const tw__tls_config *config, char *detail,
                   size_t size);
tw__tls *tw__tls_ref(tw__tls *set);
void tw__tls_unref(tw__tls *set); /* NULL is allowed */

/* When the first of its certificates ends, in seconds since 1970. */
int64_t tw__tls_expires(const tw__tls *set);
/* The same of the OCSP responses that are sent; 0 when none is. */
int64_t tw__tls_ocsp_expires(const tw__tls *set);
/* Why an OCSP response is of no use, *which is its place; NULL: all are. */
const char *tw__tls_remark(const tw__tls *set, size_t *which);

/* ---- connections (tls_conn.c) ------------------------------------------- */

/* What reading, writing and shaking hands answer besides a count. */
enum tw__tls_answer {
    TW__TLS_AGAIN = -1,   /* nothing more can be done now */
    TW__TLS_BLOCKED = -2, /* has to write before it can go on to read */
    TW__TLS_BROKEN = -3   /* over: see tw__tls_fault */
};

/* Why a handshake came to nothing. */
typedef enum tw__tls_reason {
    TW__TLS_OK,
    TW__TLS_PLAIN,       /* the peer speaks HTTP without TLS */
    TW__TLS_NO_COMMON,   /* no version, cipher or protocol in common */
    TW__TLS_CERTIFICATE, /* one side does not trust the other's certificate */
    TW__TLS_PROTOCOL,    /* not TLS, or broken */
    TW__TLS_CLOSED       /* the peer left */
} tw__tls_reason;

/* NULL without memory. Takes a reference to the set. */
tw__tls_conn *tw__tls_accept(tw__tls *set, int fd);
void tw__tls_free(tw__tls_conn *conn); /* NULL is allowed; sends nothing */

/* Goes one step: 0 when the connection is ready, or an answer. */
int tw__tls_handshake(tw__tls_conn *conn);
tw__tls_reason tw__tls_fault(const tw__tls_conn *conn);
bool tw__tls_is_resumed(const tw__tls_conn *conn);

/* Reads up to `room` bytes: how many, 0 at the end of the peer's stream, or an
 * answer. Bounded in records, too. */
ssize_t tw__tls_read(tw__tls_conn *conn, void *data, size_t room);
/* There is input that no poller knows of: it left the kernel already. */
bool tw__tls_has_more(const tw__tls_conn *conn);

/* Sends 1 to TW__TLS_RECORD bytes as one record: `len` when the kernel took all
 * of it, or an answer. After AGAIN the record is made, and the next call has to
 * bring the same bytes. */
ssize_t tw__tls_write(tw__tls_conn *conn, const void *data, size_t len);
/* Encrypted bytes that the kernel took, so far. */
uint64_t tw__tls_sent(const tw__tls_conn *conn);

/* Says to the peer that nothing follows, if that can be said now. */
void tw__tls_close(tw__tls_conn *conn);

/* ---- the peer (tls_peer.c) ---------------------------------------------- */

/* What is known of a connection that shook hands; texts are in one block, which
 * is given (tw__free). 0 or TW_ENOMEM. */
int tw__tls_describe(const tw__tls_conn *conn, tw_tls_info *info, char **block);

/* ---- memory (tls_memory.c) ---------------------------------------------- */

/* From now on the memory of OpenSSL in this process and its forks is counted.
 * Only before anything in the process used OpenSSL: false, and nothing done,
 * when it is too late. */
bool tw__tls_count_memory(void);
/* Bytes that OpenSSL holds, of all its users; 0 when they are not counted. */
size_t tw__tls_memory(void);

#endif
