/* test_server_stage.h - a whole server for a test: a master in a process of its
 * own, with a host in C whose hooks do what the test wants of them.
 *
 * The host's "script" is a number in shared memory: start and prepare read it
 * and write it into the snapshot, or read the snapshot. GET /who answers
 * "slot version incarnation".
 *
 * SPDX-License-Identifier: MIT */
#ifndef TEST_SERVER_STAGE_H
#define TEST_SERVER_STAGE_H

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/socket.h"
#include "tidewire/admin.h"
#include "tidewire/master.h"

enum { STAGE_SLOTS = 64, STAGE_LOG = 1 << 20, STAGE_WAIT_MS = 60000 };

/* What the processes of a test share. Slots in knobs are one more than the
 * slot, so that 0 is none. */
typedef struct stage {
    volatile int version; /* the sources */
    volatile int fail_start, fail_prepare, fail_freeze;
    volatile int die_in_prepare, die_in_freeze, die_in_commit;
    volatile int slow_freeze_ms;
    volatile int unsettled; /* so often settle answers no, in each slot */
    volatile int settles[STAGE_SLOTS];
    volatile int stop_later; /* member.stop does not answer */
    volatile int starts[STAGE_SLOTS], started[STAGE_SLOTS];
    volatile int prepares[STAGE_SLOTS];
    volatile int freezes[STAGE_SLOTS], commits[STAGE_SLOTS];
    volatile int aborts[STAGE_SLOTS], stops[STAGE_SLOTS];
    volatile int respawns[STAGE_SLOTS];
    volatile int running[STAGE_SLOTS]; /* version of the slot */
    volatile int writers;              /* snapshots written */
    size_t log_len;
    char log[STAGE_LOG];
    /* from on_ready */
    char address[2][128], admin[128], dir[128];
    volatile int is_ready;
} stage;

static stage *stage_now;
static pid_t stage_master;
static int stage_alive; /* its other end is open while a process lives */
static char stage_home[64];

/* ---- the host ----------------------------------------------------------- */

static struct {
    int slot, version, next;
    uint32_t incarnation;
} host;

static void host_log(tw_log_level level, const char *message,
                     const tw_log_field *fields, size_t count, void *arg) {
    char line[8192];
    int len = snprintf(line, sizeof line, "%d %s", (int)level, message);
    for (size_t i = 0; i < count; i++) {
        len += snprintf(line + len, sizeof line - (size_t)len, " %s=%s",
                        fields[i].key, fields[i].value);
    }
    line[len++] = '\n';
    (void)arg;
    size_t at =
        __atomic_fetch_add(&stage_now->log_len, (size_t)len, __ATOMIC_SEQ_CST);
    if (at + (size_t)len < STAGE_LOG) {
        memcpy(stage_now->log + at, line, (size_t)len);
    }
    if (getenv("STAGE_VERBOSE") != NULL) {
        fprintf(stderr, "%d %.*s", (int)getpid(), len, line);
    }
}

static void host_request(tw_req *req, void *user) {
    char body[64];
    (void)user;
    tw_str path = tw_req_path(req);
    if (path.len == 5 && memcmp(path.data, "/hang", 5) == 0) {
        for (;;) {
        }
    }
    if (path.len == 7 && memcmp(path.data, "/reload", 7) == 0) {
        tw_member_reload(tw_req_server(req));
    }
    int len = snprintf(body, sizeof body, "%d %d %u", host.slot, host.version,
                       host.incarnation);
    tw_req_respond(req, 200, NULL, 0, body, (size_t)len);
}

static int host_load(const tw_member *member, int *version) {
    FILE *file;
    if (member->writes_snapshot) {
        __atomic_fetch_add(&stage_now->writers, 1, __ATOMIC_SEQ_CST);
        *version = stage_now->version;
        file = fopen(member->snapshot, "w");
        if (file == NULL || fprintf(file, "%d", *version) < 0) {
            return TW_EIO;
        }
        return fclose(file) == 0 ? 0 : TW_EIO;
    }
    file = fopen(member->snapshot, "r");
    int got = file != NULL ? fscanf(file, "%d", version) : 0;
    if (file != NULL) {
        fclose(file);
    }
    return got == 1 ? 0 : TW_EIO;
}

static int host_start(tw_server *server, const tw_member *member, char *report,
                      void *user) {
    tw_route_config routes[] = {{.kind = TW_ROUTE_HTTP, .pattern = "/who"},
                                {.kind = TW_ROUTE_HTTP, .pattern = "/hang"},
                                {.kind = TW_ROUTE_HTTP, .pattern = "/reload"}};
    (void)user;
    host.slot = (int)member->slot;
    host.incarnation = member->incarnation;
    stage_now->starts[host.slot]++;
    stage_now->respawns[host.slot] += member->is_respawn;
    if (stage_now->fail_start == host.slot + 1) {
        snprintf(report, TW_REPORT_MAX, "app.lua:1: start failed");
        return TW_EINVALID;
    }
    int error = host_load(member, &host.version);
    stage_now->running[host.slot] = host.version;
    return error != 0 ? error : tw_server_set_routes(server, routes, 3, NULL);
}

