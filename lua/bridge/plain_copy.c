/* SPDX-License-Identifier: MIT */
#include <tidewire/errors.h>

#include "plain.h"

typedef struct copying {
    const twl_plain_options *options;
    twl_bytes *bytes;
    int ref;
    int err;
} copying;

static void save(lua_State *L, void *arg) {
    copying *c = arg;
    twl_push_ref(L, c->ref);
    c->err = twl_plain_save(L, -1, c->options, c->bytes);
}

static void load(lua_State *L, void *arg) {
    copying *c = arg;
    c->err = twl_plain_load(L, c->bytes->data, c->bytes->len);
    if (c->err == 0) {
        c->ref = twl_ref(L);
    }
}

int twl_plain_copy(twl_vm *from, int from_ref, const twl_plain_options *options,
                   twl_vm *to, int *to_ref) {
    copying c = {
        .options = options, .bytes = twl_vm_scratch(from), .ref = from_ref};
    int err = twl_vm_protect(from, save, &c);
    err = err != 0 ? err : c.err;
    if (err == 0) {
        err = twl_vm_protect(to, load, &c);
        err = err != 0 ? err : c.err;
    }
    if (err == 0) {
        *to_ref = c.ref;
    }
    return err;
}
