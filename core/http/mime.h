/* mime.h - the media type of a file by its name.
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_MIME_H
#define TW_HTTP_MIME_H

#include <stddef.h>

/* The type by the letters behind the last dot of the last segment, without
 * regard to case; text types name UTF-8. "application/octet-stream" for what
 * is not known. Static. */
const char *tw__http_mime(const char *path, size_t len);

#endif
