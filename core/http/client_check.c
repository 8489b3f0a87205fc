/* What a request may be: everything is looked at and copied here, so that what
 * reaches libcurl is well formed. A header or URL with a line end in it would
 * become lines of its own.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "http/chars.h"
#include "http/client_parts.h"

enum { METHOD_MAX = 32, HEADERS_BYTES_MAX = 65536 };

/* ---- the URL ---- */

static bool is_plain(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c == 0x7f || c == '\\') {
            return false;
        }
    }
    return true;
}

static bool has_part(CURLU *url, CURLUPart part) {
    char *text;
    CURLUcode code = curl_url_get(url, part, &text, 0);
    if (code == CURLUE_OK) {
        curl_free(text);
    }
    return code == CURLUE_OK;
}

/* NULL, or what is wrong with it. */
static const char *look_at(CURLU *url, bool *is_https) {
    char *scheme;
    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) {
        return "the URL has no scheme";
    }
    *is_https = strcmp(scheme, "https") == 0;
    bool is_http = strcmp(scheme, "http") == 0;
    curl_free(scheme);
    if (!*is_https && !is_http) {
        return "only http and https URLs can be asked";
    }
    if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD)) {
        return "a user and password belong in the header Authorization, not "
               "in the URL";
    }
    return NULL;
}

CURLU *tw__http_url_parse(const char *text, size_t len, bool *is_https,
                          const char **why) {
    *why = NULL;
    if (len == 0 || len > TW_HTTP_URL_MAX || !is_plain(text, len)) {
        *why = len > TW_HTTP_URL_MAX ? "the URL is too long"
                                     : "the URL is malformed";
        return NULL;
    }
    char *copy = tw__strndup(text, len);
    CURLU *url = copy != NULL ? curl_url() : NULL;
    if (url == NULL) {
        tw__free(copy);
        return NULL;
    }
    CURLUcode code =
        curl_url_set(url, CURLUPART_URL, copy, CURLU_NON_SUPPORT_SCHEME);
    tw__free(copy);
    if (code == CURLUE_OK) {
        *why = look_at(url, is_https);
    } else if (code != CURLUE_OUT_OF_MEMORY) {
        *why = "the URL is malformed";
    }
    if (code != CURLUE_OK || *why != NULL) {
        curl_url_cleanup(url);
        return NULL;
    }
    return url;
}

/* ---- the method ---- */

static bool is_token(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (!tw__http_is_tchar((unsigned char)text[i])) {
            return false;
        }
    }
    return len > 0;
}

static int copy_method(tw_http_call *call, tw_str method, const char **why) {
    if (method.data == NULL) {
        method = (tw_str){"GET", 3};
    }
    if (!is_token(method.data, method.len) || method.len > METHOD_MAX ||
        tw__http_same(method.data, method.len, "CONNECT", 7) ||
        tw__http_same(method.data, method.len, "TRACE", 5)) {
        *why = "this method cannot be asked";
        return TW_EINVALID;
    }
    call->method = tw__strndup(method.data, method.len);
    return call->method == NULL ? TW_ENOMEM : 0;
}

/* ---- headers ---- */

/* Those that say where a request ends, or what becomes of its connection. */
static bool is_framing(const char *name, size_t len) {
    static const char *const names[] = {
        "connection", "content-length",   "expect",
        "keep-alive", "proxy-connection", "proxy-authorization",
        "te",         "trailer",          "transfer-encoding",
        "upgrade",    "http2-settings",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (tw__http_same(name, len, names[i], strlen(names[i]))) {
            return true;
        }
    }
    return false;
}

static const char *look_at_header(const tw_header *header) {
    if (!is_token(header->name.data, header->name.len)) {
        return "a header's name is malformed";
    }
    if (is_framing(header->name.data, header->name.len)) {
        return "headers that frame a request are set by the server alone";
    }
    for (size_t i = 0; i < header->value.len; i++) {
        unsigned char c = (unsigned char)header->value.data[i];
        if (!tw__http_is_value_char(c)) {
            return "a header's value has a line end or another control "
                   "character";
        }
    }
    return NULL;
}

