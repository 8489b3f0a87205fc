/* SPDX-License-Identifier: MIT */
#include "http/parser.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "http/chunked.h"
#include "http/head.h"
#include "http/scan.h"

/* AT_HEAD: the head was given out, and the caller has not fed on yet. */
enum { IN_HEAD, AT_HEAD, IN_BODY, COMPLETE, FAILED };

/* A head is scanned as it comes and parsed when it is whole: until then its
 * bytes wait in `pending`, unless all of it came in one read. The scanner and
 * the chunk decoder are never needed at once. */
struct tw__http_parser {
    tw__http_limits limits;
    uint64_t max_body_bytes; /* of the request at hand */
    uint64_t left;           /* of a body with a length */
    tw__http_request *request;
    tw__bytes pending;
    union {
        tw__http_scan scan;
        tw__http_chunked chunked;
    };
    tw__http_error error;
    uint8_t state;
    bool owes_continue;
};

static void apply_defaults(tw__http_limits *limits) {
    if (limits->max_head_bytes == 0) {
        limits->max_head_bytes = 16384;
    }
    if (limits->max_target_bytes == 0) {
        limits->max_target_bytes = 8192;
    }
    if (limits->max_headers == 0) {
        limits->max_headers = 100;
    }
    if (limits->max_body_bytes == 0) {
        limits->max_body_bytes = 1 << 20;
    }
}

static void start(tw__http_parser *parser) {
    parser->state = IN_HEAD;
    parser->max_body_bytes = parser->limits.max_body_bytes;
    parser->owes_continue = false;
    tw__http_scan_init_head(&parser->scan, &parser->limits);
}

tw__http_parser *tw__http_parser_create(const tw__http_limits *limits) {
    tw__http_parser *parser = tw__calloc(1, sizeof *parser);
    if (parser != NULL) {
        if (limits != NULL) {
            parser->limits = *limits;
        }
        apply_defaults(&parser->limits);
        start(parser);
    }
    return parser;
}

void tw__http_parser_destroy(tw__http_parser *parser) {
    if (parser != NULL) {
        tw__http_request_unref(parser->request);
        tw__bytes_deinit(&parser->pending);
        tw__free(parser);
    }
}

static tw__http_event fail(tw__http_parser *parser, int status,
                           const char *reason) {
    parser->error = (tw__http_error){status, reason};
    parser->state = FAILED;
    parser->owes_continue = false;
    tw__bytes_deinit(&parser->pending);
    return TW__HTTP_ERROR;
}

static tw__http_event fail_with(tw__http_parser *parser, tw__http_error error) {
    return fail(parser, error.status, error.reason);
}

static tw__http_event no_memory(tw__http_parser *parser) {
    return fail(parser, 503, "out of memory");
}

static tw__http_event parse_head(tw__http_parser *parser, const char *head,
                                 size_t len) {
    if (head[0] == '\r') { /* the empty line that was forgiven */
        head += 2;
        len -= 2;
    }
    tw__http_error error =
        tw__http_head_parse(head, len, parser->scan.lines, &parser->request);
    tw__bytes_deinit(&parser->pending);
    if (error.status != 0) {
        return fail_with(parser, error);
    }
    parser->state = AT_HEAD;
    return TW__HTTP_HEAD;
}

static tw__http_event feed_head(tw__http_parser *parser, const char *data,
                                size_t len, size_t *consumed) {
    tw__http_event event =
        tw__http_scan_feed(&parser->scan, data, len, consumed);
    if (event == TW__HTTP_ERROR) {
        return fail_with(parser, parser->scan.error);
    }
    bool in_one_piece =
        event == TW__HTTP_HEAD && tw__bytes_len(&parser->pending) == 0;
    if (in_one_piece) {
        return parse_head(parser, data, *consumed);
    }
    if (tw__bytes_append(&parser->pending, data, *consumed) != 0) {
        return no_memory(parser);
    }
    if (event == TW__HTTP_MORE) {
        return event;
    }
    return parse_head(parser, (const char *)tw__bytes_data(&parser->pending),
                      tw__bytes_len(&parser->pending));
}

