/* SPDX-License-Identifier: MIT */
#include "new.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "help.h"
#include "host.h"
#include "nearest.h"

static const char PLACEHOLDER[] = "@NAME@";
enum { MAX_NAME = 64, MAX_DEPTH = 8 };

/* What was made, so that a failure leaves nothing behind. */
typedef struct making {
    const char *name;
    char **paths;
    size_t count;
} making;

/* ---- pure --------------------------------------------------------------- */

bool twp_new_is_name(const char *name) {
    size_t len = strlen(name);
    if (len == 0 || len > MAX_NAME || !isalpha((unsigned char)*name)) {
        return false;
    }
    for (; *name != '\0'; name++) {
        if (!isalnum((unsigned char)*name) && strchr("-_.", *name) == NULL) {
            return false;
        }
    }
    return true;
}

void twp_new_fill(twp_text *out, const char *text, size_t len,
                  const char *name) {
    const size_t mark = sizeof PLACEHOLDER - 1;
    const char *at;
    while ((at = memmem(text, len, PLACEHOLDER, mark)) != NULL) {
        twp_text_add(out, text, (size_t)(at - text));
        twp_text_puts(out, name);
        len -= (size_t)(at - text) + mark;
        text = at + mark;
    }
    twp_text_add(out, text, len);
}

/* ---- the templates ------------------------------------------------------ */

/* Beside the Lua library of the installation, or below that of the sources.
 * Free it; NULL: there are none. */
static char *templates_dir(void) {
    char *library = twp_library_dir(), *found = NULL;
    for (size_t i = 0; i < 2 && found == NULL; i++) {
        char *dir = i == 0 ? twp_print("%s/../templates", library)
                           : twp_print("%s/program/templates", library);
        if (access(dir, R_OK | X_OK) == 0) {
            found = dir;
        } else {
            free(dir);
        }
    }
    free(library);
    return found;
}

static bool is_hidden(const struct dirent *entry) {
    return entry->d_name[0] == '.';
}

static int complain_template(const char *dir, const char *word) {
    twp_nearest nearest;
    twp_text names = {0};
    struct dirent **list;
    int count = scandir(dir, &list, NULL, alphasort);
    twp_nearest_init(&nearest, word);
    for (int i = 0; i < count; i++) {
        if (!is_hidden(list[i])) {
            twp_nearest_offer(&nearest, list[i]->d_name);
            twp_text_printf(&names, "%s%s", names.len > 0 ? ", " : "",
                            list[i]->d_name);
        }
    }
    fprintf(stderr, "tidewire: no template '%s'", word);
    if (nearest.name != NULL) {
        fprintf(stderr, "; did you mean '%s'?", nearest.name);
    }
    fprintf(stderr, "\ntidewire: there are %s\n",
            names.data != NULL ? names.data : "none");
    for (int i = 0; i < count; i++) {
        free(list[i]);
    }
    if (count >= 0) {
        free(list);
    }
    twp_text_deinit(&names);
    return 2;
}

/* ---- making ------------------------------------------------------------- */

static void note(making *m, char *path) {
    m->paths = twp_grow(m->paths, (m->count + 1) * sizeof *m->paths);
    m->paths[m->count++] = path;
}

static bool fail(const char *path) {
    fprintf(stderr, "tidewire: %s: %s\n", path, strerror(errno));
    return false;
}

static bool make_folder(making *m, const char *path) {
    if (mkdir(path, 0777) != 0) {
        return fail(path);
    }
    note(m, twp_copy(path));
    return true;
}

static bool read_whole(const char *path, twp_text *out) {
    char part[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    while (fd >= 0 && (n = read(fd, part, sizeof part)) > 0) {
        twp_text_add(out, part, (size_t)n);
    }
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = error;
    return n == 0;
}

static bool write_whole(making *m, const char *path, const twp_text *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        return fail(path);
    }
    note(m, twp_copy(path));
    size_t at = 0;
    while (at < text->len) {
        ssize_t n = write(fd, text->data + at, text->len - at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            fail(path);
            close(fd);
            return false;
        }
        at += (size_t)n;
    }
    return close(fd) == 0 || fail(path);
}

