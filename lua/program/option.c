/* SPDX-License-Identifier: MIT */
#include "option.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ROW(symbol, ...) [TWP_##symbol##_OPTION] = ROW_OF(__VA_ARGS__)
#define ROW_OF(path, flag, kind, commands, least, most, standard, value, help) \
    {path, flag, kind, commands, least, most, standard, value, help},
const twp_option twp_options[TWP_OPTION_COUNT] = {TWP_OPTIONS(ROW)};
#undef ROW_OF
#undef ROW

int twp_option_by_flag(const char *name, size_t len, unsigned commands) {
    for (int i = 0; i < TWP_OPTION_COUNT; i++) {
        const twp_option *option = &twp_options[i];
        if ((option->commands & commands) != 0 && option->flag != NULL &&
            strlen(option->flag) == len &&
            memcmp(option->flag, name, len) == 0) {
            return i;
        }
    }
    return -1;
}

int twp_option_by_path(const char *path) {
    for (int i = 0; i < TWP_OPTION_COUNT; i++) {
        const char *known = twp_options[i].path;
        if (known != NULL && strcmp(known, path) == 0) {
            return i;
        }
    }
    return -1;
}

bool twp_option_variable(const twp_option *option, char *out, size_t size) {
    bool is_setting = option->path != NULL && option->kind != TWP_TABLE;
    bool is_flag = option == &twp_options[TWP_CONFIG_FILE_OPTION] ||
                   option == &twp_options[TWP_REDIS_URL_OPTION];
    if (!is_setting && !is_flag) {
        return false;
    }
    snprintf(out, size, "TIDEWIRE_%s", is_flag ? option->flag : option->path);
    for (char *c = out; *c != '\0'; c++) {
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    }
    return true;
}

const char *twp_kind_text(twp_kind kind) {
    static const char *const texts[] = {
        [TWP_TEXT] = "text",
        [TWP_PATH] = "a path",
        [TWP_LIST] = "text, or an array of texts",
        [TWP_CHOICE] = "a word",
        [TWP_COUNT] = "a whole number",
        [TWP_BYTES] = "a number of bytes, or text with a unit (\"64KiB\")",
        [TWP_SECONDS] = "a number of seconds, or text with a unit (\"500ms\")",
        [TWP_SWITCH] = "true or false",
        [TWP_TABLE] = "a table",
    };
    return texts[kind];
}
