/* SPDX-License-Identifier: MIT */
#include "tidewire/errors.h"

const char *tw_err_name(int code) {
    switch (code) {
#define NAME(symbol, value, name, text)                                        \
    case value:                                                                \
        return name;
        TW_ERRORS(NAME)
#undef NAME
    case 0:
        return "ok";
    default:
        return "unknown";
    }
}

const char *tw_strerror(int code) {
    switch (code) {
#define TEXT(symbol, value, name, text)                                        \
    case value:                                                                \
        return text;
        TW_ERRORS(TEXT)
#undef TEXT
    case 0:
        return "success";
    default:
        return "unknown error";
    }
}
