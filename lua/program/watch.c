/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "explain.h"
#include "tidewire/admin.h"
#include "watch_folders.h"

/* An editor may write several files, or one in several steps; a file that is
 * gone is usually about to be replaced. Until the server is ready it is not
 * asked. */
enum { REST_MS = 50, GONE_MS = 300, READY_MS = 50 };
enum { MAX_SOURCE = 8 << 20 };

typedef struct watcher {
    const char *dir; /* the server's, once it is ready */
    const char *config;
    twp_log *log;
    twp_folders folders;
    char file[PATH_MAX]; /* the last that changed */
} watcher;

/* ---- what the server says ----------------------------------------------- */

/* The bytes of a regular file, given; NULL when there is none to show. */
static char *read_source(const char *path, size_t *len) {
    struct stat facts;
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) &&
        facts.st_size > 0 && facts.st_size < MAX_SOURCE) {
        text = twp_alloc((size_t)facts.st_size + 1);
        ssize_t n = read(fd, text, (size_t)facts.st_size);
        *len = n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0) {
        close(fd);
    }
    return text;
}

/* For people, under the master's own record of it. */
static void show(watcher *w, const char *report, const twp_where *where,
                 const char *source, size_t len) {
    twp_text text = {0};
    twp_text_puts(&text, "\n");
    twp_explain(&text, report, source, len, where->line, w->log->has_colour);
    twp_text_puts(&text, "\n");
    twp_log_put(w->log, &text);
    twp_text_deinit(&text);
}

static void record(watcher *w, const char *report, const twp_where *where,
                   const char *source, size_t len) {
    char line[16], code[512] = "";
    size_t code_len = 0;
    const char *begin = source != NULL
                            ? twp_line_of(source, len, where->line, &code_len)
                            : NULL;
    snprintf(line, sizeof line, "%u", where->line);
    snprintf(code, sizeof code, "%.*s", begin != NULL ? (int)code_len : 0,
             begin != NULL ? begin : "");
    tw_log_field fields[] = {{"error", where->line > 0 ? where->what : report},
                             {"file", where->file},
                             {"line", line},
                             {"code", code + strspn(code, " \t")}};
    twp_log_write(TW_LOG_ERROR, "the scripts do not load", fields,
                  where->line > 0 ? 4 : 1, w->log);
}

static void explain(watcher *w, const char *report) {
    twp_where where;
    char *source = NULL;
    size_t len = 0;
    if (twp_where_read(&where, report)) {
        source = read_source(where.file, &len);
    } else {
        where = (twp_where){.what = report};
    }
    if (w->log->format == TWP_LOG_PEOPLE) {
        show(w, report, &where, source, len);
    } else {
        record(w, report, &where, source, len);
    }
    free(source);
}

static void tell_answer(watcher *w, int status, const char *body) {
    json_t *json = json_loads(body, JSON_DECODE_ANY, NULL);
    const json_t *error = json_object_get(json, "error");
    const char *report = json_string_value(json_object_get(error, "message"));
    if (status < 200 || status >= 300) {
        explain(w, report != NULL ? report : "the server refused to reload");
    }
    json_decref(json);
}

static void reload(watcher *w) {
    tw_log_field field = {"file", w->file};
    twp_log_write(TW_LOG_INFO, "scripts changed", &field, *w->file != '\0',
                  w->log);
    char detail[1024] = "", *body;
    int status;
    int error = tw_admin_request(w->dir, "POST", "/api/reload", 0, &status,
                                 &body, detail, sizeof detail);
    if (error == 0) {
        tell_answer(w, status, body);
        tw_admin_free(body);
        return;
    }
    field =
        (tw_log_field){"error", *detail != '\0' ? detail : tw_strerror(error)};
    twp_log_write(TW_LOG_ERROR, "the server could not be asked to reload",
                  &field, 1, w->log);
}

/* ---- what happens ------------------------------------------------------- */

static void wait_ms(watcher *w, int ms) {
    struct pollfd fd = {w->folders.fd, POLLIN, 0};
    poll(&fd, 1, ms);
}

