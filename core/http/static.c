/* SPDX-License-Identifier: MIT */
#include "http/static.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/beneath.h"
#include "http/conditions.h"
#include "http/mime.h"
#include "tidewire/errors.h"

#define INDEX "index.html"

struct tw__http_static {
    int root;
    bool walk; /* no openat2 here */
};

int tw__http_static_create(const char *path, tw__http_static **out) {
    int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        switch (errno) {
        case ENOENT:
        case ENOTDIR:
        case ELOOP:
        case ENAMETOOLONG:
            return TW_ENOT_FOUND;
        case EACCES:
            return TW_EDENIED;
        default:
            return TW_EIO;
        }
    }
    tw__http_static *folder = tw__malloc(sizeof *folder);
    if (folder == NULL) {
        close(root);
        return TW_ENOMEM;
    }
    *folder =
        (tw__http_static){.root = root, .walk = !tw__http_has_openat2(root)};
    *out = folder;
    return 0;
}

void tw__http_static_destroy(tw__http_static *folder) {
    if (folder != NULL) {
        close(folder->root);
        tw__free(folder);
    }
}

void tw__http_static_avoid_openat2(tw__http_static *folder) {
    folder->walk = true;
}

void tw__http_file_deinit(tw__http_file *file) {
    if (file->fd >= 0) {
        close(file->fd);
        file->fd = -1;
    }
    tw__free(file->_location);
    file->_location = NULL;
}

static void add_header(tw__http_file *file, const char *name,
                       const char *value) {
    file->headers[file->header_count++] =
        (tw__http_field){name, strlen(name), value, strlen(value)};
}

/* Drops what was gathered for a better answer. */
static void answer(tw__http_file *file, int status) {
    if (file->fd >= 0) {
        close(file->fd);
        file->fd = -1;
    }
    file->length = 0;
    file->status = status;
}

static int status_of(int err) {
    switch (err) {
    case EACCES:
    case EPERM:
        return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
    case EIO:
        return 503;
    default: /* not there, or not what may be served: a link that leads out */
        return 404;
    }
}

static bool is_servable_segment(const char *segment, size_t len, bool is_last) {
    return len == 0 ? is_last : segment[0] != '.';
}

/* The parser has refused most of this; a folder trusts nobody. */
static bool is_servable(const char *name, size_t len) {
    if (memchr(name, '\0', len) != NULL) {
        return false;
    }
    size_t start = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i == len || name[i] == '/') {
            if (!is_servable_segment(name + start, i - start, i == len)) {
                return false;
            }
            start = i + 1;
        }
    }
    return true;
}

/* To the target with a slash behind its path. The target is sent back as it
 * came; one that begins with "//" would name another host. */
static void redirect(const tw__http_request *request, tw__http_file *file) {
    const char *target = request->target.data;
    size_t path_len = strcspn(target, "?");
    if (target[0] != '/' || target[1] == '/') {
        answer(file, 404);
        return;
    }
    file->_location = tw__malloc(request->target.len + 2);
    if (file->_location == NULL) {
        answer(file, 503);
        return;
    }
    sprintf(file->_location, "%.*s/%s", (int)path_len, target,
            target + path_len);
    answer(file, 301);
    add_header(file, "Location", file->_location);
}

static void fill_validators(tw__http_file *file, const struct stat *st) {
    uint64_t mtime_ns = (uint64_t)st->st_mtim.tv_sec * 1000000000 +
                        (uint64_t)st->st_mtim.tv_nsec;
    snprintf(file->_etag, sizeof file->_etag, "\"%" PRIx64 "-%" PRIx64 "\"",
             (uint64_t)st->st_size, mtime_ns);
    tw__http_date_format(st->st_mtim.tv_sec, file->_modified);
    add_header(file, "ETag", file->_etag);
    add_header(file, "Last-Modified", file->_modified);
    add_header(file, "Cache-Control", "no-cache");
    add_header(file, "X-Content-Type-Options", "nosniff");
}

static void fill_content(tw__http_file *file, const char *name,
                         const tw__http_request *request, uint64_t size,
                         const tw__http_validators *validators) {
    file->offset = 0;
    file->length = size;
    file->status = request->is_head
                       ? 200
                       : tw__http_range(request, validators, size,
                                        &file->offset, &file->length);
    add_header(file, "Accept-Ranges", "bytes");
    if (file->status == 416) {
        answer(file, 416);
        snprintf(file->_range, sizeof file->_range, "bytes */%" PRIu64, size);
        add_header(file, "Content-Range", file->_range);
        return;
    }
    add_header(file, "Content-Type", tw__http_mime(name, strlen(name)));
    if (file->status == 206) {
        snprintf(file->_range, sizeof file->_range,
                 "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, file->offset,
                 file->offset + file->length - 1, size);
        add_header(file, "Content-Range", file->_range);
    }
    if (request->is_head || file->length == 0) {
        close(file->fd);
        file->fd = -1;
    }
}

static void serve(const char *name, const tw__http_request *request,
                  const struct stat *st, tw__http_file *file) {
    fill_validators(file, st);
    /* The date is compared as it is sent, in whole seconds. */
    tw__http_validators validators = {file->_etag, st->st_mtim.tv_sec};
    int status = tw__http_precondition(request, &validators);
    if (status != 0) {
        answer(file, status);
        return;
    }
    fill_content(file, name, request, (uint64_t)st->st_size, &validators);
}

static void open_name(tw__http_static *folder, const char *name, bool is_index,
                      const tw__http_request *request, tw__http_file *file) {
    int fd = tw__http_open_beneath(folder->root, name, folder->walk);
    struct stat st;
    if (fd < 0) {
        answer(file, status_of(-fd));
        return;
    }
    file->fd = fd;
    if (fstat(fd, &st) != 0) {
        answer(file, status_of(errno));
    } else if (S_ISREG(st.st_mode)) {
        serve(name, request, &st, file);
    } else if (S_ISDIR(st.st_mode) && !is_index) {
        redirect(request, file);
    } else {
        answer(file, 404);
    }
}

void tw__http_static_open(tw__http_static *folder,
                          const tw__http_request *request, const char *rest,
                          size_t rest_len, tw__http_file *file) {
    memset(file, 0, sizeof *file);
    file->fd = -1;
    if (!request->is_head && strcmp(request->method.data, "GET") != 0) {
        answer(file, 405);
        add_header(file, "Allow", "GET, HEAD");
        return;
    }
    char name[PATH_MAX];
    tw__http_text whole =
        rest_len > 0 ? (tw__http_text){rest, rest_len} : request->path;
    bool is_index = whole.len > 0 && whole.data[whole.len - 1] == '/';
    if (!is_servable(rest, rest_len) || rest_len + sizeof INDEX > sizeof name) {
        answer(file, 404);
    } else if (rest_len == 0 && !is_index) {
        redirect(request, file);
    } else {
        memcpy(name, rest, rest_len);
        strcpy(name + rest_len, is_index ? INDEX : "");
        open_name(folder, name, is_index, request, file);
    }
}

tw__http_response tw__http_file_response(const tw__http_file *file,
                                         const tw__http_request *request) {
    return (tw__http_response){
        .status = file->status,
        .headers = file->headers,
        .header_count = file->header_count,
        .body_len = file->length,
        .is_head = request->is_head,
    };
}
