/* settings.h - the values of all options, wherever they come from.
 *
 * Flags override the environment, which overrides the file, which overrides
 * the defaults; so the order in which they are read does not matter. What is
 * overridden is checked all the same.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_SETTINGS_H
#define TWP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "option.h"
#include "text.h"

/* In ascending order of what they override. */
typedef enum twp_source {
    TWP_FROM_DEFAULT,
    TWP_FROM_FILE,
    TWP_FROM_ENVIRONMENT,
    TWP_FROM_FLAG
} twp_source;

typedef struct twp_value {
    twp_source source;
    double number; /* COUNT, BYTES, SECONDS; 0 or 1 of a SWITCH */
    char *text;    /* TEXT, PATH, CHOICE; the JSON of a TABLE */
    char **list;   /* LIST */
    size_t count;
} twp_value;

typedef struct twp_settings {
    twp_value values[TWP_OPTION_COUNT];
} twp_settings;

/* Everything unset: twp_settings_number and the like answer the defaults. */
void twp_settings_init(twp_settings *settings);
void twp_settings_deinit(twp_settings *settings);

/* Sets an option from text as flags and variables give it. A LIST gets one
 * more entry, and loses those of lower sources. Where a higher source has set
 * the option nothing changes. NULL, or why the text is no value for it, static
 * or kept in `why`. */
typedef struct twp_why {
    char text[256];
} twp_why;
const char *twp_settings_set(twp_settings *settings, twp_option_id id,
                             twp_source source, const char *text, twp_why *why);

/* The same for numbers and switches, and for a TABLE's JSON text (taken). */
const char *twp_settings_set_number(twp_settings *settings, twp_option_id id,
                                    twp_source source, double number,
                                    twp_why *why);
void twp_settings_set_table(twp_settings *settings, twp_option_id id,
                            twp_source source, char *json);

/* An empty LIST, as the file may have it. */
void twp_settings_clear(twp_settings *settings, twp_option_id id,
                        twp_source source);

bool twp_settings_has(const twp_settings *settings, twp_option_id id);

/* NULL when unset. */
const char *twp_settings_text(const twp_settings *settings, twp_option_id id);

/* `unset` when unset. */
double twp_settings_number(const twp_settings *settings, twp_option_id id,
                           double unset);
bool twp_settings_is_on(const twp_settings *settings, twp_option_id id,
                        bool unset);

/* Seconds as whole milliseconds, 0 when unset. */
unsigned twp_settings_ms(const twp_settings *settings, twp_option_id id);

#endif
