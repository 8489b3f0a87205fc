/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void twp_settings_init(twp_settings *settings) {
    memset(settings, 0, sizeof *settings);
}

static void clear(twp_value *value) {
    for (size_t i = 0; i < value->count; i++) {
        free(value->list[i]);
    }
    free(value->list);
    free(value->text);
    *value = (twp_value){0};
}

void twp_settings_deinit(twp_settings *settings) {
    for (int i = 0; i < TWP_OPTION_COUNT; i++) {
        clear(&settings->values[i]);
    }
}

/* The value to write to, emptied of what a lower source has put there; NULL
 * when a higher one has. */
static twp_value *claim(twp_settings *settings, twp_option_id id,
                        twp_source source) {
    twp_value *value = &settings->values[id];
    if (value->source > source) {
        return NULL;
    }
    if (value->source < source) {
        clear(value);
        value->source = source;
    }
    return value;
}

/* ---- numbers ------------------------------------------------------------ */

typedef struct unit {
    const char *name;
    double factor;
} unit;

static const unit byte_units[] = {
    {"", 1},     {"B", 1},    {"KiB", 1024}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
    {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9},   {NULL, 0}};
static const unit second_units[] = {{"", 1},   {"ms", 0.001}, {"s", 1},
                                    {"m", 60}, {"h", 3600},   {NULL, 0}};
static const unit no_units[] = {{"", 1}, {NULL, 0}};

static const unit *units_of(twp_kind kind) {
    return kind == TWP_BYTES     ? byte_units
           : kind == TWP_SECONDS ? second_units
                                 : no_units;
}

/* Plain decimals only: strtod alone would take "inf" and "0x10", too. */
static bool read_number(const char *text, const unit *units, double *number) {
    size_t digits = strspn(text, "0123456789.");
    char *end;
    double value = strtod(text, &end);
    if (digits == 0 || end != text + digits) {
        return false;
    }
    for (; units->name != NULL; units++) {
        if (strcasecmp(end, units->name) == 0) {
            *number = value * units->factor;
            return true;
        }
    }
    return false;
}

static const char *check_number(const twp_option *option, double number,
                                twp_why *why) {
    if (number < option->least || number > option->most) {
        snprintf(why->text, sizeof why->text, "must be %.15g to %.15g%s",
                 option->least, option->most,
                 option->kind == TWP_SECONDS ? " seconds"
                 : option->kind == TWP_BYTES ? " bytes"
                                             : "");
        return why->text;
    }
    bool is_whole =
        option->kind == TWP_SECONDS || number == (double)(long long)number;
    return is_whole ? NULL : "must be a whole number";
}

const char *twp_settings_set_number(twp_settings *settings, twp_option_id id,
                                    twp_source source, double number,
                                    twp_why *why) {
    const twp_option *option = &twp_options[id];
    if (option->kind != TWP_SWITCH) {
        const char *wrong = check_number(option, number, why);
        if (wrong != NULL) {
            return wrong;
        }
    }
    twp_value *value = claim(settings, id, source);
    if (value != NULL) {
        value->number = number;
    }
    return NULL;
}

/* ---- text --------------------------------------------------------------- */

static const char *not_a(const twp_option *option, twp_why *why) {
    snprintf(why->text, sizeof why->text, "must be %s",
             twp_kind_text(option->kind));
    return why->text;
}

static int read_switch(const char *text) {
    static const char *const words[] = {"false", "true", "off", "on",
                                        "no",    "yes",  "0",   "1"};
    for (int i = 0; i < 8; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return i % 2;
        }
    }
    return -1;
}

/* Whether the words parted by "|" contain the text. */
static bool is_choice(const char *words, const char *text) {
    size_t len = strlen(text);
    while (*words != '\0') {
        size_t word = strcspn(words, "|");
        if (word == len && strncmp(words, text, len) == 0) {
            return true;
        }
        words += word + (words[word] == '|');
    }
    return false;
}

static const char *check_text(const twp_option *option, const char *text,
                              twp_why *why) {
    if (option->kind == TWP_CHOICE && !is_choice(option->value, text)) {
        snprintf(why->text, sizeof why->text, "must be one of %s",
                 option->value);
        return why->text;
    }
    return *text == '\0' ? "must not be empty" : NULL;
}

static const char *set_text(twp_settings *settings, twp_option_id id,
                            twp_source source, const char *text, twp_why *why) {
    const char *wrong = check_text(&twp_options[id], text, why);
    twp_value *value = wrong == NULL ? claim(settings, id, source) : NULL;
    if (value == NULL) {
        return wrong;
    }
    if (twp_options[id].kind == TWP_LIST) {
        value->list =
            twp_grow(value->list, (value->count + 1) * sizeof *value->list);
        value->list[value->count++] = twp_copy(text);
    } else {
        free(value->text);
        value->text = twp_copy(text);
    }
    return NULL;
}

const char *twp_settings_set(twp_settings *settings, twp_option_id id,
                             twp_source source, const char *text,
                             twp_why *why) {
    const twp_option *option = &twp_options[id];
    double number;
    switch (option->kind) {
    case TWP_COUNT:
    case TWP_BYTES:
    case TWP_SECONDS:
        return read_number(text, units_of(option->kind), &number)
                   ? twp_settings_set_number(settings, id, source, number, why)
                   : not_a(option, why);
    case TWP_SWITCH:
        number = read_switch(text);
        return number >= 0
                   ? twp_settings_set_number(settings, id, source, number, why)
                   : not_a(option, why);
    case TWP_TABLE:
        return not_a(option, why);
    default:
        return set_text(settings, id, source, text, why);
    }
}

void twp_settings_set_table(twp_settings *settings, twp_option_id id,
                            twp_source source, char *json) {
    twp_value *value = claim(settings, id, source);
    if (value == NULL) {
        free(json);
        return;
    }
    free(value->text);
    value->text = json;
}

void twp_settings_clear(twp_settings *settings, twp_option_id id,
                        twp_source source) {
    twp_value *value = claim(settings, id, source);
    if (value != NULL) {
        clear(value);
        value->source = source;
    }
}

/* ---- reading ------------------------------------------------------------ */

bool twp_settings_has(const twp_settings *settings, twp_option_id id) {
    return settings->values[id].source != TWP_FROM_DEFAULT;
}

const char *twp_settings_text(const twp_settings *settings, twp_option_id id) {
    return settings->values[id].text;
}

double twp_settings_number(const twp_settings *settings, twp_option_id id,
                           double unset) {
    return twp_settings_has(settings, id) ? settings->values[id].number : unset;
}

bool twp_settings_is_on(const twp_settings *settings, twp_option_id id,
                        bool unset) {
    return twp_settings_number(settings, id, unset) != 0;
}

unsigned twp_settings_ms(const twp_settings *settings, twp_option_id id) {
    return (unsigned)(twp_settings_number(settings, id, 0) * 1000 + 0.5);
}
