/* The program `tidewire`. SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "cli.h"
#include "command.h"
#include "help.h"
#include "nearest.h"
#include "new.h"
#include "test.h"

#define RUN_HELP                                                               \
    "Everything else is set in a configuration file or by variables: see\n"    \
    "tidewire help options. SIGHUP loads the scripts again while "             \
    "connections\n"                                                            \
    "stay open, SIGTERM drains and ends, a second one ends at once.\n\n"       \
    "Exit status: 0 drained, 1 failed or could not start, 2 wrong usage or\n"  \
    "settings.\n"
#define CHECK_HELP                                                             \
    "Loads the script without a server and looks through every file of it: "   \
    "syntax,\nmodules, globals, hooks, options, routes, classes. All that is " \
    "wrong is told with\nfile and line.\n\n"                                   \
    "Exit status: 0 nothing is wrong, 1 something is, 2 wrong usage or "       \
    "settings.\n"
#define NEW_HELP                                                               \
    "Templates: chat, dashboard, notify. Makes the folder NAME with an "       \
    "application, a page,\nsettings and a README; it runs as it is.\n\n"       \
    "Exit status: 0 made, 1 failed and nothing was made, 2 wrong usage.\n"
#define TEST_HELP                                                              \
    "  --filter PATTERN        Only cases whose name the pattern matches\n"    \
    "  --jobs N                Files at a time, as many as there are cores\n"  \
    "  --tap                   Output in the Test Anything Protocol\n"         \
    "  --quiet                 Only what failed, and the count\n\n"            \
    "Runs tests of scripts, without a network and in a time of their own. "    \
    "A file takes\nwhat it needs from require \"tidewire.test\".\n\n"          \
    "Exit status: 0 all passed, 1 something failed or did not load, 2 wrong "  \
    "usage.\n"
#define RELOAD_HELP                                                            \
    "All workers switch to the new scripts or none does; connections stay "    \
    "open. Prints\nthe new generation, or why the old one goes on.\n\n"        \
    "Exit status: 0 switched, 1 not, 2 wrong usage or settings.\n"
#define DRAIN_HELP                                                             \
    "The server stops accepting, closes its connections in waves, and ends.\n"
#define STATUS_HELP                                                            \
    "Without --runtime-dir the only server that this user runs is asked.\n\n"  \
    "Exit status: 0 it answered, 1 it did not, 2 wrong usage or settings.\n"
#define TOP_HELP                                                               \
    "Workers, hooks by CPU time, the fullest queues, the busiest channels. q " \
    "ends it, the\nspace bar asks anew.\n\n"                                   \
    "Exit status: 0 ended, 1 the server did not answer, 2 wrong usage, or "    \
    "no\n"                                                                     \
    "terminal without --once.\n"
#define CONSOLE_HELP                                                           \
    "Each line runs in worker 0, in another with --worker, or in all, as a "   \
    "hook does: with tw,\nunder the CPU budget, and it may wait. Globals are " \
    "the session's own. The server\nlogs every line. :help tells more.\n\n"    \
    "Without a terminal the lines of standard input are run, up to the first " \
    "that fails.\n\n"                                                          \
    "Exit status: 0 all went well, 1 not, 2 wrong usage or settings.\n"

#define PROFILE_HELP                                                           \
    "Samples of the Lua and C stacks of the workers, one in 10 ms of their "   \
    "CPU time, as a\nflame graph: an SVG that every browser shows. A worker "  \
    "that waits shows nothing.\n\n"                                            \
    "Exit status: 0 written, 1 not, or a worker is missing in it, 2 wrong\n"   \
    "usage or settings.\n"

static const twp_command commands[] = {
    {"run", TWP_RUN, "SCRIPT.lua",
     "serve a script (the word run may be left "
     "out)",
     RUN_HELP, twp_run},
    {"check", TWP_CHECK, "SCRIPT.lua", "load a script and tell what is wrong",
     CHECK_HELP, twp_check},
    {"test", 0, "FILE...", "run tests of scripts", TEST_HELP, NULL},
    {"new", 0, "TEMPLATE NAME", "make a project to begin with", NEW_HELP, NULL},
    {"reload", TWP_ASK, NULL, "load the scripts of a running server again",
     RELOAD_HELP, twp_reload},
    {"drain", TWP_ASK, NULL, "end a running server gently", DRAIN_HELP,
     twp_drain},
    {"status", TWP_STATUS, NULL, "what a running server does", STATUS_HELP,
     twp_status},
    {"top", TWP_TOP, NULL, "watch a running server", TOP_HELP, twp_top},
    {"console", TWP_CONSOLE, NULL, "run Lua in a running server", CONSOLE_HELP,
     twp_console},
    {"profile", TWP_PROFILE, NULL, "where a running server's time goes",
     PROFILE_HELP, twp_profile},
    {"bench", 0, "...", "load generator: echo, fan-out, idle; see bench --help",
     "", NULL},
    {NULL, 0, NULL, NULL, NULL, NULL},
};

/* Names of a later version: taken, and said so. */
static const char *const reserved[] = {"doctor"};

