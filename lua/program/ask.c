/* SPDX-License-Identifier: MIT */
#include "ask.h"

#include <stdio.h>
#include <string.h>

#include "tidewire/admin.h"

/* A failure is {"error":{"code":...,"message":...}}; the message of a reload
 * is what the script loader said, with file and line. */
static void tell_failure(int status, const twp_answer *answer) {
    const json_t *error = json_object_get(answer->json, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    if (message != NULL) {
        fprintf(stderr, "%s\n", message);
    } else {
        fprintf(stderr, "tidewire: the server answered %d\n", status);
    }
}

int twp_ask_long(const twp_settings *settings, const char *method,
                 const char *path, const char *data, size_t len,
                 unsigned timeout_ms, twp_answer *answer) {
    char detail[2048] = "";
    int status;
    const char *dir = twp_settings_text(settings, TWP_RUNTIME_DIR_OPTION);
    int error = strcmp(method, "POST") == 0
                    ? tw_admin_post(dir, path, data, len, timeout_ms, &status,
                                    &answer->body, detail, sizeof detail)
                    : tw_admin_request(dir, method, path, timeout_ms, &status,
                                       &answer->body, detail, sizeof detail);
    if (error != 0) {
        fprintf(stderr, "tidewire: %s%s\n",
                *detail != '\0' ? detail : tw_strerror(error),
                error == TW_EEXISTS ? "\n(--runtime-dir DIR chooses one)" : "");
        return 1;
    }
    answer->json = json_loads(answer->body, JSON_DECODE_ANY, NULL);
    if (status >= 200 && status < 300) {
        return 0;
    }
    tell_failure(status, answer);
    twp_answer_deinit(answer);
    return 1;
}

int twp_ask(const twp_settings *settings, const char *method, const char *path,
            twp_answer *answer) {
    return twp_ask_long(settings, method, path, "", 0, 0, answer);
}

void twp_answer_deinit(twp_answer *answer) {
    json_decref(answer->json);
    tw_admin_free(answer->body);
}