static void host_die_if(int knob) {
    if (knob == host.slot + 1) {
        raise(SIGKILL);
    }
}

/* Only now does the server listen. */
static void host_started(tw_server *server, const tw_member *member,
                         void *user) {
    (void)server;
    (void)user;
    stage_now->started[member->slot]++;
}

/* Work that turns the loop once more. */
static bool host_idle(tw_server *server, void *user) {
    (void)server;
    (void)user;
    return false;
}

static bool host_settle(tw_server *server, void *user) {
    (void)user;
    if (stage_now->settles[host.slot]++ < stage_now->unsettled) {
        tw_server_set_idle(server, host_idle, NULL);
        return false;
    }
    return true;
}

static int host_prepare(tw_server *server, const tw_member *member,
                        char *report, void *user) {
    (void)server;
    (void)user;
    stage_now->prepares[host.slot]++;
    host_die_if(stage_now->die_in_prepare);
    if (stage_now->fail_prepare == host.slot + 1) {
        snprintf(report, TW_REPORT_MAX, "app.lua:7: \"prepare\" failed");
        return TW_EINVALID;
    }
    return host_load(member, &host.next);
}

static int host_freeze(tw_server *server, char *report, void *user) {
    (void)server;
    (void)user;
    stage_now->freezes[host.slot]++;
    host_die_if(stage_now->die_in_freeze);
    if (host.slot == 0 && stage_now->slow_freeze_ms > 0) {
        poll(NULL, 0, stage_now->slow_freeze_ms);
    }
    if (stage_now->fail_freeze == host.slot + 1) {
        snprintf(report, TW_REPORT_MAX, "save() raised");
        return TW_EINVALID;
    }
    return 0;
}

static void host_commit(tw_server *server, void *user) {
    (void)server;
    (void)user;
    host_die_if(stage_now->die_in_commit);
    host.version = host.next;
    stage_now->commits[host.slot]++;
    stage_now->running[host.slot] = host.version;
}

static void host_abort(tw_server *server, void *user) {
    (void)server;
    (void)user;
    stage_now->aborts[host.slot]++;
}

static void host_stop(tw_server *server, void *user) {
    (void)user;
    stage_now->stops[host.slot]++;
    if (!stage_now->stop_later) {
        tw_member_stopped(server);
    }
}

static void host_ready(const tw_ready *ready, void *user) {
    (void)user;
    for (size_t i = 0; i < ready->address_count && i < 2; i++) {
        snprintf(stage_now->address[i], sizeof stage_now->address[i], "%s",
                 ready->addresses[i].data);
    }
    snprintf(stage_now->admin, sizeof stage_now->admin, "%s", ready->admin);
    snprintf(stage_now->dir, sizeof stage_now->dir, "%s", ready->runtime_dir);
    stage_now->is_ready = 1;
}

/* ---- the server --------------------------------------------------------- */

static const char *const stage_listen[] = {"127.0.0.1:0"};

static inline tw_master_config stage_config(uint32_t workers) {
    return (tw_master_config){.server = {.listen = stage_listen,
                                         .listen_count = 1,
                                         .hooks = {.on_request = host_request},
                                         .log = host_log,
                                         .log_level = TW_LOG_DEBUG},
                              .member = {.start = host_start,
                                         .started = host_started,
                                         .settle = host_settle,
                                         .prepare = host_prepare,
                                         .freeze = host_freeze,
                                         .commit = host_commit,
                                         .abort = host_abort,
                                         .stop = host_stop},
                              .workers = workers,
                              .admin = "127.0.0.1:0",
                              .freeze_ms = STAGE_WAIT_MS, /* a slow machine's */
                              .version = "1.2.3",
                              .on_ready = host_ready};
}

/* True when the log has a line with this text. */
static inline bool stage_logged(const char *text) {
    return strstr(stage_now->log, text) != NULL;
}

static inline uint64_t stage_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Waits, within a limit, until the condition holds; asked once more it may have
 * changed again. */
