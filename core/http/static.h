/* static.h - a folder whose files are served.
 *
 * Decides what to answer and opens the file; sends nothing. The only part of
 * http/ that touches the file system, synchronously: it is for the pages of an
 * application, on a local disk. Belongs to one thread.
 *
 * There is no way out of the folder: names are resolved by openat2 with
 * RESOLVE_BENEATH, and where the kernel does not have it, segment by segment
 * without following any symbolic link. Names that begin with a dot are not
 * there, at any depth. Only regular files are served. A symbolic link inside
 * the folder to something inside the folder is followed (with openat2).
 *
 * Validators: ETag is strong, "SIZE-MTIME_NS" in hex, so that nodes with the
 * same files agree; content that changes must change size or mtime. A
 * Last-Modified goes with it. Preconditions are
 * If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, If-Range.
 * One range is served as 206; several, or a malformed one, give the whole.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_STATIC_H
#define TW_HTTP_STATIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/field.h"
#include "http/request.h"
#include "http/response.h"

typedef struct tw__http_static tw__http_static;

#define TW__HTTP_FILE_HEADERS 8

/* What to answer. Points into itself: do not copy or move it. */
typedef struct tw__http_file {
    int status; /* 200 206 301 304; 403 a file that may not be read; 404 405
                 * 412 416; 503 no descriptors or memory */
    tw__http_field headers[TW__HTTP_FILE_HEADERS];
    size_t header_count;
    uint64_t length; /* Content-Length of a 200 or 206, also for HEAD */
    int fd;          /* >= 0: send `length` bytes from `offset`, then close it
                      * through deinit; should the file have become shorter
                      * meanwhile, close the connection. -1: there are none to
                      * send (HEAD, 304, errors, an empty file) */
    uint64_t offset;
    char _etag[40], _modified[30], _range[72];
    char *_location;
} tw__http_file;

/* Opens a folder. `path` is not kept. 0, TW_ENOT_FOUND (not there or no
 * folder), TW_EDENIED, TW_EIO or TW_ENOMEM; the result is given. */
int tw__http_static_create(const char *path, tw__http_static **out);
void tw__http_static_destroy(tw__http_static *folder); /* NULL is allowed */

/* Answers `request` (borrowed) with what is at `rest` in the folder: the "*"
 * of the route, decoded, without leading slash. "" and names ending in '/'
 * mean index.html there; a folder named without its slash is answered with
 * 301 to the target with it. Always fills *file, never fails otherwise. */
void tw__http_static_open(tw__http_static *folder,
                          const tw__http_request *request, const char *rest,
                          size_t rest_len, tw__http_file *file);

/* Closes what the answer holds. A caller that takes the descriptor over sets
 * fd to -1 before. */
void tw__http_file_deinit(tw__http_file *file);

/* The answer as a response to write: for 200 and 206 its body is NULL and
 * body_len the length, so that tw__http_response_write makes the head only.
 * For an error (status >= 400) use tw__http_error_text with it. Headers
 * borrow from `file`; date and keep_alive are left for the caller. */
tw__http_response tw__http_file_response(const tw__http_file *file,
                                         const tw__http_request *request);

/* For tests: resolves names as where openat2 is missing. */
void tw__http_static_avoid_openat2(tw__http_static *folder);

#endif
