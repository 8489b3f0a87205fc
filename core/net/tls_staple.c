/* tls_staple.c - OCSP responses, RFC 6960, that a certificate is shown with.
 *
 * A response names the certificates that it is about, so that it finds them by
 * itself. Whether its signature is right is left to the clients: the operator's
 * files are believed, as his certificates are.
 *
 * SPDX-License-Identifier: MIT */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "net/tls_parts.h"

/* The key of the issuer is not at hand always; his name and the number tell
 * certificates apart well enough. */
static bool is_about(const OCSP_SINGLERESP *answer, const X509 *certificate) {
    ASN1_OCTET_STRING *name = NULL;
    ASN1_OBJECT *kind = NULL;
    ASN1_INTEGER *serial = NULL;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    OCSP_CERTID *id = (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(answer);
    if (OCSP_id_get0_info(&name, &kind, NULL, &serial, id) != 1 ||
        ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(certificate)) != 0) {
        return false;
    }
    const EVP_MD *hash = EVP_get_digestbyobj(kind);
    return hash != NULL &&
           X509_NAME_digest(X509_get_issuer_name(certificate), hash, digest,
                            &len) == 1 &&
           (unsigned)ASN1_STRING_length(name) == len &&
           memcmp(ASN1_STRING_get0_data(name), digest, len) == 0;
}

static int64_t seconds_of(const ASN1_GENERALIZEDTIME *time) {
    struct tm tm;
    return time != NULL && ASN1_TIME_to_tm(time, &tm) == 1
               ? (int64_t)timegm(&tm)
               : 0;
}

/* Of two for one certificate the one stays that ends later. */
static int keep(tw__tls_paper *paper, tw__pem der, int64_t from,
                int64_t until) {
    if (paper->staple != NULL && paper->staple_until >= until) {
        return 0;
    }
    uint8_t *copy = tw__malloc(der.len);
    if (copy == NULL) {
        return TW_ENOMEM;
    }
    memcpy(copy, der.data, der.len);
    tw__free(paper->staple);
    paper->staple = copy;
    paper->staple_len = der.len;
    paper->staple_from = from;
    paper->staple_until = until;
    return 0;
}

/* What one answer of the response is worth: NULL, or why nothing. */
static const char *weigh(OCSP_SINGLERESP *answer, int64_t *from,
                         int64_t *until) {
    ASN1_GENERALIZEDTIME *begin = NULL, *end = NULL;
    int state = OCSP_single_get0_status(answer, NULL, NULL, &begin, &end);
    *from = seconds_of(begin);
    *until = seconds_of(end);
    if (state != V_OCSP_CERTSTATUS_GOOD) {
        return "does not say that the certificate is good";
    }
    return *until == 0 ? "does not say when it ends" : NULL;
}

static int add_answer(tw__tls *set, OCSP_SINGLERESP *answer, tw__pem der,
                      const char **remark) {
    int err = 0;
    for (size_t i = 0; err == 0 && i < set->count; i++) {
        tw__tls_paper *paper = &set->papers[i];
        int64_t from, until;
        if (!is_about(answer, SSL_CTX_get0_certificate(paper->context))) {
            continue;
        }
        *remark = weigh(answer, &from, &until);
        if (*remark == NULL) {
            err = keep(paper, der, from, until);
            *remark = until <= tw__tls_now_s(set) ? "has ended" : NULL;
        }
    }
    return err;
}

static int add_answers(tw__tls *set, OCSP_BASICRESP *basic, tw__pem der,
                       const char **remark) {
    int err = 0, count = OCSP_resp_count(basic);
    *remark = "is about none of the certificates";
    for (int i = 0; err == 0 && i < count; i++) {
        err = add_answer(set, OCSP_resp_get0(basic, i), der, remark);
    }
    return err;
}

int tw__tls_add_staple(tw__tls *set, tw__pem der, const char **remark) {
    const unsigned char *at = (const unsigned char *)der.data;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)der.len);
    OCSP_BASICRESP *basic = NULL;
    int err = 0;
    if (response == NULL || (const char *)at != der.data + der.len) {
        bool is_short =
            ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE;
        *remark = "holds no OCSP response in DER";
        err = is_short ? TW_ENOMEM : TW_EINVALID;
    } else if (OCSP_response_status(response) !=
               OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        *remark = "is the responder's excuse";
    } else {
        basic = OCSP_response_get1_basic(response);
        *remark = "is of an unknown kind";
    }
    if (basic != NULL) {
        err = add_answers(set, basic, der, remark);
    }
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return err;
}
