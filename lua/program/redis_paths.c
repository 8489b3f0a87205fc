/* redis_paths.c - files that a table of Redis servers names.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "config.h"
#include "redis.h"

static void resolve_path(json_t *entry, const char *key, const char *file) {
    const char *path = json_string_value(json_object_get(entry, key));
    if (path != NULL) {
        char *resolved = twp_config_resolve(file, path);
        json_object_set_new(entry, key, json_string(resolved));
        free(resolved);
    }
}

json_t *twp_redis_resolve(const json_t *table, const char *file) {
    json_t *copy = json_deep_copy(table), *entry;
    const char *name;
    json_object_foreach(copy, name, entry) {
        resolve_path(entry, "ca", file);
        resolve_path(entry, "password_file", file);
    }
    return copy;
}
