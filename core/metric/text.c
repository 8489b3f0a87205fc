/* SPDX-License-Identifier: MIT */
#include "metric/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tidewire/tidewire.h"

/* Errors (only memory) stick in `error`, and what follows does nothing. */
typedef struct writer {
    tw__bytes *out;
    int error;
} writer;

#define WRITE(w, ...)                                                          \
    do {                                                                       \
        if ((w)->error == 0) {                                                 \
            (w)->error = tw__bytes_printf((w)->out, __VA_ARGS__);              \
        }                                                                      \
    } while (0)

/* ---- texts and numbers -------------------------------------------------- */

/* A quote needs an escape in a label's value only. */
static int write_escaped(tw__bytes *out, const char *text, bool has_quotes) {
    int error = 0;
    for (; error == 0 && *text != '\0'; text++) {
        if (*text == '\n') {
            error = tw__bytes_append(out, "\\n", 2);
        } else if (*text == '\\' || (has_quotes && *text == '"')) {
            error = tw__bytes_printf(out, "\\%c", *text);
        } else {
            error = tw__bytes_append(out, text, 1);
        }
    }
    return error;
}

int tw__metric_write_label(tw__bytes *out, const char *text) {
    return write_escaped(out, text, true);
}

/* As few digits as tell the number. */
static void number(writer *w, double value) {
    char text[32];
    int digits = 15;
    if (isinf(value)) {
        WRITE(w, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    do {
        snprintf(text, sizeof text, "%.*g", digits, value);
    } while (digits++ < 17 && strtod(text, NULL) != value);
    WRITE(w, "%s", text);
}

/* ---- samples ------------------------------------------------------------ */

typedef struct sample {
    const tw__metric_def *def;
    const tw__metric_sum *sum;
} sample;

static void pair(writer *w, const char **gap, const char *label,
                 const char *value) {
    WRITE(w, "%s%s=\"", *gap, label);
    if (w->error == 0) {
        w->error = tw__metric_write_label(w->out, value);
    }
    WRITE(w, "\"");
    *gap = ",";
}

/* `le` may be NULL. */
static void head(writer *w, const sample *s, const char *end, const char *le) {
    const char *gap = "{", *value = s->sum->key;
    const char *label = tw__metric_labels(s->def);
    WRITE(w, "%s%s", tw__metric_name(s->def), end);
    for (unsigned i = 0; i < s->def->labels; i++) {
        pair(w, &gap, label, value);
        label += strlen(label) + 1;
        value += strlen(value) + 1;
    }
    if (s->def->over == TW_METRIC_EACH) {
        char slot[16];
        snprintf(slot, sizeof slot, "%" PRIu32, s->sum->slot);
        pair(w, &gap, "worker", slot);
    }
    if (le != NULL) {
        pair(w, &gap, "le", le);
    }
    WRITE(w, "%s ", *gap == ',' ? "}" : "");
}

/* Cumulative; the count is that of the buckets, so that both agree while the
 * workers go on counting. */
static void histogram(writer *w, const sample *s) {
    const tw__metric_def *def = s->def;
    const tw__metric_cell *cells = s->sum->cells;
    uint64_t count = 0;
    for (unsigned i = 0; i <= def->bounds; i++) {
        char le[32] = "+Inf";
        if (i < def->bounds) {
            snprintf(le, sizeof le, "%.15g", def->limits[i]);
        }
        count += cells[i].count;
        head(w, s, "_bucket", le);
        WRITE(w, "%" PRIu64 "\n", count);
    }
    head(w, s, "_sum", NULL);
    number(w, cells[def->bounds + 1].number);
    WRITE(w, "\n");
    head(w, s, "_count", NULL);
    WRITE(w, "%" PRIu64 "\n", count);
}

static void plain(writer *w, const sample *s) {
    head(w, s, "", NULL);
    number(w, s->sum->cells[0].number);
    WRITE(w, "\n");
}

/* ---- metrics ------------------------------------------------------------ */

static void group_head(writer *w, const tw__metric_def *def) {
    static const char *const types[] = {"counter", "gauge", "histogram"};
    WRITE(w, "# HELP %s ", tw__metric_name(def));
    if (w->error == 0) {
        w->error = write_escaped(w->out, tw__metric_help(def), false);
    }
    WRITE(w, "\n# TYPE %s %s\n", tw__metric_name(def), types[def->kind]);
}

int tw__metric_view_write(const tw__metric_view *view, tw__bytes *out) {
    writer w = {out, 0};
    for (tw__list *at = view->groups.next; at != &view->groups; at = at->next) {
        const tw__metric_group *group =
            TW__CONTAINER(at, tw__metric_group, node);
        group_head(&w, group->def);
        for (tw__list *sum = group->sums.next; sum != &group->sums;
             sum = sum->next) {
            sample s = {group->def, TW__CONTAINER(sum, tw__metric_sum, node)};
            if (group->def->kind == TW_METRIC_HISTOGRAM) {
                histogram(&w, &s);
            } else {
                plain(&w, &s);
            }
        }
    }
    return w.error;
}
