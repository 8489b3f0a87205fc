/* tidewire check: does the script load? SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "command.h"
#include "host.h"

int twp_check(twp_settings *settings, const char *operand) {
    int status;
    const char *script = twp_script(settings, operand, &status);
    if (script == NULL) {
        return status;
    }
    twp_log log;
    twp_log_init(&log, twp_settings_text(settings, TWP_LOG_LEVEL_OPTION),
                 twp_settings_text(settings, TWP_LOG_FORMAT_OPTION));
    twp_lua host;
    twp_lua_init(&host, settings, script, &log);
    char report[TW_REPORT_MAX] = "";
    int error = tw_lua_check(&host.config, report);
    twp_lua_deinit(&host);
    twp_log_deinit(&log);
    if (error != 0) {
        fprintf(stderr, "%s\n", *report != '\0' ? report : tw_strerror(error));
        return 1;
    }
    printf("%s: ok, %s\n", script, report);
    return 0;
}
