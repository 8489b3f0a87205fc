/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>

#include "status.h"
#include "table.h"

void twp_format_duration(char *out, size_t size, double seconds) {
    unsigned long s = (unsigned long)(seconds > 0 ? seconds : 0);
    if (s >= 86400) {
        snprintf(out, size, "%lud %luh", s / 86400, s / 3600 % 24);
    } else if (s >= 3600) {
        snprintf(out, size, "%luh %lum", s / 3600, s / 60 % 60);
    } else if (s >= 60) {
        snprintf(out, size, "%lum %lus", s / 60, s % 60);
    } else {
        snprintf(out, size, "%lus", s);
    }
}

void twp_format_bytes(char *out, size_t size, double bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    while (bytes >= 1024 && unit < 4) {
        bytes /= 1024;
        unit++;
    }
    snprintf(out, size, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

static double number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static const char *string(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static bool is_true(const json_t *object, const char *key) {
    return json_is_true(json_object_get(object, key));
}

static double sum(const json_t *workers, const char *key) {
    double total = 0;
    for (size_t i = 0; i < json_array_size(workers); i++) {
        total += number(json_array_get(workers, i), key);
    }
    return total;
}

static void add_addresses(twp_text *out, const json_t *addresses) {
    for (size_t i = 0; i < json_array_size(addresses); i++) {
        const char *text = json_string_value(json_array_get(addresses, i));
        twp_text_printf(out, "%s%s", i > 0 ? ", " : "on ",
                        text != NULL ? text : "?");
    }
    twp_text_puts(out, json_array_size(addresses) > 0 ? ", " : "");
}

static void add_head(twp_text *out, const json_t *status,
                     const json_t *workers) {
    const json_t *reloads = json_object_get(status, "reloads");
    char uptime[TWP_CELL];
    twp_format_duration(uptime, sizeof uptime, number(status, "uptime_s"));
    twp_text_printf(out, "Tidewire %s, %s for %s, generation %.0f",
                    string(status, "version"),
                    is_true(status, "draining") ? "draining, up" : "up", uptime,
                    number(status, "generation"));
    twp_text_printf(out, " (%.0f reloads, %.0f failed)\n",
                    number(reloads, "committed"), number(reloads, "aborted"));
    twp_text_printf(out, "%.0f connections on %zu worker%s, master %.0f",
                    sum(workers, "connections"), json_array_size(workers),
                    json_array_size(workers) == 1 ? "" : "s",
                    number(status, "master_pid"));
    twp_text_puts(out, "\n");
    add_addresses(out, json_object_get(status, "addresses"));
    if (*string(status, "admin") != '\0') {
        twp_text_printf(out, "admin http://%s/, ", string(status, "admin"));
    }
    twp_text_printf(out, "runtime folder %s\n\n",
                    string(status, "runtime_dir"));
}

static void add_worker(twp_table *table, const json_t *worker) {
    char(*cells)[TWP_CELL] = twp_table_add(table);
    if (cells == NULL) {
        return;
    }
    static const char *const numbers[] = {"pid",           "generation",
                                          "restarts",      "connections",
                                          "subscriptions", "channels"};
    double pid = number(worker, "pid");
    snprintf(cells[0], TWP_CELL, "%.0f", number(worker, "slot"));
    snprintf(cells[1], TWP_CELL, "%s",
             is_true(worker, "ready") ? "ready"
             : pid != 0               ? "not ready"
                                      : "down");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(cells[2 + i], TWP_CELL, "%.0f", number(worker, numbers[i]));
    }
    twp_format_duration(cells[8], TWP_CELL, number(worker, "uptime_s"));
    snprintf(cells[9], TWP_CELL, "%.1fs", number(worker, "cpu_s"));
    twp_format_bytes(cells[10], TWP_CELL, number(worker, "memory_bytes"));
}

void twp_status_format(twp_text *out, const json_t *status) {
    static const char *const names[] = {
        "WORKER",   "STATE",       "PID",           "GENERATION",
        "RESTARTS", "CONNECTIONS", "SUBSCRIPTIONS", "CHANNELS",
        "UPTIME",   "CPU",         "MEMORY",        NULL};
    const json_t *workers = json_object_get(status, "workers");
    twp_table table;
    twp_table_init(&table, names);
    for (size_t i = 0; i < json_array_size(workers); i++) {
        add_worker(&table, json_array_get(workers, i));
    }
    add_head(out, status, workers);
    twp_table_print(&table, out);
    twp_table_deinit(&table);
}
