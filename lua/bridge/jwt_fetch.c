/* SPDX-License-Identifier: MIT */
#include "jwt_fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "job.h"
#include "json.h"
#include "jwt.h"
#include "jwt_set.h"
#include "vm_alloc.h"

/* What is known of an address. */
typedef struct fetched {
    twl_link node; /* lua->fetched, the one used last at the end */
    tw_lua *lua;
    tw_http_call *call; /* under way */
    twl_link waiters;   /* jobs */
    char *text;         /* NULL: never came */
    size_t len;
    uint64_t fresh_ms, soon_ms; /* until when it is; ask anew from when on */
    uint64_t next_ms;           /* not asked before */
    uint64_t again_ms;          /* likewise, for a key that is not there */
    int error;                  /* of the last try */
    char why[160];
    bool is_set;
    char url[];
} fetched;

static const char again_key;

void twl_jwt_push_again(lua_State *L) {
    lua_pushlightuserdata(L, (void *)&again_key);
}

/* ---- what is remembered ------------------------------------------------- */

static void forget(fetched *f) {
    if (f->call != NULL) {
        tw_http_cancel(f->call);
    }
    twl_link_remove(&f->node);
    f->lua->fetched_count--;
    twl_free(f->text);
    twl_free(f);
}

void twl_jwt_fetch_free(tw_lua *lua) {
    while (!twl_link_is_empty(&lua->fetched)) {
        forget(TWL_OF(lua->fetched.next, fetched, node));
    }
}

/* The one unused for longest that nobody waits for. */
static bool make_room(tw_lua *lua) {
    for (twl_link *at = lua->fetched.next;
         lua->fetched_count >= TWL_JWT_FETCHED_MAX; at = at->next) {
        if (at == &lua->fetched) {
            return false;
        }
        fetched *f = TWL_OF(at, fetched, node);
        if (f->call == NULL) {
            forget(f);
            return true;
        }
    }
    return true;
}

static fetched *create(tw_lua *lua, const twl_jwt_address *address) {
    size_t len = strlen(address->url) + 1;
    fetched *f = make_room(lua) ? twl_zalloc(sizeof *f + len) : NULL;
    if (f != NULL) {
        f->lua = lua;
        f->is_set = address->is_set;
        memcpy(f->url, address->url, len);
        twl_link_init(&f->waiters);
        twl_link_init(&f->node);
        lua->fetched_count++;
    }
    return f;
}

static fetched *find(tw_lua *lua, const twl_jwt_address *address) {
    for (twl_link *at = lua->fetched.next; at != &lua->fetched; at = at->next) {
        fetched *f = TWL_OF(at, fetched, node);
        if (f->is_set == address->is_set && strcmp(f->url, address->url) == 0) {
            return f;
        }
    }
    return NULL;
}

/* NULL: no memory, or too many are under way. */
static fetched *find_or_create(tw_lua *lua, const twl_jwt_address *address) {
    fetched *f = find(lua, address);
    f = f != NULL ? f : create(lua, address);
    if (f != NULL) {
        twl_link_remove(&f->node);
        twl_link_append(&lua->fetched, &f->node);
    }
    return f;
}

/* ---- the answer --------------------------------------------------------- */

static const char *header(const tw_http_response *response, const char *name) {
    for (size_t i = 0; i < response->header_count; i++) {
        const tw_header *at = &response->headers[i];
        if (at->name.len == strlen(name) &&
            memcmp(at->name.data, name, at->name.len) == 0) {
            return at->value.data;
        }
    }
    return "";
}

/* How long it may be kept: what a cache on the way has kept it for is over. */
static uint64_t life_of(const tw_http_response *response) {
    const char *control = header(response, "cache-control");
    const char *max_age = strcasestr(control, "max-age=");
    uint64_t ms = TWL_JWT_FRESH_MS;
    if (strcasestr(control, "no-store") || strcasestr(control, "no-cache")) {
        ms = 0;
    } else if (max_age != NULL) {
        unsigned long s = strtoul(max_age + strlen("max-age="), NULL, 10);
        unsigned long old = strtoul(header(response, "age"), NULL, 10);
        s = s > old ? s - old : 0;
        ms = s < TWL_JWT_FRESH_MAX_MS / 1000 ? s * 1000 : TWL_JWT_FRESH_MAX_MS;
    }
    return ms > TWL_JWT_FRESH_MIN_MS ? ms : TWL_JWT_FRESH_MIN_MS;
}

typedef struct reading {
    tw_str text;
    bool is_set;
} reading;

static void read_set(lua_State *L, void *arg) {
    reading *r = arg;
    r->is_set = twl_json_decode(L, r->text.data, r->text.len, false) == 0 &&
                twl_jwt_is_set(L, lua_gettop(L));
}

/* Keys that are good are not given up for an error page. */
static bool is_good(const fetched *f, tw_str text) {
    static const char pem[] = "-----BEGIN ";
    reading r = {text, false};
    if (!f->is_set) {
        return memmem(text.data, text.len, pem, sizeof pem - 1) != NULL;
    }
    return f->lua->current != NULL &&
           twl_vm_protect(f->lua->current->vm, read_set, &r) == 0 && r.is_set;
}

