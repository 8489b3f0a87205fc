/* What runs in the handler of the tick touches nothing but `state`; what runs
 * beside it sets is_busy while it does.
 *
 * SPDX-License-Identifier: MIT */
#include "profile_sample.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "budget_state.h"
#include "call.h"
#include "vm_state.h"

enum { LEVELS = 64, TEXTS = 4096, SLOTS = 8192, TEXT_BYTES = 256 << 10 };
enum { NAME_BYTES = 256 };

/* A sample inside a call, from the tick on until Lua's stack is known. */
typedef struct pending {
    uint32_t weight; /* 0: there is none */
    size_t callers, leaf_count;
    uintptr_t before[TWL_STACK_MAX]; /* who led into Lua, innermost first */
    uintptr_t leaf[TWL_STACK_MAX];   /* what runs, likewise */
} pending;

typedef struct state {
    twl_samples *samples; /* NULL: no profile */
    volatile sig_atomic_t is_busy;
    volatile uint32_t missed; /* ticks while it was */
    twl_stack_entry entry;    /* of the innermost call; slot 0: none runs */
    pending pending;
} state;

static state all;

/* ---- texts -------------------------------------------------------------- */

/* Names of functions: a string may be collected, so they are copied. */
static struct texts {
    uint32_t offsets[TEXTS]; /* into pool */
    uint16_t slots[SLOTS];   /* 0: free, else the number + 1 */
    uint32_t count, used;
    char pool[TEXT_BYTES];
} texts;

static uint32_t hash_of(const char *text) {
    uint32_t hash = 2166136261u;
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    }
    return hash;
}

/* The first text stands for those that do not fit. */
static uint64_t frame_of(const char *text) {
    uint32_t slot = hash_of(text) % SLOTS;
    size_t len = strlen(text) + 1;
    for (; texts.slots[slot] != 0; slot = (slot + 1) % SLOTS) {
        uint32_t number = texts.slots[slot] - 1u;
        if (strcmp(texts.pool + texts.offsets[number], text) == 0) {
            return TWL_FRAME_TEXT | number;
        }
    }
    if (texts.count == TEXTS || texts.used + len > TEXT_BYTES) {
        return TWL_FRAME_TEXT;
    }
    memcpy(texts.pool + texts.used, text, len);
    texts.offsets[texts.count] = texts.used;
    texts.used += (uint32_t)len;
    texts.slots[slot] = (uint16_t)(++texts.count);
    return TWL_FRAME_TEXT | (texts.count - 1);
}

const char *twl_samples_text(uint64_t frame) {
    return texts.pool + texts.offsets[frame & ~TWL_FRAME_TEXT];
}

/* ---- samples ------------------------------------------------------------ */

typedef struct sample {
    uint64_t frames[TWL_SAMPLE_FRAMES];
    size_t count;
} sample;

static void add_frame(sample *s, uint64_t frame) {
    if (s->count < TWL_SAMPLE_FRAMES) {
        s->frames[s->count++] = frame;
    }
}

/* They were read from the innermost on. */
static void add_addresses(sample *s, const uintptr_t *list, size_t count) {
    while (count > 0) {
        add_frame(s, list[--count]);
    }
}

static void keep(const sample *s, uint32_t weight) {
    twl_samples *to = all.samples;
    if (to->len + s->count + 1 > TWL_SAMPLE_WORDS) {
        to->lost += weight;
        return;
    }
    to->words[to->len++] = (uint64_t)weight << 32 | s->count;
    memcpy(to->words + to->len, s->frames, s->count * sizeof *s->frames);
    to->len += s->count;
}

/* ---- the tick ----------------------------------------------------------- */

static void take_outside(const void *context) {
    static const twl_stack_entry none;
    static uintptr_t frames[TWL_STACK_MAX];
    static sample s; /* a signal's stack need not be large */
    size_t count = twl_stack_read(&all.samples->map, context, &none, frames);
    s.count = 0;
    add_addresses(&s, frames, count);
    keep(&s, 1);
}

static void take_inside(const void *context) {
    const twl_stack_map *map = &all.samples->map;
    pending *p = &all.pending;
    p->callers = twl_stack_callers(map, &all.entry, p->before);
    p->leaf_count = twl_stack_read(map, context, &all.entry, p->leaf);
    p->weight = 1;
}

/* LuaJIT may have been switching its dispatch when it was poked before: then it
 * has forgotten, and believes that it has not. Setting a hook sorts that out;
 * none is set now but the budget's, which sets it anew itself. */
static void poke_again(lua_State *L) {
    if (!twl_budget.over && !twl_budget.wants_collection) {
        lua_sethook(L, NULL, 0, 0);
    }
}

