/* resp_command.c - a command as an array of bulk strings. hiredis has a
 * formatter, too, which allocates a block of its own for each command; this one
 * writes to where the command is kept until it is sent.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "redis/resp.h"

static size_t digits_of(size_t number) {
    size_t digits = 1;
    for (; number >= 10; number /= 10) {
        digits++;
    }
    return digits;
}

size_t tw__resp_command_size(const tw_redis_command *command) {
    size_t size = 1 + digits_of(command->count) + 2;
    for (size_t i = 0; i < command->count; i++) {
        size_t len = command->args[i].len;
        size += 1 + digits_of(len) + 2 + len + 2;
    }
    return size;
}

static char *write_head(char *out, char type, size_t number) {
    size_t digits = digits_of(number);
    *out = type;
    for (size_t i = digits; i > 0; i--) {
        out[i] = (char)('0' + number % 10);
        number /= 10;
    }
    memcpy(out + 1 + digits, "\r\n", 2);
    return out + 1 + digits + 2;
}

char *tw__resp_command_write(char *out, const tw_redis_command *command) {
    out = write_head(out, '*', command->count);
    for (size_t i = 0; i < command->count; i++) {
        const tw_str *arg = &command->args[i];
        out = write_head(out, '$', arg->len);
        if (arg->len > 0) {
            memcpy(out, arg->data, arg->len);
        }
        memcpy(out + arg->len, "\r\n", 2);
        out += arg->len + 2;
    }
    return out;
}