__attribute__((format(printf, 3, 4))) static void
fail(fetched *f, int error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(f->why, sizeof f->why, format, args);
    va_end(args);
    f->error = error;
    f->next_ms = twl_now(f->lua) + TWL_JWT_RETRY_MS;
}

static void keep(fetched *f, const tw_http_response *response) {
    tw_str body = response->body;
    char *text = twl_malloc(body.len + 1);
    if (text == NULL) {
        fail(f, TW_EUNAVAILABLE, "no memory");
        return;
    }
    memcpy(text, body.data, body.len);
    text[body.len] = '\0';
    twl_free(f->text);
    uint64_t life = life_of(response);
    f->text = text;
    f->len = body.len;
    f->error = 0;
    f->fresh_ms = twl_now(f->lua) + life;
    f->soon_ms = f->fresh_ms - life / 4;
    f->next_ms = 0;
}

static void take(fetched *f, int status, const tw_http_response *response,
                 const char *why) {
    if (status != 0) {
        fail(f, status == TW_ETIMEOUT ? TW_ETIMEOUT : TW_EUNAVAILABLE, "%s",
             why);
    } else if (response->status != 200) {
        fail(f, TW_EUNAVAILABLE, "the answer is %d", response->status);
    } else if (!is_good(f, response->body)) {
        fail(f, TW_EUNAVAILABLE, "the answer is no %s",
             f->is_set ? "set of keys" : "PEM");
    } else {
        keep(f, response);
    }
}

static void on_answer(int status, const tw_http_response *response,
                      const char *why, void *arg) {
    fetched *f = arg;
    f->call = NULL;
    f->again_ms = twl_now(f->lua) + TWL_JWT_AGAIN_MS;
    take(f, status, response, why);
    /* Who goes on may have it fetched again, and wait again. */
    twl_link now;
    twl_link_init(&now);
    twl_link_splice(&now, &f->waiters);
    while (!twl_link_is_empty(&now)) {
        twl_job *job = TWL_OF(now.next, twl_job, waiter);
        twl_link_remove(&job->waiter);
        twl_job_wake(job, 0, 0);
    }
}

/* ---- asking ------------------------------------------------------------- */

/* 0 when it is under way. */
static int ask(fetched *f) {
    static const char types[] = "application/jwk-set+json, "
                                "application/json, */*;q=0.5";
    const tw_header accept = {{"Accept", 6}, {types, sizeof types - 1}};
    tw_http_options options = {.url = {f->url, strlen(f->url)},
                               .headers = &accept,
                               .header_count = 1,
                               .timeout_ms = TWL_JWT_TIMEOUT_MS,
                               .max_body_bytes = TWL_JWT_FETCH_BYTES};
    if (f->call == NULL) {
        f->call = tw_http_request(f->lua->server, &options, on_answer, f);
    }
    return f->call != NULL ? 0 : TW_ENOMEM;
}

static void leave(twl_job *job) {
    twl_link_remove(&job->waiter);
}

static int push_nothing(lua_State *L, twl_job *job) {
    (void)job;
    twl_jwt_push_again(L);
    return 1;
}

/* Who cannot wait here must not have begun anything. */
static int wait_for(lua_State *L, fetched *f) {
    static const char what[] = TWL_JWT_VERIFY;
    twl_job *job = twl_wait_begin(L, what);
    if (job == NULL) {
        return twl_wait_over(L);
    }
    if (ask(f) != 0) {
        return twl_nil_error(L, TW_EOVERLOADED, "no memory");
    }
    twl_link_append(&f->waiters, &job->waiter);
    return twl_wait_go(L, job, what, leave, push_nothing);
}

static int push_text(lua_State *L, const fetched *f) {
    lua_pushlstring(L, f->text, f->len);
    return 0;
}

int twl_jwt_fetch_push(lua_State *L, const twl_jwt_address *address) {
    tw_lua *lua = twl_gen_of(L)->lua;
    if (lua->server == NULL) {
        twl_wait_check(L, TWL_JWT_VERIFY); /* a check only loads: it raises */
    }
    fetched *f = lua->server != NULL ? find_or_create(lua, address) : NULL;
    if (f == NULL) {
        return twl_jwt_refuse(L, TW_EOVERLOADED, "key",
                              "too many addresses of keys, or no memory");
    }
    uint64_t now = twl_now(lua);
    if (f->text != NULL && now < f->fresh_ms) {
        if (now >= f->soon_ms && now >= f->next_ms) {
            ask(f);
        }
        return push_text(L, f);
    }
    if (f->call != NULL || now >= f->next_ms) {
        return wait_for(L, f);
    }
    return f->text != NULL && now < f->fresh_ms + TWL_JWT_STALE_MS
               ? push_text(L, f)
               : twl_jwt_refuse(L, f->error, "key", "%s: %s", f->url, f->why);
}

int twl_jwt_fetch_again(lua_State *L, const twl_jwt_address *address) {
    tw_lua *lua = twl_gen_of(L)->lua;
    fetched *f = find(lua, address);
    uint64_t now = twl_now(lua);
    bool may_ask = f != NULL && now >= f->again_ms && now >= f->next_ms;
    return may_ask || (f != NULL && f->call != NULL) ? wait_for(L, f) : 0;
}
