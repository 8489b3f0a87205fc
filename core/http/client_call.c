/* One request as libcurl knows it.
 *
 * Redirects are ours and not libcurl's: where one may lead, what it may carry
 * and whether that host is asked at all is decided like for any request.
 *
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "http/chars.h"
#include "http/client_parts.h"

/* ---- the answer as it comes ---- */

/* The transfer ends with this error, as soon as the callback says so. */
static size_t refuse(tw_http_call *call, int error, const char *why) {
    if (call->error == 0) {
        call->error = error;
        snprintf(call->why, sizeof call->why, "%s", why);
    }
    return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg) {
    tw_http_call *call = arg;
    size_t len = size * count;
    if (len > call->max_body - tw__bytes_len(&call->answer)) {
        return refuse(call, TW_ELIMIT, "the answer is longer than max_body");
    }
    if (!tw__http_hold(call, len)) {
        return refuse(call, TW_EOVERLOADED,
                      "too many bytes of requests and answers are held");
    }
    if (tw__bytes_append(&call->answer, data, len) != 0) {
        return refuse(call, TW_ENOMEM, tw_strerror(TW_ENOMEM));
    }
    return len;
}

static bool is_value(const char *value, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (!tw__http_is_value_char((unsigned char)value[i])) {
            return false;
        }
    }
    return true;
}

static bool is_name(const char *name, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (!tw__http_is_tchar((unsigned char)name[i])) {
            return false;
        }
    }
    return len > 0;
}

static int keep_line(tw_http_call *call, const char *name, size_t name_len,
                     const char *value, size_t value_len) {
    uint8_t *out;
    size_t len = name_len + value_len + 2;
    if (tw__bytes_reserve(&call->head, len, &out) != 0) {
        return TW_ENOMEM;
    }
    for (size_t i = 0; i < name_len; i++) {
        *out++ = (uint8_t)tw__http_lower(name[i]);
    }
    *out++ = '\0';
    if (value_len > 0) {
        memcpy(out, value, value_len);
    }
    out[value_len] = '\0';
    tw__bytes_commit(&call->head, len);
    call->lines++;
    return 0;
}

/* The empty line: the end of a head, perhaps of an interim answer's. */
static void end_head(tw_http_call *call) {
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    call->is_head_over = status >= 200;
    if (!call->is_head_over) {
        tw__bytes_consume(&call->head, tw__bytes_len(&call->head));
        call->lines = 0;
    }
}

static size_t on_header(char *data, size_t size, size_t count, void *arg) {
    tw_http_call *call = arg;
    size_t given = size * count, len = given;
    call->head_bytes += given;
    if (call->head_bytes > TW__HTTP_ANSWER_HEAD_MAX ||
        call->lines == TW__HTTP_ANSWER_LINES_MAX) {
        return refuse(call, TW_ELIMIT, "the answer's head is too long");
    }
    while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r')) {
        len--;
    }
    if (call->is_head_over) {
        return given; /* a trailer */
    }
    if (len == 0) {
        end_head(call);
        return given;
    }
    const char *colon = memchr(data, ':', len);
    if (len > 5 && memcmp(data, "HTTP/", 5) == 0) {
        return given;
    }
    size_t name_len = colon != NULL ? (size_t)(colon - data) : 0;
    const char *value = colon != NULL ? colon + 1 : data;
    size_t value_len = colon != NULL ? len - name_len - 1 : len;
    tw__http_trim(&value, &value_len);
    if (!is_name(data, name_len) || !is_value(value, value_len)) {
        return refuse(call, TW_EINVALID, "the answer has a malformed header");
    }
    if (keep_line(call, data, name_len, value, value_len) != 0) {
        return refuse(call, TW_ENOMEM, tw_strerror(TW_ENOMEM));
    }
    return given;
}

/* Connected, TLS agreed on: from here on only the whole time is limited. */
static int on_connected(void *arg, char *to, char *from, int to_port,
                        int from_port) {
    tw_http_call *call = arg;
    (void)to, (void)from, (void)to_port, (void)from_port;
    tw__clockwork_clear(call->client->ground.clockwork, &call->connecting);
    return CURL_PREREQFUNC_OK;
}

/* ---- options ---- */

static int set_method(CURL *easy, tw_http_call *call) {
    const char *method = call->method;
    int bad = 0;
    if (call->body != NULL || strcmp(method, "POST") == 0 ||
        strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0) {
        const char *body = call->body != NULL ? (char *)call->body : "";
        bad |= (int)curl_easy_setopt(easy, CURLOPT_POST, 1L);
        bad |= (int)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
        bad |= (int)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                     (curl_off_t)call->len);
    }
    if (strcmp(method, "HEAD") == 0 && call->body == NULL) {
        bad |= (int)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else {
        bad |= (int)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    }
    return bad;
}

