/* SPDX-License-Identifier: MIT */
#include "vm_path.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { MAX_STEP = 64 };

static bool is_name(const char *key, size_t len) {
    if (len == 0 || isdigit((unsigned char)key[0])) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)key[i]) && key[i] != '_') {
            return false;
        }
    }
    return true;
}

/* One step: ".name", "[3]" or "[\"a key\"]", with anything odd as '?'. */
static size_t write_step(const twl_place *place, char *text) {
    if (place->key == NULL) {
        return (size_t)snprintf(text, MAX_STEP, "[%.14g]", place->index);
    }
    char key[MAX_STEP - 8];
    size_t len =
        place->key_len < sizeof key - 1 ? place->key_len : sizeof key - 1;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)place->key[i];
        key[i] = c >= 0x20 && c < 0x7F ? (char)c : '?';
    }
    key[len] = '\0';
    return (size_t)snprintf(text, MAX_STEP,
                            is_name(key, len) ? ".%s" : "[\"%s\"]", key);
}

void twl_path_write(const twl_place *place, const char *root, char *text,
                    size_t room) {
    char step[MAX_STEP];
    size_t at = room - 1;
    text[at] = '\0';
    for (; place != NULL; place = place->outer) {
        size_t len = write_step(place, step);
        if (len > at) {
            root = "...";
            break;
        }
        at -= len;
        memcpy(text + at, step, len);
    }
    size_t root_len = strlen(root);
    root_len = root_len < at ? root_len : at;
    memmove(text + root_len, text + at, room - at);
    memcpy(text, root, root_len);
}