static const twp_command *find(const char *name) {
    for (const twp_command *c = commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

static bool is_reserved(const char *name) {
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (strcmp(reserved[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_one_of(const char *word, const char *a, const char *b,
                      const char *c) {
    return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

static int print_program_help(FILE *to, int status) {
    twp_text out = {0};
    twp_help_program(&out, commands);
    fputs(out.data != NULL ? out.data : "", to);
    twp_text_deinit(&out);
    return status;
}

static int start(const twp_command *command, int argc, char **argv) {
    if (command->run != NULL) {
        return twp_cli_run(command, argc, argv);
    }
    if (strcmp(command->name, "test") == 0) {
        return twp_test(command, argc, argv);
    }
    return strcmp(command->name, "new") == 0 ? twp_new(command, argc, argv)
                                             : tw_bench_main(argc, argv);
}

static int complain(const char *word) {
    if (is_reserved(word)) {
        fprintf(stderr, "tidewire: %s is not available in this version\n",
                word);
        return 2;
    }
    twp_nearest nearest;
    twp_nearest_init(&nearest, word);
    for (const twp_command *c = commands; c->name != NULL; c++) {
        twp_nearest_offer(&nearest, c->name);
    }
    twp_nearest_offer(&nearest, "help");
    if (nearest.name != NULL) {
        fprintf(stderr, "tidewire: unknown command '%s'; did you mean '%s'?\n",
                word, nearest.name);
    } else {
        fprintf(stderr, "tidewire: '%s' is neither a command nor a script\n",
                word);
    }
    return 2;
}

/* `tidewire help`, `help COMMAND`, `help options`. */
static int help(int argc, char **argv) {
    if (argc < 2) {
        return print_program_help(stdout, 0);
    }
    if (is_one_of(argv[1], "options", "config", "markdown")) {
        twp_text out = {0};
        if (strcmp(argv[1], "markdown") == 0) {
            twp_help_markdown(&out);
        } else {
            twp_help_options(&out);
        }
        fputs(out.data != NULL ? out.data : "", stdout);
        twp_text_deinit(&out);
        return 0;
    }
    const twp_command *command = find(argv[1]);
    char *arguments[] = {argv[1], "--help", NULL};
    return command != NULL ? start(command, 2, arguments) : complain(argv[1]);
}

/* A script is told from a mistyped command by its looks: a command has neither
 * a dot nor a slash in it. */
static bool is_script(const char *word) {
    return strpbrk(word, "./") != NULL || access(word, F_OK) == 0;
}

/* Whoever starts a program may close the standard descriptors: the next ones to
 * be opened, sockets and the like, would be taken for them and be written to.
 */
static bool fill_standard(void) {
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv) {
    if (!fill_standard()) {
        return 1;
    }
    const char *word = argc > 1 ? argv[1] : "";
    if (argc < 2) {
        return print_program_help(stderr, 2);
    }
    if (is_one_of(word, "--version", "-V", "version")) {
        printf("tidewire " TW_VERSION "\n");
        return 0;
    }
    if (is_one_of(word, "--help", "-h", "help")) {
        return help(argc - 1, argv + 1);
    }
    const twp_command *command = find(word);
    if (command != NULL) {
        return start(command, argc - 1, argv + 1);
    }
    if (word[0] == '-' || (is_script(word) && !is_reserved(word))) {
        return start(find("run"), argc, argv);
    }
    return complain(word);
}
