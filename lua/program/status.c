/* tidewire status. SPDX-License-Identifier: MIT */
#include "status.h"

#include <stdio.h>

#include "ask.h"
#include "command.h"

int twp_status(twp_settings *settings, const char *operand) {
    (void)operand;
    twp_answer answer;
    if (twp_ask(settings, "GET", "/api/status", &answer) != 0) {
        return 1;
    }
    int status = 0;
    if (twp_settings_is_on(settings, TWP_JSON_OPTION, false)) {
        fputs(answer.body, stdout);
    } else if (!json_is_object(answer.json)) {
        fprintf(stderr, "tidewire: the server's answer is not JSON\n");
        status = 1;
    } else {
        twp_text out = {0};
        twp_status_format(&out, answer.json);
        fputs(out.data != NULL ? out.data : "", stdout);
        twp_text_deinit(&out);
    }
    twp_answer_deinit(&answer);
    return status;
}
