/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>

#include "base/alloc.h"
#include "net/tls_parts.h"

/* Records of one read at most: peers may send theirs with a byte in each. */
enum { MAX_RECORDS = 64 };

tw__tls_conn *tw__tls_accept(tw__tls *set, int fd) {
    tw__tls_conn *conn = tw__calloc(1, sizeof *conn);
    if (conn == NULL) {
        return NULL;
    }
    conn->fd = fd;
    conn->ssl = SSL_new(set->papers[0].context);
    BIO *bio = conn->ssl != NULL ? tw__tls_bio(conn) : NULL;
    if (bio == NULL) {
        ERR_clear_error();
        SSL_free(conn->ssl);
        tw__free(conn);
        return NULL;
    }
    SSL_set_bio(conn->ssl, bio, bio);
    SSL_set_accept_state(conn->ssl);
    conn->set = tw__tls_ref(set);
    return conn;
}

void tw__tls_free(tw__tls_conn *conn) {
    if (conn != NULL) {
        SSL_free(conn->ssl);
        tw__tls_unref(conn->set);
        tw__free(conn);
    }
}

/* ---- what went wrong ---------------------------------------------------- */

static tw__tls_reason reason_of(unsigned long error) {
    if (ERR_GET_LIB(error) != ERR_LIB_SSL) {
        return TW__TLS_PROTOCOL;
    }
    switch (ERR_GET_REASON(error)) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
        return TW__TLS_PLAIN;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_INAPPROPRIATE_FALLBACK:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return TW__TLS_NO_COMMON;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        return TW__TLS_CERTIFICATE;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return TW__TLS_CLOSED;
    default:
        return TW__TLS_PROTOCOL;
    }
}

/* What an operation that did not succeed means. After an error OpenSSL must not
 * be asked for anything more. */
static int answer_of(tw__tls_conn *conn, int result) {
    switch (SSL_get_error(conn->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TW__TLS_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        return TW__TLS_BLOCKED;
    case SSL_ERROR_SYSCALL:
    case SSL_ERROR_ZERO_RETURN:
        conn->fault = TW__TLS_CLOSED;
        break;
    default:
        conn->fault = (uint8_t)reason_of(ERR_peek_error());
    }
    ERR_clear_error();
    return TW__TLS_BROKEN;
}

tw__tls_reason tw__tls_fault(const tw__tls_conn *conn) {
    return (tw__tls_reason)conn->fault;
}

/* ---- the handshake ------------------------------------------------------ */

int tw__tls_handshake(tw__tls_conn *conn) {
    ERR_clear_error();
    if (conn->fault != TW__TLS_OK) {
        return TW__TLS_BROKEN;
    }
    int result = SSL_do_handshake(conn->ssl);
    return result == 1 ? 0 : answer_of(conn, result);
}

bool tw__tls_is_resumed(const tw__tls_conn *conn) {
    return SSL_session_reused(conn->ssl) == 1;
}

/* ---- data --------------------------------------------------------------- */

bool tw__tls_has_more(const tw__tls_conn *conn) {
    return conn->is_over || SSL_pending(conn->ssl) > 0 ||
           (!conn->is_empty && SSL_has_pending(conn->ssl) == 1);
}

/* A record without data was handled, and the kernel was not asked in vain. */
static bool may_go_on(const tw__tls_conn *conn, int answer) {
    return answer == TW__TLS_AGAIN && !conn->is_empty;
}

static bool is_end(const tw__tls_conn *conn) {
    return (SSL_get_shutdown(conn->ssl) & SSL_RECEIVED_SHUTDOWN) != 0 ||
           conn->is_eof;
}

/* One record's worth at a time; the end or an error behind what was read is met
 * again with the next call. */
ssize_t tw__tls_read(tw__tls_conn *conn, void *data, size_t room) {
    size_t total = 0;
    int answer = TW__TLS_AGAIN;
    conn->is_empty = conn->is_over = false;
    ERR_clear_error();
    for (int left = MAX_RECORDS; left > 0 && total < room; left--) {
        size_t got = 0;
        if (conn->fault != TW__TLS_OK) {
            answer = TW__TLS_BROKEN;
            break;
        }
        int result =
            SSL_read_ex(conn->ssl, (uint8_t *)data + total, room - total, &got);
        if (result == 1) {
            total += got;
            if (SSL_has_pending(conn->ssl) == 0) {
                break;
            }
            continue;
        }
        answer = answer_of(conn, result);
        if (!may_go_on(conn, answer)) {
            break;
        }
    }
    conn->is_over = answer != TW__TLS_AGAIN && total > 0;
    if (total > 0) {
        return (ssize_t)total;
    }
    return answer == TW__TLS_BROKEN && is_end(conn) ? 0 : answer;
}

ssize_t tw__tls_write(tw__tls_conn *conn, const void *data, size_t len) {
    size_t sent = 0;
    assert(len > 0 && len <= TW__TLS_RECORD);
    ERR_clear_error();
    if (conn->fault != TW__TLS_OK) {
        return TW__TLS_BROKEN;
    }
    int result = SSL_write_ex(conn->ssl, data, len, &sent);
    if (result == 1) {
        return (ssize_t)sent;
    }
    int answer = answer_of(conn, result);
    /* Without renegotiation nothing has to be read before it can be written. */
    return answer == TW__TLS_BLOCKED ? TW__TLS_AGAIN : TW__TLS_BROKEN;
}

uint64_t tw__tls_sent(const tw__tls_conn *conn) {
    return conn->sent;
}

void tw__tls_close(tw__tls_conn *conn) {
    ERR_clear_error();
    if (conn->fault == TW__TLS_OK && SSL_is_init_finished(conn->ssl)) {
        SSL_shutdown(conn->ssl);
        ERR_clear_error();
    }
}
