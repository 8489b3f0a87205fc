/* tidewire console: lines of Lua for a running server.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "ask.h"
#include "command.h"

/* A line may wait for as long as a hook may: a day at most. */
enum { LINE_BYTES = 65536, WAIT_MS = 86400000, ALL = -1 };

typedef enum outcome { DONE, INCOMPLETE, FAILED, NO_ANSWER } outcome;

typedef struct console {
    const twp_settings *settings;
    char session[17];
    int worker; /* or ALL */
    bool is_interactive, has_terminal;
    long long generation; /* of the last answer; 0: none yet */
    twp_text line;        /* what has been typed of one that goes on */
} console;

/* ---- answers ------------------------------------------------------------ */

/* What scripts print may have come from anybody: to a terminal no byte of it is
 * an order. */
static void put_harmless(const console *c, FILE *to, const char *text,
                         size_t len) {
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        bool is_c1 = byte == 0xC2 && i + 1 < len &&
                     ((unsigned char)text[i + 1] & 0xE0) == 0x80;
        bool is_order =
            (byte < 32 && byte != '\n' && byte != '\t') || byte == 127 || is_c1;
        putc(is_order && c->has_terminal ? '?' : byte, to);
        i += is_order && is_c1 && c->has_terminal;
    }
}

/* Of several workers each line says whose it is. */
static void put_text(const console *c, FILE *to, const char *text,
                     long long slot) {
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        if (c->worker == ALL) {
            fprintf(to, "worker %lld: ", slot);
        }
        put_harmless(c, to, text, len);
        putc('\n', to);
        text += len + (text[len] == '\n');
    }
}