/* Waits until something changed, and then until nothing more does. */
static void await_change(watcher *w) {
    twp_change change = TWP_NO_CHANGE, more;
    w->file[0] = '\0';
    while (change == TWP_NO_CHANGE) {
        wait_ms(w, -1);
        change = twp_folders_read(&w->folders, w->file);
    }
    do {
        wait_ms(w, change == TWP_GONE ? GONE_MS : REST_MS);
        more = twp_folders_read(&w->folders, w->file);
        change = more != TWP_NO_CHANGE ? more : change;
    } while (more != TWP_NO_CHANGE);
}

static bool is_config(const watcher *w) {
    struct stat a, b;
    return w->config != NULL && stat(w->config, &a) == 0 &&
           stat(w->file, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static void await_server(const volatile char *dir) {
    while (dir[0] == '\0') {
        poll(NULL, 0, READY_MS);
    }
}

static _Noreturn void run(watcher *w) {
    if (w->folders.is_full) {
        twp_log_write(TW_LOG_WARN,
                      "there are more folders than are watched for changes",
                      NULL, 0, w->log);
    }
    for (;;) {
        await_change(w);
        await_server(w->dir);
        if (is_config(w)) {
            twp_log_write(TW_LOG_WARN,
                          "the configuration changed: it takes a new start of "
                          "the server",
                          NULL, 0, w->log);
        }
        reload(w);
    }
}

/* ---- the process -------------------------------------------------------- */

/* It ends when its master does and not before, whatever a terminal sends to
 * all of them. */
static void settle(pid_t master) {
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        signal(ignored[i], SIG_IGN);
    }
    prctl(PR_SET_NAME, "tidewire:watch");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != master) {
        _exit(0);
    }
}

static char *folder_of(const char *script) {
    const char *slash = strrchr(script, '/');
    if (slash == NULL) {
        return twp_copy(".");
    }
    return slash == script ? twp_copy("/")
                           : twp_print("%.*s", (int)(slash - script), script);
}

static bool complain(twp_log *log) {
    tw_log_field field = {"error", strerror(errno)};
    twp_log_write(TW_LOG_ERROR, "the scripts cannot be watched", &field, 1,
                  log);
    return false;
}

bool twp_watch_start(twp_watch *watch, const char *script, const char *config,
                     twp_log *log) {
    static watcher w; /* the folders' table is large */
    *watch = (twp_watch){._master = getpid()};
    void *shared = mmap(NULL, PATH_MAX, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return complain(log);
    }
    watch->_dir = shared;
    w = (watcher){.dir = watch->_dir, .config = config, .log = log};
    /* Before the server reads its scripts: no change after that is missed. */
    char *folder = folder_of(script);
    int error = twp_folders_init(&w.folders, folder);
    free(folder);
    pid_t pid = error == 0 ? fork() : -1;
    if (pid == 0) {
        settle(watch->_master);
        run(&w);
    }
    watch->_pid = pid > 0 ? pid : 0;
    bool is_started = pid > 0 || complain(log);
    if (error == 0) {
        twp_folders_deinit(&w.folders);
    }
    return is_started;
}

void twp_watch_ready(twp_watch *watch, const char *runtime_dir) {
    if (watch->_dir != NULL && strlen(runtime_dir) < PATH_MAX) {
        /* The first byte last: by it the other one knows. */
        volatile char *dir = watch->_dir;
        memcpy(watch->_dir + 1, runtime_dir + 1, strlen(runtime_dir));
        __sync_synchronize();
        dir[0] = runtime_dir[0];
    }
}

void twp_watch_stop(twp_watch *watch) {
    if (watch->_dir != NULL) {
        munmap(watch->_dir, PATH_MAX);
        watch->_dir = NULL;
    }
    if (watch->_pid != 0 && watch->_master == getpid()) {
        kill(watch->_pid, SIGKILL);
        waitpid(watch->_pid, NULL, 0);
    }
    watch->_pid = 0;
}
