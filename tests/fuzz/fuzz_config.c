/* Options and the configuration file, settings.h, cli.h and config.h of the
 * program. An input that begins with "return" is a Lua file, with "{" the JSON
 * that comes of one, with "TIDEWIRE_" an environment, one variable a line; any
 * other is a command line, one argument a line.
 *
 * Whatever is taken is within its bounds and whole; whatever is not is told,
 * line by line.
 *
 * SPDX-License-Identifier: MIT */
#include <jansson.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../lua/program/listen.h" // the bridge has one, too
#include "cli.h"
#include "config.h"
#include "fuzz.h"
#include "tidewire/lua_config.h"
#include "tidewire/master.h"

enum { MAX_ARGS = 32, ANY = TWP_RUN | TWP_CHECK | TWP_ASK | TWP_STATUS };

/* ---- what was taken ---------------------------------------------------------
 */

static bool is_number(const twp_option *option) {
    return option->kind == TWP_COUNT || option->kind == TWP_BYTES ||
           option->kind == TWP_SECONDS;
}

static void check_value(const twp_option *option, const twp_value *value) {
    if (is_number(option)) {
        FUZZ_CHECK(value->number >= option->least);
        FUZZ_CHECK(value->number <= option->most);
    } else if (option->kind == TWP_SWITCH) {
        FUZZ_CHECK(value->number == 0 || value->number == 1);
    } else if (option->kind == TWP_TABLE) {
        json_t *json = json_loads(value->text, JSON_ALLOW_NUL, NULL);
        FUZZ_CHECK(json_is_object(json));
        json_decref(json);
    } else if (option->kind != TWP_LIST) {
        FUZZ_CHECK(value->text != NULL && *value->text != '\0');
    }
    for (size_t i = 0; i < value->count; i++) {
        FUZZ_CHECK(option->kind == TWP_LIST && *value->list[i] != '\0');
    }
}

/* An address without a problem says who may connect, or nothing. */
static void check_listen(const twp_settings *settings) {
    twp_text problems = {0};
    twp_listen listen;
    twp_listen_init(&listen, settings, &problems);
    FUZZ_CHECK(listen.count > 0);
    for (size_t i = 0; i < listen.count; i++) {
        const tw_listen_options *options = &listen.options[i];
        bool is_unix = strncmp(listen.addresses[i], "unix:", 5) == 0;
        bool is_shared = options->mode != 0 || options->group != NULL;
        FUZZ_CHECK(problems.len != 0 || is_unix || !is_shared);
        FUZZ_CHECK(problems.len != 0 || options->mode == 0 ||
                   (options->mode >= 0600 && options->mode <= 0777));
    }
    twp_listen_deinit(&listen);
    twp_text_deinit(&problems);
}

static unsigned check_settings(const twp_settings *settings) {
    unsigned count = 0;
    check_listen(settings);
    for (int i = 0; i < TWP_OPTION_COUNT; i++) {
        twp_option_id id = (twp_option_id)i;
        if (twp_settings_has(settings, id)) {
            check_value(&twp_options[i], &settings->values[i]);
            if (twp_options[i].kind == TWP_SECONDS) {
                twp_settings_ms(settings, id);
            }
            count++;
        }
    }
    return count;
}

static void check_problems(const twp_text *problems) {
    if (problems->data != NULL) {
        FUZZ_CHECK(strlen(problems->data) == problems->len);
        FUZZ_CHECK(problems->len == 0 ||
                   problems->data[problems->len - 1] == '\n');
    }
}

/* ---- the four ways in --------------------------------------------------- */

/* A text may not lose what is behind a zero byte. */
static void check_whole(const twp_settings *settings, json_t *json) {
    const char *node = twp_settings_text(settings, TWP_NODE_OPTION);
    json_t *given = json_object_get(json, "node");
    if (node != NULL) {
        FUZZ_CHECK(strlen(node) == json_string_length(given));
    }
}

static void take_json(const char *text) {
    twp_settings settings;
    twp_text problems = {0};
    twp_settings_init(&settings);
    twp_config_take(&settings, "/etc/tw.lua", text, &problems);
    unsigned count = check_settings(&settings);
    check_problems(&problems);
    json_t *json = json_loads(text, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    FUZZ_CHECK(json != NULL || (count == 0 && problems.len != 0));
    FUZZ_CHECK(json_is_object(json) || problems.len != 0);
    check_whole(&settings, json);
    json_decref(json);
    twp_settings_deinit(&settings);
    twp_text_deinit(&problems);
}

static void take_lua(const char *text, size_t len) {
    char path[64], report[TW_REPORT_MAX] = "";
    char *json = NULL;
    int fd = memfd_create("config.lua", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && write(fd, text, len) == (ssize_t)len);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (tw_lua_read_config(path, &json, report) == 0) {
        json_t *read = json_loads(json, JSON_ALLOW_NUL, NULL);
        FUZZ_CHECK(json_is_object(read) || json_is_array(read));
        json_decref(read);
        take_json(json);
        tw_lua_config_free(json);
    } else {
        FUZZ_CHECK(*report != '\0' && strlen(report) < sizeof report);
    }
    close(fd);
}

static size_t split(char *text, char **lines) {
    size_t count = 0;
    for (char *next; text != NULL && count < MAX_ARGS - 1; text = next) {
        next = strchr(text, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        lines[count++] = text;
    }
    lines[count] = NULL;
    return count;
}

static void take_environment(char *text) {
    char *lines[MAX_ARGS];
    twp_settings settings;
    twp_text problems = {0}, warnings = {0};
    split(text, lines);
    twp_settings_init(&settings);
    twp_cli_environment(&settings, ANY, lines, &problems, &warnings);
    check_settings(&settings);
    check_problems(&problems);
    check_problems(&warnings);
    twp_settings_deinit(&settings);
    twp_text_deinit(&problems);
    twp_text_deinit(&warnings);
}

static void take_flags(char *text) {
    char *lines[MAX_ARGS];
    twp_settings settings;
    twp_text problems = {0};
    twp_line line;
    size_t count = split(text, lines);
    twp_settings_init(&settings);
    twp_cli_flags(&settings, ANY, "SCRIPT.lua", (int)count, lines, &line,
                  &problems);
    unsigned taken = check_settings(&settings);
    check_problems(&problems);
    FUZZ_CHECK(taken != 0 || problems.len != 0 || line.operand != NULL ||
               line.help != NULL || line.wants_version ||
               strcmp(lines[0], "--") == 0);
    twp_settings_deinit(&settings);
    twp_text_deinit(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    FUZZ_CHECK(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    if (strncmp(text, "return", 6) == 0) {
        take_lua(text, size);
    } else if (text[0] == '{') {
        take_json(text);
    } else if (strncmp(text, "TIDEWIRE_", 9) == 0) {
        take_environment(text);
    } else {
        take_flags(text);
    }
    free(text);
    return 0;
}