static const char *string(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static long long integer(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static outcome show_part(console *c, const json_t *part) {
    const char *word = string(part, "outcome");
    if (strcmp(word, "incomplete") == 0) {
        return INCOMPLETE;
    }
    bool is_done = strcmp(word, "done") == 0;
    put_text(c, is_done ? stdout : stderr, string(part, "text"),
             integer(part, "slot"));
    return is_done ? DONE : FAILED;
}

static outcome show(console *c, const json_t *answer) {
    const json_t *workers = json_object_get(answer, "workers");
    long long generation = 0;
    outcome worst = DONE;
    for (size_t i = 0; i < json_array_size(workers); i++) {
        const json_t *part = json_array_get(workers, i);
        outcome one = show_part(c, part);
        worst = one > worst ? one : worst;
        generation = integer(part, "generation");
    }
    if (c->is_interactive && c->generation != 0 &&
        generation != c->generation) {
        printf("(generation %lld: the session's globals are gone)\n",
               generation);
    }
    c->generation = generation;
    fflush(stdout);
    return worst;
}

/* ---- lines -------------------------------------------------------------- */

static outcome run(console *c, const char *text, size_t len) {
    char path[96], worker[16] = "all";
    twp_answer answer;
    if (len > LINE_BYTES) {
        fprintf(stderr, "tidewire: more than 64 KiB in one line\n");
        return FAILED;
    }
    if (c->worker != ALL) {
        snprintf(worker, sizeof worker, "%d", c->worker);
    }
    snprintf(path, sizeof path, "/api/console?session=%s&worker=%s", c->session,
             worker);
    if (twp_ask_long(c->settings, "POST", path, text, len, WAIT_MS, &answer) !=
        0) {
        return NO_ANSWER;
    }
    outcome how = show(c, answer.json);
    twp_answer_deinit(&answer);
    return how;
}

static bool is_blank(const char *text) {
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* One more line of input: runs what there is when that is whole. */
static outcome add_line(console *c, const char *text) {
    if (c->line.len == 0 && is_blank(text)) {
        return DONE;
    }
    twp_text_puts(&c->line, text);
    size_t len = c->line.len;
    while (len > 0 && strchr("\r\n", c->line.data[len - 1]) != NULL) {
        len--;
    }
    outcome how = run(c, c->line.data, len);
    if (how != INCOMPLETE) {
        twp_text_deinit(&c->line);
    }
    return how;
}

/* ---- orders to the console itself --------------------------------------- */

static void help(void) {
    puts("An expression shows its values, anything else is run. Lines go on\n"
         "until they are whole; an empty line gives up.\n\n"
         "  :worker N   run what follows in worker N\n"
         "  :all        run what follows in all workers\n"
         "  :help       this\n"
         "  :quit       end, as Ctrl-D does");
}

/* False: the console ends. */
static bool obey(console *c, const char *order) {
    char *end;
    if (strncmp(order, "worker ", 7) == 0) {
        long n = strtol(order + 7, &end, 10);
        if (end != order + 7 && is_blank(end) && n >= 0 && n < 1024) {
            c->worker = (int)n;
            c->generation = 0;
            return true;
        }
    } else if (strncmp(order, "all", 3) == 0 && is_blank(order + 3)) {
        c->worker = ALL;
        return true;
    } else if (*order == 'q') {
        return false;
    }
    help();
    return true;
}

/* ---- from beginning to end ---------------------------------------------- */

static void prompt(const console *c) {
    if (!c->is_interactive) {
        return;
    }
    if (c->line.len > 0) {
        fputs("      ... ", stdout);
    } else if (c->worker == ALL) {
        fputs("all> ", stdout);
    } else {
        printf("worker %d> ", c->worker);
    }
    fflush(stdout);
}

/* False: the input is over. */
static bool next_line(console *c, char **text, size_t *size) {
    prompt(c);
    ssize_t len = getline(text, size, stdin);
    if (len < 0) {
        return false;
    }
    /* The server would take the rest for another text. */
    return memchr(*text, '\0', (size_t)len) == NULL;
}

static int run_input(console *c) {
    char *text = NULL;
    size_t size = 0;
    outcome how = DONE;
    bool go_on = true;
    while (go_on && next_line(c, &text, &size)) {
        if (c->is_interactive && c->line.len == 0 && *text == ':' &&
            text[1] != ':') {
            go_on = obey(c, text + 1);
        } else if (c->is_interactive && c->line.len > 0 && is_blank(text)) {
            twp_text_deinit(&c->line);
        } else {
            how = add_line(c, text);
            go_on = c->is_interactive ? how != NO_ANSWER : how <= INCOMPLETE;
        }
    }
    free(text);
    if (!c->is_interactive && how == INCOMPLETE) {
        fprintf(stderr, "tidewire: the input ends within a statement\n");
    }
    return (c->is_interactive && how != NO_ANSWER) || how == DONE ? 0 : 1;
}

static int run_arguments(console *c, const twp_value *lines) {
    for (size_t i = 0; i < lines->count; i++) {
        outcome how = run(c, lines->list[i], strlen(lines->list[i]));
        if (how == INCOMPLETE) {
            fprintf(stderr, "tidewire: '%s' is not a whole statement\n",
                    lines->list[i]);
        }
        if (how != DONE) {
            return 1;
        }
    }
    return 0;
}

static void name_session(console *c) {
    unsigned char bytes[8] = {0};
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        snprintf((char *)bytes, sizeof bytes, "%d", (int)getpid());
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(c->session + 2 * i, 3, "%02x", bytes[i]);
    }
}

static int worker_of(const twp_settings *settings) {
    return twp_settings_is_on(settings, TWP_ALL_OPTION, false)
               ? ALL
               : (int)twp_settings_number(settings, TWP_WORKER_OPTION, 0);
}

int twp_console(twp_settings *settings, const char *operand) {
    const twp_value *lines = &settings->values[TWP_EVAL_OPTION];
    console c = {.settings = settings,
                 .worker = worker_of(settings),
                 .is_interactive = isatty(STDIN_FILENO) && lines->count == 0,
                 .has_terminal =
                     isatty(STDOUT_FILENO) || isatty(STDERR_FILENO)};
    (void)operand;
    name_session(&c);
    if (lines->count > 0) {
        return run_arguments(&c, lines);
    }
    if (c.is_interactive) {
        puts("Every line is run by the server and logged. :help tells more.");
    }
    int status = run_input(&c);
    if (c.is_interactive) {
        putchar('\n');
    }
    twp_text_deinit(&c.line);
    return status;
}
