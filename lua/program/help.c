/* SPDX-License-Identifier: MIT */
#include "help.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 78, FLAGS_WIDTH = 26, NAME_SIZE = 96 };

/* Appends the text, broken at spaces into lines of WIDTH that begin at
 * `indent`; the first line is there already, `at` columns long. */
static void add_wrapped(twp_text *out, const char *text, int indent, int at) {
    while (*text != '\0') {
        int len = (int)strcspn(text, " ");
        if (at + 1 + len > WIDTH && at > indent) {
            twp_text_printf(out, "\n%*s", indent, "");
            at = indent;
        } else if (at > indent) {
            twp_text_puts(out, " ");
            at++;
        }
        twp_text_add(out, text, (size_t)len);
        at += len;
        text += len;
        text += strspn(text, " ");
    }
    twp_text_puts(out, "\n");
}

/* A term and its text beside it, or below where the term is long. */
static void add_entry(twp_text *out, const char *term, const char *text,
                      int column) {
    int len = (int)strlen(term);
    twp_text_puts(out, term);
    if (len + 2 > column) {
        twp_text_puts(out, "\n");
        len = 0;
    }
    twp_text_printf(out, "%*s", column - len, "");
    add_wrapped(out, text, column, column);
}

static void add_flag(twp_text *out, const twp_option *option) {
    char term[NAME_SIZE];
    snprintf(term, sizeof term, "  --%s %s", option->flag, option->value);
    if (option->kind == TWP_SWITCH) {
        add_entry(out, term, option->help, FLAGS_WIDTH);
        return;
    }
    twp_text text = {0};
    twp_text_printf(&text, "%s [%s]", option->help, option->standard);
    add_entry(out, term, text.data != NULL ? text.data : "", FLAGS_WIDTH);
    twp_text_deinit(&text);
}

void twp_help_command(twp_text *out, const twp_command *command) {
    twp_text_printf(out,
                    "tidewire %s - %s\n\nUsage: tidewire %s [options]%s%s\n",
                    command->name, command->summary,
                    command->commands == TWP_RUN ? "[run]" : command->name,
                    command->operand != NULL ? " " : "",
                    command->operand != NULL ? command->operand : "");
    twp_text_puts(out, "\nOptions:\n");
    for (int i = 0; i < TWP_OPTION_COUNT; i++) {
        const twp_option *option = &twp_options[i];
        if (option->flag != NULL &&
            (option->commands & command->commands) != 0) {
            add_flag(out, option);
        }
    }
    add_entry(out, "  --help", "This text", FLAGS_WIDTH);
    twp_text_printf(out, "\n%s", command->help);
}

void twp_help_program(twp_text *out, const twp_command *commands) {
    twp_text_puts(out,
                  "Tidewire " TW_VERSION " - a Lua-scriptable push platform\n\n"
                  "Usage: tidewire [run] [options] SCRIPT.lua\n"
                  "       tidewire COMMAND [options]\n\n"
                  "Commands:\n");
    for (const twp_command *c = commands; c->name != NULL; c++) {
        char term[NAME_SIZE];
        snprintf(term, sizeof term, "  %s %s", c->name,
                 c->operand != NULL ? c->operand : "");
        add_entry(out, term, c->summary, 20);
    }
    twp_text_puts(out,
                  "\ntidewire COMMAND --help tells more of one, tidewire help "
                  "options all that can\nbe set: as a flag, as a variable "
                  "TIDEWIRE_... or in a configuration file.\n\n"
                  "Exit status: 0 done, 1 failed or could not start, 2 wrong "
                  "usage or settings.\n");
}

/* ---- all options -------------------------------------------------------- */

static void add_option(twp_text *out, const twp_option *option) {
    char variable[NAME_SIZE];
    if (option->path == NULL && option->kind == TWP_SWITCH) {
        return; /* of one command, whose help has it */
    }
    twp_text_puts(out, option->path != NULL ? option->path : "");
    if (option->flag != NULL) {
        twp_text_printf(out, "%s--%s%s%s", option->path != NULL ? "   " : "",
                        option->flag, *option->value != '\0' ? " " : "",
                        option->value);
    }
    if (twp_option_variable(option, variable, sizeof variable)) {
        twp_text_printf(out, "   %s", variable);
    }
    twp_text_puts(out, "\n    ");
    twp_text text = {0};
    twp_text_printf(&text, "%s. %s; default: %s.", option->help,
                    option->kind == TWP_CHOICE ? option->value
                                               : twp_kind_text(option->kind),
                    option->standard);
    add_wrapped(out, text.data != NULL ? text.data : "", 4, 4);
    twp_text_deinit(&text);
}

void twp_help_options(twp_text *out) {
    twp_text_puts(out,
                  "Keys of the configuration file, flags and variables. Flags "
                  "override variables,\nvariables override the file.\n\n");
    for (int i = 0; i < TWP_OPTION_COUNT; i++) {
        add_option(out, &twp_options[i]);
    }
}

/* A cell of code: "|" ends one in Markdown. */
static void add_code(twp_text *out, const char *text) {
    twp_text_puts(out, *text != '\0' ? " `" : " ");
    for (; *text != '\0'; text++) {
        twp_text_puts(out, *text == '|' ? "\\" : "");
        twp_text_add(out, text, 1);
        twp_text_puts(out, text[1] == '\0' ? "`" : "");
    }
    twp_text_puts(out, " |");
}

static void add_row(twp_text *out, const twp_option *option) {
    char variable[NAME_SIZE] = "", flag[NAME_SIZE] = "";
    twp_option_variable(option, variable, sizeof variable);
    if (option->flag != NULL) {
        snprintf(flag, sizeof flag, "--%s%s%s", option->flag,
                 *option->value != '\0' ? " " : "", option->value);
    }
    twp_text_puts(out, "|");
    add_code(out, option->path != NULL ? option->path : "");
    add_code(out, flag);
    add_code(out, variable);
    if (option->kind == TWP_CHOICE) {
        add_code(out, option->value);
    } else {
        twp_text_printf(out, " %s |", twp_kind_text(option->kind));
    }
    twp_text_printf(out, " %s | %s |\n", option->standard, option->help);
}

void twp_help_markdown(twp_text *out) {
    twp_text_puts(out, "| key | flag | variable | type | default | help |\n"
                       "| --- | --- | --- | --- | --- | --- |\n");
    for (int i = 0; i < TWP_OPTION_COUNT; i++) {
        add_row(out, &twp_options[i]);
    }
}
