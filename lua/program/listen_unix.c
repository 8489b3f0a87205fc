/* listen_unix.c - who may connect to a public Unix socket.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "listen_parts.h"

/* "0660" or "660": its owner has to be able to, and there is no more to it. */
static bool read_mode(const char *text, unsigned *mode) {
    size_t digits = strspn(text, "01234567");
    if (digits < 3 || digits > 4 || text[digits] != '\0') {
        return false;
    }
    unsigned value = (unsigned)strtoul(text, NULL, 8);
    *mode = value;
    return (value & 0600) == 0600 && value <= 0777;
}

void twp_listen_take_mode(const twp_listing *t, size_t i, const char *where,
                          const char *text) {
    if (text == NULL || !read_mode(text, &t->listen->options[i].mode)) {
        twp_listen_remark(t, "%s: mode: must be text from \"0600\" to \"0777\"",
                          where);
    }
}

void twp_listen_take_group(const twp_listing *t, size_t i, const char *where,
                           const char *text) {
    if (text == NULL || *text == '\0') {
        twp_listen_remark(t, "%s: group: must be a name or a number as text",
                          where);
    }
    t->listen->options[i].group = text;
}

/* "/path,mode=0660": a comma and a word with "=" behind it. Other commas are
 * of the path. */
static char *find_option(char *text) {
    for (char *comma = strchr(text, ','); comma != NULL;
         comma = strchr(comma + 1, ',')) {
        size_t word = strspn(comma + 1, "abcdefghijklmnopqrstuvwxyz_");
        if (word > 0 && comma[1 + word] == '=') {
            return comma;
        }
    }
    return NULL;
}

const char *twp_listen_take_unix(const twp_listing *t, size_t i,
                                 const char *text) {
    twp_listen_owned *made = twp_listen_own(t, 0, 0, NULL);
    made->text = twp_copy(text);
    char *option = find_option(made->text);
    while (option != NULL) {
        *option++ = '\0';
        char *next = find_option(option);
        const char *mode = twp_after(option, "mode="),
                   *group = twp_after(option, "group=");
        if (next != NULL) {
            *next = '\0';
        }
        if (mode != NULL) {
            twp_listen_take_mode(t, i, text, mode);
        } else if (group != NULL) {
            twp_listen_take_group(t, i, text, group);
        } else {
            twp_listen_remark(t, "%s: '%s' is neither mode=... nor group=...",
                              text, option);
        }
        option = next;
    }
    return made->text;
}

void twp_listen_check_sharing(const twp_listing *t, size_t i) {
    const tw_listen_options *options = &t->listen->options[i];
    const char *address = t->listen->addresses[i];
    if ((options->mode != 0 || options->group != NULL) &&
        twp_after(address, "unix:") == NULL) {
        twp_listen_remark(t, "%s: a mode and a group are for Unix sockets",
                          address);
    }
}
