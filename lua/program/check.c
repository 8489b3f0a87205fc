/* tidewire check: is anything wrong with the script?
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "host.h"

/* {"ok":false,"script":...,"findings":[{"file":...,"line":...,"message":...}]};
 * a finding without a line has null there. */
typedef struct check {
    const char *script;
    json_t *findings; /* NULL: each is told as a line of text at once */
} check;

static void tell(const tw_lua_finding *finding) {
    if (finding->line > 0) {
        fprintf(stderr, "%s:%u: %s\n", finding->file, finding->line,
                finding->message);
    } else {
        fprintf(stderr, "%s: %s\n", finding->file, finding->message);
    }
}

/* JSON is UTF-8; a path or a piece of source may be anything. */
static json_t *text_of(const char *text) {
    json_t *json = json_string(text);
    return json != NULL ? json : json_string("(not UTF-8)");
}

static void on_finding(const tw_lua_finding *finding, void *arg) {
    check *c = arg;
    if (c->findings == NULL) {
        tell(finding);
        return;
    }
    json_t *line =
        finding->line > 0 ? json_integer(finding->line) : json_null();
    json_array_append_new(c->findings,
                          json_pack("{s:o,s:o,s:o}", "file",
                                    text_of(finding->file), "line", line,
                                    "message", text_of(finding->message)));
}

static void print_json(const check *c, int error, const char *report) {
    json_t *json = json_pack("{s:b,s:o,s:s,s:O}", "ok", error == 0, "script",
                             text_of(c->script), "summary", report, "findings",
                             c->findings);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    puts(text != NULL ? text : "{\"ok\":false,\"findings\":[]}");
    free(text);
    json_decref(json);
}

static int inspect(twp_settings *settings, const char *script, check *c,
                   twp_log *log, char *report) {
    twp_lua host;
    twp_lua_init(&host, settings, script, log);
    int error = tw_lua_inspect(&host.config, on_finding, c, report);
    twp_lua_deinit(&host);
    return error;
}

static int print(const check *c, int error, const char *report) {
    if (c->findings != NULL) {
        print_json(c, error, report);
    } else if (error == 0) {
        printf("%s: ok, %s\n", c->script, report);
    } else if (error == TW_ENOMEM) {
        fprintf(stderr, "%s: %s\n", c->script, tw_strerror(error));
    }
    return error == 0 ? 0 : 1;
}

int twp_check(twp_settings *settings, const char *operand) {
    int status;
    const char *script = twp_script(settings, operand, &status);
    if (script == NULL) {
        return status;
    }
    const char *format = twp_settings_text(settings, TWP_FORMAT_OPTION);
    bool is_json = format != NULL && strcmp(format, "json") == 0;
    check c = {script, is_json ? json_array() : NULL};
    twp_log log;
    twp_log_init(&log, twp_settings_text(settings, TWP_LOG_LEVEL_OPTION),
                 twp_settings_text(settings, TWP_LOG_FORMAT_OPTION));
    char report[TW_REPORT_MAX] = "";
    int error = inspect(settings, script, &c, &log, report);
    twp_log_deinit(&log);
    status = print(&c, error, report);
    json_decref(c.findings);
    return status;
}
