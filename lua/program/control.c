/* tidewire reload and tidewire drain. SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "ask.h"
#include "command.h"

int twp_reload(twp_settings *settings, const char *operand) {
    (void)operand;
    twp_answer answer;
    if (twp_ask(settings, "POST", "/api/reload", &answer) != 0) {
        return 1;
    }
    const json_t *generation = json_object_get(answer.json, "generation");
    printf("generation %lld\n", (long long)json_integer_value(generation));
    twp_answer_deinit(&answer);
    return 0;
}

int twp_drain(twp_settings *settings, const char *operand) {
    (void)operand;
    twp_answer answer;
    if (twp_ask(settings, "POST", "/api/drain", &answer) != 0) {
        return 1;
    }
    printf("draining\n");
    twp_answer_deinit(&answer);
    return 0;
}
