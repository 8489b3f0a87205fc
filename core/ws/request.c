/* SPDX-License-Identifier: MIT */
#include "ws/request.h"

#include <string.h>
#include <strings.h>

bool tw__ws_equals(const char *data, size_t len, const char *text) {
    return len == strlen(text) && strncasecmp(data, text, len) == 0;
}

static bool is_named(const tw__ws_header *header, const char *name) {
    return tw__ws_equals(header->name, header->name_len, name);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static void trim(const char **data, size_t *len) {
    while (*len > 0 && is_blank((*data)[0])) {
        (*data)++;
        (*len)--;
    }
    while (*len > 0 && is_blank((*data)[*len - 1])) {
        (*len)--;
    }
}

size_t tw__ws_request_count(const tw__ws_request *req, const char *name) {
    size_t count = 0;
    for (size_t i = 0; i < req->header_count; i++) {
        count += is_named(&req->headers[i], name);
    }
    return count;
}

bool tw__ws_request_find(const tw__ws_request *req, const char *name,
                         const char **value, size_t *len) {
    for (size_t i = 0; i < req->header_count; i++) {
        if (is_named(&req->headers[i], name)) {
            *value = req->headers[i].value;
            *len = req->headers[i].value_len;
            trim(value, len);
            return true;
        }
    }
    return false;
}

void tw__ws_list_init(tw__ws_list *list, const tw__ws_request *req,
                      const char *name) {
    *list = (tw__ws_list){._req = req, ._name = name};
}

/* Makes the next line of this name the current one; false after the last. */
static bool next_line(tw__ws_list *list) {
    while (list->_next_line < list->_req->header_count) {
        const tw__ws_header *header = &list->_req->headers[list->_next_line++];
        if (header->value_len > 0 && is_named(header, list->_name)) {
            list->_at = header->value;
            list->_end = header->value + header->value_len;
            return true;
        }
    }
    return false;
}

bool tw__ws_list_next(tw__ws_list *list, const char **item, size_t *len) {
    while (list->_at != list->_end || next_line(list)) {
        const char *start = list->_at;
        size_t left = (size_t)(list->_end - start);
        const char *comma = memchr(start, ',', left);
        const char *data = start;
        size_t data_len = comma != NULL ? (size_t)(comma - start) : left;
        list->_at = comma != NULL ? comma + 1 : list->_end;
        trim(&data, &data_len);
        if (data_len > 0) {
            *item = data;
            *len = data_len;
            return true;
        }
    }
    return false;
}

bool tw__ws_list_has(const tw__ws_request *req, const char *name,
                     const char *token) {
    tw__ws_list list;
    const char *item;
    size_t len;
    tw__ws_list_init(&list, req, name);
    while (tw__ws_list_next(&list, &item, &len)) {
        if (tw__ws_equals(item, len, token)) {
            return true;
        }
    }
    return false;
}

/* By hand rather than isalnum, which asks the locale. */
static bool is_token_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool tw__ws_is_token(const char *data, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (!is_token_char(data[i])) {
            return false;
        }
    }
    return len > 0;
}
