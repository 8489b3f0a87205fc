/* Who may ask the admin member for what, server/admin_guard.h. Small: a
 * quarter of the time. The input is a request.
 *
 * From the network nothing is changed without the token, nothing is told to a
 * web page from elsewhere, and nothing under a name that is not this
 * machine's.
 *
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <strings.h>

#include "fuzz.h"
#include "http/parser.h"
#include "server/admin_guard.h"

static const char token[] = "t0ken";

static bool is_text(const char *data, size_t len, const char *text) {
    return len == strlen(text) && strncasecmp(data, text, len) == 0;
}

/* A Host that names this machine, read anew: without its port it is one of
 * these. */
static bool is_ours(tw__http_text host) {
    char name[128];
    struct in_addr v4;
    struct in6_addr v6;
    if (host.len >= sizeof name) {
        return false;
    }
    memcpy(name, host.data, host.len);
    name[host.len] = '\0';
    char *end = strchr(name, name[0] == '[' ? ']' : ':');
    if (end != NULL) {
        *end = '\0';
    }
    const char *text = name[0] == '[' ? name + 1 : name;
    return is_text(text, strlen(text), "localhost") ||
           is_text(text, strlen(text), "10.0.0.5") ||
           is_text(text, strlen(text), "tide.example") ||
           (inet_pton(AF_INET, text, &v4) == 1 &&
            ntohl(v4.s_addr) >> 24 == 127) ||
           (inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6));
}

static bool has_token(const tw__http_request *request) {
    const char *value = tw__http_request_header(request, "Authorization", NULL);
    return value != NULL && strncasecmp(value, "bearer ", 7) == 0 &&
           strcmp(value + 7, token) == 0;
}

static bool is_foreign(const tw__http_request *request) {
    const char *origin = tw__http_request_header(request, "Origin", NULL);
    return origin != NULL && (strncasecmp(origin, "http://", 7) != 0 ||
                              strcasecmp(origin + 7, request->host.data) != 0);
}

static int ask(const tw__admin_caller *caller, const tw__http_request *request,
               bool is_change) {
    const char *why = NULL;
    int status = tw__admin_guard(caller, request, is_change, &why);
    FUZZ_CHECK(status == 0 || status == 403 || status == 421);
    FUZZ_CHECK(status == 0 || why != NULL);
    return status;
}

static void check_request(const tw__http_request *request) {
    tw__admin_caller owner = {.is_unix = true, .is_owner = true};
    tw__admin_caller stranger = {.is_unix = true};
    tw__admin_caller tcp = {.local_ip = "10.0.0.5",
                            .configured = "tide.example:8090"};
    tw__admin_caller guarded = tcp;
    guarded.token = token;
    FUZZ_CHECK(ask(&owner, request, true) == 0);
    FUZZ_CHECK(ask(&stranger, request, false) == 403);
    FUZZ_CHECK(ask(&tcp, request, true) != 0);
    bool may_look = !is_foreign(request) && is_ours(request->host);
    bool has_proof = !is_foreign(request) && has_token(request);
    FUZZ_CHECK((ask(&tcp, request, false) == 0) == may_look);
    FUZZ_CHECK((ask(&guarded, request, true) == 0) == has_proof);
    FUZZ_CHECK((ask(&guarded, request, false) == 0) == (may_look || has_proof));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t used;
    tw__http_parser *parser = tw__http_parser_create(NULL);
    FUZZ_CHECK(parser != NULL);
    if (tw__http_parser_feed(parser, data, size, &used) == TW__HTTP_HEAD) {
        check_request(tw__http_parser_request(parser));
    }
    tw__http_parser_destroy(parser);
    return 0;
}
