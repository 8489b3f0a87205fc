/* How a binding waits.
 *
 * A wait yields the call's own coroutine. A script may stand inside coroutines
 * of its own then: the innermost one yields a mark that only the sandbox's
 * resume knows, which yields in its turn, outwards, until the call's coroutine
 * is reached; what the wait gives travels back the same way. So waiting is
 * transparent to generators.
 *
 * SPDX-License-Identifier: MIT */
#include "call_wait.h"

#include <lauxlib.h>

#include "err.h"
#include "vm_state.h"

static const char mark;

void twl_wait_push_mark(lua_State *L) {
    lua_pushlightuserdata(L, (void *)&mark);
}

twl_call *twl_wait_check(lua_State *L, const char *what) {
    twl_call *call = twl_vm_of(L)->current;
    if (call == NULL) {
        twl_raise(L, "%s cannot wait outside a hook", what);
    } else if (call->spec->no_wait != NULL) {
        twl_raise(L, "%s cannot wait %s", what, call->spec->no_wait);
    } else if (!call->may_wait) {
        twl_raise(L, "%s cannot wait in %s", what, call->spec->name);
    } else if (!lua_isyieldable(L)) {
        twl_raise(L,
                  "%s cannot wait inside a callback of gsub, table.sort "
                  "or require",
                  what);
    }
    return call;
}

int twl_wait(lua_State *L, const char *what, void (*cancel)(void *arg),
             void *arg) {
    twl_call *call = twl_vm_of(L)->current;
    call->waits_in = what;
    call->cancel = cancel;
    call->cancel_arg = arg;
    if (L == call->co) {
        return lua_yield(L, 0);
    }
    twl_wait_push_mark(L);
    return lua_yield(L, 1);
}

int twl_wait_outwards(lua_State *L) {
    twl_call *call = twl_vm_of(L)->current;
    if (call == NULL || call->waits_in == NULL) {
        return twl_raise(L, "a coroutine that waited was resumed elsewhere");
    }
    const char *what = call->waits_in;
    if (!lua_isyieldable(L)) {
        void (*cancel)(void *) = call->cancel;
        call->waits_in = NULL;
        call->cancel = NULL;
        if (cancel != NULL) {
            cancel(call->cancel_arg);
        }
        return twl_raise(L,
                         "%s cannot wait in a coroutine that is resumed inside "
                         "a callback of gsub, table.sort or require",
                         what);
    }
    lua_settop(L, 0);
    return twl_wait(L, what, call->cancel, call->cancel_arg);
}

bool twl_wait_is_outermost(lua_State *L) {
    twl_call *call = twl_vm_of(L)->current;
    return call == NULL || L == call->co;
}
