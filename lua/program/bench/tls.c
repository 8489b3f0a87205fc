/* SPDX-License-Identifier: MIT */
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/epoll.h>

/* One for each process of the generator, until its end. */
static SSL_CTX *context(void) {
    static SSL_CTX *made;
    if (made == NULL && (made = SSL_CTX_new(TLS_client_method())) != NULL) {
        signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
        SSL_CTX_set_verify(made, SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS |
                                   SSL_MODE_ENABLE_PARTIAL_WRITE |
                                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    return made;
}

static bool is_name(const char *host) {
    struct in6_addr address;
    return inet_pton(AF_INET, host, &address) != 1 &&
           inet_pton(AF_INET6, host, &address) != 1;
}

static bool begin(tw__bench_conn *conn) {
    const char *host = conn->group->target->name;
    conn->_tls = context() != NULL ? SSL_new(context()) : NULL;
    if (conn->_tls == NULL || SSL_set_fd(conn->_tls, conn->fd) != 1) {
        return false;
    }
    if (is_name(host)) {
        SSL_set_tlsext_host_name(conn->_tls, host);
    }
    SSL_set_connect_state(conn->_tls);
    return true;
}

int tw__bench_tls_shake(tw__bench_conn *conn, const char **why) {
    if (conn->_tls == NULL && !begin(conn)) {
        *why = "no memory for TLS";
        return -1;
    }
    ERR_clear_error();
    int result = SSL_do_handshake(conn->_tls);
    switch (SSL_get_error(conn->_tls, result)) {
    case SSL_ERROR_NONE:
        return 0;
    case SSL_ERROR_WANT_READ:
        return EPOLLIN;
    case SSL_ERROR_WANT_WRITE:
        return EPOLLOUT;
    default:
        *why = ERR_reason_error_string(ERR_peek_error());
        *why = *why != NULL ? *why : "closed in the TLS handshake";
        return -1;
    }
}

void tw__bench_tls_drop(tw__bench_conn *conn) {
    SSL_free(conn->_tls);
    conn->_tls = NULL;
}

static ssize_t answer(const tw__bench_conn *conn, int result) {
    switch (SSL_get_error(conn->_tls, result)) {
    case SSL_ERROR_NONE:
        return result;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    default:
        ERR_clear_error();
        errno = ECONNRESET;
        return -1;
    }
}

static int bounded(size_t len) {
    return len < INT_MAX ? (int)len : INT_MAX;
}

ssize_t tw__bench_tls_send(tw__bench_conn *conn, const void *data, size_t len) {
    ERR_clear_error();
    return answer(conn, SSL_write(conn->_tls, data, bounded(len)));
}

ssize_t tw__bench_tls_recv(tw__bench_conn *conn, void *data, size_t room) {
    ERR_clear_error();
    return answer(conn, SSL_read(conn->_tls, data, bounded(room)));
}

bool tw__bench_tls_has_more(const tw__bench_conn *conn) {
    return conn->_tls != NULL && SSL_pending(conn->_tls) > 0;
}
