/* lab.h - what a server in a lab knows of it; see tidewire/testing.h. Inside of
 * core/server only. Through pointers, so that a server is linked without it.
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_LAB_H
#define TW_SERVER_LAB_H

#include "dict/region.h"
#include "tidewire/testing.h"

typedef struct tw__lab tw__lab;

struct tw__lab {
    uint64_t now_ms;
    int64_t wall_ahead_ms;  /* of now_ms */
    tw__dict_region *dicts; /* where its servers share their dictionaries */
    /* A request of the server in that slot. */
    void (*ask)(tw__lab *lab, uint32_t slot, const tw_lab_request *request);
    /* It connects to the Redis of that name; 0, or TW_EIO and errno. */
    int (*dial)(tw__lab *lab, uint32_t slot, const char *name, int *fd);
    /* What a call to it ends with at once; 0: nothing. */
    int (*fault)(tw__lab *lab, uint32_t slot, const char *name);
};

#endif
