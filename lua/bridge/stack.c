/* SPDX-License-Identifier: MIT */
#include "stack.h"

#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

/* A library's own frames are searched through for so many words. */
enum { SEARCHED = 4096 };

/* It looks at words of other functions' frames on purpose. */
#define READS_STACK __attribute__((no_sanitize("address", "undefined")))

/* ---- what is where ------------------------------------------------------ */

/* "from-to r-xp offset device inode path", a line of the kernel's list. */
static void add_module(twl_stack_map *map, const char *line,
                       const char *program) {
    unsigned long from, to, offset;
    char rights[8];
    int path = 0;
    if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %n", &from, &to, rights, &offset,
               &path) != 4 ||
        strncmp(rights, "r-x", 3) != 0 || line[path] != '/' ||
        map->count == TWL_STACK_MODULES) {
        return;
    }
    twl_module *m = &map->modules[map->count++];
    *m = (twl_module){.from = from, .to = to, .offset = offset};
    m->is_lua = (uintptr_t)luaL_openlibs - from < to - from;
    snprintf(m->path, sizeof m->path, "%.*s", (int)strcspn(line + path, "\n"),
             line + path);
    m->is_program = strcmp(m->path, program) == 0;
    if ((uintptr_t)twl_stack_map_init - from < to - from) {
        m->is_ours = true;
        map->ours_from = from;
        map->ours_to = to;
    }
}

static void add_modules(twl_stack_map *map) {
    char program[256], line[1024];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    FILE *list = fopen("/proc/self/maps", "re");
    program[len > 0 ? len : 0] = '\0';
    while (list != NULL && fgets(line, sizeof line, list) != NULL) {
        add_module(map, line, program);
    }
    if (list != NULL) {
        fclose(list);
    }
}

void twl_stack_map_init(twl_stack_map *map) {
    pthread_attr_t attributes;
    void *low;
    size_t size;
    *map = (twl_stack_map){.count = 0};
    add_modules(map);
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
        return;
    }
    if (pthread_attr_getstack(&attributes, &low, &size) == 0) {
        map->low = (uintptr_t)low;
        map->high = map->low + size;
    }
    pthread_attr_destroy(&attributes);
}

const twl_module *twl_stack_module(const twl_stack_map *map, uintptr_t at) {
    for (size_t i = 0; i < map->count; i++) {
        if (at >= map->modules[i].from && at < map->modules[i].to) {
            return &map->modules[i];
        }
    }
    return NULL;
}

/* ---- the processor ------------------------------------------------------ */

typedef struct registers {
    uintptr_t pc, sp, fp;
} registers;

#if defined(__x86_64__)
static bool read_registers(const void *context, registers *out) {
    const greg_t *r = ((const ucontext_t *)context)->uc_mcontext.gregs;
    *out = (registers){(uintptr_t)r[REG_RIP], (uintptr_t)r[REG_RSP],
                       (uintptr_t)r[REG_RBP]};
    return true;
}

/* "call rel32", or "call r/m64" in one of its lengths. */
static bool follows_call(const twl_module *m, uintptr_t at) {
    static const int lengths[] = {2, 3, 4, 6, 7};
    const unsigned char *code = (const unsigned char *)at;
    if (at - m->from < 8) {
        return false;
    }
    if (code[-5] == 0xE8) {
        return true;
    }
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        if (code[-lengths[i]] == 0xFF &&
            (code[1 - lengths[i]] & 0x38) == 0x10) {
            return true;
        }
    }
    return false;
}
#elif defined(__aarch64__)
static bool read_registers(const void *context, registers *out) {
    const mcontext_t *m = &((const ucontext_t *)context)->uc_mcontext;
    *out = (registers){m->pc, m->sp, m->regs[29]};
    return true;
}

/* "bl" or "blr". */
static bool follows_call(const twl_module *m, uintptr_t at) {
    uint32_t code;
    if (at - m->from < 4 || at % 4 != 0) {
        return false;
    }
    memcpy(&code, (const void *)(at - 4), sizeof code);
    return code >> 26 == 0x25 || (code & 0xFFFFFC1F) == 0xD63F0000;
}
#else
static bool read_registers(const void *context, registers *out) {
    (void)context;
    (void)out;
    return false;
}

