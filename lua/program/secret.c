/* SPDX-License-Identifier: MIT */
#include "secret.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SECRET = 1024 };

static bool tell(const char *path, const char *why) {
    fprintf(stderr, "tidewire: admin_token_file: %s: %s\n", path, why);
    return false;
}

/* The first line; blanks behind it are an editor's. False with errno when the
 * file cannot be read. */
static bool read_line(const char *path, char line[MAX_SECRET + 2]) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t len = fd >= 0 ? read(fd, line, MAX_SECRET + 1) : -1;
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (len < 0) {
        errno = error;
        return false;
    }
    line[len] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    for (size_t end = strlen(line); end > 0 && line[end - 1] == ' '; end--) {
        line[end - 1] = '\0';
    }
    return true;
}

bool twp_secret_read(const char *path, char **secret, const char **why) {
    char line[MAX_SECRET + 2];
    if (!read_line(path, line)) {
        *why = strerror(errno);
        return false;
    }
    size_t len = strlen(line);
    bool is_ok = len > 0 && len <= MAX_SECRET;
    if (is_ok) {
        *secret = twp_copy(line);
    } else {
        *why = len == 0 ? "its first line is empty"
                        : "its first line is over 1024 bytes";
    }
    explicit_bzero(line, sizeof line);
    return is_ok;
}

static bool read_token(const char *path, char **token) {
    const char *why;
    return twp_secret_read(path, token, &why) || tell(path, why);
}

bool twp_secret_token(const twp_settings *settings, char **token) {
    const char *text = twp_settings_text(settings, TWP_ADMIN_TOKEN_OPTION);
    const char *path = twp_settings_text(settings, TWP_ADMIN_TOKEN_FILE_OPTION);
    *token = NULL;
    if (text != NULL && path != NULL) {
        return tell(path, "there is an admin_token, too");
    }
    if (path != NULL) {
        return read_token(path, token);
    }
    *token = text != NULL ? twp_copy(text) : NULL;
    return true;
}

void twp_secret_free(char *secret) {
    if (secret != NULL) {
        explicit_bzero(secret, strlen(secret));
        free(secret);
    }
}

void twp_secret_hide(char *report) {
    static const char before[] = " near '";
    char *at = strstr(report, before);
    if (at == NULL) {
        return;
    }
    char first = at[sizeof before - 1];
    if (first == '"' || first == '\'' || first == '[' ||
        isdigit((unsigned char)first)) {
        strcpy(at, " near ..."); /* never longer than it was */
    }
}
