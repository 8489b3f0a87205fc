/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "nearest.h"

#define PREFIX "TIDEWIRE_"

enum { NAME_SIZE = 96 };

/* The value of a variable, or NULL when it is unset or empty. */
static const char *value_of(char *const *environment, const char *name) {
    size_t len = strlen(name);
    for (; *environment != NULL; environment++) {
        const char *entry = *environment;
        if (strncmp(entry, name, len) == 0 && entry[len] == '=') {
            return entry[len + 1] != '\0' ? entry + len + 1 : NULL;
        }
    }
    return NULL;
}

static void set(twp_settings *settings, twp_option_id id, const char *variable,
                const char *text, twp_text *problems) {
    twp_why why;
    const char *wrong =
        twp_settings_set(settings, id, TWP_FROM_ENVIRONMENT, text, &why);
    if (wrong != NULL) {
        twp_text_printf(problems, "%s '%s': %s\n", variable, text, wrong);
    }
}

static bool begins(const char *text, const char *word) {
    return strncmp(text, word, strlen(word)) == 0;
}

/* "unix:/path,mode=0660,group=www-data" is one entry. */
static bool is_part_of_address(twp_option_id id, const char *text) {
    return id == TWP_LISTEN_OPTION &&
           (begins(text, ",mode=") || begins(text, ",group="));
}

static size_t entry_len(twp_option_id id, const char *text) {
    size_t len = strcspn(text, ",");
    while (is_part_of_address(id, text + len)) {
        len += 1 + strcspn(text + len + 1, ",");
    }
    return len;
}

/* Entries parted by commas, with or without spaces around them. */
static void set_list(twp_settings *settings, twp_option_id id,
                     const char *variable, const char *text,
                     twp_text *problems) {
    while (*text != '\0') {
        text += strspn(text, ", ");
        size_t len = entry_len(id, text);
        size_t end = len;
        while (end > 0 && text[end - 1] == ' ') {
            end--;
        }
        if (end > 0) {
            char *entry = twp_print("%.*s", (int)end, text);
            set(settings, id, variable, entry, problems);
            free(entry);
        }
        text += len;
    }
}

/* "TIDEWIRE_WORKER=4" would be ignored without a word; variables that are like
 * none of ours belong to somebody else. */
static void warn_misspelt(const char *entry, twp_text *warnings) {
    char name[NAME_SIZE], variable[NAME_SIZE];
    size_t len = strcspn(entry, "=");
    if (len >= sizeof name) {
        return;
    }
    memcpy(name, entry, len);
    name[len] = '\0';
    twp_nearest nearest;
    twp_nearest_init(&nearest, name + strlen(PREFIX));
    int found = -1;
    for (int i = 0; i < TWP_OPTION_COUNT; i++) {
        if (!twp_option_variable(&twp_options[i], variable, sizeof variable)) {
            continue;
        }
        if (strcmp(variable, name) == 0) {
            return;
        }
        if (twp_nearest_offer(&nearest, variable + strlen(PREFIX))) {
            found = i;
        }
    }
    if (found >= 0) {
        twp_option_variable(&twp_options[found], variable, sizeof variable);
        twp_text_printf(warnings, "%s is unknown; did you mean %s?\n", name,
                        variable);
    }
}

void twp_cli_environment(twp_settings *settings, unsigned commands,
                         char *const *environment, twp_text *problems,
                         twp_text *warnings) {
    for (int i = 0; i < TWP_OPTION_COUNT; i++) {
        const twp_option *option = &twp_options[i];
        char variable[NAME_SIZE];
        if ((option->commands & commands) == 0 ||
            !twp_option_variable(option, variable, sizeof variable)) {
            continue;
        }
        const char *text = value_of(environment, variable);
        if (text != NULL && option->kind == TWP_LIST) {
            set_list(settings, (twp_option_id)i, variable, text, problems);
        } else if (text != NULL) {
            set(settings, (twp_option_id)i, variable, text, problems);
        }
    }
    for (; *environment != NULL; environment++) {
        if (strncmp(*environment, PREFIX, strlen(PREFIX)) == 0) {
            warn_misspelt(*environment, warnings);
        }
    }
}
