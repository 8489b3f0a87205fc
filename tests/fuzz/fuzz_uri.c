/* Paths, query strings and cookie lines, http/uri.h. Small: a quarter of the
 * time.
 *
 * A decoded path cannot lead out of anything; what was decoded can be encoded,
 * and decodes to the same.
 *
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "http/uri.h"

static void add_escaped(fuzz_log *out, const char *data, size_t len,
                        const char *plain) {
    for (size_t i = 0; i < len; i++) {
        char text[4];
        if (data[i] != '\0' && strchr(plain, data[i]) != NULL) {
            fuzz_log_add(out, data + i, 1);
        } else {
            snprintf(text, sizeof text, "%%%02X", (unsigned char)data[i]);
            fuzz_log_add(out, text, 3);
        }
    }
}

/* ---- paths ----------------------------------------------------------------
 */

static void check_segments(const char *path, size_t len) {
    fuzz_span rest = {(const uint8_t *)path, len};
    for (size_t i = 0; i < len; i++) {
        FUZZ_CHECK((uint8_t)path[i] >= 0x20 && path[i] != 0x7F);
        FUZZ_CHECK(path[i] != '\\');
    }
    while (rest.len != 0) {
        fuzz_span part = fuzz_cut(&rest, '/');
        FUZZ_CHECK(!fuzz_same(part.data, part.len, ".", 1));
        FUZZ_CHECK(!fuzz_same(part.data, part.len, "..", 2));
    }
}

static void check_path(const uint8_t *data, size_t size) {
    char *raw = fuzz_copy(data, size), *path = malloc(size + 1);
    size_t len = SIZE_MAX;
    FUZZ_CHECK(path != NULL);
    if (size != 0 && raw[0] == '/' &&
        tw__http_path_decode(raw, size, path, &len) == NULL) {
        FUZZ_CHECK(len <= size && path[len] == '\0' && path[0] == '/');
        check_segments(path, len);
        fuzz_log again = {0};
        add_escaped(&again, path, len, "/");
        char *other = malloc(again.len + 1);
        size_t other_len = SIZE_MAX;
        FUZZ_CHECK(other != NULL);
        FUZZ_CHECK(tw__http_path_decode((const char *)again.data, again.len,
                                        other, &other_len) == NULL);
        FUZZ_CHECK(fuzz_same(path, len, other, other_len));
        free(other);
        fuzz_log_free(&again);
    }
    free(path);
    free(raw);
}

/* ---- pairs ----------------------------------------------------------------
 */

static void check_same(const tw__http_pairs *a, const tw__http_pairs *b) {
    FUZZ_CHECK(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        const tw__http_field *x = &a->fields[i], *y = &b->fields[i];
        FUZZ_CHECK(fuzz_same(x->name, x->name_len, y->name, y->name_len));
        FUZZ_CHECK(fuzz_same(x->value, x->value_len, y->value, y->value_len));
        FUZZ_CHECK(x->name[x->name_len] == '\0');
        FUZZ_CHECK(x->value[x->value_len] == '\0');
    }
}

static void check_query(const uint8_t *data, size_t size) {
    char *raw = fuzz_copy(data, size);
    tw__http_pairs *pairs = tw__http_query_parse(raw, size);
    free(raw);
    FUZZ_CHECK(pairs != NULL);
    fuzz_log text = {0};
    for (size_t i = 0; i < pairs->count; i++) {
        const tw__http_field *f = &pairs->fields[i];
        add_escaped(&text, f->name, f->name_len, "abcdefgh");
        fuzz_log_add(&text, "=", 1);
        add_escaped(&text, f->value, f->value_len, "abcdefgh");
        fuzz_log_add(&text, "&", 1);
    }
    tw__http_pairs *again =
        tw__http_query_parse((const char *)text.data, text.len);
    FUZZ_CHECK(again != NULL);
    check_same(pairs, again);
    tw__free(again);
    tw__free(pairs);
    fuzz_log_free(&text);
}

static void check_cookies(const uint8_t *data, size_t size) {
    char *raw = fuzz_copy(data, size);
    tw__http_pairs *pairs = tw__http_cookies_parse(raw, size);
    free(raw);
    FUZZ_CHECK(pairs != NULL);
    fuzz_log text = {0};
    for (size_t i = 0; i < pairs->count; i++) {
        const tw__http_field *f = &pairs->fields[i];
        FUZZ_CHECK(f->name_len != 0);
        FUZZ_CHECK(memchr(f->name, ';', f->name_len) == NULL);
        FUZZ_CHECK(memchr(f->name, '=', f->name_len) == NULL);
        FUZZ_CHECK(memchr(f->value, ';', f->value_len) == NULL);
        fuzz_log_add(&text, f->name, f->name_len);
        fuzz_log_add(&text, "=\"", 2);
        fuzz_log_add(&text, f->value, f->value_len);
        fuzz_log_add(&text, "\"; ", 3);
    }
    tw__http_pairs *again =
        tw__http_cookies_parse((const char *)text.data, text.len);
    FUZZ_CHECK(again != NULL);
    check_same(pairs, again);
    tw__free(again);
    tw__free(pairs);
    fuzz_log_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t live = tw__alloc_live();
    check_path(data, size);
    check_query(data, size);
    check_cookies(data, size);
    FUZZ_CHECK(tw__alloc_live() == live);
    return 0;
}
