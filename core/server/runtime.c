/* SPDX-License-Identifier: MIT */
#include "server/runtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tidewire/errors.h"

#define LOCK_NAME "master.pid"

/* What is left for $XDG_RUNTIME_DIR beside "/tidewire-<uid>/<pid>". */
enum { MAX_PARENT = TW__RUNTIME_DIR - 32 };

void tw__runtime_path(const char *dir, char out[TW__RUNTIME_PATH],
                      const char *format, ...) {
    char name[TW__RUNTIME_PATH - TW__RUNTIME_DIR - 1];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    snprintf(out, TW__RUNTIME_PATH, "%.*s/%s", TW__RUNTIME_DIR - 1, dir, name);
}

/* ---- the default place -------------------------------------------------- */

/* Too long a path is as good as none: a socket's address would not fit. */
static bool is_usable_parent(const char *path) {
    return path != NULL && path[0] == '/' && strlen(path) <= MAX_PARENT &&
           access(path, W_OK | X_OK) == 0;
}

static void base_path(char out[TW__RUNTIME_DIR]) {
    const char *parent = getenv("XDG_RUNTIME_DIR");
    snprintf(out, TW__RUNTIME_DIR, "%s/tidewire-%u",
             is_usable_parent(parent) ? parent : "/tmp", (unsigned)geteuid());
}

/* A folder that others can write to is no place for sockets: in /tmp anybody
 * might have made it before us. */
static int check_private(const char *dir, char *detail, size_t size) {
    struct stat st;
    if (lstat(dir, &st) != 0) {
        snprintf(detail, size, "%s: %s", dir, strerror(errno));
        return TW_EIO;
    }
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
        (st.st_mode & 077) != 0) {
        snprintf(detail, size, "%s must be a folder of user %u with mode 0700",
                 dir, (unsigned)geteuid());
        return TW_EDENIED;
    }
    return 0;
}

static int make_private(const char *dir, bool *made, char *detail,
                        size_t size) {
    *made = mkdir(dir, 0700) == 0;
    if (!*made && errno != EEXIST) {
        snprintf(detail, size, "cannot make %s: %s", dir, strerror(errno));
        return TW_EIO;
    }
    return check_private(dir, detail, size);
}

/* ---- the lock ----------------------------------------------------------- */

/* Open-file-description locks: they can be asked about without being taken,
 * also from the process that holds them, and no other close() drops them. */
static struct flock whole_file(void) {
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

static bool is_locked(const char *dir, int *pid) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" LOCK_NAME, dir);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return false;
    }
    struct flock lock = whole_file();
    bool locked = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    char text[16] = "";
    ssize_t len = read(fd, text, sizeof text - 1);
    *pid = len > 0 ? atoi(text) : 0;
    close(fd);
    return locked;
}

bool tw__runtime_is_alive(const char *dir) {
    int pid;
    return is_locked(dir, &pid);
}

static int take_lock(tw__runtime *runtime, char *detail, size_t size) {
    char path[TW__RUNTIME_PATH];
    tw__runtime_path(runtime->dir, path, LOCK_NAME);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct flock lock = whole_file();
    if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        bool taken = fd >= 0 && (errno == EAGAIN || errno == EACCES);
        snprintf(detail, size, taken ? "%s: another server uses it" : "%s: %s",
                 taken ? runtime->dir : path, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return taken ? TW_EEXISTS : TW_EIO;
    }
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%d\n", (int)getpid()) < 0) {
        snprintf(detail, size, "%s: %s", path, strerror(errno));
        close(fd);
        return TW_EIO;
    }
    runtime->_lock = fd;
    return 0;
}

/* ---- removing ----------------------------------------------------------- */

static bool starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_ours(const char *name) {
    return strcmp(name, LOCK_NAME) == 0 || strcmp(name, "admin.sock") == 0 ||
           starts_with(name, "bus.") || starts_with(name, "gen-");
}

/* Files only: nothing here makes folders. */
static void remove_files(const char *dir, bool all) {
    DIR *handle = opendir(dir);
    if (handle == NULL) {
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(handle)) != NULL) {
        if (all || is_ours(entry->d_name)) {
            unlinkat(dirfd(handle), entry->d_name, 0);
        }
    }
    closedir(handle);
}

static void remove_dir(const char *dir) {
    remove_files(dir, true);
    rmdir(dir);
}

/* ---- looking through the default place ---------------------------------- */

typedef bool (*entry_cb)(const char *path, bool is_link, int number, void *arg);

static void each_entry(entry_cb cb, void *arg) {
    char base[TW__RUNTIME_DIR], why[256];
    base_path(base);
    DIR *handle =
        check_private(base, why, sizeof why) == 0 ? opendir(base) : NULL;
    if (handle == NULL) {
        return;
    }
    struct dirent *entry;
    bool go_on = true;
    while (go_on && (entry = readdir(handle)) != NULL) {
        char path[PATH_MAX], *end;
        long number = strtol(entry->d_name, &end, 10);
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", base, entry->d_name);
        if (*end == '\0' && number > 0 && lstat(path, &st) == 0) {
            go_on = cb(path, S_ISLNK(st.st_mode), (int)number, arg);
        }
    }
    closedir(handle);
}

