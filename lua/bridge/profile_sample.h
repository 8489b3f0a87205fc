/* profile_sample.h - taking samples, see profile.h. For profile*.c and
 * budget.c. SPDX-License-Identifier: MIT */
#ifndef TWL_PROFILE_SAMPLE_H
#define TWL_PROFILE_SAMPLE_H

#include "stack.h"
#include "vm.h"

/* A frame is an address, or with this bit the number of a text. */
#define TWL_FRAME_TEXT (UINT64_C(1) << 63)

enum {
    TWL_SAMPLE_WORDS = 512 << 10, /* kept in all: 4 MiB */
    TWL_SAMPLE_FRAMES = 192       /* of one stack */
};

/* The samples, one behind another: weight << 32 | frames, then as many words,
 * the outermost first. */
typedef struct twl_samples {
    uint64_t *words; /* TWL_SAMPLE_WORDS */
    size_t len;
    uint64_t lost;
    twl_stack_map map;
} twl_samples;

/* Begins with samples whose words are there and zero; not inside a call. */
void twl_samples_start(twl_samples *samples);
void twl_samples_stop(void);

/* The text of a frame that is one. */
const char *twl_samples_text(uint64_t frame);

/* For the budget, while it profiles: at each tick; when a call is entered (what
 * it returns is to be given to leave) and when it has unwound; and from
 * LuaJIT's callback. */
void twl_samples_tick(const void *context);
twl_stack_entry twl_samples_enter(twl_stack_entry entry);
void twl_samples_leave(twl_stack_entry outer);
void twl_samples_lua(lua_State *L, int vmstate);

#endif
