/* route_config.c - the settings of a route: copied, with defaults, checked.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "server/routes.h"
#include "ws/origin.h"

void tw__route_config_deinit(tw_route_config *config) {
    for (size_t i = 0; i < config->origin_count; i++) {
        tw__free((void *)config->origins[i]);
    }
    tw__free((void *)config->origins);
    tw__free((void *)config->method);
    tw__free((void *)config->pattern);
    tw__free((void *)config->folder);
    tw__free((void *)config->wire);
    memset(config, 0, sizeof *config);
}

static int copy_text(const char **text) {
    if (*text != NULL) {
        *text = tw__strndup(*text, strlen(*text));
        return *text == NULL ? TW_ENOMEM : 0;
    }
    return 0;
}

static int copy_origins(tw_route_config *to, const tw_route_config *from,
                        tw__detail detail) {
    const char **origins = tw__calloc(from->origin_count, sizeof *origins);
    if (origins == NULL) {
        return TW_ENOMEM;
    }
    to->origins = origins;
    for (size_t i = 0; i < from->origin_count; i++) {
        const char *origin = from->origins[i];
        if (!tw__ws_origin_is_pattern(origin, strlen(origin))) {
            snprintf(detail.text, detail.size,
                     "'%s' is not an origin or a pattern of one", origin);
            return TW_EINVALID;
        }
        origins[i] = tw__strndup(origin, strlen(origin));
        if (origins[i] == NULL) {
            return TW_ENOMEM;
        }
        to->origin_count = i + 1;
    }
    return 0;
}

static void fill_defaults(tw_route_config *config) {
    if (config->max_body_bytes == 0) {
        config->max_body_bytes = 1 << 20;
    }
    if (config->max_message_bytes == 0) {
        config->max_message_bytes = 65536;
    }
    config->ping_ms = config->ping_ms ? config->ping_ms : 30000;
    config->idle_ms = config->idle_ms ? config->idle_ms : 60000;
    if (config->drain_spread_ms == 0) {
        config->drain_spread_ms = 5000;
    }
    if (config->drain_code == 0) {
        config->drain_code = 1012;
    }
}

int tw__route_config_copy(tw_route_config *to, const tw_route_config *from,
                          tw__detail detail) {
    *to = *from;
    to->method = to->pattern = to->folder = to->wire = NULL;
    to->origins = NULL;
    to->origin_count = 0;
    const char **texts[] = {&to->method, &to->pattern, &to->folder, &to->wire};
    const char *sources[] = {from->method, from->pattern, from->folder,
                             from->wire};
    int err = 0;
    for (size_t i = 0; err == 0 && i < 4; i++) {
        *texts[i] = sources[i];
        err = copy_text(texts[i]);
    }
    if (err == 0) {
        err = copy_origins(to, from, detail);
    }
    fill_defaults(to);
    if (err != 0) {
        tw__route_config_deinit(to);
    }
    return err;
}