static bool follows_call(const twl_module *m, uintptr_t at) {
    (void)m;
    (void)at;
    return false;
}
#endif

/* ---- frames ------------------------------------------------------------- */

/* The module that the word at this place of the stack returns to, or NULL. */
READS_STACK static const twl_module *returns_to(const twl_stack_map *map,
                                                uintptr_t slot) {
    uintptr_t at = *(const uintptr_t *)slot;
    const twl_module *m = twl_stack_module(map, at);
    return m != NULL && follows_call(m, at) ? m : NULL;
}

static bool is_frame(const twl_stack_map *map, uintptr_t fp, uintptr_t above) {
    return fp > above && fp % sizeof fp == 0 && fp >= map->low &&
           fp < map->high - 2 * sizeof fp &&
           returns_to(map, fp + sizeof fp) != NULL;
}

/* Follows frame pointers up to `end`, and not into Lua's code when `is_part`.
 * A frame holds its caller's, and above it the return address. */
READS_STACK static size_t follow(const twl_stack_map *map, uintptr_t fp,
                                 uintptr_t above, uintptr_t end, bool is_part,
                                 uintptr_t *out, size_t count) {
    while (count < TWL_STACK_MAX && is_frame(map, fp, above) &&
           fp + sizeof fp < end) {
        uintptr_t slot = fp + sizeof fp;
        if (is_part && returns_to(map, slot)->is_lua) {
            break;
        }
        /* The call itself, and not what comes after it. */
        out[count++] = *(const uintptr_t *)slot - 1;
        above = fp;
        fp = *(const uintptr_t *)fp;
    }
    return count;
}

/* From a library: the innermost place that returns to our code, or 0. */
READS_STACK static uintptr_t find_ours(const twl_stack_map *map, uintptr_t sp,
                                       uintptr_t end) {
    sp = (sp + sizeof sp - 1) & ~(sizeof sp - 1);
    for (size_t i = 0; i < SEARCHED && sp < end; i++, sp += sizeof sp) {
        uintptr_t at = *(const uintptr_t *)sp;
        if (at >= map->ours_from && at < map->ours_to &&
            returns_to(map, sp) != NULL) {
            return sp;
        }
    }
    return 0;
}

/* A library that used the frame pointer for something else has saved it
 * between its stack pointer and the return address, the nearest first. */
READS_STACK static uintptr_t find_saved(const twl_stack_map *map, uintptr_t sp,
                                        uintptr_t slot, uintptr_t fp) {
    if (is_frame(map, fp, slot)) {
        return fp;
    }
    for (uintptr_t at = slot - sizeof at; at >= sp && at < slot;
         at -= sizeof at) {
        uintptr_t saved = *(const uintptr_t *)at;
        if (is_frame(map, saved, slot)) {
            return saved;
        }
    }
    return 0;
}

READS_STACK size_t twl_stack_read(const twl_stack_map *map, const void *context,
                                  const twl_stack_entry *entry,
                                  uintptr_t *out) {
    registers r;
    if (!read_registers(context, &r)) {
        return 0;
    }
    size_t count = 0;
    out[count++] = r.pc;
    if (r.sp < map->low || r.sp >= map->high) {
        return count;
    }
    bool is_part = entry->slot != 0;
    uintptr_t end = is_part ? entry->slot : map->high - sizeof end;
    const twl_module *m = twl_stack_module(map, r.pc);
    if (m != NULL && m->is_ours) {
        return follow(map, r.fp, r.sp - 1, end, is_part, out, count);
    }
    uintptr_t slot = find_ours(map, r.sp, end);
    if (slot == 0) {
        return count;
    }
    out[count++] = *(const uintptr_t *)slot - 1;
    return follow(map, find_saved(map, r.sp, slot, r.fp), slot, end, is_part,
                  out, count);
}

size_t twl_stack_callers(const twl_stack_map *map, const twl_stack_entry *entry,
                         uintptr_t *out) {
    if (entry->slot == 0) {
        return 0;
    }
    out[0] = entry->pc - 1;
    return follow(map, entry->fp, entry->slot, map->high, false, out, 1);
}