void twl_samples_tick(const void *context) {
    lua_State *L = twl_budget.running;
    if (all.is_busy) {
        all.missed++;
    } else if (L == NULL) {
        take_outside(context);
    } else if (all.pending.weight > 0) {
        all.pending.weight++; /* Lua has not moved on */
        poke_again(L);
    } else {
        take_inside(context);
    }
    if (L != NULL && twl_budget.profiled == L) {
        raise(SIGPROF);
    }
}

/* ---- Lua ---------------------------------------------------------------- */

static void begin(void) {
    all.is_busy = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void end(void) {
    all.pending.weight = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    all.is_busy = 0;
}

/* The path as in messages, without the folder of the scripts. */
static const char *source_of(lua_State *L, const lua_Debug *ar) {
    const char *dir = twl_vm_script_dir(twl_vm_of(L));
    size_t len = strlen(dir);
    const char *source = ar->source;
    if (*source != '@') {
        return ar->short_src;
    }
    source++;
    bool is_inside = strncmp(source, dir, len) == 0 && source[len] == '/';
    return is_inside ? source + len + 1 : source;
}

static uint64_t lua_frame(lua_State *L, const lua_Debug *ar) {
    char text[NAME_BYTES];
    const char *name = ar->name != NULL ? ar->name : "function";
    if (*ar->what == 'C') {
        snprintf(text, sizeof text, "%s [C]", name);
    } else if (*ar->what == 'm') {
        snprintf(text, sizeof text, "main chunk %s", source_of(L, ar));
    } else {
        snprintf(text, sizeof text, "%s %s:%d", name, source_of(L, ar),
                 ar->linedefined);
    }
    for (char *at = text; *at != '\0'; at++) {
        *at = *at == ';' ? ',' : (unsigned char)*at < 32 ? '?' : *at;
    }
    return frame_of(text);
}

/* A hook has no name for Lua, which did not call it; its call has. */
static const char *name_of_call(lua_State *L) {
    const twl_call *call = twl_vm_of(L)->current;
    return call != NULL && call->co == L ? call->spec->name : NULL;
}

static void add_lua(sample *s, lua_State *L) {
    uint64_t frames[LEVELS];
    lua_Debug ar, above;
    int count = 0;
    bool is_there = lua_getstack(L, 0, &ar) != 0;
    while (is_there && count < LEVELS && lua_getinfo(L, "nS", &ar)) {
        is_there = lua_getstack(L, count + 1, &above) != 0;
        if (!is_there && ar.name == NULL) {
            ar.name = name_of_call(L);
        }
        frames[count++] = lua_frame(L, &ar);
        ar = above;
    }
    while (count > 0) {
        add_frame(s, frames[--count]);
    }
}

void twl_samples_lua(lua_State *L, int vmstate) {
    pending *p = &all.pending;
    sample s = {.count = 0};
    if (p->weight == 0 || all.is_busy) {
        return;
    }
    begin();
    add_addresses(&s, p->before, p->callers);
    add_lua(&s, L);
    if (vmstate == 'G') {
        add_frame(&s, frame_of("(garbage collector)"));
    } else if (vmstate == 'J') {
        add_frame(&s, frame_of("(trace compiler)"));
    } else if (vmstate == 'C') {
        add_addresses(&s, p->leaf, p->leaf_count);
    }
    keep(&s, p->weight);
    end();
}

/* ---- calls -------------------------------------------------------------- */

/* What is pending is over without another instruction of Lua. */
static void flush(void) {
    pending *p = &all.pending;
    sample s = {.count = 0};
    begin();
    if (p->weight > 0) {
        add_addresses(&s, p->before, p->callers);
        add_frame(&s, frame_of("(Lua)"));
        add_addresses(&s, p->leaf, p->leaf_count);
        keep(&s, p->weight);
    }
    end();
}

twl_stack_entry twl_samples_enter(twl_stack_entry entry) {
    twl_stack_entry outer = all.entry;
    if (all.pending.weight > 0) {
        flush();
    }
    all.entry = entry;
    return outer;
}

void twl_samples_leave(twl_stack_entry outer) {
    if (all.pending.weight > 0) {
        flush();
    }
    all.entry = outer;
}

/* ---- start and stop ----------------------------------------------------- */

void twl_samples_start(twl_samples *samples) {
    memset(&texts, 0, sizeof texts);
    all = (state){.samples = samples};
    frame_of("(other functions)");
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    twl_budget.is_profiling = 1;
}

void twl_samples_stop(void) {
    twl_budget.is_profiling = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (all.samples != NULL) {
        all.samples->lost += all.missed;
    }
    all.samples = NULL;
}