/* The body gets a zero behind its end, which does not count. */
static tw__http_event complete(tw__http_parser *parser) {
    tw__http_request *request = parser->request;
    if (tw__bytes_len(&request->_body) > 0) {
        uint8_t *end;
        if (tw__bytes_reserve(&request->_body, 1, &end) != 0) {
            return no_memory(parser);
        }
        *end = 0;
    }
    parser->state = COMPLETE;
    parser->owes_continue = false;
    request->is_complete = true;
    return TW__HTTP_COMPLETE;
}

/* What is declared is not allocated: a body takes memory as it comes. */
static tw__http_event begin_body(tw__http_parser *parser) {
    tw__http_request *request = parser->request;
    if (request->content_length > parser->max_body_bytes) {
        return fail(parser, 413, "body too long");
    }
    parser->state = IN_BODY;
    parser->left = request->content_length;
    parser->owes_continue = request->expect_continue;
    if (request->is_chunked) {
        tw__http_chunked_init(&parser->chunked, parser->max_body_bytes,
                              &parser->limits);
    }
    return TW__HTTP_MORE;
}

static tw__http_event feed_length(tw__http_parser *parser, const char *data,
                                  size_t len, size_t *consumed) {
    size_t take = len < parser->left ? len : (size_t)parser->left;
    if (tw__bytes_append(&parser->request->_body, data, take) != 0) {
        return no_memory(parser);
    }
    parser->left -= take;
    *consumed = take;
    return parser->left > 0 ? TW__HTTP_MORE : complete(parser);
}

static tw__http_event feed_chunks(tw__http_parser *parser, const char *data,
                                  size_t len, size_t *consumed) {
    tw__http_event event = TW__HTTP_MORE;
    while (event == TW__HTTP_MORE && *consumed < len) {
        const char *piece = NULL;
        size_t used, piece_len;
        event =
            tw__http_chunked_feed(&parser->chunked, data + *consumed,
                                  len - *consumed, &used, &piece, &piece_len);
        *consumed += used;
        if (tw__bytes_append(&parser->request->_body, piece, piece_len) != 0) {
            return no_memory(parser);
        }
    }
    if (event == TW__HTTP_ERROR) {
        return fail_with(parser, parser->chunked.error);
    }
    return event == TW__HTTP_COMPLETE ? complete(parser) : event;
}

static tw__http_event feed_body(tw__http_parser *parser, const char *data,
                                size_t len, size_t *consumed) {
    if (parser->state == AT_HEAD && begin_body(parser) == TW__HTTP_ERROR) {
        return TW__HTTP_ERROR;
    }
    if (len > 0) { /* the client did not wait */
        parser->owes_continue = false;
    }
    return parser->request->is_chunked
               ? feed_chunks(parser, data, len, consumed)
               : feed_length(parser, data, len, consumed);
}

tw__http_event tw__http_parser_feed(tw__http_parser *parser, const void *data,
                                    size_t len, size_t *consumed) {
    *consumed = 0;
    switch (parser->state) {
    case IN_HEAD:
        return feed_head(parser, data, len, consumed);
    case AT_HEAD:
        if (!parser->request->has_body) {
            return complete(parser);
        }
        return feed_body(parser, data, len, consumed);
    case IN_BODY:
        return feed_body(parser, data, len, consumed);
    case COMPLETE:
        return TW__HTTP_COMPLETE;
    default:
        return TW__HTTP_ERROR;
    }
}

tw__http_request *tw__http_parser_request(const tw__http_parser *parser) {
    return parser->request;
}

tw__http_error tw__http_parser_error(const tw__http_parser *parser) {
    return parser->error;
}

void tw__http_parser_set_body_limit(tw__http_parser *parser,
                                    uint64_t max_body_bytes) {
    assert(parser->state == AT_HEAD);
    parser->max_body_bytes = max_body_bytes;
}

bool tw__http_parser_take_continue(tw__http_parser *parser) {
    bool owes = parser->owes_continue;
    parser->owes_continue = false;
    return owes;
}

bool tw__http_parser_is_idle(const tw__http_parser *parser) {
    return parser->state == IN_HEAD && tw__http_scan_is_idle(&parser->scan);
}

void tw__http_parser_reset(tw__http_parser *parser) {
    assert(parser->state == COMPLETE && !parser->request->is_upgrade);
    tw__http_request_unref(parser->request);
    parser->request = NULL;
    start(parser);
}
