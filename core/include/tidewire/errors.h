/* tidewire/errors.h - the error codes of every Tidewire function.
 *
 * One list makes the enum, the names, the texts and the codes that Lua sees,
 * so that they cannot drift apart. A function that can fail returns 0 or one
 * of the negative values below; results go through out parameters, which a
 * failure leaves untouched.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TIDEWIRE_ERRORS_H
#define TIDEWIRE_ERRORS_H

#ifdef __cplusplus
extern "C" {
#endif

/* X(SYMBOL, value, "name that Lua sees", "text for people") */
#define TW_ERRORS(X)                                                           \
    X(CLOSED, -1, "closed", "the connection or server is closed")              \
    X(TIMEOUT, -2, "timeout", "not done within the time allowed")              \
    X(OVERLOADED, -3, "overloaded", "a queue is full, try again later")        \
    X(LIMIT, -4, "limit", "a configured limit has been reached")               \
    X(DENIED, -5, "denied", "not allowed")                                     \
    X(EXISTS, -6, "exists", "there is one already")                            \
    X(NOT_FOUND, -7, "not_found", "there is no such thing")                    \
    X(INVALID, -8, "invalid", "malformed argument or data")                    \
    X(UNAVAILABLE, -9, "unavailable", "a part that is needed is down")         \
    X(NOMEM, -10, "nomem", "out of memory")                                    \
    X(IO, -11, "io", "the system refused an input or output operation")

#define TW__ERROR_ENUM(symbol, value, name, text) TW_E##symbol = value,
enum tw_error { TW_OK = 0, TW_ERRORS(TW__ERROR_ENUM) };
#undef TW__ERROR_ENUM

/* The name of a code ("closed", ...), "ok" for 0, "unknown" for any other.
 * The text is static. */
const char *tw_err_name(int code);

/* A sentence for people. The text is static. */
const char *tw_strerror(int code);

#ifdef __cplusplus
}
#endif
#endif
