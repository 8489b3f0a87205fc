/* SPDX-License-Identifier: MIT */
#include "redis/target.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* A part of the URL. */
typedef struct span {
    const char *data;
    size_t len;
} span;

typedef struct reading {
    tw__redis_target *target;
    char *detail;
    size_t size;
} reading;

static int complain(const reading *r, const char *why) {
    snprintf(r->detail, r->size, "%s", why);
    return TW_EINVALID;
}

/* ---- text ---------------------------------------------------------------- */

static int hex_of(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* With %40 for "@" and the like; NUL bytes cannot be. */
static int take_secret(const reading *r, span text, bool is_escaped,
                       char **out) {
    char *made;
    size_t len = 0;
    if (text.len > TW__REDIS_SECRET_MAX) {
        return complain(r, "user or password is over 1024 bytes");
    }
    made = tw__malloc(text.len + 1);
    if (made == NULL) {
        return TW_ENOMEM;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (is_escaped && c == '%') {
            int high = i + 2 < text.len ? hex_of(text.data[i + 1]) : -1;
            int low = high >= 0 ? hex_of(text.data[i + 2]) : -1;
            if (low < 0 || high * 16 + low == 0) {
                explicit_bzero(made, len);
                tw__free(made);
                return complain(r, "a % in user or password begins no escape");
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        made[len++] = c;
    }
    made[len] = '\0';
    *out = made;
    return 0;
}

static void free_secret(char *secret) {
    if (secret != NULL) {
        explicit_bzero(secret, strlen(secret));
        tw__free(secret);
    }
}

static bool read_number(span text, uint32_t most, uint32_t *number) {
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i > 8) {
            return false;
        }
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    *number = (uint32_t)value;
    return text.len > 0 && value <= most;
}

static const char *find(span text, char c) {
    return memchr(text.data, c, text.len);
}

static span before(span text, const char *at) {
    return (span){text.data, (size_t)(at - text.data)};
}

static span behind(span text, const char *at) {
    return (span){at + 1, text.len - (size_t)(at + 1 - text.data)};
}

static span span_of(const char *text) {
    return (span){text, strlen(text)};
}

/* ---- the URL ------------------------------------------------------------- */

/* "user:password" or ":password". */
static int take_login(const reading *r, span login) {
    const char *colon = find(login, ':');
    if (colon == NULL) {
        return complain(r, "user without a password: user:password@host");
    }
    span user = before(login, colon);
    int err = take_secret(r, behind(login, colon), true, &r->target->password);
    if (err == 0 && user.len > 0) {
        err = take_secret(r, user, true, &r->target->user);
    }
    return err;
}

static bool copy_text(char *out, size_t size, span text) {
    if (text.len >= size || memchr(text.data, '\0', text.len) != NULL) {
        return false;
    }
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return true;
}

static int take_place(const reading *r, span place) {
    tw__redis_target *target = r->target;
    uint32_t port = 6379;
    bool is_v6 = place.len > 0 && place.data[0] == '[';
    const char *end = is_v6 ? find(place, ']') : NULL;
    span host = is_v6 && end != NULL
                    ? (span){place.data + 1, (size_t)(end - place.data) - 1}
                    : place;
    span rest = end != NULL ? behind(place, end) : place;
    const char *colon = find(rest, ':');
    if (is_v6 && (end == NULL || (rest.len > 0 && colon != rest.data))) {
        return complain(r, "a bracket is missing");
    }
    if (colon != NULL) {
        if (!read_number(behind(rest, colon), 65535, &port) || port == 0) {
            return complain(r, "a port is 1 to 65535");
        }
        host = is_v6 ? host : before(place, colon);
    }
    if (host.len == 0 || !copy_text(target->host, sizeof target->host, host)) {
        return complain(r, "there is no host, or it is too long");
    }
    snprintf(target->port, sizeof target->port, "%u", (unsigned)(uint16_t)port);
    snprintf(target->label, sizeof target->label, is_v6 ? "[%s]:%s" : "%s:%s",
             target->host, target->port);
    target->has_address =
        tw__address_parse(&target->address, target->label) == 0;
    return 0;
}

static int take_db(const reading *r, span db) {
    if (db.len > 0 && !read_number(db, 1 << 20, &r->target->config.db)) {
        return complain(r, "a database is a number: redis://host:port/0");
    }
    return 0;
}

static int take_net(const reading *r, span rest) {
    const char *at = NULL;
    int err = 0;
    const char *slash;
    /* A password may hold a slash, and an at that was not escaped. */
    for (size_t i = 0; i < rest.len; i++) {
        at = rest.data[i] == '@' ? rest.data + i : at;
    }
    if (at != NULL) {
        err = take_login(r, before(rest, at));
        rest = behind(rest, at);
    }
    slash = find(rest, '/');
    if (err == 0 && slash != NULL) {
        err = take_db(r, behind(rest, slash));
        rest = before(rest, slash);
    }
    return err != 0 ? err : take_place(r, rest);
}

static int take_unix(const reading *r, const char *url) {
    tw__redis_target *target = r->target;
    const char *path = strncmp(url, "unix://", 7) == 0 ? url + 7 : url + 5;
    snprintf(target->label, sizeof target->label, "unix:%s", path);
    if (!copy_text(target->host, sizeof target->host, span_of(path)) ||
        tw__address_parse(&target->address, target->label) != 0) {
        return complain(r, "no path of a Unix socket");
    }
    target->has_address = true;
    return 0;
}

static int take_url(const reading *r, const char *url, bool *is_tls) {
    *is_tls = strncmp(url, "rediss://", 9) == 0;
    if (strncmp(url, "unix:", 5) == 0) {
        return take_unix(r, url);
    }
    if (*is_tls || strncmp(url, "redis://", 8) == 0) {
        return take_net(r, span_of(url + (*is_tls ? 9 : 8)));
    }
    return complain(r, "a URL begins with redis://, rediss:// or unix:");
}

/* ---- the rest ------------------------------------------------------------ */

static void fill_defaults(tw_redis_config *config) {
#define DEFAULT(field, value)                                                  \
    config->field = config->field != 0 ? config->field : (value)
    DEFAULT(pool, 2);
    DEFAULT(connect_ms, 2000);
    DEFAULT(timeout_ms, 1000);
    DEFAULT(ping_ms, 1000);
    DEFAULT(dead_ms, 3000);
    DEFAULT(max_pending, 100000);
    DEFAULT(max_queued_bytes, (size_t)16 << 20);
    DEFAULT(max_reply_bytes, (size_t)16 << 20);
#undef DEFAULT
    config->pool = config->pool < 64 ? config->pool : 64;
}

/* A given one stands for the URL's. */
static int replace_secret(const reading *r, const char *given, char **secret) {
    if (given == NULL) {
        return 0;
    }
    free_secret(*secret);
    *secret = NULL;
    return take_secret(r, span_of(given), false, secret);
}

static int take_all(const reading *r, const tw_redis_config *config) {
    tw__redis_target *target = r->target;
    const char *name = config->name != NULL ? config->name : "main";
    bool is_tls = false;
    if (*name == '\0' ||
        !copy_text(target->name, sizeof target->name, span_of(name))) {
        return complain(r, "a name has 1 to 64 bytes");
    }
    if (config->url == NULL) {
        return complain(r, "there is no url");
    }
    int err = take_url(r, config->url, &is_tls);
    err = err != 0 ? err : replace_secret(r, config->user, &target->user);
    err =
        err != 0 ? err : replace_secret(r, config->password, &target->password);
    if (err == 0 && target->user != NULL && target->password == NULL) {
        return complain(r, "there is a user and no password");
    }
    if (err == 0 && config->ca != NULL && !is_tls) {
        return complain(r, "a ca is for rediss:// only");
    }
    if (err == 0 && is_tls) {
        err =
            tw__tls_create_client(&target->tls, config->ca, r->detail, r->size);
    }
    return err;
}

int tw__redis_target_init(tw__redis_target *target,
                          const tw_redis_config *config, char *detail,
                          size_t size) {
    reading r = {target, detail, size};
    memset(target, 0, sizeof *target);
    target->config = *config;
    target->config.name = target->config.url = target->config.ca = NULL;
    target->config.user = target->config.password = NULL;
    fill_defaults(&target->config);
    int err = take_all(&r, config);
    if (err == TW_ENOMEM) {
        snprintf(detail, size, "%s", tw_strerror(err));
    }
    if (err != 0) {
        tw__redis_target_deinit(target);
    } else if (config->db != 0) {
        target->config.db = config->db;
    }
    return err;
}

void tw__redis_target_deinit(tw__redis_target *target) {
    free_secret(target->user);
    free_secret(target->password);
    target->user = target->password = NULL;
    tw__tls_unref(target->tls);
    target->tls = NULL;
}
