/* Responses, http/response.h. Small: a quarter of the time. The input is a
 * status, a header in each further line, and behind an empty line the body:
 * what a script might ask for.
 *
 * A response is refused, or a client reads in it just what was asked for: no
 * other header, no second response. Errors as JSON are JSON.
 *
 * SPDX-License-Identifier: MIT */
#include <jansson.h>

#include "fuzz.h"
#include "http/chars.h"
#include "http/response.h"
#include "tidewire/errors.h"
#include "ws/utf8.h"

enum { MAX_HEADERS = 32 };

static bool is_named(fuzz_span name, const char *text) {
    return tw__http_same((const char *)name.data, name.len, text, strlen(text));
}

static bool is_framing(fuzz_span name) {
    static const char *const names[] = {"date",       "content-length",
                                        "connection", "transfer-encoding",
                                        "keep-alive", "te",
                                        "trailer"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (is_named(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* Takes a line that ends in CRLF and has no CR, LF or zero besides. */
static fuzz_span take_line(fuzz_span *rest) {
    fuzz_span line = fuzz_cut(rest, '\n');
    FUZZ_CHECK(line.len != 0 && line.data[line.len - 1] == '\r');
    line.len--;
    FUZZ_CHECK(memchr(line.data, '\r', line.len) == NULL);
    FUZZ_CHECK(memchr(line.data, '\0', line.len) == NULL);
    return line;
}

/* The caller's headers, those of the framing left out, come in their order. */
static void check_own(const tw__http_response *response, fuzz_span name,
                      fuzz_span value, size_t *next) {
    const tw__http_field *field;
    do {
        FUZZ_CHECK(*next < response->header_count);
        field = &response->headers[(*next)++];
    } while (
        is_framing((fuzz_span){(const uint8_t *)field->name, field->name_len}));
    FUZZ_CHECK(fuzz_same(name.data, name.len, field->name, field->name_len));
    FUZZ_CHECK(
        fuzz_same(value.data, value.len, field->value, field->value_len));
}

static bool has_own(const tw__http_response *response, const char *name) {
    for (size_t i = 0; i < response->header_count; i++) {
        const tw__http_field *field = &response->headers[i];
        if (tw__http_same(field->name, field->name_len, name, strlen(name))) {
            return true;
        }
    }
    return false;
}

static void check_written(fuzz_span out, const tw__http_response *response) {
    size_t next = 0;
    uint64_t length = 0;
    unsigned lengths = 0, connections = 0;
    bool has_length = response->status != 204 && response->status != 304;
    bool wants_type = has_length && response->status != 205 &&
                      response->body_len != 0 &&
                      !has_own(response, "content-type");
    fuzz_span line = take_line(&out);
    FUZZ_CHECK(line.len > 13 && memcmp(line.data, "HTTP/1.1 ", 9) == 0);
    while ((line = take_line(&out)).len != 0) {
        fuzz_span name = fuzz_cut(&line, ':');
        FUZZ_CHECK(line.len != 0 && line.data[0] == ' ');
        fuzz_span value = {line.data + 1, line.len - 1};
        if (is_named(name, "content-length")) {
            lengths++;
            FUZZ_CHECK(
                tw__http_decimal((const char *)value.data, value.len, &length));
        } else if (is_named(name, "connection")) {
            connections++;
        } else if (wants_type) {
            FUZZ_CHECK(is_named(name, "content-type"));
            wants_type = false;
        } else {
            check_own(response, name, value, &next);
        }
    }
    FUZZ_CHECK(!wants_type && connections == 1 && lengths == has_length);
    FUZZ_CHECK(out.len == (response->is_head ? 0 : length));
}

static void check_error(const tw__http_response *response, fuzz_span message) {
    char *text = malloc(message.len + 1);
    FUZZ_CHECK(text != NULL);
    memcpy(text, message.data, message.len);
    text[message.len] = '\0';
    tw__bytes out = {0};
    if (tw__http_error_json(&out, response, "code", text) == 0 &&
        !response->is_head && response->status != 205) {
        const char *all = (const char *)tw__bytes_data(&out);
        const char *body = memmem(all, tw__bytes_len(&out), "\r\n\r\n", 4);
        if (response->status != 204 && response->status != 304) {
            size_t len = tw__bytes_len(&out) - (size_t)(body + 4 - all);
            json_t *json = json_loadb(body + 4, len, 0, NULL);
            json_t *error = json_object_get(json, "error");
            const char *back =
                json_string_value(json_object_get(error, "message"));
            FUZZ_CHECK(back != NULL);
            FUZZ_CHECK(!tw__utf8_valid((uint8_t *)text, strlen(text)) ||
                       strcmp(back, text) == 0);
            json_decref(json);
        }
    }
    tw__bytes_deinit(&out);
    out = (tw__bytes){0};
    tw__http_error_text(&out, response, text);
    tw__bytes_deinit(&out);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_span rest = {data, size}, line = fuzz_line(&rest);
    size_t live = tw__alloc_live();
    tw__http_field fields[MAX_HEADERS];
    tw__http_response response = {.content_type = "standard/type",
                                  .headers = fields,
                                  .is_head = size % 8 == 0,
                                  .keep_alive = size % 2 == 0};
    for (size_t i = 0; i < line.len && i < 3; i++) {
        response.status = response.status * 10 + (line.data[i] - '0');
    }
    while (rest.len != 0 && response.header_count < MAX_HEADERS) {
        line = fuzz_line(&rest);
        if (line.len == 0) {
            break;
        }
        fuzz_span name = fuzz_cut(&line, ':');
        fields[response.header_count++] =
            (tw__http_field){(const char *)name.data, name.len,
                             (const char *)line.data, line.len};
    }
    response.body = rest.data;
    response.body_len = rest.len;
    tw__bytes out = {0};
    int err = tw__http_response_write(&out, &response);
    if (err == 0) {
        check_written((fuzz_span){tw__bytes_data(&out), tw__bytes_len(&out)},
                      &response);
    } else {
        FUZZ_CHECK(err == TW_EINVALID && tw__bytes_len(&out) == 0);
    }
    tw__bytes_deinit(&out);
    check_error(&response, rest);
    FUZZ_CHECK(tw__alloc_live() == live);
    return 0;
}
