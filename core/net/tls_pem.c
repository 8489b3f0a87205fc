/* SPDX-License-Identifier: MIT */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "net/tls_parts.h"

static int fail(const char **why, const char *text) {
    unsigned long error = ERR_peek_error();
    ERR_clear_error();
    if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) {
        return TW_ENOMEM;
    }
    *why = text;
    return TW_EINVALID;
}

/* Nobody is there to be asked for a passphrase. */
static int no_passphrase(char *out, int size, int is_writing, void *arg) {
    (void)out;
    (void)size;
    (void)is_writing;
    *(bool *)arg = true;
    return 0;
}

static X509 *read_certificate(BIO *bio) {
    return PEM_read_bio_X509(bio, NULL, NULL, NULL);
}

/* True when reading stopped because nothing more was there. */
static bool is_at_end(void) {
    unsigned long error = ERR_peek_last_error();
    bool is_end = ERR_GET_LIB(error) == ERR_LIB_PEM &&
                  ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (is_end) {
        ERR_clear_error();
    }
    return is_end;
}

static int load_chain(SSL_CTX *context, BIO *bio, const char **why) {
    X509 *certificate;
    SSL_CTX_clear_chain_certs(context);
    while ((certificate = read_certificate(bio)) != NULL) {
        if (SSL_CTX_add0_chain_cert(context, certificate) != 1) {
            X509_free(certificate);
            return fail(why, "its chain cannot be used");
        }
    }
    return is_at_end() ? 0 : fail(why, "its chain is damaged");
}

static int load_certificate(SSL_CTX *context, tw__pem pem, const char **why) {
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *certificate = bio != NULL ? read_certificate(bio) : NULL;
    int err;
    if (certificate == NULL) {
        err = fail(why, "holds no certificate in PEM");
    } else if (SSL_CTX_use_certificate(context, certificate) != 1) {
        err = fail(why, "the certificate cannot be used: its key is too weak, "
                        "or of an unknown kind");
    } else {
        err = load_chain(context, bio, why);
    }
    X509_free(certificate);
    BIO_free(bio);
    return err;
}

static int load_key(SSL_CTX *context, tw__pem pem, const char **why) {
    bool was_asked = false;
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    EVP_PKEY *key =
        bio != NULL
            ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &was_asked)
            : NULL;
    int err = 0;
    if (key == NULL) {
        err = fail(why, was_asked ? "the key is locked with a passphrase"
                                  : "there is no private key in PEM");
    } else if (SSL_CTX_use_PrivateKey(context, key) != 1 ||
               SSL_CTX_check_private_key(context) != 1) {
        err = fail(why, "the key is not the certificate's");
    }
    EVP_PKEY_free(key);
    BIO_free(bio);
    return err;
}

int tw__tls_load_pair(SSL_CTX *context, const tw__tls_material *material,
                      const char **why) {
    int err = load_certificate(context, material->cert, why);
    return err != 0 ? err
                    : load_key(context,
                               material->key.data != NULL ? material->key
                                                          : material->cert,
                               why);
}

static int trust(X509_STORE *store, STACK_OF(X509_NAME) * names,
                 X509 *certificate) {
    X509_NAME *name = X509_NAME_dup(X509_get_subject_name(certificate));
    if (name == NULL || sk_X509_NAME_push(names, name) == 0) {
        X509_NAME_free(name);
        return TW_ENOMEM;
    }
    return X509_STORE_add_cert(store, certificate) == 1 ? 0 : TW_ENOMEM;
}

int tw__tls_load_trusted(X509_STORE *store, STACK_OF(X509_NAME) * names,
                         tw__pem pem, const char **why) {
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *certificate;
    int err = bio != NULL ? 0 : TW_ENOMEM;
    while (err == 0 && (certificate = read_certificate(bio)) != NULL) {
        err = trust(store, names, certificate);
        X509_free(certificate);
    }
    if (err == 0 && !is_at_end()) {
        err = fail(why, "it is damaged");
    }
    if (err == 0 && sk_X509_NAME_num(names) == 0) {
        err = fail(why, "holds no certificate in PEM");
    }
    BIO_free(bio);
    return err;
}
