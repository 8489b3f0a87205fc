/* field.h - a name and a value: header lines, parameters, cookies.
 *
 * Both are bytes with a length; those of a request also end in a zero byte
 * that is not counted. Who owns the bytes is said where a field is given. The
 * layout is that of tw__ws_header, so that the server can lend a request's
 * headers to the handshake as they are.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_FIELD_H
#define TW_HTTP_FIELD_H

#include <stddef.h>

typedef struct tw__http_field {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
} tw__http_field;

/* Bytes with a length; a request's also end in a zero byte. */
typedef struct tw__http_text {
    const char *data;
    size_t len;
} tw__http_text;

/* A field from two C strings, for tables of constants. */
#define TW__HTTP_FIELD(name, value)                                            \
    { (name), sizeof(name) - 1, (value), sizeof(value) - 1 }

#endif
