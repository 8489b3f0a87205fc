/* tls_req.c - what a request knows of the TLS it came by.
 * SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "server/req.h"
#include "server/tls.h"

struct tw__req_tls {
    tw_tls_info info;
    char *block;
};

int tw__req_note_tls(tw_req *req, const tw_conn *conn) {
    struct tw__req_tls *tls = tw__calloc(1, sizeof *tls);
    if (tls == NULL) {
        return TW_ENOMEM;
    }
    int err = tw__tls_describe(tw__conn_tls(conn), &tls->info, &tls->block);
    if (err != 0) {
        tw__free(tls);
        return err;
    }
    req->tls = tls;
    return 0;
}

void tw__req_drop_tls(tw_req *req) {
    if (req->tls != NULL) {
        tw__free(req->tls->block);
        tw__free(req->tls);
    }
}

bool tw_req_tls(const tw_req *req, tw_tls_info *info) {
    if (req->tls == NULL) {
        return false;
    }
    *info = req->tls->info;
    return true;
}