/* A folder without a lock file may belong to a master that is just starting:
 * it is stale only when its process is gone, too. */
static bool remove_stale(const char *path, bool is_link, int number,
                         void *arg) {
    (void)arg;
    int pid;
    bool is_gone = kill(number, 0) != 0 && errno == ESRCH;
    if (is_locked(path, &pid) || (!is_gone && access(path, F_OK) == 0)) {
        return true;
    }
    if (is_link) {
        unlink(path);
    } else {
        remove_dir(path);
    }
    return true;
}

struct visit {
    bool (*found)(const char *dir, int pid, void *arg);
    void *arg;
};

static bool visit_alive(const char *path, bool is_link, int number, void *arg) {
    (void)number;
    struct visit *visit = arg;
    char dir[PATH_MAX];
    ssize_t len = is_link ? readlink(path, dir, sizeof dir - 1) : -1;
    if (len >= 0) {
        dir[len] = '\0';
    } else {
        snprintf(dir, sizeof dir, "%s", path);
    }
    int pid;
    return !is_locked(dir, &pid) || visit->found(dir, pid, visit->arg);
}

void tw__runtime_each(bool (*found)(const char *dir, int pid, void *arg),
                      void *arg) {
    struct visit visit = {found, arg};
    each_entry(visit_alive, &visit);
}

/* ---- open and close ----------------------------------------------------- */

static int open_default(tw__runtime *runtime, char *detail, size_t size) {
    char base[TW__RUNTIME_DIR];
    bool made;
    base_path(base);
    int error = make_private(base, &made, detail, size);
    if (error != 0) {
        return error;
    }
    each_entry(remove_stale, NULL);
    snprintf(runtime->dir, sizeof runtime->dir, "%.*s/%d", TW__RUNTIME_DIR - 13,
             base, (int)getpid());
    error = make_private(runtime->dir, &runtime->_made, detail, size);
    runtime->_made = true; /* a leftover of an earlier process of our number */
    return error;
}

/* The link is a convenience: without it the folder must be named. */
static void link_from_default(tw__runtime *runtime) {
    char base[TW__RUNTIME_DIR], why[256], target[PATH_MAX];
    bool made;
    base_path(base);
    if (make_private(base, &made, why, sizeof why) != 0 ||
        realpath(runtime->dir, target) == NULL) {
        return;
    }
    each_entry(remove_stale, NULL);
    snprintf(runtime->_link, sizeof runtime->_link, "%s/%d", base,
             (int)getpid());
    if (symlink(target, runtime->_link) != 0) {
        runtime->_link[0] = '\0';
    }
}

static int open_wanted(tw__runtime *runtime, const char *wanted, char *detail,
                       size_t size) {
    if (strlen(wanted) >= sizeof runtime->dir) {
        snprintf(detail, size, "%s: over %d bytes, too long for socket paths",
                 wanted, TW__RUNTIME_DIR - 1);
        return TW_EINVALID;
    }
    snprintf(runtime->dir, sizeof runtime->dir, "%s", wanted);
    return make_private(wanted, &runtime->_made, detail, size);
}

/* Through the descriptor of what was made: the name might mean something else
 * a moment later. */
bool tw__runtime_grant(const char *wanted, uid_t uid, gid_t gid) {
    struct stat st;
    if (wanted == NULL || *wanted == '\0' || mkdir(wanted, 0700) != 0) {
        return false;
    }
    int fd = open(wanted, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool is_given = fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
                    fchown(fd, uid, gid) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return is_given;
}

int tw__runtime_open(tw__runtime *runtime, const char *wanted, char *detail,
                     size_t detail_size) {
    *runtime = (tw__runtime){._lock = -1};
    bool is_default = wanted == NULL || *wanted == '\0';
    int error = is_default ? open_default(runtime, detail, detail_size)
                           : open_wanted(runtime, wanted, detail, detail_size);
    if (error == 0) {
        error = take_lock(runtime, detail, detail_size);
    }
    if (error == 0 && !is_default) {
        link_from_default(runtime);
    }
    if (error != 0 && error != TW_EEXISTS && runtime->_made) {
        rmdir(runtime->dir);
    }
    return error;
}

void tw__runtime_take(tw__runtime *runtime) {
    runtime->_made = true;
}

void tw__runtime_close(tw__runtime *runtime) {
    if (runtime->_lock < 0) {
        return;
    }
    if (runtime->_link[0] != '\0') {
        unlink(runtime->_link);
    }
    remove_files(runtime->dir, runtime->_made);
    if (runtime->_made) {
        rmdir(runtime->dir);
    }
    tw__runtime_leave(runtime);
}

void tw__runtime_leave(tw__runtime *runtime) {
    if (runtime->_lock >= 0) {
        close(runtime->_lock);
        runtime->_lock = -1;
    }
}
