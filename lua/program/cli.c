/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "help.h"

/* Each line of the text behind the program's name. */
static void tell(const char *text) {
    while (text != NULL && *text != '\0') {
        size_t len = strcspn(text, "\n");
        fprintf(stderr, "tidewire: %.*s\n", (int)len, text);
        text += len + (text[len] == '\n');
    }
}

static int print_help(const twp_command *command, const char *how) {
    twp_text out = {0};
    int status = 0;
    if (strcmp(how, "markdown") == 0) {
        twp_help_markdown(&out);
    } else if (strcmp(how, "options") == 0) {
        twp_help_options(&out);
    } else if (*how == '\0') {
        twp_help_command(&out, command);
    } else {
        tell("--help takes 'options' or 'markdown'");
        status = 2;
    }
    fputs(out.data != NULL ? out.data : "", stdout);
    twp_text_deinit(&out);
    return status;
}

/* Answers the exit status when something was wrong, else 0. */
static int read_rest(const twp_command *command, twp_settings *settings,
                     twp_text *problems) {
    twp_text warnings = {0};
    twp_cli_environment(settings, command->commands, environ, problems,
                        &warnings);
    tell(warnings.data);
    twp_text_deinit(&warnings);
    const char *file = twp_settings_text(settings, TWP_CONFIG_FILE_OPTION);
    if (file != NULL) {
        twp_config_read(settings, file, problems);
    }
    tell(problems->data);
    return problems->len > 0 ? 2 : 0;
}

static int run(const twp_command *command, twp_settings *settings, int argc,
               char *const *argv, twp_text *problems) {
    twp_line line;
    twp_cli_flags(settings, command->commands, command->operand, argc, argv,
                  &line, problems);
    if (line.help != NULL) {
        return print_help(command, line.help);
    }
    if (line.wants_version) {
        printf("tidewire " TW_VERSION "\n");
        return 0;
    }
    int status = read_rest(command, settings, problems);
    return status != 0 ? status : command->run(settings, line.operand);
}

int twp_cli_run(const twp_command *command, int argc, char *const *argv) {
    twp_settings settings;
    twp_text problems = {0};
    twp_settings_init(&settings);
    int status = run(command, &settings, argc - 1, argv + 1, &problems);
    twp_text_deinit(&problems);
    twp_settings_deinit(&settings);
    return status;
}
