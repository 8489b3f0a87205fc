/* locator.h - who is connected where: the seam for users, presence, members
 * and leases. Its first engine comes with users; until then this names the
 * shape that engines share, so that callers do not grow around it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BUS_LOCATOR_H
#define TW_BUS_LOCATOR_H

#include <stddef.h>
#include <stdint.h>

enum { TW__CONN_ID_BYTES = 16 };

/* A connection, addressable from anywhere in the cluster. */
typedef struct tw__conn_id {
    uint8_t bytes[TW__CONN_ID_BYTES];
} tw__conn_id;

/* What a member does; a set. */
enum tw__role { TW__ROLE_EDGE = 1, TW__ROLE_LOGIC = 2, TW__ROLE_ADMIN = 4 };

typedef struct tw__locator tw__locator;

/* A connection that has a user appears in and vanishes from the directory. */
typedef struct tw__locator_ops {
    int (*enter)(tw__locator *locator, const tw__conn_id *id, const char *user,
                 size_t user_len);
    void (*leave)(tw__locator *locator, const tw__conn_id *id);
} tw__locator_ops;

struct tw__locator {
    const tw__locator_ops *ops;
};

#endif
