/* SPDX-License-Identifier: MIT */
#include "metric/shape.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "ws/utf8.h"

static const double standard_bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                         0.5,   1,    2.5,   5,    10};

/* ---- names -------------------------------------------------------------- */

static bool is_word(const char *name, size_t max) {
    static const char first[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    size_t len = strlen(name);
    return len > 0 && len <= max && strchr(first, name[0]) != NULL &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == len;
}

static bool ends_with(const char *name, const char *end) {
    size_t len = strlen(name), tail = strlen(end);
    return len >= tail && strcmp(name + len - tail, end) == 0;
}

/* Another metric of the server, or one of the names that a histogram makes. */
static bool is_taken(const char *name) {
    static const char own[] = "tidewire_";
    return strncmp(name, own, sizeof own - 1) == 0 ||
           ends_with(name, "_bucket") || ends_with(name, "_sum") ||
           ends_with(name, "_count");
}

static bool is_label(const tw_metric_config *config, const char *name) {
    return is_word(name, TW_METRIC_NAME_MAX) && strncmp(name, "__", 2) != 0 &&
           (config->kind != TW_METRIC_HISTOGRAM || strcmp(name, "le") != 0) &&
           (config->over != TW_METRIC_EACH || strcmp(name, "worker") != 0);
}

static bool is_twice(const tw_metric_config *config, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (strcmp(config->labels[i], config->labels[index]) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- the whole ---------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static int
refuse(char *detail, size_t size, const char *format, ...) {
    if (detail != NULL && size > 0) {
        va_list args;
        va_start(args, format);
        vsnprintf(detail, size, format, args);
        va_end(args);
    }
    return TW_EINVALID;
}

static int check_labels(const tw_metric_config *config, char *detail,
                        size_t size) {
    if (config->label_count > TW_METRIC_LABELS_MAX) {
        return refuse(detail, size, "more than %d labels",
                      TW_METRIC_LABELS_MAX);
    }
    for (size_t i = 0; i < config->label_count; i++) {
        const char *name = config->labels[i];
        if (!is_label(config, name)) {
            return refuse(detail, size,
                          "'%.*s' is no name for a label of it: letters, "
                          "digits and _, not beginning with __",
                          TW_METRIC_NAME_MAX, name);
        }
        if (is_twice(config, i)) {
            return refuse(detail, size, "the label '%s' comes twice", name);
        }
    }
    return 0;
}

static int check_bounds(const tw_metric_config *config, char *detail,
                        size_t size) {
    if (config->bound_count > 0 && config->kind != TW_METRIC_HISTOGRAM) {
        return refuse(detail, size, "only a histogram has buckets");
    }
    if (config->bound_count > TW_METRIC_BOUNDS_MAX) {
        return refuse(detail, size, "more than %d buckets",
                      TW_METRIC_BOUNDS_MAX);
    }
    for (size_t i = 0; i < config->bound_count; i++) {
        if (!isfinite(config->bounds[i]) ||
            (i > 0 && config->bounds[i] <= config->bounds[i - 1])) {
            return refuse(detail, size, "buckets must be numbers that rise");
        }
    }
    return 0;
}

static int check_help(const tw_metric_config *config, char *detail,
                      size_t size) {
    size_t len = config->help != NULL ? strlen(config->help) : 0;
    if (len > TW_METRIC_HELP_MAX ||
        (len > 0 && !tw__utf8_valid((const uint8_t *)config->help, len))) {
        return refuse(detail, size,
                      "the help text must be UTF-8 of at most %d bytes",
                      TW_METRIC_HELP_MAX);
    }
    return 0;
}

int tw_metric_check(const tw_metric_config *config, char *detail, size_t size) {
    if (config->name == NULL || !is_word(config->name, TW_METRIC_NAME_MAX)) {
        return refuse(detail, size,
                      "a name has letters, digits and _, and does not begin "
                      "with a digit");
    }
    if (is_taken(config->name)) {
        return refuse(detail, size,
                      "a name must not begin with tidewire_ nor end in "
                      "_bucket, _sum or _count");
    }
    if (config->over != TW_METRIC_SUM && config->kind != TW_METRIC_GAUGE) {
        return refuse(detail, size,
                      "only of a gauge it can be chosen what "
                      "all workers together are");
    }
    if (config->max_series > TW_METRIC_SERIES_MAX) {
        return refuse(detail, size, "more than %d series",
                      TW_METRIC_SERIES_MAX);
    }
    int error = check_labels(config, detail, size);
    error = error != 0 ? error : check_bounds(config, detail, size);
    return error != 0 ? error : check_help(config, detail, size);
}

/* ---- as a definition ---------------------------------------------------- */

static const char *help_of(const tw_metric_config *config) {
    return config->help != NULL && config->help[0] != '\0' ? config->help
                                                           : config->name;
}

static size_t bounds_of(const tw_metric_config *config, const double **bounds) {
    bool is_standard = config->bound_count == 0;
    *bounds = is_standard ? standard_bounds : config->bounds;
    return config->kind != TW_METRIC_HISTOGRAM ? 0
           : is_standard ? sizeof standard_bounds / sizeof *standard_bounds
                         : config->bound_count;
}

static size_t bytes_of(const tw_metric_config *config) {
    const double *bounds;
    size_t bytes = sizeof(tw__metric_def) +
                   bounds_of(config, &bounds) * sizeof *bounds +
                   strlen(config->name) + 1 + strlen(help_of(config)) + 1;
    for (size_t i = 0; i < config->label_count; i++) {
        bytes += strlen(config->labels[i]) + 1;
    }
    return (bytes + 7) / 8 * 8;
}

static char *append(char *to, const char *text) {
    size_t len = strlen(text) + 1;
    memcpy(to, text, len);
    return to + len;
}

static void fill(tw__metric_def *def, const tw_metric_config *config) {
    const double *bounds;
    size_t count = bounds_of(config, &bounds);
    def->generation = config->generation;
    def->kind = (uint8_t)config->kind;
    def->over = (uint8_t)config->over;
    def->labels = (uint8_t)config->label_count;
    def->bounds = (uint8_t)count;
    memcpy(def->limits, bounds, count * sizeof *bounds);
    char *text = (char *)(def->limits + count);
    text = append(text, config->name);
    text = append(text, help_of(config));
    for (size_t i = 0; i < config->label_count; i++) {
        text = append(text, config->labels[i]);
    }
}

tw__metric_def *tw__metric_def_create(const tw_metric_config *config) {
    size_t bytes = bytes_of(config);
    tw__metric_def *def = tw__calloc(1, bytes);
    if (def != NULL) {
        def->head = (tw__metric_head){(uint32_t)bytes, TW__METRIC_DEF};
        fill(def, config);
    }
    return def;
}
