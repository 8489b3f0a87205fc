/* tls_bio.c - OpenSSL's way to a descriptor. Its own socket BIO uses write(),
 * which raises SIGPIPE in a host that does not ignore it.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <openssl/bio.h>
#include <sys/socket.h>

#include "net/tls_parts.h"

static bool is_passing(int error) {
    return error == EAGAIN || error == EINTR || error == ENOBUFS;
}

static int on_write(BIO *bio, const char *data, int len) {
    tw__tls_conn *conn = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t sent =
        send(conn->fd, data, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        conn->sent += (uint64_t)sent;
    } else if (sent < 0 && is_passing(errno)) {
        BIO_set_retry_write(bio);
    }
    return (int)sent;
}

static int on_read(BIO *bio, char *data, int room) {
    tw__tls_conn *conn = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t got = recv(conn->fd, data, (size_t)room, MSG_DONTWAIT);
    conn->is_empty = got < 0;
    conn->is_eof = got == 0;
    if (got < 0 && is_passing(errno)) {
        BIO_set_retry_read(bio);
    }
    return (int)got;
}

static long on_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH; /* nothing is held back */
}

/* Made once in a process and never freed: connections come and go until its
 * end, in whichever server. */
static BIO_METHOD *method(void) {
    static BIO_METHOD *made;
    if (made == NULL) {
        made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
                            "tidewire");
        if (made != NULL) {
            BIO_meth_set_write(made, on_write);
            BIO_meth_set_read(made, on_read);
            BIO_meth_set_ctrl(made, on_control);
        }
    }
    return made;
}

BIO *tw__tls_bio(tw__tls_conn *conn) {
    BIO *bio = method() != NULL ? BIO_new(method()) : NULL;
    if (bio != NULL) {
        BIO_set_data(bio, conn);
        BIO_set_init(bio, 1);
    }
    return bio;
}