/* Nothing comes from the environment: no proxy, no .netrc. The limits of time
 * are ours, which libcurl's own must not undercut. With QUICK_EXIT it does not
 * wait for a name that is still looked up when a request is called off; without
 * it the loop would. */
static int set_manners(CURL *easy, tw_http_call *call) {
    const tw__http_client *client = call->client;
    int bad = 0;
    bad |= (int)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 86400000L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                                 (long)CURL_HTTP_VERSION_1_1);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                                 (long)CURL_SSLVERSION_TLSv1_2);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PROXY,
                                 client->proxy != NULL ? client->proxy : "");
    bad |= (int)curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    if (client->ca_file != NULL) {
        bad |= (int)curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
        bad |= (int)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    return bad;
}

static int set_callbacks(CURL *easy, tw_http_call *call) {
    int bad = 0;
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_why);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
    return bad;
}

int tw__http_call_start(tw_http_call *call) {
    CURL *easy = curl_easy_init();
    if (easy == NULL) {
        return TW_ENOMEM;
    }
    int bad = set_manners(easy, call) | set_callbacks(easy, call) |
              set_method(easy, call);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_CURLU, call->url);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE,
                                 (curl_off_t)call->max_body);
    call->curl_why[0] = '\0';
    call->easy = easy;
    if (bad != 0 || curl_multi_add_handle(call->client->multi, easy) != 0) {
        call->easy = NULL;
        curl_easy_cleanup(easy);
        return TW_ENOMEM;
    }
    return 0;
}

void tw__http_call_stop(tw_http_call *call) {
    if (call->easy != NULL) {
        curl_multi_remove_handle(call->client->multi, call->easy);
        curl_easy_cleanup(call->easy);
        call->easy = NULL;
    }
}

/* ---- redirects ---- */

/* The name of a line as tw__http_check made it. */
static bool is_line(const char *line, const char *name) {
    return tw__http_same(line, strcspn(line, ":;"), name, strlen(name));
}

/* What one host was told in confidence is not for another; and without its
 * body a request has no type. */
static int drop_headers(tw_http_call *call, bool is_elsewhere, bool is_bare) {
    struct curl_slist *kept = NULL;
    for (const struct curl_slist *at = call->headers; at; at = at->next) {
        const char *line = at->data;
        bool is_secret = is_line(line, "authorization") ||
                         is_line(line, "cookie") || is_line(line, "host");
        if ((is_elsewhere && is_secret) ||
            (is_bare && is_line(line, "content-type"))) {
            continue;
        }
        struct curl_slist *longer = curl_slist_append(kept, line);
        if (longer == NULL) {
            curl_slist_free_all(kept);
            return TW_ENOMEM;
        }
        kept = longer;
    }
    curl_slist_free_all(call->headers);
    call->headers = kept;
    return 0;
}

/* Whether the body stays behind; then the method becomes GET. RFC 9110 15.4. */
static bool becomes_get(const tw_http_call *call) {
    bool is_head = strcmp(call->method, "HEAD") == 0;
    bool is_post = strcmp(call->method, "POST") == 0;
    return call->status == 303 ? !is_head : call->status <= 302 && is_post;
}

static void forget_answer(tw_http_call *call) {
    tw__bytes_deinit(&call->head);
    tw__bytes_deinit(&call->answer);
    call->head_bytes = call->lines = 0;
    call->is_head_over = false;
    call->status = 0;
}

void tw__http_call_move(tw_http_call *call, CURLU *url, bool is_https) {
    tw__http_client *client = call->client;
    bool is_elsewhere = !tw__http_host_is(call->host, url);
    bool is_bare = becomes_get(call);
    tw__http_host_leave(call, TW__HTTP_GOOD);
    curl_url_cleanup(call->url);
    call->url = url;
    call->is_https = is_https;
    if (is_bare) {
        char *get = tw__strndup("GET", 3);
        tw__free(call->body);
        call->body = NULL;
        call->len = 0;
        tw__free(call->method);
        call->method = get;
    }
    forget_answer(call);
    if (call->method == NULL ||
        drop_headers(call, is_elsewhere, is_bare) != 0) {
        tw__http_end(call, TW_ENOMEM, "%s", tw_strerror(TW_ENOMEM));
        return;
    }
    tw__http_host *host = tw__http_host_get(client, url);
    if (host == NULL) {
        tw__http_end(call, TW_EDENIED, "the redirect leads to no host");
        return;
    }
    if (!tw__http_host_enter(host, call)) {
        tw__http_end_broken(call, host->key);
        tw__http_host_settle(client, host);
        return;
    }
    tw__clockwork_set(client->ground.clockwork, &call->connecting,
                      call->connect_ms);
    if (tw__http_call_start(call) != 0) {
        tw__http_end(call, TW_ENOMEM, "%s", tw_strerror(TW_ENOMEM));
    }
}

static bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 ||
           status == 308;
}