#define STAGE_UNTIL(condition)                                                 \
    do {                                                                       \
        uint64_t until_ = stage_clock() + STAGE_WAIT_MS;                       \
        bool holds_;                                                           \
        while (!(holds_ = (condition)) && stage_clock() < until_) {            \
            poll(NULL, 0, 2);                                                  \
        }                                                                      \
        if (!holds_) {                                                         \
            fail_msg("%s: never came true", #condition);                       \
        }                                                                      \
    } while (0)

static inline void stage_launch(const tw_master_config *config) {
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    stage_master = fork();
    if (stage_master == 0) {
        close(fds[0]);
        exit(tw_master_run(config));
    }
    close(fds[1]);
    stage_alive = fds[0];
}

static inline void stage_run(const tw_master_config *config) {
    stage_launch(config);
    STAGE_UNTIL(stage_now->is_ready);
}

/* Waits for the end of every process of the server; the master's exit status,
 * or -1 when it was killed. */
static inline int stage_wait(void) {
    struct pollfd fd = {stage_alive, POLLIN, 0};
    int status;
    assert_int_equal(poll(&fd, 1, STAGE_WAIT_MS), 1);
    close(stage_alive);
    stage_alive = -1;
    assert_int_equal(waitpid(stage_master, &status, 0), stage_master);
    stage_master = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline int stage_end(void) {
    kill(stage_master, SIGTERM);
    return stage_wait();
}

/* ---- asking ------------------------------------------------------------- */

/* Answers the status; the body goes to `out`. */
static inline int stage_ask(const char *method, const char *path, char *out,
                            size_t size) {
    int status = 0;
    char *body = NULL, why[512];
    int error = tw_admin_request(stage_now->dir, method, path, 0, &status,
                                 &body, why, sizeof why);
    if (error != 0) {
        fprintf(stderr, "%s %s: %s\n", method, path, why);
    }
    assert_int_equal(error, 0);
    snprintf(out, size, "%s", body);
    tw_admin_free(body);
    return status;
}

static inline int stage_connect(const char *to) {
    tw__address address;
    int fd;
    assert_int_equal(tw__address_parse(&address, to), 0);
    assert_int_equal(tw__socket_connect(&address, &fd), 0);
    return fd;
}

static inline void stage_send(int fd, const char *text) {
    struct pollfd ready = {fd, POLLOUT, 0};
    assert_int_equal(poll(&ready, 1, STAGE_WAIT_MS), 1);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until `until` stands in the text or the peer closed. */
static inline void stage_read(int fd, const char *until, char *out,
                              size_t size) {
    size_t len = 0;
    out[0] = '\0';
    while (until == NULL || strstr(out, until) == NULL) {
        struct pollfd ready = {fd, POLLIN, 0};
        assert_int_equal(poll(&ready, 1, STAGE_WAIT_MS), 1);
        ssize_t got = recv(fd, out + len, size - 1 - len, 0);
        if (got <= 0) {
            return;
        }
        len += (size_t)got;
        out[len] = '\0';
    }
}

/* One request on a connection of its own; the whole answer in `out`. */
static inline void stage_http(const char *to, const char *request, char *out,
                              size_t size) {
    int fd = stage_connect(to);
    stage_send(fd, request);
    stage_read(fd, NULL, out, size);
    close(fd);
}

/* What GET /who says, on a connection that is open: any worker's. */
static inline void stage_who(int fd, int *slot, int *version,
                             int *incarnation) {
    char text[1024];
    stage_send(fd, "GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stage_read(fd, "\r\n\r\n", text, sizeof text);
    const char *body = strstr(text, "\r\n\r\n");
    assert_non_null(body);
    assert_int_equal(sscanf(body, "%d %d %d", slot, version, incarnation), 3);
}

/* The number behind `"name":` in worker `slot` of /api/status (0: the first).
 */
static inline long stage_fact(uint32_t slot, const char *name) {
    static char body[1 << 17];
    char key[64];
    assert_int_equal(stage_ask("GET", "/api/status", body, sizeof body), 200);
    snprintf(key, sizeof key, "{\"slot\":%u,", slot);
    const char *at = strstr(body, key);
    assert_non_null(at);
    snprintf(key, sizeof key, "\"%s\":", name);
    at = strstr(at, key);
    assert_non_null(at);
    return strtol(at + strlen(key), NULL, 10);
}

static inline bool stage_all_run(uint32_t workers, int version) {
    for (uint32_t i = 0; i < workers; i++) {
        if (stage_now->running[i] != version) {
            return false;
        }
    }
    return true;
}

/* ---- set-up ------------------------------------------------------------- */

static inline int stage_set_up(void **state) {
    (void)state;
    stage_now = mmap(NULL, sizeof *stage_now, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    stage_alive = -1;
    strcpy(stage_home, "/tmp/tw-test-XXXXXX");
    if (stage_now == MAP_FAILED || mkdtemp(stage_home) == NULL) {
        return 1;
    }
    stage_now->version = 10;
    return setenv("XDG_RUNTIME_DIR", stage_home, 1);
}

/* A test that failed may have left its server behind. */
static inline int stage_tear_down(void **state) {
    char base[128];
    (void)state;
    if (stage_master != 0) {
        fwrite(stage_now->log, 1, stage_now->log_len, stderr);
        kill(stage_master, SIGTERM);
        kill(stage_master, SIGTERM);
        waitpid(stage_master, NULL, 0);
        stage_master = 0;
    }
    if (stage_alive >= 0) {
        close(stage_alive);
    }
    snprintf(base, sizeof base, "%s/tidewire-%u", stage_home,
             (unsigned)geteuid());
    rmdir(base);
    munmap(stage_now, sizeof *stage_now);
    return rmdir(stage_home); /* fails when a server left its folder */
}

#define STAGE_TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, stage_set_up, stage_tear_down)

#endif
