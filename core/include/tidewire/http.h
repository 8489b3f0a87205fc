/* tidewire/http.h - requests to other servers. Comes with tidewire/tidewire.h.
 *
 * HTTP/1.1 over TCP or TLS, to http and https addresses only. Connections are
 * kept and used again; names are looked up on threads of their own. TLS is
 * verified. Redirects are not followed unless asked for; nothing is read from
 * the environment.
 *
 * At most tw_http_config.concurrent requests are under way at once, and
 * per_host to one host (scheme, name and port); others wait for their turn,
 * hosts one after the other. A host that failed several times in a row is not
 * asked any more for a while: requests are answered with TW_EUNAVAILABLE at
 * once, until one that is let through succeeds.
 *
 * SPDX-License-Identifier: MIT */
#include "tidewire/tidewire.h" /* outside: it includes this one */

#ifndef TIDEWIRE_HTTP_H
#define TIDEWIRE_HTTP_H

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TW_HTTP_URL_MAX = 8192,
    TW_HTTP_REDIRECTS_MAX = 10,
    TW_HTTP_HEADERS_MAX = 100 /* lines of a request */
};

/* Zero-initialise; 0 takes the default in brackets. All of it is copied. */
typedef struct tw_http_options {
    tw_str method; /* [GET] any but CONNECT and TRACE */
    tw_str url;    /* without user and password */
    /* Not those that frame the request (Content-Length, Connection, ...). */
    const tw_header *headers;
    size_t header_count;
    const void *body; /* NULL: none */
    size_t len;
    uint32_t timeout_ms;   /* [10000] for all of it, waiting and redirects
                              included */
    uint32_t connect_ms;   /* [5000] to look the name up, to connect and to
                              agree on TLS */
    size_t max_body_bytes; /* [1 MiB] of the answer, at most max_body_bytes of
                              the configuration */
    uint32_t redirects;    /* [0] to follow, at most TW_HTTP_REDIRECTS_MAX */
} tw_http_options;

/* An answer with any status from 200 on; borrowed. Names of headers are in
 * lower case, those of the same name joined with ", ". */
typedef struct tw_http_response {
    int status;
    const tw_header *headers;
    size_t header_count;
    tw_str body;
} tw_http_response;

/* A request under way. */
typedef struct tw_http_call tw_http_call;

/* `response` is NULL when `status` is an error; `why` is a sentence then:
 *   TW_EINVALID      the URL, the method or a header; or an answer that is no
 *                    HTTP
 *   TW_ETIMEOUT      one of the two times passed
 *   TW_EUNAVAILABLE  no connection, or it ended early; or the host failed
 *                    before and is left alone
 *   TW_EDENIED       its certificate is not trusted; or a redirect to where
 *                    none may lead: from https to http, or to no URL
 *   TW_ELIMIT        the answer is too long, or too many redirects
 *   TW_EOVERLOADED   too many requests wait, or too many bytes are held
 *   TW_ECLOSED       the server ends
 *   TW_ENOMEM */
typedef void (*tw_http_cb)(int status, const tw_http_response *response,
                           const char *why, void *arg);

/* Begins a request. `cb` is called exactly once, from a later turn (while
 * frozen, too), and the call is gone with it. NULL without memory. */
TW_API tw_http_call *tw_http_request(tw_server *server,
                                     const tw_http_options *options,
                                     tw_http_cb cb, void *arg);

/* Calls it off; `cb` is not called. Not from inside of it. */
TW_API void tw_http_cancel(tw_http_call *call);

#ifdef __cplusplus
}
#endif
#endif
