/* A floor that gathers: one system call per socket and turn for publications,
 * one per read for echoes.
 *
 * SPDX-License-Identifier: MIT */
#include "floor.h"

static floor_bytes batch, echoes;

static void on_publish(const uint8_t *frame, size_t len) {
    floor_append(&batch, frame, len);
}

static void on_echo(int fd, const uint8_t *frame, size_t len) {
    (void)fd;
    floor_append(&echoes, frame, len);
}

static void on_read_end(int fd) {
    if (echoes.len > 0) {
        floor_send(fd, echoes.data, echoes.len);
        echoes.len = 0;
    }
}

static void on_turn(void) {
    for (size_t i = 0; batch.len > 0 && i < floor_subscribers_len; i++) {
        floor_send(floor_subscribers[i], batch.data, batch.len);
    }
    batch.len = 0;
}

int main(int argc, char **argv) {
    static const floor_hooks hooks = {on_echo, on_publish, on_read_end,
                                      on_turn};
    return floor_main(argc, argv, &hooks);
}
