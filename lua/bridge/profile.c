/* SPDX-License-Identifier: MIT */
#include "profile.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "budget_run.h"
#include "budget_state.h"
#include "profile_sample.h"
#include "vm_alloc.h"
#include "vm_bytes.h"

typedef struct profile {
    tw_question *question; /* NULL: none is under way */
    tw_timer *timer;
    twl_samples samples;
    bool is_own_profiler; /* scripts are not compiled: LuaJIT's had to start */
} profile;

static profile current;

/* ---- the text ----------------------------------------------------------- */

static void add(twl_bytes *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(twl_bytes *out, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    twl_bytes_add(out, text,
                  len < (int)sizeof text ? (size_t)len : sizeof text - 1);
}

static void add_frame(twl_bytes *out, const twl_stack_map *map,
                      uint64_t frame) {
    if ((frame & TWL_FRAME_TEXT) != 0) {
        const char *text = twl_samples_text(frame);
        twl_bytes_add(out, text, strlen(text));
        return;
    }
    const twl_module *m = twl_stack_module(map, (uintptr_t)frame);
    if (m != NULL) {
        add(out, "m%zu+%" PRIxPTR, (size_t)(m - map->modules),
            (uintptr_t)frame - m->from + m->offset);
    } else {
        add(out, "(unknown code)");
    }
}

static void add_stack(twl_bytes *out, const twl_stack_map *map,
                      const uint64_t *stack, uint64_t weight) {
    size_t count = (uint32_t)stack[0];
    add(out, "stack %" PRIu64 " ", weight);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            twl_bytes_add(out, ";", 1);
        }
        add_frame(out, map, stack[1 + i]);
    }
    twl_bytes_add(out, "\n", 1);
}

static void add_modules(twl_bytes *out, const twl_stack_map *map) {
    for (size_t i = 0; i < map->count; i++) {
        add(out, "module %zu %s %s\n", i,
            map->modules[i].is_program ? "program" : "library",
            map->modules[i].path);
    }
}

/* ---- the same stack again ----------------------------------------------- */

static int by_frames(const void *a, const void *b) {
    const uint64_t *x = *(uint64_t *const *)a, *y = *(uint64_t *const *)b;
    uint32_t m = (uint32_t)*x, n = (uint32_t)*y;
    return m != n ? (m < n ? -1 : 1)
                  : memcmp(x + 1, y + 1, m * sizeof(uint64_t));
}

static uint64_t **list_stacks(twl_samples *samples, size_t *count) {
    size_t n = 0;
    for (size_t at = 0; at < samples->len;
         at += 1 + (uint32_t)samples->words[at]) {
        n++;
    }
    uint64_t **list = twl_malloc((n + 1) * sizeof *list);
    *count = 0;
    for (size_t at = 0; list && at < samples->len;
         at += 1 + (uint32_t)samples->words[at]) {
        list[(*count)++] = &samples->words[at];
    }
    return list;
}

static int add_stacks(twl_bytes *out, twl_samples *samples) {
    size_t count;
    uint64_t **list = list_stacks(samples, &count);
    if (!list) {
        return TW_ENOMEM;
    }
    qsort(list, count, sizeof *list, by_frames);
    for (size_t i = 0; i < count;) {
        uint64_t weight = 0;
        size_t first = i;
        for (; i < count && by_frames(&list[first], &list[i]) == 0; i++) {
            weight += *list[i] >> 32;
        }
        add_stack(out, &samples->map, list[first], weight);
    }
    twl_free(list);
    return 0;
}

/* ---- the end ------------------------------------------------------------ */

static void stop(void) {
    twl_samples_stop();
    if (current.timer) {
        tw_timer_stop(current.timer);
    }
    if (current.is_own_profiler) {
        twl_budget_profile_state(NULL);
    }
}

static void forget(void) {
    munmap(current.samples.words, TWL_SAMPLE_WORDS * sizeof(uint64_t));
    current = (profile){.question = NULL};
}

static void on_gone(void *arg) {
    (void)arg;
    stop();
    forget();
}

static void on_time(tw_timer *timer, void *arg) {
    twl_bytes out = {0};
    (void)timer;
    (void)arg;
    current.timer = NULL;
    stop();
    add(&out, "tidewire-profile 1\ntick %d\nlost %" PRIu64 "\n", TWL_TICK_MS,
        current.samples.lost);
    add_modules(&out, &current.samples.map);
    int code = add_stacks(&out, &current.samples);
    const char *text = code ? tw_strerror(code) : out.data;
    tw_question_answer(current.question, code ? "failed" : "done",
                       text ? text : "", code ? strlen(text) : out.len);
    twl_bytes_deinit(&out);
    forget();
}

/* ---- the beginning ------------------------------------------------------ */

static void fail(tw_question *question, const char *why) {
    tw_question_answer(question, "failed", why, strlen(why));
}

/* Pages that no sample reaches cost nothing. */
static bool make_room(twl_samples *samples) {
    void *words =
        mmap(NULL, TWL_SAMPLE_WORDS * sizeof(uint64_t), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (words == MAP_FAILED) {
        return false;
    }
    *samples = (twl_samples){.words = words};
    twl_stack_map_init(&samples->map);
    return true;
}

static void note(const tw_lua *lua, const tw_asked *asked) {
    char ms[16];
    snprintf(ms, sizeof ms, "%u", (unsigned)asked->ms);
    tw_log_field fields[] = {{"by", asked->by.data}, {"ms", ms}};
    if (lua->log) {
        lua->log(TW_LOG_INFO, "profile", fields, 2, lua->log_arg);
    }
}

/* Compiled scripts have LuaJIT's profiler on for the budget's sake. */
static void start_profiler(const tw_lua *lua) {
    if (twl_budget.profiled == NULL && twl_budget_allows_jit() &&
        lua->current) {
        twl_budget_profile_start(lua->current->vm);
        current.is_own_profiler = true;
    }
}

void twl_profile_ask(tw_lua *lua, tw_question *question) {
    const tw_asked *asked = tw_question_asked(question);
    if (current.question) {
        fail(question, "a profile of this worker is under way");
        return;
    }
    if (!make_room(&current.samples)) {
        fail(question, tw_strerror(TW_ENOMEM));
        return;
    }
    current.timer = tw_timer_start(lua->server, asked->ms, on_time, NULL);
    if (!current.timer) {
        forget();
        fail(question, tw_strerror(TW_ENOMEM));
        return;
    }
    current.question = question;
    note(lua, asked);
    start_profiler(lua);
    tw_question_on_gone(question, on_gone, NULL);
    twl_samples_start(&current.samples);
}
