/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli.h"
#include "nearest.h"

/* One argument under way: "--name=value", where the value may be the next
 * argument. */
typedef struct argument {
    const char *name;
    size_t len;
    const char *value; /* after "="; NULL: none */
} argument;

static bool is_named(const argument *arg, const char *name) {
    return strlen(name) == arg->len && memcmp(name, arg->name, arg->len) == 0;
}

static void complain_unknown(const argument *arg, unsigned commands,
                             twp_text *problems) {
    char name[80];
    size_t len = arg->len < sizeof name - 1 ? arg->len : sizeof name - 1;
    memcpy(name, arg->name, len);
    name[len] = '\0';
    twp_nearest nearest;
    twp_nearest_init(&nearest, name);
    for (int i = 0; i < TWP_OPTION_COUNT; i++) {
        if (twp_options[i].flag != NULL &&
            (twp_options[i].commands & commands) != 0) {
            twp_nearest_offer(&nearest, twp_options[i].flag);
        }
    }
    twp_nearest_offer(&nearest, "help");
    twp_nearest_offer(&nearest, "version");
    if (nearest.name != NULL) {
        twp_text_printf(problems,
                        "unknown option '--%s'; did you mean '--%s'?\n", name,
                        nearest.name);
    } else {
        twp_text_printf(problems, "unknown option '--%s'\n", name);
    }
}

/* Whether the next argument is this one's value. */
static bool is_value(const argument *arg, const char *next) {
    return arg->value == NULL && next != NULL && strncmp(next, "--", 2) != 0;
}

/* Answers how many of the following arguments the option took. */
static int set_option(twp_settings *settings, int id, const argument *arg,
                      const char *next, twp_text *problems) {
    const twp_option *option = &twp_options[id];
    const char *text = arg->value;
    int taken = 0;
    if (text == NULL && option->kind == TWP_SWITCH) {
        text = "true";
    } else if (is_value(arg, next)) {
        text = next;
        taken = 1;
    }
    if (text == NULL) {
        twp_text_printf(problems, "--%s needs a value: %s\n", option->flag,
                        option->value);
        return 0;
    }
    twp_why why;
    const char *wrong = twp_settings_set(settings, (twp_option_id)id,
                                         TWP_FROM_FLAG, text, &why);
    if (wrong != NULL) {
        twp_text_printf(problems, "--%s '%s': %s\n", option->flag, text, wrong);
    }
    return taken;
}

static int read_long(twp_settings *settings, unsigned commands,
                     const char *text, const char *next, twp_line *line,
                     twp_text *problems) {
    argument arg = {.name = text + 2, .len = strcspn(text + 2, "=")};
    if (arg.name[arg.len] == '=') {
        arg.value = arg.name + arg.len + 1;
    }
    int id = twp_option_by_flag(arg.name, arg.len, commands);
    if (id >= 0) {
        return set_option(settings, id, &arg, next, problems);
    }
    if (is_named(&arg, "help")) {
        line->help = arg.value != NULL ? arg.value : "";
    } else if (is_named(&arg, "version")) {
        line->wants_version = true;
    } else {
        complain_unknown(&arg, commands, problems);
    }
    return 0;
}

/* Those that are usual elsewhere. */
static const struct short_flag {
    const char *name;
    twp_option_id id;
} short_flags[] = {{"-e", TWP_EVAL_OPTION}, {"-o", TWP_OUTPUT_OPTION}};

/* Their value is the next argument, whatever it looks like: Lua may begin with
 * a comment. Answers how many arguments were taken. */
static int read_short(twp_settings *settings, unsigned commands,
                      const char *text, const char *next, twp_line *line,
                      twp_text *problems) {
    if (strcmp(text, "-h") == 0) {
        line->help = "";
        return 0;
    }
    if (strcmp(text, "-V") == 0) {
        line->wants_version = true;
        return 0;
    }
    for (size_t i = 0; i < sizeof short_flags / sizeof *short_flags; i++) {
        const twp_option *option = &twp_options[short_flags[i].id];
        if (strcmp(text, short_flags[i].name) == 0 &&
            (option->commands & commands) != 0) {
            argument arg = {.value = next};
            set_option(settings, short_flags[i].id, &arg, NULL, problems);
            return next != NULL;
        }
    }
    twp_text_printf(problems, "unknown option '%s'\n", text);
    return 0;
}

static void read_operand(const char *text, const char *operand_name,
                         twp_line *line, twp_text *problems) {
    if (operand_name == NULL) {
        twp_text_printf(problems, "unexpected argument '%s'\n", text);
    } else if (line->operand != NULL) {
        twp_text_printf(problems,
                        "unexpected argument '%s': one %s is enough\n", text,
                        operand_name);
    } else {
        line->operand = text;
    }
}

void twp_cli_flags(twp_settings *settings, unsigned commands,
                   const char *operand_name, int argc, char *const *argv,
                   twp_line *line, twp_text *problems) {
    bool is_over = false; /* after "--" there are no options */
    *line = (twp_line){0};
    for (int i = 0; i < argc; i++) {
        const char *text = argv[i];
        if (is_over || text[0] != '-') {
            read_operand(text, operand_name, line, problems);
        } else if (strcmp(text, "--") == 0) {
            is_over = true;
        } else if (text[1] == '-') {
            const char *next = i + 1 < argc ? argv[i + 1] : NULL;
            i += read_long(settings, commands, text, next, line, problems);
        } else {
            const char *next = i + 1 < argc ? argv[i + 1] : NULL;
            i += read_short(settings, commands, text, next, line, problems);
        }
    }
}
