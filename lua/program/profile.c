/* tidewire profile. SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "command.h"
#include "flame.h"
#include "folded.h"
#include "symbols.h"

enum { SECONDS = 10, GRACE_MS = 30000, FILES = 64 };

/* Files whose functions have been looked for. */
typedef struct binary {
    char *path;
    twp_symbols *symbols; /* NULL: it has none, or is not there */
} binary;

typedef struct profile {
    const twp_settings *settings;
    unsigned ms;
    twp_folded folded;
    int pid; /* of the worker that is read */
    binary files[FILES];
    size_t file_count, workers;
    bool has_failed;
} profile;

/* ---- names -------------------------------------------------------------- */

/* A program that was replaced since it was started is still there by its
 * process. */
static twp_symbols *open_symbols(const profile *p, const char *path,
                                 bool is_program) {
    char running[32];
    snprintf(running, sizeof running, "/proc/%d/exe", p->pid);
    twp_symbols *symbols = is_program ? twp_symbols_open(running) : NULL;
    return symbols != NULL ? symbols : twp_symbols_open(path);
}

static const char *name_of(void *arg, const char *path, bool is_program,
                           uint64_t offset) {
    profile *p = arg;
    size_t i = 0;
    while (i < p->file_count && strcmp(p->files[i].path, path) != 0) {
        i++;
    }
    if (i == FILES) {
        return NULL;
    }
    if (i == p->file_count) {
        p->files[p->file_count++] =
            (binary){twp_copy(path), open_symbols(p, path, is_program)};
    }
    const twp_symbols *symbols = p->files[i].symbols;
    return symbols != NULL ? twp_symbols_find(symbols, offset) : NULL;
}

static void forget_files(profile *p) {
    for (size_t i = 0; i < p->file_count; i++) {
        free(p->files[i].path);
        twp_symbols_free(p->files[i].symbols);
    }
}

/* ---- the answer --------------------------------------------------------- */

static const char *string(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static long long integer(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static void take_part(profile *p, const json_t *part) {
    char root[32];
    snprintf(root, sizeof root, "worker %lld", integer(part, "slot"));
    p->pid = (int)integer(part, "pid");
    if (strcmp(string(part, "outcome"), "done") == 0 &&
        twp_folded_add(&p->folded, string(part, "text"), root, name_of, p)) {
        p->workers++;
    } else {
        fprintf(stderr, "tidewire: %s: %s\n", root, string(part, "text"));
        p->has_failed = true;
    }
}

static bool take(profile *p) {
    char path[96];
    twp_answer answer;
    int len = snprintf(path, sizeof path, "/api/profile?ms=%u", p->ms);
    if (twp_settings_has(p->settings, TWP_WORKER_OPTION)) {
        snprintf(path + len, sizeof path - (size_t)len, "&worker=%.0f",
                 twp_settings_number(p->settings, TWP_WORKER_OPTION, 0));
    }
    if (twp_ask_long(p->settings, "POST", path, "", 0, p->ms + GRACE_MS,
                     &answer) != 0) {
        return false;
    }
    const json_t *workers = json_object_get(answer.json, "workers");
    for (size_t i = 0; i < json_array_size(workers); i++) {
        take_part(p, json_array_get(workers, i));
    }
    twp_answer_deinit(&answer);
    twp_folded_merge(&p->folded);
    return p->workers > 0;
}

/* ---- the file ----------------------------------------------------------- */

static void make(const profile *p, twp_text *out) {
    const char *lines = p->folded.lines.data;
    char subtitle[256];
    if (twp_settings_is_on(p->settings, TWP_FOLDED_OPTION, false)) {
        twp_text_puts(out, lines != NULL ? lines : "");
        return;
    }
    int len = snprintf(
        subtitle, sizeof subtitle,
        "%.1f s of %zu worker%s: %llu samples, one in %u ms of CPU time",
        p->ms / 1e3, p->workers, p->workers == 1 ? "" : "s", p->folded.samples,
        p->folded.tick_ms);
    if (p->folded.lost > 0) {
        snprintf(subtitle + len, sizeof subtitle - (size_t)len, ", %llu lost",
                 p->folded.lost);
    }
    twp_flame_draw(out, lines != NULL ? lines : "", "Tidewire profile",
                   subtitle);
}

static int save(const profile *p, const char *path) {
    twp_text out = {0};
    int status = 0;
    make(p, &out);
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (file == NULL ||
        (out.len > 0 && fwrite(out.data, out.len, 1, file) != 1) ||
        (file != stdout ? fclose(file) : fflush(file)) != 0) {
        fprintf(stderr, "tidewire: %s: %s\n", path, strerror(errno));
        status = 1;
    }
    twp_text_deinit(&out);
    return status;
}

static int run(profile *p) {
    const char *path = twp_settings_text(p->settings, TWP_OUTPUT_OPTION);
    bool is_folded = twp_settings_is_on(p->settings, TWP_FOLDED_OPTION, false);
    path = path != NULL ? path : is_folded ? "-" : "profile.svg";
    if (!take(p) || save(p, path) != 0) {
        return 1;
    }
    if (strcmp(path, "-") != 0) {
        printf("%s: %llu samples\n", path, p->folded.samples);
    }
    return p->has_failed ? 1 : 0;
}

int twp_profile(twp_settings *settings, const char *operand) {
    profile p = {.settings = settings, .ms = SECONDS * 1000};
    (void)operand;
    if (twp_settings_has(settings, TWP_SECONDS_OPTION)) {
        p.ms = twp_settings_ms(settings, TWP_SECONDS_OPTION);
    }
    int status = run(&p);
    forget_files(&p);
    twp_folded_deinit(&p.folded);
    return status;
}
