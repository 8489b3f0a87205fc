/* A floor that sends each message by itself: one system call per socket and
 * message.
 *
 * SPDX-License-Identifier: MIT */
#include "floor.h"

static void on_publish(floor_channel *channel, const uint8_t *frame, size_t len,
                       int except) {
    for (size_t i = 0; i < channel->len; i++) {
        if (channel->members[i] != except) {
            floor_send(channel->members[i], frame, len);
        }
    }
}

static void on_echo(int fd, const uint8_t *frame, size_t len) {
    floor_send(fd, frame, len);
}

static void on_read_end(int fd) {
    (void)fd;
}

static void on_turn(void) {
}

int main(int argc, char **argv) {
    static const floor_hooks hooks = {on_echo, on_publish, on_read_end,
                                      on_turn};
    return floor_main(argc, argv, &hooks);
}