/* Follows it; false when there is none to be followed. */
static bool redirect(tw_http_call *call) {
    char *to = NULL;
    if (!is_redirect(call->status) || call->redirects_most == 0 ||
        curl_easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &to) != 0 ||
        to == NULL) {
        return false;
    }
    bool is_https;
    const char *why;
    if (call->redirects++ == call->redirects_most) {
        tw__http_end(call, TW_ELIMIT, "%s: more than %u redirects",
                     call->host->key, (unsigned)call->redirects_most);
        return true;
    }
    CURLU *url = tw__http_url_parse(to, strlen(to), &is_https, &why);
    if (url == NULL) {
        tw__http_end(call, why != NULL ? TW_EDENIED : TW_ENOMEM,
                     "%s: a redirect that is not followed: %s", call->host->key,
                     why != NULL ? why : tw_strerror(TW_ENOMEM));
        return true;
    }
    if (call->is_https && !is_https) {
        curl_url_cleanup(url);
        tw__http_end(call, TW_EDENIED,
                     "%s: a redirect from https to http is not followed",
                     call->host->key);
        return true;
    }
    tw__http_call_stop(call);
    tw__http_call_move(call, url, is_https);
    return true;
}

/* ---- the end ---- */

static int error_of(CURLcode code) {
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return TW_ETIMEOUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return TW_EDENIED;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_TOO_MANY_REDIRECTS:
        return TW_EINVALID;
    case CURLE_FILESIZE_EXCEEDED:
        return TW_ELIMIT;
    case CURLE_OUT_OF_MEMORY:
        return TW_ENOMEM;
    default:
        return TW_EUNAVAILABLE;
    }
}

void tw__http_call_done(tw_http_call *call, CURLcode code) {
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    call->status = (int)status;
    const char *key = call->host->key;
    if (call->error != 0) {
        char why[128];
        snprintf(why, sizeof why, "%.*s", (int)sizeof why - 1, call->why);
        int error = call->error;
        call->error = 0;
        tw__http_end(call, error, "%s: %s", key, why);
    } else if (code != CURLE_OK) {
        tw__http_end(call, error_of(code), "%s: %s", key,
                     call->curl_why[0] != '\0' ? call->curl_why
                                               : curl_easy_strerror(code));
    } else if (call->status < 200 || !call->is_head_over) {
        tw__http_end(call, TW_EINVALID, "%s: the answer is no HTTP", key);
    } else if (!redirect(call)) {
        tw__http_end(call, 0, "%s", "");
    }
}

/* ---- handing it over ---- */

typedef struct head {
    tw_header *list;
    size_t count;
    char *text; /* joined values */
} head;

static const char *next_text(const char *text) {
    return text + strlen(text) + 1;
}

/* Quadratic in at most TW__HTTP_ANSWER_LINES_MAX lines. Each value is at most
 * once in the joined text, with 2 bytes more. */
static void join(const char *lines, size_t count, head *out) {
    char *at = out->text;
    const char *line = lines;
    for (size_t i = 0; i < count; i++) {
        const char *name = line, *other = line;
        size_t known = 0;
        line = next_text(next_text(line));
        while (known < out->count &&
               strcmp(out->list[known].name.data, name) != 0) {
            known++;
        }
        if (known < out->count) {
            continue;
        }
        tw_header *header = &out->list[out->count++];
        header->name = (tw_str){name, strlen(name)};
        header->value.data = at;
        for (size_t j = i; j < count; j++) {
            const char *value = next_text(other);
            if (strcmp(other, name) == 0) {
                at += sprintf(at, "%s%s", at == header->value.data ? "" : ", ",
                              value);
            }
            other = next_text(value);
        }
        header->value.len = (size_t)(at - header->value.data);
        *at++ = '\0';
    }
}

/* All in one block; false without memory. */
static bool make_head(tw_http_call *call, head *out) {
    size_t bytes = tw__bytes_len(&call->head) + 3 * call->lines + 1;
    size_t table = call->lines * sizeof(tw_header);
    char *block = tw__malloc(table + bytes);
    if (block == NULL) {
        return false;
    }
    *out = (head){.list = (tw_header *)(void *)block, .text = block + table};
    if (call->lines > 0) {
        join((const char *)tw__bytes_data(&call->head), call->lines, out);
    }
    return true;
}

void tw__http_call_answer(tw_http_call *call) {
    head all;
    size_t len = tw__bytes_len(&call->answer);
    if (call->error != 0) {
        call->cb(call->error, NULL, call->why, call->arg);
        return;
    }
    if (tw__bytes_append(&call->answer, "", 1) != 0 || !make_head(call, &all)) {
        call->cb(TW_ENOMEM, NULL, tw_strerror(TW_ENOMEM), call->arg);
        return;
    }
    const tw_http_response response = {
        .status = call->status,
        .headers = all.list,
        .header_count = all.count,
        .body = {(const char *)tw__bytes_data(&call->answer), len}};
    call->cb(0, &response, "", call->arg);
    tw__free(all.list);
}
