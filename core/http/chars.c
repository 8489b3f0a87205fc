/* SPDX-License-Identifier: MIT */
#include "http/chars.h"

#include <string.h>

bool tw__http_is_tchar(unsigned char c) {
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
        (c >= 'A' && c <= 'Z')) {
        return true;
    }
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

bool tw__http_is_value_char(unsigned char c) {
    return c == '\t' || (c >= 0x20 && c != 0x7F);
}

int tw__http_hex(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = tw__http_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool tw__http_same(const char *a, size_t a_len, const char *b, size_t b_len) {
    if (a_len != b_len) {
        return false;
    }
    for (size_t i = 0; i < a_len; i++) {
        if (tw__http_lower(a[i]) != tw__http_lower(b[i])) {
            return false;
        }
    }
    return true;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

void tw__http_trim(const char **data, size_t *len) {
    while (*len > 0 && is_blank((*data)[0])) {
        (*data)++;
        (*len)--;
    }
    while (*len > 0 && is_blank((*data)[*len - 1])) {
        (*len)--;
    }
}

/* The length up to the next comma outside of quotes. */
static size_t element_len(const char *data, size_t len) {
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        if (quoted && data[i] == '\\' && i + 1 < len) {
            i++;
        } else if (data[i] == '"') {
            quoted = !quoted;
        } else if (data[i] == ',' && !quoted) {
            return i;
        }
    }
    return len;
}

bool tw__http_list_next(const char **data, size_t *len, const char **item,
                        size_t *item_len) {
    while (*len > 0) {
        size_t taken = element_len(*data, *len);
        *item = *data;
        *item_len = taken;
        tw__http_trim(item, item_len);
        taken += taken < *len; /* the comma */
        *data += taken;
        *len -= taken;
        if (*item_len > 0) {
            return true;
        }
    }
    return false;
}

bool tw__http_list_has(const char *data, size_t len, const char *token) {
    const char *item;
    size_t item_len;
    while (tw__http_list_next(&data, &len, &item, &item_len)) {
        if (tw__http_same(item, item_len, token, strlen(token))) {
            return true;
        }
    }
    return false;
}

bool tw__http_decimal(const char *data, size_t len, uint64_t *out) {
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        uint64_t digit = (uint64_t)(data[i] - '0');
        if (data[i] < '0' || data[i] > '9' ||
            value > (INT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (len == 0) {
        return false;
    }
    *out = value;
    return true;
}
