/* ask.h - a request to a running server and its answer.
 * SPDX-License-Identifier: MIT */
#ifndef TWP_ASK_H
#define TWP_ASK_H

#include <jansson.h>

#include "settings.h"

typedef struct twp_answer {
    char *body;   /* the text as it came; tw_admin_free */
    json_t *json; /* NULL when it is none */
} twp_answer;

/* Asks the server that the settings name, or the only one of this user. 0 with
 * an answer of 2xx, else 1: what was wrong has been told on stderr, and there
 * is nothing to release. */
int twp_ask(const twp_settings *settings, const char *method, const char *path,
            twp_answer *answer);

/* The same with a body, and as long to wait for the answer as is said. */
int twp_ask_long(const twp_settings *settings, const char *method,
                 const char *path, const char *data, size_t len,
                 unsigned timeout_ms, twp_answer *answer);

void twp_answer_deinit(twp_answer *answer);

#endif