static int add_line(tw_http_call *call, const char *line) {
    struct curl_slist *longer = curl_slist_append(call->headers, line);
    if (longer == NULL) {
        return TW_ENOMEM;
    }
    call->headers = longer;
    return 0;
}

/* libcurl takes "Name:" for a wish not to send it, and "Name;" for an empty
 * one. */
static int add_header(tw_http_call *call, const tw_header *header) {
    const char *value = header->value.data;
    size_t len = header->value.len;
    tw__http_trim(&value, &len);
    tw__bytes line = {0};
    int err = tw__bytes_append(&line, header->name.data, header->name.len);
    if (err == 0) {
        err = tw__bytes_append(&line, len > 0 ? ": " : ";", len > 0 ? 2 : 1);
    }
    if (err == 0 && len > 0) {
        err = tw__bytes_append(&line, value, len);
    }
    if (err == 0) {
        err = tw__bytes_append(&line, "", 1);
    }
    if (err == 0) {
        err = add_line(call, (const char *)tw__bytes_data(&line));
    }
    tw__bytes_deinit(&line);
    return err;
}

static int copy_headers(tw_http_call *call, const tw_http_options *options,
                        const char **why) {
    bool has_type = false, has_agent = false;
    size_t bytes = 0;
    for (size_t i = 0; i < options->header_count; i++) {
        const tw_header *header = &options->headers[i];
        bytes += header->name.len + header->value.len + 4;
        *why = i == TW_HTTP_HEADERS_MAX || bytes > HEADERS_BYTES_MAX
                   ? "there are too many headers"
                   : look_at_header(header);
        if (*why != NULL) {
            return TW_EINVALID;
        }
        int err = add_header(call, header);
        if (err != 0) {
            return err;
        }
        const char *name = header->name.data;
        size_t len = header->name.len;
        has_type |= tw__http_same(name, len, "content-type", 12);
        has_agent |= tw__http_same(name, len, "user-agent", 10);
    }
    /* libcurl would wait for a 100 first, and call every body a form. */
    int err = add_line(call, "Expect:");
    if (err == 0 && !has_type) {
        err = add_line(call, "Content-Type:");
    }
    if (err == 0 && !has_agent) {
        err = add_line(call, "User-Agent: tidewire");
    }
    return err;
}

/* ---- all of it ---- */

static int copy_body(tw_http_call *call, const tw_http_options *options,
                     const char **why) {
    if (options->body == NULL) {
        return 0;
    }
    if (!tw__http_hold(call, options->len)) {
        *why = "too many bytes of requests and answers are held";
        return TW_EOVERLOADED;
    }
    call->body = tw__malloc(options->len + 1);
    if (call->body == NULL) {
        return TW_ENOMEM;
    }
    memcpy(call->body, options->body, options->len);
    call->len = options->len;
    return 0;
}

static uint32_t or_else(uint32_t value, uint32_t standard) {
    return value != 0 ? value : standard;
}

static void copy_numbers(tw_http_call *call, const tw_http_options *options) {
    size_t most = call->client->config.max_body_bytes;
    size_t wanted = options->max_body_bytes;
    wanted = wanted != 0 ? wanted : 1 << 20;
    call->max_body = wanted < most ? wanted : most;
    call->timeout_ms = or_else(options->timeout_ms, 10000);
    call->connect_ms = or_else(options->connect_ms, 5000);
    call->redirects_most = options->redirects < TW_HTTP_REDIRECTS_MAX
                               ? options->redirects
                               : TW_HTTP_REDIRECTS_MAX;
}

int tw__http_check(tw_http_call *call, const tw_http_options *options,
                   const char **why) {
    copy_numbers(call, options);
    call->url = tw__http_url_parse(options->url.data, options->url.len,
                                   &call->is_https, why);
    if (call->url == NULL) {
        return *why != NULL ? TW_EINVALID : TW_ENOMEM;
    }
    int err = copy_method(call, options->method, why);
    err = err != 0 ? err : copy_headers(call, options, why);
    return err != 0 ? err : copy_body(call, options, why);
}