static bool copy_file(making *m, const char *from, const char *to) {
    twp_text text = {0}, filled = {0};
    bool is_done = read_whole(from, &text) || fail(from);
    if (is_done) {
        twp_new_fill(&filled, text.data != NULL ? text.data : "", text.len,
                     m->name);
        is_done = write_whole(m, to, &filled);
    }
    twp_text_deinit(&text);
    twp_text_deinit(&filled);
    return is_done;
}

static bool copy_folder(making *m, const char *from, const char *to, int depth);

static bool copy_entry(making *m, const char *from, const char *to, int depth) {
    struct stat facts;
    if (stat(from, &facts) != 0) {
        return fail(from);
    }
    return S_ISDIR(facts.st_mode) ? copy_folder(m, from, to, depth + 1)
                                  : copy_file(m, from, to);
}

static bool copy_folder(making *m, const char *from, const char *to,
                        int depth) {
    struct dirent **list;
    int count = depth < MAX_DEPTH ? scandir(from, &list, NULL, alphasort) : -1;
    if (count < 0) {
        return fail(from);
    }
    bool is_done = make_folder(m, to);
    for (int i = 0; i < count; i++) {
        if (is_done && !is_hidden(list[i])) {
            char *inner = twp_print("%s/%s", from, list[i]->d_name);
            char *made = twp_print("%s/%s", to, list[i]->d_name);
            is_done = copy_entry(m, inner, made, depth);
            free(inner);
            free(made);
        }
        free(list[i]);
    }
    free(list);
    return is_done;
}

static void undo(making *m) {
    for (size_t i = m->count; i-- > 0;) {
        remove(m->paths[i]);
    }
}

static void tell(const making *m) {
    for (size_t i = 0; i < m->count; i++) {
        struct stat facts;
        if (stat(m->paths[i], &facts) == 0 && !S_ISDIR(facts.st_mode)) {
            printf("%s\n", m->paths[i]);
        }
    }
    printf("\nNext:\n  cd %s\n  tidewire test main_test.lua\n"
           "  tidewire run --config config.lua --watch\n",
           m->name);
}

static int make(const char *from, const char *name) {
    making m = {.name = name};
    bool is_done = copy_folder(&m, from, name, 0);
    if (is_done) {
        tell(&m);
    } else {
        undo(&m);
    }
    for (size_t i = 0; i < m.count; i++) {
        free(m.paths[i]);
    }
    free(m.paths);
    return is_done ? 0 : 1;
}

/* ---- the line ----------------------------------------------------------- */

static int make_from(const char *dir, const char *template, const char *name) {
    if (!twp_new_is_name(template)) {
        return complain_template(dir, template);
    }
    char *from = twp_print("%s/%s", dir, template);
    int status = 2;
    if (access(from, R_OK | X_OK) != 0) {
        complain_template(dir, template);
    } else if (!twp_new_is_name(name)) {
        fprintf(stderr,
                "tidewire: '%s' is no name for a project: a letter, then "
                "letters, digits, '-', '_' and '.'\n",
                name);
    } else {
        status = make(from, name);
    }
    free(from);
    return status;
}

static bool is_help(const char *word) {
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int twp_new(const twp_command *command, int argc, char *const *argv) {
    for (int i = 1; i < argc; i++) {
        if (is_help(argv[i])) {
            twp_text out = {0};
            twp_help_command(&out, command);
            twp_text_write(&out, STDOUT_FILENO);
            twp_text_deinit(&out);
            return 0;
        }
        if (argv[i][0] == '-') {
            fprintf(stderr, "tidewire: unknown option '%s'\n", argv[i]);
            return 2;
        }
    }
    if (argc != 3) {
        fprintf(stderr, "tidewire: tidewire new TEMPLATE NAME: which template, "
                        "and which name? See tidewire new --help\n");
        return 2;
    }
    char *dir = templates_dir();
    if (dir == NULL) {
        fprintf(stderr, "tidewire: the templates are not installed\n");
        return 1;
    }
    int status = make_from(dir, argv[1], argv[2]);
    free(dir);
    return status;
}
